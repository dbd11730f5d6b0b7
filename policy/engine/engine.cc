// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/engine.h"

#include <algorithm>
#include <functional>

#include "policy/engine/builtins/builtin.h"
#include "policy/engine/compiler.h"
#include "policy/engine/evaluator.h"
#include "policy/engine/language_builtins.h"
#include "policy/engine/parser.h"
#include "policy/engine/patch.h"

namespace kata_cc::policy {
namespace {

std::vector<std::string> SplitPath(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    out.emplace_back(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return out;
}

// An expression's text goes up to the next one's, without the separator.
std::vector<ExpressionText> ExpressionTexts(std::string_view query, const Body& body) {
  std::vector<std::size_t> lines = {0};
  for (std::size_t i = 0; i < query.size(); ++i) {
    if (query[i] == '\n') lines.push_back(i + 1);
  }
  const auto offset = [&](const Location& location) {
    return std::min(query.size(), lines[location.line - 1] + location.column - 1);
  };
  std::vector<ExpressionText> out;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const std::size_t start = offset(body[i].location);
    const std::size_t end = i + 1 < body.size() ? offset(body[i + 1].location) : query.size();
    std::string_view text = query.substr(start, end - start);
    while (!text.empty() &&
           std::string_view(" \t\r\n;").find(text.back()) != std::string_view::npos)
      text.remove_suffix(1);
    out.push_back({std::string(text), body[i].location.line, body[i].location.column});
  }
  return out;
}

class EngineImpl final : public Engine {
 public:
  EngineImpl(Options options, Value data)
      : options_(std::move(options)), caches_(options_.limits.regex_bytes), data_(std::move(data)) {
    AddFamily(LanguageFamily());
    for (const BuiltinFamily& family : DefaultFamilies())
      AddFamily(family);
    for (const BuiltinFamily* family : options_.families)
      AddFamily(*family);
  }

  Result<void> Compile(const std::vector<Module>& modules, bool v1) {
    program_ = std::make_unique<Program>();
    ParseOptions parse;
    parse.depth = options_.limits.depth;
    for (const Module& module : modules) {
      parse.v1 = v1;
      parse.module_index = static_cast<std::uint32_t>(program_->modules.size());
      program_->module_names.push_back(module.name);
      program_->modules.push_back(TRY(ParseModule(module.name, module.text, parse)));
      const Builtin* yaml = builtins_.Find("yaml.unmarshal");
      const bool wanted = module.text.find("rego.metadata.") != std::string::npos;
      if (wanted && yaml != nullptr) ReadAnnotations(program_->modules.back(), *yaml);
    }
    compiler_ = std::make_unique<Compiler>(*program_, builtins_);
    v1_ = v1;
    return compiler_->Compile();
  }

  Result<Answer> Query(std::string_view path, const nlohmann::json& input) override {
    Value input_value = TRY_CONTEXT(FromJson(input), "input");
    std::vector<std::string> prints;
    auto value = TRY(Run(SplitPath(path), std::move(input_value), &prints));
    Answer answer;
    if (value) answer.value = ToJson(*value);
    answer.prints = std::move(prints);
    return answer;
  }

  Result<std::optional<Value>> Evaluate(const std::vector<std::string>& path,
                                        std::optional<Value> input) override {
    return Run(path, std::move(input), nullptr);
  }

  Result<Solutions> Ask(std::string_view query, std::optional<Value> input) override {
    ParseOptions parse;
    parse.v1 = v1_;
    parse.depth = options_.limits.depth;
    parse.module_index = UINT32_MAX;
    Body body = TRY(ParseQuery("query", query, parse));
    Solutions out;
    out.expressions = ExpressionTexts(query, body);
    const CompiledQuery compiled = TRY(compiler_->CompileQuery(std::move(body), "query"));
    Evaluator evaluator(*program_, options_, caches_, stack_, data_);
    if (input) evaluator.SetInput(*std::move(input));
    auto rows = evaluator.EvaluateQuery(compiled.definition);
    steps_ = evaluator.steps();
    caches_.Trim();
    if (!rows) return std::move(rows).error();
    for (const Value& row : *rows) {
      Solution solution;
      std::size_t at = 0;
      for (const std::string& name : compiled.names)
        solution.bindings.emplace_back(name, row.items()[at++]);
      for (const std::string& expression : compiled.expressions)
        solution.expressions.push_back(expression.empty() ? Value::Bool(true) : row.items()[at++]);
      out.rows.push_back(std::move(solution));
    }
    out.prints = Format(evaluator.TakePrints());
    return out;
  }

  Result<void> PatchData(const nlohmann::json& operations) override {
    const Value changes = TRY(FromJson(operations));
    data_ = TRY(ApplyPatch(data_, changes));
    return {};
  }

  std::uint64_t steps() const override { return steps_; }

 private:
  void AddFamily(const BuiltinFamily& family) {
    const auto& off = options_.families_off;
    if (std::find(off.begin(), off.end(), family.name) == off.end()) {
      builtins_.Add(family);
    } else {
      builtins_.AddOff(family);
    }
  }

  Result<std::optional<Value>> Run(const std::vector<std::string>& path, std::optional<Value> input,
                                   std::vector<std::string>* prints) {
    Evaluator evaluator(*program_, options_, caches_, stack_, data_);
    if (input) evaluator.SetInput(*std::move(input));
    const std::int64_t before = LiveBytes();
    auto value = evaluator.EvaluatePath(path);
    steps_ = evaluator.steps();
    caches_.Trim();
    (void)before;
    if (value && prints != nullptr) *prints = Format(evaluator.TakePrints());
    return value;
  }

  std::vector<std::string> Format(const std::vector<std::vector<Value>>& prints) const {
    std::vector<std::string> out;
    std::size_t bytes = 0;
    for (const auto& values : prints) {
      std::string line;
      for (const Value& value : values) {
        if (!line.empty() || &value != values.data()) line += ' ';
        if (value.is_string()) {
          line += value.string();
        } else {
          line += ToTermText(value);
        }
      }
      bytes += line.size();
      if (bytes > options_.limits.print_bytes) break;
      out.push_back(std::move(line));
    }
    return out;
  }

  Options options_;
  EngineCaches caches_;
  SlotStack stack_;
  Value data_;
  BuiltinTable builtins_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<Compiler> compiler_;
  bool v1_ = true;
  std::uint64_t steps_ = 0;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Load(std::vector<Module> modules, nlohmann::json data,
                                             Options options) {
  std::size_t bytes = 0;
  for (const Module& module : modules)
    bytes += module.text.size();
  if (bytes > options.limits.policy_bytes) {
    return Error(Code::kResourceExhausted,
                 "policy: larger than " + std::to_string(options.limits.policy_bytes) + " bytes");
  }
  Value data_value = TRY_CONTEXT(FromJson(data), "data");
  if (!data_value.is_object()) return Error(Code::kInvalidArgument, "data: no object");
  const Dialect dialect = options.dialect;
  auto engine = std::make_unique<EngineImpl>(std::move(options), std::move(data_value));
  const auto first = engine->Compile(modules, dialect != Dialect::kV0);
  if (!first) {
    if (dialect != Dialect::kAuto) return first.error();
    const auto second = engine->Compile(modules, false);
    if (!second) {
      return Error(first.error().code(),
                   first.error().message() + "\nas Rego v0: " + second.error().message());
    }
  }
  return Result<std::unique_ptr<Engine>>(std::move(engine));
}

}  // namespace kata_cc::policy
