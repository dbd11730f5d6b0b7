// SPDX-License-Identifier: Apache-2.0
// TestKbs: a key broker for tests, small but in earnest: it verifies the evidence by the library
// that kata-ccctl report verify uses, and gives a secret to no one else. Protocol: KBS 0.4.0.
#pragma once

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/http/message.h"
#include "agent/kbs/tee_key.h"
#include "base/bytes.h"
#include "base/result.h"
#include "proto/snp/verify/appraise.h"
#include "proto/snp/verify/cert.h"

namespace kata_cc::tests {

// A flattened JWE, ECDH-ES+A256KW on P-256 with A256GCM, to the key of jwk.
Result<std::string> EncryptJwe(ByteView plaintext, const nlohmann::json& jwk);

class TestKbs {
 public:
  struct Options {
    std::vector<snp::Cert> trusted_arks;
    snp::Expectations reference;             // Its report data is the handshake's.
    std::map<std::string, Bytes> resources;  // "default/key/1"
  };
  explicit TestKbs(Options options) : options_(std::move(options)) {}

  // Any thread. The bytes of the whole response.
  std::string Handle(const agent::http::Request& request);

  // Names of the checks that the last attestation failed; empty: it was accepted.
  std::vector<std::string> last_failed() const;

 private:
  struct Session {
    std::string nonce;
    nlohmann::json key;  // The attested JWK; null before.
    std::string token;
  };
  std::string Auth(const agent::http::Request& request);
  std::string Attest(const agent::http::Request& request);
  std::string Resource(const agent::http::Request& request);
  std::vector<std::string> Judge(const nlohmann::json& message, const std::string& nonce) const;
  Session* FindSession(const agent::http::Request& request);

  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::string, Session> sessions_;
  std::vector<std::string> last_failed_;
};

}  // namespace kata_cc::tests
