// SPDX-License-Identifier: Apache-2.0
// The form of ids in requests. They become file names, cgroup names and state keys, so the form is
// checked before anything reads them.
#pragma once

#include <google/protobuf/message.h>

#include <string_view>

#include "base/result.h"

namespace kata_cc::agent {

constexpr std::size_t kMaxIdBytes = 128;

// Letters, digits, `.`, `-` and `_`, the first a letter or a digit; at most kMaxIdBytes.
bool IsValidId(std::string_view id);

// InvalidArgument when container_id, exec_id or sandbox_id of a request is none. An empty exec_id
// (the container's first process) and an empty sandbox_id are.
Result<void> CheckRequestIds(const google::protobuf::Message& request);

// The request's container_id, or nothing if its type has none.
std::string_view ContainerIdOf(const google::protobuf::Message& request);

}  // namespace kata_cc::agent
