// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox/pod_identity.h"

#include <algorithm>
#include <optional>

namespace kata_cc::shim {
namespace {

constexpr std::size_t kMaxIdBytes = 76;

struct Dialect {
  const char* type_key;
  const char* sandbox_value;
  const char* container_value;
  const char* sandbox_id_key;
};

constexpr Dialect kDialects[] = {
    {"io.kubernetes.cri.container-type", "sandbox", "container", "io.kubernetes.cri.sandbox-id"},
    {"io.kubernetes.cri-o.ContainerType", "sandbox", "container", "io.kubernetes.cri-o.SandboxID"},
    {"io.kubernetes.docker.type", "podsandbox", "container", "io.kubernetes.sandbox.id"},
};

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Result<PodIdentity> Read(const Dialect& dialect, const Annotations& annotations,
                         const std::string& id) {
  const std::string& type = annotations.at(dialect.type_key);
  const auto sandbox = annotations.find(dialect.sandbox_id_key);
  if (type == dialect.sandbox_value) {
    if (sandbox != annotations.end() && sandbox->second != id)
      return Error(Code::kInvalidArgument,
                   std::string(dialect.sandbox_id_key) + ": is not the id of this sandbox");
    return PodIdentity{ContainerType::kSandbox, id};
  }
  if (type != dialect.container_value)
    return Error(Code::kInvalidArgument,
                 std::string(dialect.type_key) + ": unknown value: " + type.substr(0, 64));
  if (sandbox == annotations.end())
    return Error(Code::kInvalidArgument,
                 std::string(dialect.sandbox_id_key) + ": missing for a container of a pod");
  (void)TRY(CheckId(dialect.sandbox_id_key, sandbox->second));
  if (sandbox->second == id)
    return Error(Code::kInvalidArgument,
                 std::string(dialect.sandbox_id_key) + ": a container cannot be its own sandbox");
  return PodIdentity{ContainerType::kInPod, sandbox->second};
}

}  // namespace

Result<void> CheckId(std::string_view what, std::string_view id) {
  const bool valid = !id.empty() && id.size() <= kMaxIdBytes && IsAlphanumeric(id.front()) &&
                     std::all_of(id.begin(), id.end(), [](char c) {
                       return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-';
                     });
  if (valid) return {};
  if (id.size() > kMaxIdBytes)
    return Error(Code::kInvalidArgument, std::string(what) + ": longer than 76 bytes");
  std::string shown;
  for (const char c : id)
    shown += c >= 0x20 && c < 0x7f ? c : '?';
  return Error(Code::kInvalidArgument, std::string(what) + ": not a valid id: \"" + shown + "\"");
}

Result<PodIdentity> ReadPodIdentity(const Annotations& annotations, const std::string& id) {
  (void)TRY(CheckId("container id", id));
  std::optional<PodIdentity> found;
  for (const Dialect& dialect : kDialects) {
    if (!annotations.contains(dialect.type_key)) continue;
    PodIdentity identity = TRY(Read(dialect, annotations, id));
    if (found && (found->type != identity.type || found->sandbox_id != identity.sandbox_id))
      return Error(Code::kInvalidArgument,
                   std::string(dialect.type_key) + ": contradicts another annotation");
    found = std::move(identity);
  }
  if (found) return *std::move(found);
  return PodIdentity{ContainerType::kSingle, id};
}

}  // namespace kata_cc::shim
