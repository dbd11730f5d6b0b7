// SPDX-License-Identifier: Apache-2.0
// GuestSecrets: all that the guest has for proving what it is and for getting secrets: evidence,
// tokens and resources for the local API, and the unsealing of secrets.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/api/handler.h"
#include "agent/attest/attester.h"
#include "agent/kbs/kbs_client.h"
#include "agent/kbs/sealed_secret.h"
#include "base/result.h"

namespace kata_cc::agent {

class GuestSecrets : public ApiBackend {
 public:
  // attester: null where there is no TEE; it outlives this. document and data: the initdata that
  // the launch is bound to, if any, and its parts; an error is a part that is malformed.
  static Result<std::unique_ptr<GuestSecrets>> Create(
      Attester* attester, std::optional<std::string> document,
      const std::map<std::string, std::string>& data);

  Result<std::string> Evidence(const ReportData& report_data) override;
  Result<KbsClient::Token> Token() override;
  Result<Secret> Resource(const ResourceUri& uri) override;

  ApiFeatures features() const { return {attester_ != nullptr, client_ != nullptr}; }
  Result<Secret> Unseal(std::string_view sealed) const { return unsealer_.Unseal(sealed); }

 private:
  GuestSecrets(Attester* attester, std::unique_ptr<KbsClient> client);

  Attester* const attester_;
  const std::unique_ptr<KbsClient> client_;  // Null: no broker is named, or there is no TEE.
  const Unsealer unsealer_;
};

}  // namespace kata_cc::agent
