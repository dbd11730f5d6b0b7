// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/compiler.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "policy/engine/body_compiler.h"
#include "policy/engine/resolver.h"
#include "policy/engine/rule_index.h"

namespace kata_cc::policy {
namespace {

constexpr std::size_t kMostErrors = 10;

}  // namespace

std::size_t EditDistance(std::string_view a, std::string_view b, std::size_t most) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > most) return most + 1;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

Group::Group() = default;
Group::~Group() = default;

std::string Group::Name() const {
  std::string out = "data";
  for (const std::string& part : path)
    out += "." + part;
  return out;
}

void BuiltinTable::Add(const BuiltinFamily& family) {
  for (const Builtin& builtin : family.builtins)
    by_name_[builtin.name] = &builtin;
}

void BuiltinTable::AddOff(const BuiltinFamily& family) {
  for (const Builtin& builtin : family.builtins)
    off_[builtin.name] = family.name;
}

const Builtin* BuiltinTable::Find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

std::string_view BuiltinTable::OffFamily(std::string_view name) const {
  const auto it = off_.find(name);
  return it == off_.end() ? std::string_view() : it->second;
}

std::string Compiler::At(const Location& location) const {
  const std::string name = query_name_.empty() && location.module < program_.module_names.size()
                               ? program_.module_names[location.module]
                               : query_name_;
  return name + ":" + std::to_string(location.line) + ":" + std::to_string(location.column);
}

bool Compiler::Spend(std::uint64_t steps) {
  steps_left_ -= std::min(steps_left_, steps);
  return steps_left_ > 0;
}

void Compiler::Report(const Location& location, std::string text) {
  std::string line = At(location) + ": " + std::move(text);
  if (reported_.insert(line).second) errors_.push_back(std::move(line));
}

Result<void> Compiler::Errors() const {
  if (steps_left_ == 0) {  // What was found after that is not the policy's fault.
    return Error(Code::kResourceExhausted,
                 "ordering the expressions takes more than " + std::to_string(kMostSteps) +
                     " steps: nest them less, and bind variables before their use");
  }
  if (errors_.empty()) return {};
  std::string text;
  for (std::size_t i = 0; i < errors_.size() && i < kMostErrors; ++i)
    text += (i == 0 ? "" : "\n") + errors_[i];
  if (errors_.size() > kMostErrors) {
    text += "\nand " + std::to_string(errors_.size() - kMostErrors) + " more";
  }
  return Error(Code::kInvalidArgument, std::move(text));
}

void Compiler::ReportUnknownFunction(const Location& location, const std::string& name) {
  const std::string_view family = builtins_.OffFamily(name);
  if (!family.empty()) {
    Report(location, name + " is not available: the builtins of family " + std::string(family) +
                         " are switched off");
    return;
  }
  constexpr std::array<std::string_view, 4> kBrought = {"crypto.", "io.jwt.", "providers.aws.",
                                                        "yaml."};
  if (std::any_of(kBrought.begin(), kBrought.end(),
                  [&name](std::string_view prefix) { return name.starts_with(prefix); })) {
    Report(location, name + " is not available: it is of a family that this host does not bring");
    return;
  }
  std::string text = "undefined function " + name;
  // Errors that nobody will read are not worth the search.
  if (!reported_.insert(At(location) + ": " + text).second) return;
  std::string_view nearest;
  std::size_t least = errors_.size() < kMostErrors ? 3 : 0;
  for (const auto& [candidate, builtin] : builtins_.all()) {
    if (least == 0) break;
    const std::size_t distance = EditDistance(name, candidate, least);
    if (distance < least || (distance == least && !nearest.empty() && candidate < nearest)) {
      least = distance;
      nearest = candidate;
    }
  }
  if (!nearest.empty()) text += ", did you mean " + std::string(nearest) + "?";
  errors_.push_back(At(location) + ": " + text);
}

NodeKind Compiler::FastKind(const Builtin& builtin) const {
  struct Fast {
    std::string_view name;
    NodeKind kind;
  };
  constexpr std::array kFast = {
      Fast{"equal", NodeKind::kEqual}, Fast{"neq", NodeKind::kNotEqual},
      Fast{"lt", NodeKind::kLess},     Fast{"lte", NodeKind::kLessEqual},
      Fast{"gt", NodeKind::kGreater},  Fast{"gte", NodeKind::kGreaterEqual},
      Fast{"count", NodeKind::kCount}, Fast{"internal.member_2", NodeKind::kMember},
  };
  for (const Fast& fast : kFast) {
    if (fast.name == builtin.name) return fast.kind;
  }
  return NodeKind::kBuiltin;
}

