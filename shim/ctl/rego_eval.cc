// SPDX-License-Identifier: Apache-2.0
// kata-ccctl rego eval, and what the commands share.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "policy/crypto/families.h"
#include "policy/yaml/yaml.h"
#include "shim/ctl/commands.h"
#include "shim/ctl/rego.h"

namespace kata_cc::ctl {

using policy::Member;
using policy::Value;

policy::Options RegoOptions(const RegoDialect& dialect) {
  static const policy::BuiltinFamily kCrypto = policy_crypto::Family();
  static const policy::BuiltinFamily kYaml = policy_yaml::Family();
  policy::Options options;
  options.dialect = dialect.dialect();
  options.families = {&kCrypto, &kYaml};
  return options;
}

Result<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(Code::kNotFound, path + ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  if (!file && !file.eof()) return Error(Code::kInternal, path + ": cannot be read");
  return std::move(text).str();
}

Result<Value> ReadJson(const std::string& path) {
  const std::string text = TRY(ReadText(path));
  return TRY_CONTEXT(policy::ParseJson(text), path);
}

Result<std::vector<Value>> ReadJsonLines(const std::string& path) {
  const std::string text = TRY(ReadText(path));
  std::vector<Value> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    out.push_back(
        TRY_CONTEXT(policy::ParseJson(line), path + ": line " + std::to_string(out.size() + 1)));
  }
  return out;
}

Value AsJson(const Value& value) {
  if (value.is_array() || value.is_set()) {
    std::vector<Value> items;
    for (const Value& item : value.items())
      items.push_back(AsJson(item));
    return Value::Array(std::move(items));
  }
  if (!value.is_object()) return value;
  std::vector<Member> members;
  for (const Member& member : value.members()) {
    Value key = member.key.is_string() ? member.key : Value::String(ToJsonText(member.key));
    members.push_back({std::move(key), AsJson(member.value)});
  }
  return Value::Object(std::move(members));
}

namespace {

// Every "," and ":" as `opa eval --format json` writes them: indented by two.
void Print(const Value& value, std::size_t indent, std::string& out) {
  const auto line = [&out](std::size_t depth) {
    out += '\n';
    out.append(depth * 2, ' ');
  };
  if (value.is_array() && value.size() > 0) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ',';
      line(indent + 1);
      Print(value.items()[i], indent + 1, out);
    }
    line(indent);
    out += ']';
  } else if (value.is_object() && value.size() > 0) {
    out += '{';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ',';
      line(indent + 1);
      out += ToJsonText(value.members()[i].key) + ": ";
      Print(value.members()[i].value, indent + 1, out);
    }
    line(indent);
    out += '}';
  } else {
    out += ToJsonText(value);
  }
}

Result<std::optional<Value>> Evaluate(const EvalArguments& arguments) {
  std::vector<policy::Module> modules;
  for (const std::string& path : arguments.policies)
    modules.push_back({path, TRY(ReadText(path))});
  nlohmann::json data = nlohmann::json::object();
  if (!arguments.data.empty()) data = policy::ToJson(TRY(ReadJson(arguments.data)));
  std::optional<Value> input;
  if (!arguments.input.empty()) input = TRY(ReadJson(arguments.input));
  policy::Options options = RegoOptions(arguments.dialect);
  options.strict_builtin_errors = arguments.strict;
  const auto engine = TRY(policy::Engine::Load(std::move(modules), std::move(data), options));
  const policy::Solutions solutions = TRY(engine->Ask(arguments.query, std::move(input)));
  for (const std::string& line : solutions.prints.Lines())
    std::fprintf(stderr, "%s\n", line.c_str());
  if (solutions.rows.empty()) return std::optional<Value>();
  std::vector<Value> rows;
  for (const policy::Solution& solution : solutions.rows) {
    std::vector<Value> expressions;
    for (std::size_t i = 0; i < solution.expressions.size(); ++i) {
      const policy::ExpressionText& text = solutions.expressions[i];
      expressions.push_back(
          Value::Object({{Value::String("value"), AsJson(solution.expressions[i])},
                         {Value::String("text"), Value::String(text.text)},
                         {Value::String("location"),
                          Value::Object({{Value::String("row"), Value::Int(text.line)},
                                         {Value::String("col"), Value::Int(text.column)}})}}));
    }
    std::vector<Member> row = {
        {Value::String("expressions"), Value::Array(std::move(expressions))}};
    std::vector<Member> bindings;
    for (const auto& [name, value] : solution.bindings)
      bindings.push_back({Value::String(name), AsJson(value)});
    if (!bindings.empty()) {
      row.push_back({Value::String("bindings"), Value::Object(std::move(bindings))});
    }
    rows.push_back(Value::Object(std::move(row)));
  }
  return std::optional<Value>(
      Value::Object({{Value::String("result"), Value::Array(std::move(rows))}}));
}

}  // namespace

int RunRegoEval(const EvalArguments& arguments) {
  const auto result = Evaluate(arguments);
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message().c_str());
    return kExitUsage;
  }
  std::string text;
  Print(result->value_or(Value::Object({})), 0, text);
  std::printf("%s\n", text.c_str());
  return !*result && arguments.fail ? kExitNo : 0;
}

}  // namespace kata_cc::ctl
