// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/language_builtins.h"

#include <algorithm>
#include <array>

#include "policy/engine/parser.h"

namespace kata_cc::policy {
namespace {

using Operands = std::span<const Value>;

// Every [path, value] in a value, itself first; the keys of a set are its elements.
Result<void> Walk(BuiltinContext& context, const Value& value, std::vector<Value>& path,
                  std::vector<Value>& out) {
  TRY(context.Charge(1 + path.size() / 4, (path.size() + 4) * sizeof(Value)));
  std::vector<Value> pair = {Value::Array(std::span<const Value>(path)), value};
  out.push_back(Value::Array(std::move(pair)));
  const auto below = [&](const Value& key, const Value& child) -> Result<void> {
    path.push_back(key);
    TRY(Walk(context, child, path, out));
    path.pop_back();
    return {};
  };
  if (value.is_object()) {
    for (const Member& member : value.members())
      TRY(below(member.key, member.value));
  } else if (value.is_array()) {
    std::int64_t index = 0;
    for (const Value& item : value.items())
      TRY(below(Value::Int(index++), item));
  } else if (value.is_set()) {
    for (const Value& item : value.items())
      TRY(below(item, item));
  }
  return {};
}

BuiltinResult WalkAll(BuiltinContext& context, Operands x) {
  std::vector<Value> path;
  std::vector<Value> out;
  TRY(Walk(context, x[0], path, out));
  return Value::Array(std::move(out));
}

BuiltinResult Trace(BuiltinContext&, Operands x) {
  TRY(StringOperand(x, 0));
  return Value::Bool(true);
}

BuiltinResult ParseModuleText(BuiltinContext& context, Operands x) {
  const std::string_view name = TRY(StringOperand(x, 0));
  const std::string_view text = TRY(StringOperand(x, 1));
  TRY(context.Charge(text.size(), text.size() * 32));
  auto module = ParseModule(name, text, ParseOptions());
  if (!module) return BuiltinError(module.error().message());
  return ModuleAsValue(*module);
}

// Calls of these two never reach a function: the compiler puts the annotations in their place.
BuiltinResult Undefined(BuiltinContext&, Operands) {
  return std::optional<Value>();
}

// For reading annotations, which are the policy's own text and bounded by it.
class LoadContext : public BuiltinContext {
 public:
  Result<void> Charge(std::uint64_t, std::uint64_t) override { return {}; }
  Result<const RE2*> Regex(std::string_view) override {
    return Error(Code::kFailedPrecondition, "no patterns here");
  }
  std::int64_t now_ns() const override { return 0; }
  std::uint64_t Random() override { return 0; }
  std::any& Kept(std::string_view) override { return kept_; }