Value Compiler::Metadata(bool chain) const {
  if (current_rule_ == nullptr) return Value::Array(std::vector<Value>());
  if (!chain) {
    const Value& own = current_rule_->annotations;
    return own.is_null() ? Value::Object({}) : own;
  }
  const auto link = [](const std::vector<std::string>& path, const Value& annotations) {
    std::vector<Value> parts;
    for (const std::string& part : path)
      parts.push_back(Value::String(part));
    std::vector<Member> members = {{Value::String("path"), Value::Array(std::move(parts))}};
    if (!annotations.is_null()) members.push_back({Value::String("annotations"), annotations});
    return Value::Object(std::move(members));
  };
  std::vector<Value> links = {link(current_->path, current_rule_->annotations)};
  // The package's, whichever of its modules has them.
  for (const ModuleAst& module : program_.modules) {
    if (module.package == current_module_->package && !module.annotations.is_null()) {
      links.push_back(link(module.package, module.annotations));
      break;
    }
  }
  return Value::Array(std::move(links));
}

Result<void> Compiler::Compile() {
  BuildTree();
  CheckTree(program_.root);
  for (ModuleAst& module : program_.modules) {
    for (Rule& rule : module.rules)
      CompileRule(module, rule);
  }
  for (const auto& group : program_.groups)
    FinishGroup(*group);
  CheckRecursion();
  return Errors();
}

void Compiler::CompileRule(const ModuleAst& module, Rule& rule) {
  const Place place = PlaceOf(module, rule);
  current_ = place.group;
  current_module_ = &module;
  current_rule_ = &rule;
  auto definition = CompileDefinition(module, rule, rule, place.keys_from);
  if (rule.is_default) {
    if (place.group->default_definition) {
      Report(rule.location, "multiple default rules " + place.group->Name());
    }
    if (place.group->kind == GroupKind::kSet || place.group->kind == GroupKind::kObject) {
      Report(rule.location, "default rules cannot be partial: " + place.group->Name());
    }
    place.group->default_definition = std::move(definition);
  } else {
    place.group->definitions.push_back(std::move(definition));
  }
  current_ = nullptr;
}

std::unique_ptr<Definition> Compiler::CompileDefinition(const ModuleAst& module, Rule& rule,
                                                        Rule& head, std::size_t keys_from) {
  auto out = std::make_unique<Definition>();
  out->location = rule.location;
  out->end_line = rule.end_line;
  out->annotations = rule.annotations;
  std::unique_ptr<Rule> else_rule = std::move(rule.else_rule);
  if (else_rule) {
    for (const Term& parameter : head.parameters)
      else_rule->parameters.push_back(parameter.Clone());  // Before they are resolved.
    for (const Term& part : head.path)
      else_rule->path.push_back(part.Clone());
  }
  Resolver resolver(*this, &module);
  std::vector<Term*> terms;
  for (std::size_t i = keys_from; i < rule.path.size(); ++i)
    terms.push_back(&rule.path[i]);
  if (rule.key) terms.push_back(&*rule.key);
  if (rule.value) terms.push_back(&*rule.value);
  resolver.ResolveRule(rule.parameters, rule.body, terms);
  BodyCompiler compiler(*this, resolver.names());
  // A parameter that is a pattern is an expression of the body.
  Body body;
  for (std::size_t i = 0; i < rule.parameters.size(); ++i) {
    const auto number = static_cast<std::int32_t>(i);
    compiler.Bind(number);
    Term& parameter = rule.parameters[i];
    if (parameter.kind == TermKind::kVar && parameter.variable == number) continue;
    Expr match;
    match.kind = ExprKind::kUnify;
    match.location = parameter.location;
    match.terms.push_back(Term::Var("", parameter.location));
    match.terms[0].variable = number;
    match.terms.push_back(std::move(parameter));
    body.push_back(std::move(match));
  }
  for (Expr& expr : rule.body)
    body.push_back(std::move(expr));
  compiler.EmitBody(body, out->block);
  for (std::size_t i = keys_from; i < rule.path.size(); ++i)
    out->keys.push_back(compiler.EmitHead(rule.path[i], out->block));
  out->element = rule.kind == RuleKind::kSet;
  if (rule.key) {
    out->value = compiler.EmitHead(*rule.key, out->block);
  } else if (rule.value) {
    out->value = compiler.EmitHead(*rule.value, out->block);
  } else {
    out->value = Node(NodeKind::kConstant, rule.location);
    out->value.constant = Value::Bool(true);
  }
  out->unconditional = out->block.steps.empty();
  out->constant = out->value.kind == NodeKind::kConstant && out->keys.empty();
  compiler.EmitYield(out->block, rule.location);
  out->slots = compiler.slots();
  out->names = resolver.names();
  if (else_rule)
    out->else_definition = CompileDefinition(module, *else_rule, *else_rule, keys_from);
  return out;
}

