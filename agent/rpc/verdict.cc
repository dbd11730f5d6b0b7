// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/verdict.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>

namespace kata_cc::agent {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxReasonBytes = 8U << 10;
constexpr std::size_t kMaxOperations = 256;
constexpr std::string_view kStateRoot = "/pstate/";

// A path to one member of the state, or to something in it.
bool IsStatePath(const json& operation, const char* key) {
  const auto it = operation.find(key);
  return it != operation.end() && it->is_string() &&
         it->get_ref<const std::string&>().starts_with(kStateRoot) &&
         it->get_ref<const std::string&>().size() > kStateRoot.size();
}

bool IsOperation(const json& operation) {
  if (!operation.is_object() || !IsStatePath(operation, "path")) return false;
  const auto it = operation.find("op");
  if (it == operation.end() || !it->is_string()) return false;
  const auto& op = it->get_ref<const std::string&>();
  if (op == "add" || op == "replace" || op == "test") return operation.contains("value");
  if (op == "move" || op == "copy") return IsStatePath(operation, "from");
  return op == "remove";
}

// Nothing, or what is wrong with the operations.
std::string_view ReadOperations(const json& operations, std::string_view container_id,
                                Verdict& out) {
  if (!operations.is_array() || operations.size() > kMaxOperations) return "ops is no list";
  std::set<std::string_view> paths;
  const std::string own = std::string(kStateRoot) + std::string(container_id);
  for (const json& operation : operations) {
    if (!IsOperation(operation)) return "ops holds no operation on the state";
    const auto& path = operation.find("path")->get_ref<const std::string&>();
    const auto& op = operation.find("op")->get_ref<const std::string&>();
    // A container named as one of the policy's own keys would otherwise overwrite it.
    if (op != "test" && !paths.insert(path).second) return "two operations on one key";
    if (op == "add" && !container_id.empty() && path == own) out.entry = operation["value"];
  }
  out.operations = operations;
  return {};
}

}  // namespace

Error Denial(const std::string& name, std::string_view why,
             const std::vector<std::string>& prints) {
  std::string message = name + " is blocked by policy: " + std::string(why);
  for (const std::string& line : prints) {
    message += ' ';
    message += line;
    if (message.size() > kMaxReasonBytes) break;
  }
  if (message.size() > kMaxReasonBytes) {
    message.resize(kMaxReasonBytes);
    message += "...";
  }
  return {Code::kPermissionDenied, std::move(message)};
}

Result<Verdict> ReadVerdict(const std::string& name, const policy::Answer& answer,
                            std::string_view container_id) {
  if (!answer.value) return Denial(name, "no rule allows it.", answer.prints);
  const json& value = *answer.value;
  if (value.is_boolean()) {
    if (value.get<bool>()) return Verdict();
    return Denial(name, "its rule says no.", answer.prints);
  }
  const std::string_view kMalformed = "its rule gives neither a boolean nor an allowed object.";
  if (!value.is_object()) return Denial(name, kMalformed, answer.prints);
  const auto allowed = value.find("allowed");
  if (allowed == value.end() || !allowed->is_boolean()) {
    return Denial(name, kMalformed, answer.prints);
  }
  if (!allowed->get<bool>()) return Denial(name, "its rule says no.", answer.prints);
  Verdict out;
  for (const auto& [key, member] : value.items()) {
    std::string_view wrong;
    if (key == "ops") {
      wrong = ReadOperations(member, container_id, out);
    } else if (key == "max_instances") {
      if (!member.is_number_integer() || member.get<std::int64_t>() < 1) {
        wrong = "max_instances is no positive integer";
      } else {
        out.max_instances = member.get<std::int64_t>();
      }
    } else if (key != "allowed") {
      wrong = kMalformed;
    }
    if (!wrong.empty()) return Denial(name, wrong, answer.prints);
  }
  return out;
}

}  // namespace kata_cc::agent
