// SPDX-License-Identifier: Apache-2.0
// did:x509:0: a name for whoever holds a certificate of a given kind under a given authority,
// "did:x509:0:sha256:<fingerprint of an authority>::eku:<oid>" (CCF's did-x509 specification).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "proto/cose/key.h"

namespace kata_cc::cose {

// Whether the chain, leaf first and with its links checked by the caller, has this name: one of
// the certificates above the leaf has the fingerprint, and the leaf fulfils each policy (eku,
// subject, san). A name without a policy, or with an unknown one, is no chain's.
bool MatchesDid(std::string_view did, std::span<const X509Ptr> chain);

// The name by the last certificate's SHA-256 and the leaf's common name.
Result<std::string> MakeDid(std::span<const X509Ptr> chain);

}  // namespace kata_cc::cose
