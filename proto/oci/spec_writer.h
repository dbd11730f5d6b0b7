// SPDX-License-Identifier: Apache-2.0
// The other direction of spec.h: the agent API's messages as the OCI runtime specification's JSON,
// for the OCI runtime. Empty values are left out. InvalidArgument when a text is not UTF-8 or holds
// a NUL byte, which no consumer could keep.
#pragma once

#include <string>

#include "base/result.h"
#include "proto/oci.pb.h"

namespace kata_cc::oci {

Result<std::string> WriteSpec(const grpc::Spec& spec);
Result<std::string> WriteProcess(const grpc::Process& process);
Result<std::string> WriteLinuxResources(const grpc::LinuxResources& resources);

}  // namespace kata_cc::oci
