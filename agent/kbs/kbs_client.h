// SPDX-License-Identifier: Apache-2.0
// KbsClient: proves to a key broker what this guest is (RCAR: request, challenge, attestation,
// response) and fetches secrets, encrypted to a key that the report is about.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/attest/attester.h"
#include "agent/kbs/resource_uri.h"
#include "agent/kbs/tee_key.h"
#include "agent/secrets/secret.h"
#include "base/result.h"

namespace kata_cc::agent {

struct BrokerRequest {
  std::string method;
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct BrokerResponse {
  int status = 0;
  std::string set_cookie;  // Empty: none.
  std::string body;
};

// One exchange with the broker, whoever that is: its authenticity is the transport's affair.
class BrokerTransport {
 public:
  virtual ~BrokerTransport() = default;
  virtual Result<BrokerResponse> Exchange(const BrokerRequest& request) = 0;
};

class KbsClient {
 public:
  using MakeKey = Result<TeeKey> (*)();

  // The attester outlives the client. initdata: the document that the launch is bound to, if any.
  KbsClient(std::unique_ptr<BrokerTransport> transport, Attester& attester,
            std::optional<std::string> initdata, MakeKey make_key = &TeeKey::Generate);

  // Any thread; one at a time, and blocking for as long as the transport lets it. PermissionDenied:
  // the broker refuses, with its reason.
  Result<Secret> GetResource(const ResourceUri& uri);

  struct Token {
    std::string jwt;
    Secret key;  // PEM of the private key that the token is about.
  };
  // Of a handshake of its own: a new key and a new report each time.
  Result<Token> GetToken();

 private:
  struct Session {
    std::string cookie;
    std::string token;
    TeeKey key;
  };
  Result<Session> Attest();
  Result<BrokerResponse> Fetch(const ResourceUri& uri, const Session& session);

  const std::unique_ptr<BrokerTransport> transport_;
  Attester& attester_;
  const std::optional<std::string> initdata_;
  const MakeKey make_key_;
  std::mutex mutex_;
  std::optional<Session> session_;
};

}  // namespace kata_cc::agent
