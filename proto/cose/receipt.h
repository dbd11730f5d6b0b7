// SPDX-License-Identifier: Apache-2.0
// Receipts of a transparency ledger (COSE receipts, profile of CCF): a signature over the root of
// a Merkle tree, and the path from the message to that root.
#pragma once

#include <vector>

#include "proto/cose/verify.h"

namespace kata_cc::cose {

// One result a receipt of the array; an item that cannot be read is one that is not valid.
std::vector<Receipt> JudgeReceipts(const cbor::Value& receipts, const Sign1& message,
                                   const std::vector<LedgerKey>& keys);

}  // namespace kata_cc::cose
