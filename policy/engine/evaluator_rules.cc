// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "policy/engine/evaluator.h"
#include "policy/engine/rule_index.h"

namespace kata_cc::policy {
namespace {

// An object in the making, from rules that each give a part of it.
class PartialObject {
 public:
  // False: a conflict.
  bool Insert(std::span<const Value> keys, const Value& value, bool element) {
    if (keys.empty()) {
      if (element) {
        if (is_leaf_ || !children_.empty()) return false;
        is_set_ = true;
        items_.push_back(value);
        return true;
      }
      if (is_set_ || !children_.empty()) return false;
      if (is_leaf_) return leaf_ == value;
      is_leaf_ = true;
      leaf_ = value;
      return true;
    }
    if (is_leaf_ || is_set_) return false;
    return children_[keys[0]].Insert(keys.subspan(1), value, element);
  }

  Value Finish() {
    if (is_leaf_) return std::move(leaf_);
    if (is_set_) return Value::Set(std::move(items_));
    std::vector<Member> members;
    members.reserve(children_.size());
    for (auto& [key, child] : children_)
      members.push_back({key, child.Finish()});
    return Value::SortedObject(std::move(members));
  }

 private:
  bool is_leaf_ = false;
  bool is_set_ = false;
  Value leaf_;
  std::vector<Value> items_;
  std::map<Value, PartialObject> children_;
};

bool StartsWith(const std::vector<std::string>& path, const std::vector<std::string>& prefix) {
  return prefix.size() <= path.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

}  // namespace

bool Evaluator::Fits(const Value& value, const Location& location) {
  if (!value.is_too_large()) return true;
  Fail(location, Code::kResourceExhausted, "value larger or nested deeper than any may be");
  return false;
}

bool Evaluator::IsOverlaid(const std::vector<std::string>& path) const {
  return std::any_of(env_->overlays.begin(), env_->overlays.end(),
                     [&path](const auto& overlay) { return StartsWith(path, overlay); });
}

const Value* Evaluator::BaseAt(const std::vector<std::string>& path) const {
  const Value* at = &env_->data;
  for (const std::string& part : path) {
    if (!at->is_object()) return nullptr;
    at = at->Find(part);
    if (at == nullptr) return nullptr;
  }
  return at;
}

const Evaluator::ActiveMock* Evaluator::FindMock(const Group* function,
                                                 const Builtin* builtin) const {
  for (const ActiveMock& mock : env_->mocks) {
    if (mock.function == function && mock.builtin == builtin) return &mock;
  }
  return nullptr;
}

// What a mock calls is the original.
const Value* Evaluator::CallMock(const ActiveMock& mock, std::span<Value> operands,
                                 const Location& location, Value& scratch) {
  if (mock.by_function == nullptr && mock.by_builtin == nullptr) {
    scratch = mock.value;
    return &scratch;
  }
  const ActiveMock chosen = mock;
  std::vector<ActiveMock> mocks = std::exchange(env_->mocks, {});
  const Value* out = nullptr;
  if (chosen.by_builtin != nullptr) {
    if (chosen.by_builtin->arity == operands.size()) {
      out = CallBuiltin(*chosen.by_builtin, operands, location, scratch);
    }
  } else if (chosen.by_function->kind != GroupKind::kFunction) {
    out = EvalRule(*chosen.by_function, scratch);
  } else if (chosen.by_function->arity == operands.size()) {
    Value* frame = stack_.Push(chosen.by_function->slots);
    std::copy(operands.begin(), operands.end(), frame);
    out = CallFunction(*chosen.by_function, frame, location, scratch);
    stack_.Pop(chosen.by_function->slots);
  }
  env_->mocks = std::move(mocks);
  return out;
}

const Value* Evaluator::EvalCall(const Node& node, Value* slots, Value& scratch) {
  const Group& group = *node.group;
  Value* frame = stack_.Push(group.slots);
  struct Popper {
    SlotStack& stack;
    std::size_t count;
    ~Popper() { stack.Pop(count); }
  } const popper{stack_, group.slots};
  for (std::size_t i = 0; i < node.nodes.size(); ++i) {
    Value operand_scratch;
    const Value* value = Eval(node.nodes[i], slots, operand_scratch);
    if (value == nullptr) return nullptr;
    frame[i] = value == &operand_scratch ? std::move(operand_scratch) : *value;
  }
  if (!env_->mocks.empty()) {
    if (const ActiveMock* mock = FindMock(&group, nullptr)) {
      return CallMock(*mock, std::span(frame, node.nodes.size()), node.location, scratch);
    }
  }
  return CallFunction(group, frame, node.location, scratch);
}

const Value* Evaluator::CallFunction(const Group& group, Value* frame, const Location& location,
                                     Value& scratch) {
  if (++calls_ > options_.limits.depth) {
    --calls_;
    return Fail(location, Code::kResourceExhausted, "calls nested deeper than the limit");
  }
  const bool defined = Tick() && RunGroup(group, frame, scratch);
  --calls_;
  return defined ? &scratch : nullptr;
}

const Value* Evaluator::EvalRule(const Group& group, Value& scratch) {
  if (!env_->overlays.empty() && IsOverlaid(group.path)) return BaseAt(group.path);
  if (group.constant) {
    if (observer_ != nullptr) observer_->OnConstant(group);
    return &*group.constant;
  }
  if (group.kind == GroupKind::kFunction) return nullptr;
  State& state = env_->states[group.id];
  switch (state) {
    case State::kValue:
      return &env_->results[group.id];
    case State::kUndefined:
      return nullptr;
    case State::kRunning:
      return Fail(group.location, Code::kFailedPrecondition,
                  "rule " + group.Name() + " depends on itself");
    case State::kNew:
      break;
  }
  if (++calls_ > options_.limits.depth) {
    --calls_;
    return Fail(group.location, Code::kResourceExhausted, "rules nested deeper than the limit");
  }
  state = State::kRunning;
  // Where the results are kept stays the same: the environment outlives this.
  Environment& environment = *env_;
  Value* frame = stack_.Push(group.slots);
  (void)scratch;
  const bool defined = Tick() && RunGroup(group, frame, environment.results[group.id]);
  stack_.Pop(group.slots);
  --calls_;
  environment.states[group.id] = defined ? State::kValue : State::kUndefined;
  return defined ? &environment.results[group.id] : nullptr;
}

bool Evaluator::RunGroup(const Group& group, Value* frame, Value& out) {
  if (observer_ == nullptr) return RunDefinitions(group, frame, out);
  observer_->OnGroup(group);
  const bool defined = RunDefinitions(group, frame, out);
  // A default is no success to an observer who wants to know why.
  observer_->OnGroupDone(group, defined && !out.is_false());
  return defined;
}

bool Evaluator::RunDefinitions(const Group& group, Value* frame, Value& out) {
  const std::int64_t bytes = sink_bytes_;
  std::vector<Value> items;
  std::vector<Entry> entries;
  Sink sink;
  sink.items = &items;
  sink.entries = &entries;
  sink.group = &group;
  switch (group.kind) {
    case GroupKind::kComplete:
    case GroupKind::kFunction:
      sink.kind = SinkKind::kSingle;
      break;
    case GroupKind::kSet:
      sink.kind = SinkKind::kItems;
      break;
    case GroupKind::kObject:
      sink.kind = SinkKind::kEntries;
      break;
  }
  if (RunAll(group, frame, sink) == Flow::kError || error_) return false;
  sink_bytes_ = bytes;
  if (sink.kind == SinkKind::kItems) {
    if (!Tick(items.size() / 4)) return false;
    out = Value::Set(std::move(items));
    return Fits(out, group.location);
  }
  if (sink.kind == SinkKind::kEntries) return BuildObject(group, std::move(entries), out);
  if (!sink.has_result && group.default_definition) {
    if (RunDefinition(*group.default_definition, frame, sink) == Flow::kError) return false;
  }
  if (!sink.has_result) return false;
  out = std::move(sink.result);
  return true;
}

Evaluator::Flow Evaluator::RunAll(const Group& group, Value* frame, Sink& sink) {
  // An observer sees all bodies, and a mock may stand for the comparison.
  if (group.index && observer_ == nullptr && env_->mocks.empty()) {
    Value scratch;
    const Value* key = Eval(group.index->key, frame, scratch);
    if (key != nullptr && !Tick(1 + key->weight() / 16)) return Flow::kError;
    Merged chosen(group.index->always, group.index->Find(key));
    for (std::uint32_t i = 0; chosen.Next(i);) {
      const Flow flow = RunDefinition(*group.definitions[i], frame, sink);
      if (flow == Flow::kError || (flow == Flow::kDone && group.one_value)) return flow;
    }
    return Flow::kNext;
  }
  for (const auto& definition : group.definitions) {
    const Flow flow = RunDefinition(*definition, frame, sink);
    if (flow == Flow::kError || (flow == Flow::kDone && group.one_value)) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::RunDefinition(const Definition& definition, Value* frame, Sink& sink) {
  for (const Definition* each = &definition; each != nullptr; each = each->else_definition.get()) {
    sink.value = &each->value;
    sink.keys = &each->keys;
    sink.element = each->element;
    sink.found = false;
    sink.first_decides = each->constant;
    if (observer_ != nullptr) observer_->OnDefinition(*each);
    const Flow flow = Run(each->block.steps.data(), frame, sink);
    if (observer_ != nullptr) observer_->OnDefinitionDone(sink.found);
    if (flow == Flow::kError || sink.found) return flow;
  }
  return Flow::kNext;
}

bool Evaluator::BuildObject(const Group& group, std::vector<Entry> entries, Value& out) {
  if (!Tick(entries.size() / 4)) return false;
  PartialObject object;
  for (const Entry& entry : entries) {
    if (!object.Insert(entry.keys, entry.value, entry.element)) {
      Fail(group.location, Code::kAborted,
           "eval_conflict_error: object keys must be unique: " + group.Name());
      return false;
    }
  }
  out = object.Finish();
  return Fits(out, group.location);
}

const Value* Evaluator::EvalVirtual(const TreeNode& tree, std::span<const Node> keys, Value* slots,
                                    Value& scratch) {
  const TreeNode* node = &tree;
  const Value* at = nullptr;
  bool in_value = false;
  for (const Node& key : keys) {
    Value key_scratch;
    const Value* key_value = Eval(key, slots, key_scratch);
    if (key_value == nullptr) return nullptr;
    if (in_value) {
      at = at->Find(*key_value);
      if (at == nullptr) return nullptr;
      continue;
    }
    const auto child =
        key_value->is_string() ? node->children.find(key_value->string()) : node->children.end();
    if (child == node->children.end()) {
      // Only the base document can have it.
      at = BaseAt(node->path);
      if (at != nullptr) at = at->Find(*key_value);
      if (at == nullptr) return nullptr;
      in_value = true;
      continue;
    }
    node = child->second.get();
    if (node->group != nullptr) {
      at = EvalRule(*node->group, scratch);
      if (at == nullptr) return nullptr;
      in_value = true;
    }
  }
  return in_value ? at : EvalTree(*node, scratch);
}

// Everything below a node: rules over the base document.
const Value* Evaluator::EvalTree(const TreeNode& tree, Value& scratch) {
  if (tree.group != nullptr) return EvalRule(*tree.group, scratch);
  const Value* base = BaseAt(tree.path);
  if (!env_->overlays.empty() && IsOverlaid(tree.path)) return base;
  if (!Enter()) return nullptr;
  struct Leaver {
    Evaluator& evaluator;
    ~Leaver() { evaluator.Leave(); }
  } const leaver{*this};
  Environment& environment = *env_;
  const auto known = environment.trees.find(tree.id);
  if (known != environment.trees.end()) return &known->second;
  std::vector<Member> members;
  if (base != nullptr && base->is_object()) {
    members.assign(base->members().begin(), base->members().end());
  }
  if (!Tick(1 + members.size())) return nullptr;
  for (const auto& [name, child] : tree.children) {
    if (child->group != nullptr && child->group->kind == GroupKind::kFunction) continue;
    Value child_scratch;
    const Value* value = EvalTree(*child, child_scratch);
    if (error_) return nullptr;
    if (value != nullptr) members.push_back({Value::String(name), *value});
  }
  return &(environment.trees[tree.id] = Value::Object(std::move(members)));
}

Result<std::optional<Value>> Evaluator::EvaluateGroup(const Group& group) {
  Value scratch;
  const Value* value = EvalRule(group, scratch);
  if (error_) return *error_;
  if (value == nullptr) return std::optional<Value>();
  return std::optional<Value>(*value);
}

Result<std::optional<Value>> Evaluator::EvaluatePath(const std::vector<std::string>& path) {
  const TreeNode* node = &program_.root;
  std::size_t at = 0;
  while (at < path.size() && node->group == nullptr) {
    const auto child = node->children.find(path[at]);
    if (child == node->children.end()) break;
    node = child->second.get();
    ++at;
  }
  Value scratch;
  const Value* value = nullptr;
  if (node->group != nullptr || at == path.size()) {
    value = EvalTree(*node, scratch);
    for (; at < path.size() && value != nullptr; ++at)
      value = value->Find(Value::String(path[at]));
  } else {
    value = BaseAt(path);
  }
  if (error_) return *error_;
  if (value == nullptr) return std::optional<Value>();
  return std::optional<Value>(*value);
}

}  // namespace kata_cc::policy
