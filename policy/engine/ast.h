// SPDX-License-Identifier: Apache-2.0
// The syntax tree of Rego, as parsed: names are not resolved, order is the text's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/value.h"

namespace kata_cc::policy {

struct Location {
  std::uint32_t module = 0;  // Index among the engine's modules.
  std::uint32_t line = 0;    // From 1; 0: none.
  std::uint32_t column = 0;  // From 1, in bytes.
};

struct Expr;
using Body = std::vector<Expr>;

enum class TermKind : std::uint8_t {
  kScalar,    // value; also composites without variables, refs or calls.
  kVar,       // name; "_" is a wildcard.
  kRef,       // parts[0] is the head, the rest the path.
  kCall,      // parts[0] is the operator (a var or a ref), the rest operands.
  kArray,     // parts
  kSet,       // parts
  kObject,    // parts: key, value, key, value ...
  kArrayOf,   // [parts[0] | body]
  kSetOf,     // {parts[0] | body}
  kObjectOf,  // {parts[0]: parts[1] | body}
  kTemplate,  // $"...": string scalars and set comprehensions of the expressions, in turn.
};

struct Term {
  TermKind kind = TermKind::kScalar;
  Location location;
  Value value;
  std::string name;
  std::vector<Term> parts;
  std::unique_ptr<Body> body;

  // Filled in by the resolver. A variable's number in its rule; of a comprehension, the numbers
  // [first_local, end_local) are its own.
  std::int32_t variable = -1;
  std::int32_t first_local = 0;
  std::int32_t end_local = 0;

  Term() = default;
  Term(TermKind kind_in, Location location_in) : kind(kind_in), location(location_in) {}
  Term(Term&&) noexcept = default;
  Term& operator=(Term&&) noexcept = default;
  ~Term() = default;
  Term Clone() const;

  static Term Scalar(Value value, Location location);
  static Term Var(std::string name, Location location);
  // What an operator sign means; not to be confused with a rule of that name.
  static Term Call(std::string operation, std::vector<Term> operands, Location location);
  bool is_operator() const { return kind == TermKind::kVar && value.is_true(); }
  bool is_var(std::string_view wanted) const { return kind == TermKind::kVar && name == wanted; }
  bool is_string() const { return kind == TermKind::kScalar && value.is_string(); }
};

struct With {
  Term target;
  Term value;
};

enum class ExprKind : std::uint8_t {
  kTerm,    // terms[0]
  kUnify,   // terms[0] = terms[1]
  kAssign,  // terms[0] := terms[1]
  kSome,    // some terms...: variables
  kSomeIn,  // some terms[0] in terms[1], or some terms[0], terms[1] in terms[2]
  kEvery,   // every terms[0], terms[1] in terms[2] { body }; terms[0] may be the wildcard
};

struct Expr {
  ExprKind kind = ExprKind::kTerm;
  bool negated = false;
  Location location;
  std::vector<Term> terms;
  std::vector<With> withs;
  std::unique_ptr<Body> body;
  std::int32_t first_local = 0;  // As in Term, of kEvery.
  std::int32_t end_local = 0;

  Expr() = default;
  Expr(Expr&&) noexcept = default;
  Expr& operator=(Expr&&) noexcept = default;
  ~Expr() = default;
  Expr Clone() const;
};

enum class RuleKind : std::uint8_t { kSingle, kSet };  // One value, or `contains`.

struct Rule {
  Location location;
  std::uint32_t end_line = 0;
  bool is_default = false;
  bool is_function = false;
  RuleKind kind = RuleKind::kSingle;
  std::vector<Term> path;  // The head's reference: path[0] is a string, the rest any terms.
  std::vector<Term> parameters;
  std::optional<Term> key;    // kSet: the element.
  std::optional<Term> value;  // kSingle; absent means true.
  Body body;                  // Empty: always.
  std::unique_ptr<Rule> else_rule;
  Value annotations;  // Of the METADATA block before it; null if none.
};

struct Import {
  Location location;
  std::vector<std::string> path;  // data.a.b, input.x, rego.v1, future.keywords.in
  std::string alias;              // The name it goes by.
};

struct MetadataBlock {
  std::uint32_t first_line = 0;
  std::uint32_t last_line = 0;
  std::string yaml;
};

struct ModuleAst {
  std::string name;
  Location package_location;
  std::vector<std::string> package;  // Without "data".
  std::vector<Import> imports;
  std::vector<Rule> rules;
  std::vector<MetadataBlock> metadata;
  Value annotations;  // Of the package; null if none.
  bool v1 = true;
};

}  // namespace kata_cc::policy
