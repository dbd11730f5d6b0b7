// SPDX-License-Identifier: Apache-2.0
// Evaluator: one query's run over a compiled program: limits, memory of what is known, and the
// solutions of bodies by depth-first search.
// Values are lent (const Value*) where they stand: in a slot, a constant, a document or a result;
// what is computed goes to the caller's scratch.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/engine/compiler.h"
#include "policy/engine/engine.h"
#include "policy/engine/engine_caches.h"
#include "policy/engine/ir.h"
#include "policy/engine/observer.h"

namespace kata_cc::policy {

class Evaluator : public BuiltinContext {
 public:
  Evaluator(const Program& program, const Options& options, EngineCaches& caches, SlotStack& stack,
            Value data);
  ~Evaluator() override = default;

  void SetInput(Value input);
  // The document at data.<path>; nothing if undefined.
  Result<std::optional<Value>> EvaluatePath(const std::vector<std::string>& path);
  // One array a solution.
  Result<std::vector<Value>> EvaluateQuery(const Definition& query);
  Result<std::optional<Value>> EvaluateGroup(const Group& group);

  std::uint64_t steps() const { return steps_; }
  // The values of the prints, and where each print's end.
  Prints TakePrints() { return std::move(prints_); }
  void set_observer(Observer* observer) { observer_ = observer; }

  // BuiltinContext
  Result<void> Charge(std::uint64_t steps, std::uint64_t bytes) override;
  Result<const RE2*> Regex(std::string_view pattern) override;
  std::int64_t now_ns() const override { return now_ns_; }
  std::uint64_t Random() override;
  std::any& Kept(std::string_view key) override { return caches_.Kept(key); }

 private:
  enum class Flow : std::uint8_t { kNext, kDone, kError };
  enum class State : std::uint8_t { kNew, kRunning, kUndefined, kValue };

  struct ActiveMock {
    const Group* function = nullptr;
    const Builtin* builtin = nullptr;
    Value value;
    Group* by_function = nullptr;
    const Builtin* by_builtin = nullptr;
  };
  // What `with` changes, and what is known under it.
  struct Environment {
    std::optional<Value> input;
    Value data;
    std::vector<std::vector<std::string>> overlays;  // Paths of data that `with` replaced.
    std::vector<ActiveMock> mocks;
    Environment* outer = nullptr;
    std::vector<State> states;
    std::vector<Value> results;
    std::unordered_map<std::uint32_t, Value> trees;
  };

  struct Entry {  // Of a partial object.
    std::vector<Value> keys;
    Value value;
    bool element = false;
  };
  enum class SinkKind : std::uint8_t { kExists, kSingle, kItems, kMembers, kEntries };
  struct Sink {
    SinkKind kind = SinkKind::kExists;
    const Node* value = nullptr;
    const std::vector<Node>* keys = nullptr;
    bool element = false;
    bool first_decides = false;  // kSingle: no other solution can differ.
    bool found = false;          // Some solution was taken.
    bool has_result = false;
    const Group* group = nullptr;
    Value result;
    std::vector<Value>* items = nullptr;
    std::vector<Member>* members = nullptr;
    std::vector<Entry>* entries = nullptr;
  };

  // evaluator.cc: steps
  Flow Run(const Step* step, Value* slots, Sink& sink);
  Flow Scan(const Step* step, const Value& over, Value* slots, Sink& sink);
  Flow RunRelation(const Step* step, Value* slots, Sink& sink);
  Flow RunEvery(const Step* step, Value* slots);
  Flow RunWith(const Step* step, Value* slots, Sink& sink);
  Flow Print(const Step* step, Value* slots);
  Flow PrintAll(const Step* step, Value* slots);
  Flow Yield(const Step* step, Value* slots, Sink& sink);
  Flow Miss(const Step* step, Value* slots);  // The step has no solution.

  // evaluator_terms.cc: nodes. Null: undefined, or error_ is set.
  const Value* Eval(const Node& node, Value* slots, Value& scratch);
  const Value* EvalGet(const Node& node, Value* slots, Value& scratch);
  const Value* EvalComposite(const Node& node, Value* slots, Value& scratch);
  const Value* EvalComprehension(const Node& node, Value* slots, Value& scratch);
  const Value* EvalTemplate(const Node& node, Value* slots, Value& scratch);
  const Value* EvalCompare(const Node& node, Value* slots, Value& scratch);
  const Value* EvalBuiltin(const Node& node, Value* slots, Value& scratch);
  const Value* CallBuiltin(const Builtin& builtin, std::span<const Value> operands,
                           const Location& location, Value& scratch);

  // evaluator_rules.cc: rules, functions, the data tree
  const Value* EvalCall(const Node& node, Value* slots, Value& scratch);
  const Value* CallFunction(const Group& group, Value* frame, const Location& location,
                            Value& scratch);
  const Value* EvalRule(const Group& group, Value& scratch);
  bool RunGroup(const Group& group, Value* frame, Value& out);
  bool RunDefinitions(const Group& group, Value* frame, Value& out);
  Flow RunAll(const Group& group, Value* frame, Sink& sink);
  Flow RunDefinition(const Definition& definition, Value* frame, Sink& sink);
  bool BuildObject(const Group& group, std::vector<Entry> entries, Value& out);
  const Value* EvalVirtual(const TreeNode& tree, std::span<const Node> keys, Value* slots,
                           Value& scratch);
  const Value* EvalTree(const TreeNode& tree, Value& scratch);
  const Value* BaseAt(const std::vector<std::string>& path) const;
  bool IsOverlaid(const std::vector<std::string>& path) const;
  const ActiveMock* FindMock(const Group* function, const Builtin* builtin) const;
  const Value* CallMock(const ActiveMock& mock, std::span<Value> operands, const Location& location,
                        Value& scratch);

  static std::uint64_t CompareCost(const Value& a, const Value& b) {
    return std::min(a.weight(), b.weight()) / 16;
  }
  bool Fits(const Value& value, const Location& location);  // Or error_ is set.
  bool Tick(std::uint64_t count = 1);  // False: out of steps or memory; error_ is set.
  bool Enter();                        // One level deeper; false as Tick.
  void Leave() { --depth_; }
  std::nullptr_t Fail(const Location& location, Code code, std::string text);
  Flow Failed() const { return error_ ? Flow::kError : Flow::kNext; }

  const Program& program_;
  const Options& options_;
  EngineCaches& caches_;
  SlotStack& stack_;
  Environment base_;
  Environment* env_ = &base_;
  std::optional<Error> error_;
  std::uint64_t steps_ = 0;
  std::uint64_t next_memory_check_ = 0;
  std::int64_t bytes_at_start_ = 0;
  std::int64_t sink_bytes_ = 0;
  std::int64_t live_at_call_ = 0;   // Of the builtin that runs: LiveBytes before it,
  std::int64_t charged_bytes_ = 0;  // and what it has charged since.
  std::size_t depth_ = 0;
  std::size_t calls_ = 0;
  Prints prints_;
  std::vector<std::pair<const Builtin*, std::pair<Value, std::optional<Value>>>> kept_results_;
  std::int64_t now_ns_ = 0;
  Observer* observer_ = nullptr;
};

}  // namespace kata_cc::policy
