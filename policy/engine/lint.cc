// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/lint.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "policy/engine/builtins/go_regex.h"
#include "policy/engine/evaluator.h"
#include "policy/engine/load.h"
#include "policy/engine/rule_index.h"

namespace kata_cc::policy {
namespace {

// Compiles patterns, and does nothing else.
class PatternContext final : public BuiltinContext {
 public:
  Result<void> Charge(std::uint64_t, std::uint64_t) override { return {}; }
  Result<const RE2*> Regex(std::string_view pattern) override { return caches_.Regex(pattern); }
  std::int64_t now_ns() const override { return 0; }
  std::uint64_t Random() override { return 0; }
  std::any& Kept(std::string_view key) override { return caches_.Kept(key); }

 private:
  EngineCaches caches_{Limits().regex_bytes};
};

class Linter {
 public:
  Linter(const Program& program, const LintOptions& lint) : program_(program), lint_(lint) {}

  std::vector<std::string> Run() {
    MarkUsed();
    for (const auto& group : program_.groups) {
      CheckName(*group);
      CheckDefinitions(*group);
      for (const auto& definition : group->definitions)
        CheckPatterns(*definition);
    }
    std::sort(findings_.begin(), findings_.end());
    std::vector<std::string> out;
    for (auto& [location, text] : findings_)
      out.push_back(std::move(text));
    return out;
  }

 private:
  void Find(const Location& at, const std::string& text) {
    const std::string place = program_.module_names[at.module] + ":" + std::to_string(at.line) +
                              ":" + std::to_string(at.column);
    findings_.push_back({{at.module, at.line, at.column}, place + ": " + text});
  }

  bool IsAsked(const Group& group) const {
    const std::string& name = group.path.back();
    return std::find(lint_.asked.begin(), lint_.asked.end(), name) != lint_.asked.end() ||
           name.starts_with("test_");
  }

  bool InPackage(const Group& group) const {
    std::string package;
    for (std::size_t i = 0; i + 1 < group.path.size(); ++i)
      package += (i > 0 ? "." : "") + group.path[i];
    return package == lint_.package;
  }

  // What is asked, and what that uses.
  void MarkUsed() {
    std::vector<std::uint32_t> open;
    for (const auto& group : program_.groups) {
      if (IsAsked(*group)) open.push_back(group->id);
    }
    while (!open.empty()) {
      const std::uint32_t id = open.back();
      open.pop_back();
      if (!used_.insert(id).second) continue;
      const auto& uses = program_.groups[id]->uses;
      open.insert(open.end(), uses.begin(), uses.end());
    }
  }

  void CheckName(const Group& group) {
    if (used_.contains(group.id) || !InPackage(group)) return;
    const std::string& name = group.path.back();
    if (name.ends_with("Request")) {
      std::string text = name + " is no request of the agent, and so allows nothing";
      const std::string nearest = Nearest(name);
      if (!nearest.empty()) text += ": did you mean " + nearest + "?";
      Find(group.location, text);
    } else {
      Find(group.location, name + " is used by no rule that the agent asks");
    }
  }

  std::string Nearest(const std::string& name) const {
    std::string best;
    std::size_t least = 4;
    for (const std::string& asked : lint_.asked) {
      const std::size_t distance = EditDistance(name, asked, least);
      if (distance < least) {
        least = distance;
        best = asked;
      }
    }
    return best;
  }

  void CheckDefinitions(const Group& group) {
    // By what they need: the first of the definitions that need just that.
    std::map<std::string, const Definition*> known;
    const bool one_value = group.kind == GroupKind::kComplete || group.kind == GroupKind::kFunction;
    for (const auto& definition : group.definitions) {
      for (const Definition* each = definition.get(); each != nullptr;
           each = each->else_definition.get()) {
        if (each->unconditional && each->else_definition) {
          Find(each->else_definition->location,
               "else is never reached: what is before it always holds");
        }
        const Needs needs = NeedsOf(*each, group);
        if (!needs.never.empty()) {
          Find(each->location, "this body of " + group.Name() + " never holds: " + needs.never);
        } else if (each == definition.get() && one_value && needs.whole && each->constant) {
          CheckAgainst(group, *each, known.emplace(needs.Name(), each).first->second, true);
          const auto always = known.find("");
          if (always != known.end() && !needs.conditions.empty()) {
            CheckAgainst(group, *each, always->second, false);
          }
        }
      }
    }
    const auto always = known.find("");
    if (always != known.end() && group.default_definition) {
      Find(group.default_definition->location,
           "the default of " + group.Name() + " is never used: a definition always holds");
    }
  }

