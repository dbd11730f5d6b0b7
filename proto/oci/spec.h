// SPDX-License-Identifier: Apache-2.0
// The OCI runtime specification: a bundle's config.json, and its parts as the task API carries
// them, into the agent API's messages. Keys: opencontainers/runtime-spec, config.md and
// config-linux.md. Unknown keys are ignored, as that document demands; a known key of a wrong type
// or range is InvalidArgument and names the key.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "proto/oci.pb.h"

namespace kata_cc::oci {

Result<grpc::Spec> ParseSpec(std::string_view config_json);
Result<grpc::Process> ParseProcess(std::string_view process_json);
Result<grpc::LinuxResources> ParseLinuxResources(std::string_view resources_json);

// Reads <bundle>/config.json; NotFound when it is missing.
Result<grpc::Spec> ReadBundleSpec(const std::string& bundle);

}  // namespace kata_cc::oci
