// SPDX-License-Identifier: Apache-2.0
// The policy's view of a request: the JSON that Kata's agent makes of it (serde of rust-protobuf's
// structs), so that policies written for Kata apply.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace kata_cc::agent {

// Fields under their proto names (`type` as `type_`), all of them: unset messages and optional
// scalars are null, bytes are arrays of integers, enums integers. CopyFileRequest has a form of
// its own, without the data; InvalidArgument when it names a link's target in no UTF-8.
Result<nlohmann::json> InputDocument(const google::protobuf::Message& request);

// InvalidArgument when the request, or a message in it, has a field that this agent does not know:
// the policy could not have judged it.
Result<void> RefuseUnknownFields(const google::protobuf::Message& request);

}  // namespace kata_cc::agent