 private:
  std::any kept_;
};

Value String(std::string_view text) {
  return Value::String(text);
}

// "Name <email>" as an object.
Value Author(const Value& author) {
  if (!author.is_string()) return author;
  std::string_view name = author.string();
  std::string_view email;
  const std::size_t open = name.rfind('<');
  if (open != std::string_view::npos && name.ends_with('>')) {
    email = name.substr(open + 1, name.size() - open - 2);
    name = name.substr(0, open);
  }
  while (!name.empty() && name.back() == ' ')
    name.remove_suffix(1);
  std::vector<Member> members;
  if (!name.empty()) members.push_back({String("name"), String(name)});
  if (!email.empty()) members.push_back({String("email"), String(email)});
  return Value::Object(std::move(members));
}

Value Annotations(const Value& yaml, std::string_view scope) {
  std::vector<Member> members;
  for (const Member& member : yaml.members()) {
    Value value = member.value;
    const std::string_view key = member.key.is_string() ? member.key.string() : "";
    if ((key == "authors" || key == "related_resources") && value.is_array()) {
      std::vector<Value> items;
      for (const Value& item : value.items()) {
        items.push_back(key == "authors"   ? Author(item)
                        : item.is_string() ? Value::Object({{String("ref"), item}})
                                           : item);
      }
      value = Value::Array(std::move(items));
    }
    members.push_back({member.key, std::move(value)});
  }
  if (yaml.Find("scope") == nullptr) members.push_back({String("scope"), String(scope)});
  return Value::Object(std::move(members));
}

Value Typed(std::string_view type, Value value) {
  return Value::Object({{String("type"), String(type)}, {String("value"), std::move(value)}});
}

Value BodyAsValue(const Body& body);

Value TermAsValue(const Term& term) {
  const auto list = [](const std::vector<Term>& terms) {
    std::vector<Value> out;
    for (const Term& part : terms)
      out.push_back(TermAsValue(part));
    return Value::Array(std::move(out));
  };
  const auto pairs = [](const std::vector<Term>& terms) {
    std::vector<Value> out;
    for (std::size_t i = 0; i + 1 < terms.size(); i += 2) {
      std::vector<Value> pair = {TermAsValue(terms[i]), TermAsValue(terms[i + 1])};
      out.push_back(Value::Array(std::move(pair)));
    }
    return Value::Array(std::move(out));
  };
  const auto comprehension = [&](std::string_view type) {
    std::vector<Member> members = {{String("body"), BodyAsValue(*term.body)}};
    if (term.parts.size() == 2) {
      members.push_back({String("key"), TermAsValue(term.parts[0])});
      members.push_back({String("value"), TermAsValue(term.parts[1])});
    } else {
      members.push_back({String("term"), TermAsValue(term.parts[0])});
    }
    return Typed(type, Value::Object(std::move(members)));
  };
  switch (term.kind) {
    case TermKind::kVar:
      return Typed("var", String(term.name));
    case TermKind::kRef:
      return Typed("ref", list(term.parts));
    case TermKind::kCall:
      return Typed("call", list(term.parts));
    case TermKind::kArray:
      return Typed("array", list(term.parts));
    case TermKind::kSet:
      return Typed("set", list(term.parts));
    case TermKind::kObject:
      return Typed("object", pairs(term.parts));
    case TermKind::kTemplate:
      return Typed("templatestring", list(term.parts));
    case TermKind::kArrayOf:
      return comprehension("arraycomprehension");
    case TermKind::kSetOf:
      return comprehension("setcomprehension");
    case TermKind::kObjectOf:
      return comprehension("objectcomprehension");
    case TermKind::kScalar:
      break;
  }
  const Value& value = term.value;
  if (!value.is_array() && !value.is_set() && !value.is_object()) {
    return Typed(KindName(value.kind()), value);
  }
  // A composite of constants, which the parser made one value.
  std::vector<Value> parts;
  if (value.is_object()) {
    for (const Member& member : value.members()) {
      std::vector<Value> pair = {TermAsValue(Term::Scalar(member.key, {})),
                                 TermAsValue(Term::Scalar(member.value, {}))};
      parts.push_back(Value::Array(std::move(pair)));
    }
  } else {
    for (const Value& item : value.items())
      parts.push_back(TermAsValue(Term::Scalar(item, {})));
  }
  return Typed(KindName(value.kind()), Value::Array(std::move(parts)));
}

Value BodyAsValue(const Body& body) {
  std::vector<Value> out;
  for (const Expr& expr : body) {
    std::vector<Member> members = {
        {String("index"), Value::Int(static_cast<std::int64_t>(out.size()))}};
    std::vector<Value> terms;
    const bool call = expr.kind == ExprKind::kTerm && expr.terms[0].kind == TermKind::kCall;
    if (expr.kind == ExprKind::kUnify || expr.kind == ExprKind::kAssign) {
      const std::string_view name = expr.kind == ExprKind::kUnify ? "eq" : "assign";
      terms.push_back(Typed("ref", Value::Array(std::vector<Value>{Typed("var", String(name))})));
    }
    for (const Term& term : call ? expr.terms[0].parts : expr.terms)
      terms.push_back(TermAsValue(term));
    const bool single = expr.kind == ExprKind::kTerm && !call;
    members.push_back(
        {String("terms"), single ? std::move(terms[0]) : Value::Array(std::move(terms))});
    if (expr.negated) members.push_back({String("negated"), Value::Bool(true)});
    if (expr.body) members.push_back({String("body"), BodyAsValue(*expr.body)});
    std::vector<Value> withs;
    for (const With& with : expr.withs) {
      withs.push_back(Value::Object({{String("target"), TermAsValue(with.target)},
                                     {String("value"), TermAsValue(with.value)}}));
    }
    if (!withs.empty()) members.push_back({String("with"), Value::Array(std::move(withs))});
    out.push_back(Value::Object(std::move(members)));
  }
  return Value::Array(std::move(out));
}

Value RuleAsValue(const Rule& rule, std::string_view name) {
  std::vector<Value> ref;
  for (const Term& part : rule.path)
    ref.push_back(ref.empty() ? Typed("var", part.value) : TermAsValue(part));
  std::vector<Member> head = {{String("name"), String(name)}};
  if (!ref.empty()) head.push_back({String("ref"), Value::Array(std::move(ref))});
  if (rule.key) head.push_back({String("key"), TermAsValue(*rule.key)});
  if (rule.value) {
    head.push_back({String("value"), TermAsValue(*rule.value)});
  } else if (!rule.key) {
    head.push_back({String("value"), Typed("boolean", Value::Bool(true))});
  }
  std::vector<Value> parameters;
  for (const Term& parameter : rule.parameters)
    parameters.push_back(TermAsValue(parameter));
  if (!parameters.empty()) head.push_back({String("args"), Value::Array(std::move(parameters))});
  std::vector<Member> members = {{String("head"), Value::Object(std::move(head))},
                                 {String("body"), BodyAsValue(rule.body)}};
  if (rule.is_default) members.push_back({String("default"), Value::Bool(true)});
  if (rule.else_rule) members.push_back({String("else"), RuleAsValue(*rule.else_rule, name)});
  return Value::Object(std::move(members));
}

Value PathAsValue(const std::vector<std::string>& path) {
  std::vector<Value> out;
  for (const std::string& part : path)
    out.push_back(Typed(out.empty() ? "var" : "string", String(part)));
  return Value::Array(std::move(out));
}

}  // namespace

BuiltinFamily LanguageFamily() {
  static constexpr std::array kBuiltins = {
      Builtin{"print", 0, Undefined},
      Builtin{"trace", 1, Trace},
      Builtin{"walk", 1, WalkAll, false, true},
      Builtin{"rego.parse_module", 2, ParseModuleText},
      Builtin{"rego.metadata.chain", 0, Undefined},
      Builtin{"rego.metadata.rule", 0, Undefined},
  };
  return {"language", kBuiltins};
}

void ReadAnnotations(ModuleAst& module, const Builtin& yaml_unmarshal) {
  LoadContext context;
  for (const MetadataBlock& block : module.metadata) {
    const Value text = Value::String(block.yaml);
    const auto yaml = yaml_unmarshal.function(context, std::span(&text, 1));
    if (!yaml || !*yaml || !(*yaml)->is_object()) continue;
    if (module.package_location.line > block.last_line) {
      module.annotations = Annotations(**yaml, "package");
      continue;
    }
    for (Rule& rule : module.rules) {
      if (rule.location.line <= block.last_line) continue;
      const Value annotations = Annotations(**yaml, "rule");
      const Value* scope = annotations.Find("scope");
      if (*scope == String("package") || *scope == String("subpackages")) {
        module.annotations = annotations;
      } else {
        rule.annotations = annotations;
      }
      break;
    }
  }
}

Value ModuleAsValue(const ModuleAst& module) {
  std::vector<std::string> package = {"data"};
  package.insert(package.end(), module.package.begin(), module.package.end());
  std::vector<Member> members = {
      {String("package"), Value::Object({{String("path"), PathAsValue(package)}})}};
  std::vector<Value> imports;
  for (const Import& import : module.imports) {
    std::vector<Member> parts = {{String("path"), Typed("ref", PathAsValue(import.path))}};
    if (import.alias != import.path.back()) {
      parts.push_back({String("alias"), String(import.alias)});
    }
    imports.push_back(Value::Object(std::move(parts)));
  }
  if (!imports.empty()) members.push_back({String("imports"), Value::Array(std::move(imports))});
  std::vector<Value> rules;
  for (const Rule& rule : module.rules)
    rules.push_back(RuleAsValue(rule, rule.path[0].value.string()));
  if (!rules.empty()) members.push_back({String("rules"), Value::Array(std::move(rules))});
  return Value::Object(std::move(members));
}

}  // namespace kata_cc::policy