  // Both hold for the same inputs, or the other for all.
  void CheckAgainst(const Group& group, const Definition& definition, const Definition* other,
                    bool alike) {
    const bool same = other->value.constant == definition.value.constant;
    if (other == &definition || (same && !alike)) return;
    Find(definition.location, group.Name() + (same ? " repeats" : " always conflicts with") +
                                  " its definition at line " +
                                  std::to_string(other->location.line));
  }

  struct Needs {
    std::vector<Condition> conditions;
    bool whole = true;  // The body says nothing else.
    std::string never;  // Why it cannot hold.
    std::string Name() const {
      std::vector<std::string> parts;
      for (const Condition& condition : conditions)
        parts.push_back(condition.KeyName() + "\n== " + ToTermText(*condition.constant));
      std::sort(parts.begin(), parts.end());
      parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
      std::string out;
      for (const std::string& part : parts)
        out += part + "\n";
      return out;
    }
  };

  static Needs NeedsOf(const Definition& definition, const Group& group) {
    Needs out;
    std::map<std::string, Condition> by_key;
    for (const Step& step : definition.block.steps) {
      if (step.kind == StepKind::kYield) break;
      if (step.kind == StepKind::kWith) {  // Another input from here on.
        out.whole = false;
        break;
      }
      if (IsFalse(step)) {
        out.never = "line " + std::to_string(step.location.line) + " is always false";
        break;
      }
      if (step.kind == StepKind::kTest && step.a.kind == NodeKind::kConstant) continue;
      const auto condition = ConditionOf(step, group.arity);
      if (!condition) {
        out.whole = false;
        continue;
      }
      out.conditions.push_back(*condition);
      const Condition& first = by_key.emplace(condition->KeyName(), *condition).first->second;
      if (*first.constant != *condition->constant) {
        out.never = Render(*condition->key, definition) + " cannot be both " +
                    ToTermText(*first.constant) + " and " + ToTermText(*condition->constant);
        break;
      }
    }
    return out;
  }

  static bool IsFalse(const Step& step) {
    const auto constant = [](const Node& node) { return node.kind == NodeKind::kConstant; };
    if (step.kind == StepKind::kEqual) {
      return constant(step.a) && constant(step.b) && step.a.constant != step.b.constant;
    }
    if (step.kind != StepKind::kTest) return false;
    if (constant(step.a)) return step.a.constant.is_false();
    const bool equal = step.a.kind == NodeKind::kEqual;
    if (!equal && step.a.kind != NodeKind::kNotEqual) return false;
    return constant(step.a.nodes[0]) && constant(step.a.nodes[1]) &&
           (step.a.nodes[0].constant == step.a.nodes[1].constant) != equal;
  }

  void CheckPatterns(const Definition& definition) {
    for (const Definition* each = &definition; each != nullptr;
         each = each->else_definition.get()) {
      CheckPatterns(each->block);
      CheckPatterns(each->value);
      for (const Node& key : each->keys)
        CheckPatterns(key);
    }
  }

  void CheckPatterns(const Block& block) {
    for (const Step& step : block.steps) {
      CheckPatterns(step.a);
      CheckPatterns(step.b);
      for (const Node& node : step.nodes)
        CheckPatterns(node);
      if (step.block) CheckPatterns(*step.block);
    }
  }

  // Constant regular expressions that no evaluation could use.
  void CheckPatterns(const Node& node) {
    for (const Node& part : node.nodes)
      CheckPatterns(part);
    if (node.block) CheckPatterns(*node.block);
    if (node.kind != NodeKind::kBuiltin) return;
    constexpr std::array<std::string_view, 4> kFirst = {
        "regex.match", "regex.split", "regex.find_n", "regex.find_all_string_submatch_n"};
    const bool first = std::find(kFirst.begin(), kFirst.end(), node.builtin->name) != kFirst.end();
    if (!first && node.builtin->name != "regex.replace") return;
    const Node& pattern = node.nodes[first ? 0 : 1];
    if (pattern.kind != NodeKind::kConstant || !pattern.constant.is_string()) return;
    const auto regex = GoRegex(patterns_, pattern.constant.string());
    if (!regex) {
      Find(node.location,
           std::string(node.builtin->name) + " can match nothing: " + regex.error().message());
    }
  }

  const Program& program_;
  const LintOptions& lint_;
  PatternContext patterns_;
  std::set<std::uint32_t> used_;
  std::vector<std::pair<std::vector<std::uint32_t>, std::string>> findings_;
};

}  // namespace

Result<std::vector<std::string>> Lint(const std::vector<Module>& modules, const LintOptions& lint,
                                      const Options& options) {
  const auto loaded = TRY(Loaded::Make(modules, options));
  return Linter(loaded->program, lint).Run();
}

}  // namespace kata_cc::policy
