// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/parser.h"

#include <utility>

#include "policy/engine/parser_state.h"

namespace kata_cc::policy {
namespace {

class ModuleParser : public ParserState {
 public:
  using ParserState::ParserState;

  Result<ModuleAst> Parse() {
    module_.name = name_;
    module_.v1 = options_.v1;
    if (!AtKeyword("package")) return Fail("expected package");
    module_.package_location = location();
    Advance();
    module_.package = TRY(ParsePath());
    while (AtKeyword("import"))
      TRY(ParseImport());
    while (now().kind != TokenKind::kEnd)
      TRY(ParseRule());
    module_.metadata = std::move(tokens_.metadata);
    return std::move(module_);
  }

  Result<Value> ParseGround() {
    Term term;
    TRY(ParseListElement(term));
    if (now().kind != TokenKind::kEnd) return Fail("text after the term");
    if (term.kind != TermKind::kScalar) return FailAt(term.location, "the term is not a constant");
    return term.value;
  }

 private:
  Result<std::vector<std::string>> ParsePath() {
    std::vector<std::string> path;
    if (now().kind != TokenKind::kName) return Fail("expected a name");
    path.emplace_back(now().text);
    Advance();
    while (!now().space_before) {
      if (Take(".")) {
        if (now().kind != TokenKind::kName) return Fail("expected a name");
        path.emplace_back(now().text);
        Advance();
      } else if (Take("[")) {
        if (now().kind != TokenKind::kString) return Fail("expected a string");
        path.emplace_back(now().text);
        Advance();
        TRY(Expect("]"));
      } else {
        break;
      }
    }
    return path;
  }

  Result<void> ParseImport() {
    Import import;
    import.location = location();
    Advance();
    import.path = TRY(ParsePath());
    const std::string& root = import.path[0];
    if (TakeKeyword("as")) {
      if (now().kind != TokenKind::kName) return Fail("expected a name");
      import.alias = std::string(now().text);
      Advance();
    } else {
      import.alias = import.path.back();
    }
    if (root == "future" || root == "rego") return EnableKeywords(import);
    if (root != "data" && root != "input") {
      return FailAt(import.location,
                    "import: the path must begin with data, input, future or rego");
    }
    module_.imports.push_back(std::move(import));
    return {};
  }

  Result<void> EnableKeywords(const Import& import) {
    const std::vector<std::string>& path = import.path;
    if (path[0] == "rego" && path.size() == 2 && path[1] == "v1") {
      keywords_ = kAllKeywords;
      options_.v1 = true;
      module_.v1 = true;
      return {};
    }
    if (path[0] == "future" && path.size() >= 2 && path[1] == "keywords" && path.size() <= 3) {
      if (path.size() == 2) {
        keywords_ = kAllKeywords;
        return {};
      }
      if (path[2] == "in") {
        keywords_ |= kIn;
        return {};
      }
      if (path[2] == "every") {
        keywords_ |= kIn | kEvery;
        return {};
      }
      if (path[2] == "contains") {
        keywords_ |= kContains;
        return {};
      }
      if (path[2] == "if") {
        keywords_ |= kIf;
        return {};
      }
    }
    return FailAt(import.location, "import: no such keyword");
  }

  // name, .name, [term] ...; in a head, keywords are names when a . follows.
  Result<std::vector<Term>> ParseHeadPath() {
    std::vector<Term> path;
    if (now().kind != TokenKind::kName || AtAnyKeyword()) return Fail("expected a rule");
    path.push_back(Term::Scalar(Value::String(now().text), location()));
    Advance();
    while (!now().space_before) {
      if (Take(".")) {
        if (now().kind != TokenKind::kName) return Fail("expected a name");
        path.push_back(Term::Scalar(Value::String(now().text), location()));
        Advance();
      } else if (Take("[")) {
        TRY(ParseListElement(path.emplace_back()));
        TRY(Expect("]"));
      } else {
        break;
      }
    }
    return path;
  }

  bool TakeAssignment() { return Take(":=") || Take("="); }

  Result<void> ParseRule() {
    Rule rule;
    rule.location = location();
    if (TakeKeyword("default")) rule.is_default = true;
    rule.path = TRY(ParseHeadPath());
    if (!now().space_before && Take("(")) {
      rule.is_function = true;
      TRY(ParseList(")", rule.parameters));
    }
    bool has_value = false;
    bool contains = false;
    if (!rule.is_default && !rule.is_function && TakeKeyword("contains")) {
      contains = true;
      rule.kind = RuleKind::kSet;
      TRY(ParseExpression(rule.key.emplace()));
    } else if (TakeAssignment()) {
      has_value = true;
      TRY(ParseExpression(rule.value.emplace()));
    }
    if (rule.is_default) {
      if (!has_value) return Fail("a default rule needs a value");
      rule.end_line = rule.location.line;
      return Add(std::move(rule));
    }
    return ParseRuleBody(std::move(rule), has_value, contains);
  }

