// SPDX-License-Identifier: Apache-2.0
// BodyCompiler: a resolved rule body to a Block. Expressions keep the text's order as far as they
// can; one whose variables are not bound yet waits for those that bind them.
// Every Emit... function also runs dry (out_ == nullptr): then it says whether it could, on the
// variables that are bound now, and leaves no steps.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "policy/engine/compiler.h"

namespace kata_cc::policy {

class BodyCompiler {
 public:
  BodyCompiler(Compiler& compiler, std::vector<std::string>& names)
      : compiler_(compiler), names_(names), bound_(names.size(), false) {}

  void Bind(std::int32_t variable) { bound_[static_cast<std::size_t>(variable)] = true; }
  bool IsBound(std::int32_t variable) const { return bound_[static_cast<std::size_t>(variable)]; }

  // Appends the body's steps. Errors are reported to the compiler.
  void EmitBody(const Body& body, Block& out);
  // The value of a term after the body; its references may iterate.
  Node EmitHead(const Term& term, Block& out);
  void EmitYield(Block& out, const Location& location);

  std::uint32_t NewSlot();
  std::uint32_t slots() const { return static_cast<std::uint32_t>(names_.size()); }

 private:
  using Bound = std::vector<bool>;

  bool EmitExpr(const Expr& expr);
  bool EmitPlainExpr(const Expr& expr);
  bool EmitPositive(const Expr& expr);  // Without `with` and `not`.
  bool EmitNot(const Expr& expr);
  bool EmitEvery(const Expr& expr);
  bool EmitSomeIn(const Expr& expr);
  bool EmitCallExpr(const Term& term);
  bool EmitPrint(const Term& term);
  std::optional<Node> EmitPrinted(const Term& operand, bool& iterates);
  bool EmitWiths(const Expr& expr);
  std::optional<Mock> EmitMock(const With& with);
  void CheckReplaced(const Term& target);

  // The node, or nothing when a variable is not bound.
  std::optional<Node> EmitTerm(const Term& term);
  std::optional<Node> EmitRef(const Term& term);
  std::optional<Node> EmitDataRef(const Term& term, std::size_t& at);
  std::optional<Node> EmitCall(const Term& term, std::size_t operands);
  std::optional<Node> EmitClosure(const Term& term);
  bool EmitTerms(const std::vector<Term>& terms, std::size_t first, std::vector<Node>& out);

  bool EmitUnify(const Term& a, const Term& b);
  bool EmitUnifyOnce(const Term& a, const Term& b,
                     std::vector<std::pair<const Term*, const Term*>>& more);
  bool EmitMatch(const Term& pattern, Node value);  // value is a constant, a slot or below one.
  bool EmitPatternMatch(const Term& pattern, const Node& value);

  // What emit() says when it runs dry; it leaves nothing behind.
  template <typename Emit>
  bool Succeeds(Emit emit) {
    if (!compiler_.Spend(1 + bound_.size() / 512)) return false;
    const Bound before = bound_;
    const std::size_t slots = names_.size();
    Block* outer = std::exchange(out_, nullptr);
    const bool out = emit();
    out_ = outer;
    bound_ = before;
    names_.resize(slots);
    return out;
  }

  // body_ready.cc
  bool IsReady(const Term& term) const;
  bool IsReady(const Expr& expr) const;

  bool IsOpen(const Term& term) const;  // Has an unbound variable outside references and calls.
  bool IsPattern(const Term& term) const;
  bool FreeBound(const Term& term) const;  // All variables that are not its own are bound.
  bool FreeBound(const Expr& expr) const;
  void FreeVariables(const Term& term, std::set<std::int32_t>& out) const;
  void FreeVariables(const Expr& expr, std::set<std::int32_t>& out) const;
  std::size_t Arity(const Term& call) const;  // SIZE_MAX: no such function.
  Group* FunctionOf(const Term& operation) const;
  const Builtin* BuiltinOf(const Term& operation) const;

  Node SlotNode(std::uint32_t slot, const Location& location) const;
  Node InSlot(Node node);  // A node that is cheap to read often.
  Step& Add(StepKind kind, const Location& location);
  void UseGroup(const Group* group);
  void UseTree(const TreeNode& tree);
  void ReportUnsafe(const std::vector<const Expr*>& waiting);
  bool ReportUnbound(const std::vector<const Expr*>& waiting, const std::set<std::int32_t>& but);
  void Bindable(const Term& term, bool pattern, std::set<std::int32_t>& out) const;

  Compiler& compiler_;
  std::vector<std::string>& names_;
  Bound bound_;
  Block* out_ = nullptr;
  Step dry_;
};

}  // namespace kata_cc::policy
