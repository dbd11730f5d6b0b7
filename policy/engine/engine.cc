// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/engine.h"

#include <algorithm>
#include <functional>

#include "policy/engine/evaluator.h"
#include "policy/engine/load.h"
#include "policy/engine/observer.h"
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
  EngineImpl(std::unique_ptr<Loaded> loaded, Options options, Value data)
      : loaded_(std::move(loaded)),
        program_(&loaded_->program),
        options_(std::move(options)),
        caches_(options_.limits.regex_bytes),
        data_(std::move(data)) {}

  Result<Answer> Query(std::string_view path, const nlohmann::json& input) override {
    Value input_value = TRY_CONTEXT(FromJson(input), "input");
    Answer answer;
    const auto value = TRY(Run(SplitPath(path), std::move(input_value), &answer.prints));
    if (value) answer.value = ToJson(*value);
    return answer;
  }

  Result<std::optional<Value>> Evaluate(const std::vector<std::string>& path,
                                        std::optional<Value> input) override {
    return Run(path, std::move(input), nullptr);
  }

  Result<std::vector<std::string>> Explain(std::string_view path,
                                           const nlohmann::json& input) override {
    Value input_value = TRY_CONTEXT(FromJson(input), "input");
    Evaluator evaluator(*program_, options_, caches_, stack_, data_);
    evaluator.SetInput(std::move(input_value));
    Explainer explainer(program_->module_names);
    evaluator.set_observer(&explainer);
    const auto value = evaluator.EvaluatePath(SplitPath(path));
    caches_.Trim();
    if (!value) return value.error();
    constexpr std::size_t kMostLines = 64;
    auto lines = explainer.Lines(kMostLines);
    if (lines.empty() && !*value) {
      lines.push_back("data." + std::string(path) + " is undefined: there is no such rule");
    }
    return lines;
  }

  Result<std::optional<Value>> Cover(const std::vector<std::string>& path, Lines& lines) override {
    Evaluator evaluator(*program_, options_, caches_, stack_, data_);
    Coverage coverage;
    evaluator.set_observer(&coverage);
    auto value = evaluator.EvaluatePath(path);
    caches_.Trim();
    for (const auto& [module, reached] : coverage.lines()) {
      if (module < program_->module_names.size()) {
        lines[program_->module_names[module]].insert(reached.begin(), reached.end());
      }
    }
    return value;
  }

  Lines CoverableLines() const override {
    Lines lines;
    for (const auto& group : program_->groups) {
      for (const auto& first : group->definitions) {
        for (const Definition* each = first.get(); each != nullptr;
             each = each->else_definition.get()) {
          auto& here = lines[program_->module_names[each->location.module]];
          here.insert(each->location.line);
          AddLines(each->block, here);
        }
      }
    }
    return lines;
  }

  std::vector<std::vector<std::string>> RulesNamed(std::string_view prefix) const override {
    std::vector<std::vector<std::string>> out;
    for (const auto& group : program_->groups) {
      if (group->kind == GroupKind::kComplete && group->path.back().starts_with(prefix)) {
        out.push_back(group->path);
      }
    }
    return out;
  }

  Result<Solutions> Ask(std::string_view query, std::optional<Value> input) override {
    ParseOptions parse;
    parse.v1 = loaded_->v1;
    parse.depth = options_.limits.depth;
    parse.module_index = UINT32_MAX;
    Body body = TRY(ParseQuery("query", query, parse));
    Solutions out;
    out.expressions = ExpressionTexts(query, body);
    const CompiledQuery compiled = TRY(loaded_->compiler->CompileQuery(std::move(body), "query"));
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
    out.prints = evaluator.TakePrints();
    return out;
  }

  Result<void> PatchData(const nlohmann::json& operations) override {
    const Value changes = TRY(FromJson(operations));
    data_ = TRY(ApplyPatch(data_, changes));
    return {};
  }

  std::uint64_t steps() const override { return steps_; }

 private:
  static void AddLines(const Block& block, std::set<std::uint32_t>& lines) {
    for (const Step& step : block.steps) {
      if (step.location.line != 0) lines.insert(step.location.line);
      if (step.block) AddLines(*step.block, lines);
    }
  }

  Result<std::optional<Value>> Run(const std::vector<std::string>& path, std::optional<Value> input,
                                   Prints* prints) {
    Evaluator evaluator(*program_, options_, caches_, stack_, data_);
    if (input) evaluator.SetInput(*std::move(input));
    auto value = evaluator.EvaluatePath(path);
    steps_ = evaluator.steps();
    caches_.Trim();
    if (value && *value && std::uint64_t{(*value)->weight()} * 16 > options_.limits.output_bytes) {
      return Error(Code::kResourceExhausted,
                   "answer larger than " + std::to_string(options_.limits.output_bytes) + " bytes");
    }
    if (value && prints != nullptr) *prints = evaluator.TakePrints();
    return value;
  }

  std::unique_ptr<Loaded> loaded_;
  const Program* program_;
  Options options_;
  EngineCaches caches_;
  SlotStack stack_;
  Value data_;
  std::uint64_t steps_ = 0;
};

}  // namespace

Prints::Prints(std::vector<std::string> lines) {
  for (const std::string& line : lines) {
    Add(Value::String(line));
    EndLine();
  }
}

Value Prints::Undefined() {
  return Value::String("<undefined>");
}

std::vector<std::string> Prints::Lines() const {
  std::vector<std::string> out;
  std::size_t at = 0;
  for (const std::size_t end : ends_) {
    std::string line;
    for (const std::size_t start = at; at < end; ++at) {
      if (at > start) line += ' ';
      if (values_[at].is_string()) {
        line += values_[at].string();
      } else {
        line += ToTermText(values_[at]);
      }
    }
    out.push_back(std::move(line));
  }
  return out;
}

Result<std::unique_ptr<Engine>> Engine::Load(std::vector<Module> modules, nlohmann::json data,
                                             Options options) {
  auto loaded = TRY(Loaded::Make(modules, options));
  Value data_value = TRY_CONTEXT(FromJson(data), "data");
  if (!data_value.is_object()) return Error(Code::kInvalidArgument, "data: no object");
  return Result<std::unique_ptr<Engine>>(
      std::make_unique<EngineImpl>(std::move(loaded), std::move(options), std::move(data_value)));
}

}  // namespace kata_cc::policy
