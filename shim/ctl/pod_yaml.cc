// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/pod_yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace kata_cc::ctl {
namespace {

constexpr std::int64_t kMaxMilli = 1'000'000'000;  // A million CPUs.

Error Bad(const std::string& why) {
  return {Code::kInvalidArgument, why};
}

Result<YAML::Node> Map(const YAML::Node& parent, const char* key) {
  const YAML::Node node = parent[key];
  if (node && !node.IsNull() && !node.IsMap()) return Bad(std::string(key) + ": not a map");
  return node && node.IsMap() ? node : YAML::Node(YAML::NodeType::Map);
}

Result<std::string> Text(const YAML::Node& parent, const char* key) {
  const YAML::Node node = parent[key];
  if (!node || node.IsNull()) return std::string();
  if (!node.IsScalar()) return Bad(std::string(key) + ": not a string");
  return node.Scalar();
}

Result<std::optional<std::int64_t>> CpuLimit(const YAML::Node& owner) {
  const YAML::Node resources = TRY(Map(owner, "resources"));
  const YAML::Node limits = TRY(Map(resources, "limits"));
  const std::string text = TRY(Text(limits, "cpu"));
  if (text.empty()) return std::optional<std::int64_t>();
  return std::optional(TRY_CONTEXT(ParseCpuMilli(text), "limits: cpu"));
}

Result<std::int64_t> SumOfLimits(const YAML::Node& spec) {
  if (const std::optional<std::int64_t> pod = TRY(CpuLimit(spec)); pod) return *pod;
  std::int64_t sum = 0;
  std::int64_t sidecars = 0;
  std::int64_t most_of_init = 0;
  const YAML::Node init = spec["initContainers"];
  for (std::size_t i = 0; init && i < init.size(); ++i) {
    const YAML::Node container = init[i];
    const std::int64_t limit = TRY(CpuLimit(container)).value_or(0);
    const std::string restart = TRY(Text(container, "restartPolicy"));
    if (restart == "Always") {
      sidecars += limit;
      most_of_init = std::max(most_of_init, sidecars);
    } else {
      most_of_init = std::max(most_of_init, sidecars + limit);
    }
  }
  const YAML::Node containers = spec["containers"];
  for (std::size_t i = 0; containers && i < containers.size(); ++i)
    sum += TRY(CpuLimit(containers[i])).value_or(0);
  return std::max(sum + sidecars, most_of_init);
}

Result<Pod> ReadPod(const std::string& kind, const std::string& name, const YAML::Node& object) {
  Pod pod{.kind = kind, .name = name, .runtime_class = {}, .annotations = {}};
  const YAML::Node metadata = TRY(Map(object, "metadata"));
  const YAML::Node annotations = TRY(Map(metadata, "annotations"));
  for (const auto& entry : annotations) {
    if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
      return Bad("annotations: not a map of strings");
    }
    pod.annotations[entry.first.Scalar()] = entry.second.Scalar();
  }
  const YAML::Node spec = TRY(Map(object, "spec"));
  pod.runtime_class = TRY(Text(spec, "runtimeClassName"));
  pod.cpu_limit_milli = TRY(SumOfLimits(spec));
  return pod;
}

bool HasTemplate(const std::string& kind) {
  static const char* const kKinds[] = {"Deployment", "ReplicaSet", "StatefulSet",
                                       "DaemonSet",  "Job",        "ReplicationController"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

Result<void> AddPods(const YAML::Node& object, std::vector<Pod>& pods) {
  if (object.IsNull()) return {};  // An empty document.
  if (!object.IsMap()) return Bad("not a Kubernetes object");
  const std::string kind = TRY(Text(object, "kind"));
  const YAML::Node metadata = TRY(Map(object, "metadata"));
  const std::string name = TRY(Text(metadata, "name"));
  if (kind == "List") {
    const YAML::Node items = object["items"];
    for (std::size_t i = 0; items && i < items.size(); ++i)
      TRY(AddPods(items[i], pods));
    return {};
  }
  if (kind == "Pod") {
    pods.push_back(TRY_CONTEXT(ReadPod(kind, name, object), "Pod " + name));
    return {};
  }
  YAML::Node spec = TRY(Map(object, "spec"));
  if (kind == "CronJob") {
    const YAML::Node job = TRY(Map(spec, "jobTemplate"));
    spec = TRY(Map(job, "spec"));
  } else if (!HasTemplate(kind)) {
    return {};
  }
  const YAML::Node made = TRY(Map(spec, "template"));
  pods.push_back(TRY_CONTEXT(ReadPod(kind, name, made), kind + " " + name));
  return {};
}

}  // namespace

Result<std::vector<Pod>> ReadPods(const std::string& yaml) {
  std::vector<Pod> pods;
  try {
    for (const YAML::Node& document : YAML::LoadAll(yaml))
      TRY(AddPods(document, pods));
  } catch (const YAML::Exception& error) {  // The library's only way to say that it is not YAML.
    return Bad("line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  return pods;
}

Result<std::int64_t> ParseCpuMilli(std::string_view text) {
  const Error error = Bad(std::string(text) + ": not a quantity of CPUs");
  std::int64_t mantissa = 0;
  int exponent = 3;
  bool point = false;
  std::size_t digits = 0;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !point) {
      point = true;
      continue;
    }
    if (text[at] < '0' || text[at] > '9') break;
    if (++digits > 17) return error;
    mantissa = mantissa * 10 + (text[at] - '0');
    exponent -= point ? 1 : 0;
  }
  if (digits == 0) return error;
  const std::string_view suffix = text.substr(at);
  static constexpr std::pair<std::string_view, int> kSuffixes[] = {{"", 0},   {"n", -9}, {"u", -6},
                                                                   {"m", -3}, {"k", 3},  {"M", 6}};
  const auto* const known = std::find_if(std::begin(kSuffixes), std::end(kSuffixes),
                                         [&](const auto& entry) { return entry.first == suffix; });
  if (known != std::end(kSuffixes)) {
    exponent += known->second;
  } else if (suffix[0] == 'e' || suffix[0] == 'E') {
    int power = 0;
    const std::string_view number = suffix.substr(suffix.size() > 1 && suffix[1] == '+' ? 2 : 1);
    const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), power);
    if (failed != std::errc() || end != number.data() + number.size() || power < -30 || power > 30)
      return error;
    exponent += power;
  } else {
    return error;
  }
  for (; exponent > 0 && mantissa != 0; --exponent) {
    mantissa *= 10;
    if (mantissa > kMaxMilli) return error;
  }
  for (; exponent < 0; ++exponent)
    mantissa = mantissa / 10 + (mantissa % 10 != 0);
  if (mantissa > kMaxMilli) return error;
  return mantissa;
}

}  // namespace kata_cc::ctl
