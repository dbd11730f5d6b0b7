// SPDX-License-Identifier: Apache-2.0
// Engine: compiled Rego modules, their data document, and queries on them.
// Language: Open Policy Agent's Rego, https://www.openpolicyagent.org/docs/policy-language.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::policy {

struct Module {
  std::string name;  // For messages: name:line:column.
  std::string text;
};

enum class Dialect {
  kV1,
  kV0,    // `import rego.v1` and `import future.keywords` are respected.
  kAuto,  // V1, and when that does not compile, V0.
};

// Exceeding a limit is an error (ResourceExhausted), never a verdict.
struct Limits {
  std::size_t policy_bytes = 4U << 20;
  std::uint64_t steps = 50'000'000;
  std::size_t depth = 256;
  std::size_t memory_bytes = 256U << 20;
  std::size_t print_bytes = 64U << 10;
};

struct Options {
  Dialect dialect = Dialect::kAuto;
  Limits limits;
  bool strict_builtin_errors = false;  // A failing builtin is an error, not undefined.
};

struct Answer {
  std::optional<nlohmann::json> value;  // None: undefined. Sets come as sorted arrays.
  std::vector<std::string> prints;      // What print() calls said.
};

class Engine {
 public:
  // Parses and compiles; InvalidArgument with name:line:column on the first errors. Data is the
  // base document (an object).
  static Result<std::unique_ptr<Engine>> Load(std::vector<Module> modules, nlohmann::json data,
                                              Options options = {});
  virtual ~Engine() = default;

  // Evaluates data.<path>, e.g. "agent_policy.ExecProcessRequest". One call at a time.
  virtual Result<Answer> Query(std::string_view path, const nlohmann::json& input) = 0;

  // Applies RFC 6902 operations to the base document: all of them, or none and an error.
  virtual Result<void> PatchData(const nlohmann::json& operations) = 0;
};

}  // namespace kata_cc::policy
