// SPDX-License-Identifier: Apache-2.0
// What binds a pod to its policy: the policy or initdata of its annotations, and the digest that
// goes into HOST_DATA of the launch. Names and formats: Kata's agent.policy and cc_init_data
// annotations, and the initdata specification (TOML, gzip, a block device with a magic number).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "shim/sandbox/pod_identity.h"

namespace kata_cc::shim {

constexpr char kPolicyAnnotation[] = "io.katacontainers.config.agent.policy";
constexpr char kInitdataAnnotation[] = "io.katacontainers.config.hypervisor.cc_init_data";
constexpr std::size_t kMaxPolicyBytes = std::size_t{2} << 20;
constexpr std::size_t kMaxInitdataBytes = std::size_t{4} << 20;  // Uncompressed.

using HostData = std::array<std::uint8_t, 32>;

struct LaunchData {
  std::string policy;          // Rego text for SetPolicy; empty: none.
  std::string initdata_image;  // Bytes of the initdata block image; empty: none.
  std::optional<HostData> host_data;
};

// Host data is the SHA-256 of the policy's text, or the initdata's digest by the algorithm that it
// names, cut or zero-padded to 32 bytes. InvalidArgument for base64, gzip, TOML or UTF-8 that is
// none, for more than the limits, and for both annotations at once: one digest binds one document.
Result<LaunchData> ReadLaunchData(const Annotations& annotations);

// Standard alphabet, padded, no line breaks.
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace kata_cc::shim