  Result<void> ParseRuleBody(Rule rule, bool has_value, bool contains) {
    const bool with_if = TakeKeyword("if");
    bool has_body = false;
    bool braces = false;
    if (At("{") && (with_if || !options_.v1)) {
      rule.body = TRY(ParseBracedBody(with_if));
      has_body = true;
      braces = true;
    } else if (with_if) {
      rule.body.push_back(TRY(ParseLiteral()));
      has_body = true;
    } else if (At("{")) {
      return Fail("`if` keyword is required before rule body");
    }
    if (!has_value && !contains && !with_if && !rule.is_function && rule.path.size() == 2) {
      // p[x] { ... } of v0.
      if (options_.v1) {
        return FailAt(rule.location, "`contains` keyword is required for partial set rules");
      }
      rule.kind = RuleKind::kSet;
      rule.key = std::move(rule.path.back());
      rule.path.pop_back();
    } else if (!has_value && !contains && !has_body) {
      return FailAt(rule.location, "a rule needs a value or a body");
    }
    rule.end_line = tokens_.list[at_ == 0 ? 0 : at_ - 1].line;
    if (AtKeyword("else")) {
      if (contains || rule.kind == RuleKind::kSet) return Fail("else: not for partial rules");
      rule.else_rule = TRY(ParseElse(rule));
      return Add(std::move(rule));
    }
    if (!braces || options_.v1) return Add(std::move(rule));
    // Further bodies of the same head.
    const Rule& head = Keep(std::move(rule));
    while (At("{")) {
      Rule another = CloneHead(head);
      another.location = location();
      Advance();
      another.body = TRY(ParseBody("}"));
      another.end_line = tokens_.list[at_ - 1].line;
      pending_.push_back(std::move(another));
    }
    for (Rule& each : pending_)
      module_.rules.push_back(std::move(each));
    pending_.clear();
    return {};
  }

  // { body }; after `if` it may also be an expression that begins with a brace.
  Result<Body> ParseBracedBody(bool with_if) {
    const std::size_t back = at_;
    Advance();
    auto body = ParseBody("}");
    if (body || !with_if) return body;
    at_ = back;
    auto literal = ParseLiteral();
    if (!literal) return body;
    Body out;
    out.push_back(*std::move(literal));
    return out;
  }

  const Rule& Keep(Rule rule) {
    pending_.reserve(1);
    pending_.push_back(std::move(rule));
    head_ = CloneHead(pending_.back());
    return head_;
  }

  static Rule CloneHead(const Rule& rule) {
    Rule out;
    out.location = rule.location;
    out.is_function = rule.is_function;
    out.kind = rule.kind;
    for (const Term& part : rule.path)
      out.path.push_back(part.Clone());
    for (const Term& parameter : rule.parameters)
      out.parameters.push_back(parameter.Clone());
    if (rule.key) out.key = rule.key->Clone();
    if (rule.value) out.value = rule.value->Clone();
    return out;
  }

  Result<std::unique_ptr<Rule>> ParseElse(const Rule& of) {
    const Nested nested(*this);
    TRY(CheckLimits());
    auto rule = std::make_unique<Rule>();
    rule->location = location();
    Advance();
    rule->is_function = of.is_function;
    bool has_value = false;
    if (TakeAssignment()) {
      has_value = true;
      TRY(ParseExpression(rule->value.emplace()));
    }
    const bool with_if = TakeKeyword("if");
    if (At("{") && (with_if || !options_.v1)) {
      rule->body = TRY(ParseBracedBody(with_if));
    } else if (with_if) {
      rule->body.push_back(TRY(ParseLiteral()));
    } else if (At("{")) {
      return Fail("`if` keyword is required before rule body");
    } else if (!has_value) {
      return Fail("else needs a value or a body");
    }
    rule->end_line = tokens_.list[at_ - 1].line;
    if (AtKeyword("else")) rule->else_rule = TRY(ParseElse(of));
    return rule;
  }

  Result<void> Add(Rule rule) {
    module_.rules.push_back(std::move(rule));
    return {};
  }

  ModuleAst module_;
  std::vector<Rule> pending_;
  Rule head_;
};

Result<ModuleParser> Prepare(std::string_view name, std::string_view text,
                             const ParseOptions& options) {
  auto tokens = Lex(text);
  if (!tokens) {
    return Error(tokens.error().code(), std::string(name) + ":" + tokens.error().message());
  }
  return ModuleParser(name, *std::move(tokens), options);
}

}  // namespace

Result<ModuleAst> ParseModule(std::string_view name, std::string_view text,
                              const ParseOptions& options) {
  ModuleParser parser = TRY(Prepare(name, text, options));
  return parser.Parse();
}

Result<Body> ParseQuery(std::string_view name, std::string_view text, const ParseOptions& options) {
  ModuleParser parser = TRY(Prepare(name, text, options));
  return parser.ParseBody("");
}

Result<Value> ParseGroundTerm(std::string_view text, const ParseOptions& options) {
  ModuleParser parser = TRY(Prepare("term", text, options));
  return parser.ParseGround();
}

}  // namespace kata_cc::policy
