// SPDX-License-Identifier: Apache-2.0
// CBOR and COSE_Sign1 messages from anywhere.
#include <cstddef>
#include <cstdint>

#include "proto/cose/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kata_cc;
  static const std::vector<cose::LedgerKey> none;
  cose::Rules rules;
  rules.ledger_keys = &none;
  const cose::Verdict verdict = cose::Judge(ByteView(data, size), rules);
  (void)cose::MatchesPreimage(verdict, ByteView(data, size));
  // Receipts of nobody's ledger never count.
  if (verdict.valid() && verdict.receipts && !verdict.receipts->empty()) __builtin_trap();
  return 0;
}