void Compiler::FinishGroup(Group& group) {
  group.one_value = group.kind == GroupKind::kComplete || group.kind == GroupKind::kFunction;
  const Value* value = nullptr;
  for (const auto& first : group.definitions) {
    for (const Definition* each = first.get(); each != nullptr;
         each = each->else_definition.get()) {
      group.slots = std::max(group.slots, each->slots);
      if (!each->constant || (value != nullptr && *value != each->value.constant)) {
        group.one_value = false;
      }
      if (value == nullptr) value = &each->value.constant;
    }
  }
  if (group.default_definition) {
    group.slots = std::max(group.slots, group.default_definition->slots);
  }
  std::sort(group.uses.begin(), group.uses.end());
  group.uses.erase(std::unique(group.uses.begin(), group.uses.end()), group.uses.end());
  if (group.kind == GroupKind::kComplete && group.definitions.size() == 1) {
    const Definition& only = *group.definitions[0];
    if (only.constant && only.unconditional) group.constant = only.value.constant;
  }
  group.index = RuleIndex::Make(group);
}

void Compiler::CheckRecursion() {
  // Depth first, without recursion of our own: policies may chain thousands of rules.
  enum class Mark : std::uint8_t { kNew, kOpen, kDone };
  std::vector<Mark> marks(program_.groups.size(), Mark::kNew);
  for (const auto& start : program_.groups) {
    std::vector<std::pair<const Group*, std::size_t>> path = {{start.get(), 0}};
    if (marks[start->id] != Mark::kNew) continue;
    marks[start->id] = Mark::kOpen;
    while (!path.empty()) {
      auto& [group, next] = path.back();
      if (next == group->uses.size()) {
        marks[group->id] = Mark::kDone;
        path.pop_back();
        continue;
      }
      const Group* used = program_.groups[group->uses[next++]].get();
      if (marks[used->id] == Mark::kNew) {
        marks[used->id] = Mark::kOpen;
        path.emplace_back(used, 0);
      } else if (marks[used->id] == Mark::kOpen) {
        std::string cycle;
        bool inside = false;
        for (const auto& [each, unused] : path) {
          inside = inside || each == used;
          if (inside) cycle += each->Name() + " -> ";
        }
        Report(used->location, "rule " + used->Name() + " is recursive: " + cycle + used->Name());
        return;
      }
    }
  }
}

Result<CompiledQuery> Compiler::CompileQuery(Body body, std::string_view name) {
  query_name_ = name;
  errors_.clear();
  reported_.clear();
  steps_left_ = kMostSteps;
  CompiledQuery out;
  Resolver resolver(*this, nullptr);
  std::vector<Term> none;
  std::size_t values = 0;
  for (Expr& expr : body) {
    CollectMocks(expr);
    const bool plain = expr.kind == ExprKind::kTerm && !expr.negated;
    bool relational = false;
    if (plain && expr.terms[0].kind == TermKind::kCall) {
      const Term& call = expr.terms[0];
      const Builtin* builtin =
          call.parts[0].kind == TermKind::kVar ? builtins_.Find(call.parts[0].name) : nullptr;
      relational = builtin == nullptr || builtin->arity != call.parts.size() - 1;
    }
    if (plain && !relational) {
      expr.kind = ExprKind::kUnify;
      expr.terms.insert(expr.terms.begin(), Term::Var("$" + std::to_string(values), expr.location));
      out.expressions.push_back("$" + std::to_string(values++));
    } else {
      out.expressions.emplace_back();
    }
  }
  resolver.ResolveRule(none, body, {});
  BodyCompiler compiler(*this, resolver.names());
  // The names of the program's mocks hold for the rules; the query's own count from here on.
  compiler.EmitBody(body, out.definition.block);
  out.definition.value = Node(NodeKind::kArray, {});
  const auto& variables = resolver.outermost();
  const auto add = [&out](std::int32_t variable) {
    Node node(NodeKind::kSlot, {});
    node.slot = static_cast<std::uint32_t>(variable);
    out.definition.value.nodes.push_back(std::move(node));
  };
  for (const auto& [variable, number] : variables) {
    if (variable.starts_with("$") || !compiler.IsBound(number)) continue;
    out.names.push_back(variable);
    add(number);
  }
  for (std::string& expression : out.expressions) {
    if (expression.empty()) continue;
    add(variables.at(expression));
  }
  compiler.EmitYield(out.definition.block, {});
  out.definition.slots = compiler.slots();
  query_name_.clear();
  TRY(Errors());
  return out;
}

}  // namespace kata_cc::policy
