// SPDX-License-Identifier: Apache-2.0
// Engine: compiled Rego modules, their data document, and queries on them.
// Language: Open Policy Agent's Rego, https://www.openpolicyagent.org/docs/policy-language.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "policy/engine/value.h"

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

struct BuiltinFamily;  // policy/engine/builtins/builtin.h

// Exceeding a limit is an error (ResourceExhausted), never a verdict.
struct Limits {
  std::size_t policy_bytes = 4U << 20;
  std::uint64_t steps = 50'000'000;
  std::size_t depth = 256;
  std::size_t memory_bytes = 256U << 20;
  std::size_t print_bytes = 64U << 10;
  std::size_t output_bytes = 16U << 20;  // Of an answer, as its values are counted.
  std::size_t regex_bytes = 64U << 10;   // Of a pattern; compiled, 16 times that.
};

struct Options {
  Dialect dialect = Dialect::kAuto;
  Limits limits;
  bool strict_builtin_errors = false;  // A failing builtin is an error, not undefined.
  // Families besides the default ones (an embedder's own; they outlive the engine), and the names
  // of those whose builtins no policy may call.
  std::vector<const BuiltinFamily*> families;
  std::vector<std::string> families_off;
};

// What print() calls said. Kept as values; lines are made when they are asked for, up to the limit.
// Shares values with the engine: the same thread rules hold, and it may outlive the engine.
class Prints {
 public:
  Prints() = default;
  Prints(std::vector<std::string> lines);  // NOLINT(google-explicit-constructor)
  Prints(std::initializer_list<std::string> lines) : Prints(std::vector<std::string>(lines)) {}
  std::vector<std::string> Lines() const;
  operator std::vector<std::string>() const {  // NOLINT(google-explicit-constructor)
    return Lines();
  }
  bool empty() const { return ends_.empty(); }
  std::size_t size() const { return values_.size(); }  // Values, not lines.

  void Add(const Value& value) { values_.push_back(value); }  // To the line,
  void EndLine() { ends_.push_back(values_.size()); }         // which ends here.
  static Value Undefined();  // What stands for an undefined operand.

 private:
  std::vector<Value> values_;
  std::vector<std::size_t> ends_;  // Of each line, in values_.
};

struct Answer {
  std::optional<nlohmann::json> value;  // None: undefined. Sets come as sorted arrays.
  Prints prints;
};

// One solution of a query: its variables, and the value of each expression (true for := and the
// like).
struct Solution {
  std::vector<std::pair<std::string, Value>> bindings;
  std::vector<Value> expressions;
};

struct ExpressionText {
  std::string text;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

struct Solutions {
  std::vector<ExpressionText> expressions;
  std::vector<Solution> rows;
  Prints prints;
};

// One call at a time, from any thread; what it gives out (values, prints) shares memory with it
// without atomic counts, so it is used and dropped while no other thread calls the engine. Answers
// as JSON are copies and free of that. Engines share nothing with each other.
class Engine {
 public:
  // Parses and compiles; InvalidArgument with name:line:column on the first errors. Data is the
  // base document (an object), copied. Linear in the text and the data.
  static Result<std::unique_ptr<Engine>> Load(std::vector<Module> modules, nlohmann::json data,
                                              Options options = {});
  virtual ~Engine() = default;

  // Evaluates data.<path>, e.g. "agent_policy.ExecProcessRequest". Copies the input and the answer,
  // linear in both; what it costs beyond that is the policy's affair, within the limits.
  // ResourceExhausted: a limit; Aborted: a conflict of definitions; others: a builtin failed, when
  // that is strict.
  virtual Result<Answer> Query(std::string_view path, const nlohmann::json& input) = 0;

  // The same on values, which keep numbers exact, and without copies: the answer shares memory
  // with the engine. No input: undefined.
  virtual Result<std::optional<Value>> Evaluate(const std::vector<std::string>& path,
                                                std::optional<Value> input) = 0;

  // Why data.<path> is undefined or false for the input: an indented line for each rule body that
  // was tried, with the expression that failed nearest to success and its values, and below it why
  // the rules that it asks failed. At most 64 lines. It evaluates anew, every body (rules are not
  // looked up by index), and writes the values down; other calls pay nothing for it.
  virtual Result<std::vector<std::string>> Explain(std::string_view path,
                                                   const nlohmann::json& input) = 0;

  // Evaluates data.<path> without an input and adds the lines that it reached, by module name. A
  // few times the cost of Evaluate.
  using Lines = std::map<std::string, std::set<std::uint32_t>>;
  virtual Result<std::optional<Value>> Cover(const std::vector<std::string>& path,
                                             Lines& lines) = 0;
  // The lines that evaluations can reach, by module name; names of rules that begin with prefix.
  // Both are linear in the policy.
  virtual Lines CoverableLines() const = 0;
  virtual std::vector<std::vector<std::string>> RulesNamed(std::string_view prefix) const = 0;

  // Any query: "data.a.p = x; y := input.b". Compiled for this call, which is linear in its text.
  virtual Result<Solutions> Ask(std::string_view query, std::optional<Value> input) = 0;

  // Evaluation steps of the last Query, Evaluate or Ask.
  virtual std::uint64_t steps() const = 0;

  // Applies RFC 6902 operations to the base document: all of them, or none and an error. Copies the
  // objects and arrays on each path (members are shared, not copied), and nothing else.
  virtual Result<void> PatchData(const nlohmann::json& operations) = 0;
};

}  // namespace kata_cc::policy
