// SPDX-License-Identifier: Apache-2.0
// Judging a COSE_Sign1 message by the strict profile that signed reference values and policy
// fragments follow: certificates in the protected header, an issuer that is a did:x509 of them.
// A message that passes is what its issuer said; whether that issuer counts is for the caller, by
// `issuer` and `feed` of Rules. The certificates' validity in time is not judged: the authority in
// the DID is what is trusted, and a release outlives its signer's certificate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "proto/cose/sign1.h"

namespace kata_cc::cose {

struct LedgerKey {
  std::string kid;
  PKey key;
};

struct Rules {
  std::optional<std::string> issuer, feed;  // Must be exactly these.
  std::optional<std::int64_t> minimum_svn;
  // Set, even if empty: each receipt under header 394 must verify by one of these.
  const std::vector<LedgerKey>* ledger_keys = nullptr;
};

struct Receipt {
  std::int64_t algorithm = 0;
  std::string kid, issuer;
  std::optional<std::string> subject;
  std::string data_hash, root;  // Hex; empty when there is no proof.
  bool data_hash_matches = false;
  bool root_signature_valid = false;
  bool valid = false;
};

struct Verdict {
  // malformed; header; chain, signature, did, receipt, svn, issuer, feed. Empty: the message holds.
  std::vector<std::string> failed_checks;
  // What could be read of it, believed or not.
  std::optional<std::int64_t> algorithm, svn, payload_hash_algorithm;
  std::optional<std::string> content_type, issuer, feed;
  std::vector<std::string> chain_subjects;  // RFC 4514, the signer first.
  std::vector<Bytes> chain;                 // DER.
  std::optional<std::vector<Receipt>> receipts;
  std::optional<Bytes> payload;

  bool valid() const { return failed_checks.empty(); }
};

Verdict Judge(ByteView message, const Rules& rules = {});

// Whether payload, of a hash envelope, is the digest of preimage.
bool MatchesPreimage(const Verdict& verdict, ByteView preimage);

}  // namespace kata_cc::cose
