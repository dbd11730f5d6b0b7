// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/rego_requests.h"

#include "proto/agent.pb.h"

namespace kata_cc::ctl {

std::vector<std::string> RulesThatAreAsked() {
  std::vector<std::string> out = {"AllowRequestsFailingPolicy", "ReadStreamDeniedAsEmpty",
                                  "explain_denials"};
  const auto* service =
      grpc::SetPolicyRequest::descriptor()->file()->FindServiceByName("AgentService");
  for (int i = 0; i < service->method_count(); ++i)
    out.push_back(service->method(i)->input_type()->name());
  return out;
}

}  // namespace kata_cc::ctl
