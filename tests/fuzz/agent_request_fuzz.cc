// SPDX-License-Identifier: Apache-2.0
// What a request goes through before the policy sees it.
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "agent/rpc/input_document.h"
#include "agent/rpc/request_ids.h"
#include "proto/agent.pb.h"

// The first byte chooses the method.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  google::protobuf::SetLogHandler(nullptr);
  const auto& service =
      *grpc::SetPolicyRequest::descriptor()->file()->FindServiceByName("AgentService");
  const auto* type = service.method(data[0] % service.method_count())->input_type();
  const std::unique_ptr<google::protobuf::Message> request(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!request->ParseFromArray(data + 1, static_cast<int>(size - 1))) return 0;
  if (!kata_cc::agent::RefuseUnknownFields(*request)) return 0;
  if (!kata_cc::agent::CheckRequestIds(*request)) return 0;
  const auto document = kata_cc::agent::InputDocument(*request);
  if (document && document->dump().empty()) __builtin_trap();
  return 0;
}
