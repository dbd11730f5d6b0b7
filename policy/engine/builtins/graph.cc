// SPDX-License-Identifier: Apache-2.0
// Graphs as objects from a node to its neighbours: graph.reachable, graph.reachable_paths.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

// Neighbours that are no array or set count as none.
Operands Neighbours(const Value& edges) {
  return edges.is_array() || edges.is_set() ? edges.items() : Operands{};
}

Result<Operands> InitialOperand(Operands x) {
  if (!x[1].is_array() && !x[1].is_set()) return OperandError(2, "{array, set}", x[1]);
  return x[1].items();
}

BuiltinResult Reachable(BuiltinContext& context, Operands x) {
  const Value* graph = TRY(ObjectOperand(x, 0));
  const auto initial = TRY(InitialOperand(x));
  std::vector<Value> open(initial.begin(), initial.end());
  std::unordered_set<Value, ValueHash> seen;
  std::vector<Value> reached;
  while (!open.empty()) {
    TRY(context.Charge(1, sizeof(Value)));
    const Value node = std::move(open.back());
    open.pop_back();
    const Value* edges = graph->Find(node);
    if (edges == nullptr || !seen.insert(node).second) continue;
    reached.push_back(node);
    const auto next = Neighbours(*edges);
    TRY(ChargeItems(context, next.size()));
    open.insert(open.end(), next.begin(), next.end());
  }
  return Value::Set(std::move(reached));
}

// A path ends at a node without neighbours in the graph, or before one that was expanded already
// since the walk left the first node: so results are as OPA's, which are not all paths.
class PathFinder {
 public:
  PathFinder(BuiltinContext& context, const Value& graph) : context_(context), graph_(graph) {}

  Result<void> From(const Value& root) {
    const Value* edges = graph_.Find(root);
    if (edges == nullptr) return {};
    path_ = {root};
    if (Neighbours(*edges).empty()) return EndPath();
    for (const Value& neighbour : Neighbours(*edges)) {
      expanded_ = {root};
      path_ = {root};
      TRY(Visit(neighbour));
    }
    return {};
  }

  std::vector<Value> paths() && { return std::move(paths_); }

 private:
  Result<void> EndPath() {
    TRY(context_.Charge(path_.size(), path_.size() * sizeof(Value)));
    paths_.push_back(Value::Array(std::span<const Value>(path_)));
    return {};
  }

  Result<void> Visit(const Value& node) {
    TRY(context_.Charge(1));
    const Value* edges = graph_.Find(node);
    if (edges == nullptr) return EndPath();
    if (path_.size() > kMaxJsonDepth) {
      return Error(Code::kResourceExhausted, "path of too many nodes");
    }
    path_.push_back(node);
    if (Neighbours(*edges).empty()) TRY(EndPath());
    for (const Value& neighbour : Neighbours(*edges)) {
      if (expanded_.count(neighbour) != 0) {
        TRY(EndPath());
        continue;
      }
      expanded_.insert(node);
      TRY(Visit(neighbour));
    }
    path_.pop_back();
    return {};
  }

  BuiltinContext& context_;
  const Value& graph_;
  std::unordered_set<Value, ValueHash> expanded_;
  std::vector<Value> path_;
  std::vector<Value> paths_;
};

BuiltinResult ReachablePaths(BuiltinContext& context, Operands x) {
  const Value* graph = TRY(ObjectOperand(x, 0));
  const auto initial = TRY(InitialOperand(x));
  PathFinder finder(context, *graph);
  for (const Value& node : initial)
    TRY(finder.From(node));
  return Value::Set(std::move(finder).paths());
}

}  // namespace

std::span<const Builtin> GraphBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"graph.reachable", 2, Reachable},
      Builtin{"graph.reachable_paths", 2, ReachablePaths},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
