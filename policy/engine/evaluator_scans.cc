// SPDX-License-Identifier: Apache-2.0
// Steps that run others: for each element, for all, under other circumstances.
#include "policy/engine/evaluator.h"

namespace kata_cc::policy {
namespace {

// target with value at path; objects are made where there are none.
Value PutAt(const Value& target, std::span<const Value> path, const Value& value) {
  if (path.empty()) return value;
  std::vector<Member> members;
  const Value* old = nullptr;
  if (target.is_object()) {
    members.assign(target.members().begin(), target.members().end());
    old = target.Find(path[0]);
  }
  members.push_back({path[0], PutAt(old != nullptr ? *old : Value(), path.subspan(1), value)});
  return Value::Object(std::move(members));
}

}  // namespace

Evaluator::Flow Evaluator::Scan(const Step* step, const Value& over, Value* slots, Sink& sink) {
  const auto solution = [&](const Value& key, const Value& value) {
    if (step->slot != kNoSlot) slots[step->slot] = key;
    if (step->slot2 != kNoSlot) slots[step->slot2] = value;
    if (observer_ == nullptr) return Run(step + 1, slots, sink);
    observer_->OnScan(*step, key);
    const Flow flow = Run(step + 1, slots, sink);
    observer_->OnScanned();
    return flow;
  };
  switch (over.kind()) {
    case Kind::kArray: {
      std::int64_t index = 0;
      for (const Value& item : over.items()) {
        const Flow flow = solution(Value::Int(index++), item);
        if (flow != Flow::kNext) return flow;
      }
      return Flow::kNext;
    }
    case Kind::kSet:
      for (const Value& item : over.items()) {
        const Flow flow = solution(item, item);
        if (flow != Flow::kNext) return flow;
      }
      return Flow::kNext;
    case Kind::kObject:
      for (const Member& member : over.members()) {
        const Flow flow = solution(member.key, member.value);
        if (flow != Flow::kNext) return flow;
      }
      return Flow::kNext;
    default:
      return Miss(step, slots);
  }
}

Evaluator::Flow Evaluator::RunRelation(const Step* step, Value* slots, Sink& sink) {
  Value scratch;
  const Value* results = Eval(step->a, slots, scratch);
  if (results == nullptr) return Miss(step, slots);
  const Value all = *results;
  if (!all.is_array()) {  // A mock gives one result.
    slots[step->slot] = all;
    return Run(step + 1, slots, sink);
  }
  for (const Value& item : all.items()) {
    slots[step->slot] = item;
    const Flow flow = Run(step + 1, slots, sink);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

// kDone: holds for all.
Evaluator::Flow Evaluator::RunEvery(const Step* step, Value* slots) {
  Value scratch;
  const Value* domain = Eval(step->a, slots, scratch);
  if (domain == nullptr) return Failed();
  const Value over = *domain;
  const auto holds = [&](const Value& key, const Value& value) {
    if (step->slot != kNoSlot) slots[step->slot] = key;
    if (step->slot2 != kNoSlot) slots[step->slot2] = value;
    Sink exists;
    if (observer_ == nullptr) return Run(step->block->steps.data(), slots, exists);
    observer_->OnScan(*step, key);
    const Flow flow = Run(step->block->steps.data(), slots, exists);
    observer_->OnScanned();
    return flow;
  };
  switch (over.kind()) {
    case Kind::kArray:
    case Kind::kSet: {
      std::int64_t index = 0;
      for (const Value& item : over.items()) {
        const Flow flow = holds(over.is_array() ? Value::Int(index++) : item, item);
        if (flow != Flow::kDone) return flow;
      }
      return Flow::kDone;
    }
    case Kind::kObject:
      for (const Member& member : over.members()) {
        const Flow flow = holds(member.key, member.value);
        if (flow != Flow::kDone) return flow;
      }
      return Flow::kDone;
    default:
      return Flow::kNext;
  }
}

Evaluator::Flow Evaluator::RunWith(const Step* step, Value* slots, Sink& sink) {
  Environment inner;
  inner.outer = env_;
  inner.input = env_->input;
  inner.data = env_->data;
  inner.overlays = env_->overlays;
  inner.mocks = env_->mocks;
  for (const Mock& mock : step->mocks) {
    Value scratch;
    const Value* value = nullptr;
    if (mock.by_function == nullptr && mock.by_builtin == nullptr) {
      value = Eval(mock.value, slots, scratch);
      if (value == nullptr) return Miss(step, slots);
    }
    if (mock.is_input) {
      inner.input = PutAt(inner.input.value_or(Value()), mock.path, *value);
    } else if (mock.is_data) {
      inner.data = PutAt(inner.data, mock.path, *value);
      std::vector<std::string> path;
      for (const Value& part : mock.path) {
        if (part.is_string()) path.emplace_back(part.string());
      }
      // No rule is below a key that is no string.
      if (path.size() == mock.path.size()) inner.overlays.push_back(std::move(path));
    } else {
      std::erase_if(inner.mocks, [&](const ActiveMock& old) {
        return old.function == mock.function && old.builtin == mock.builtin;
      });
      inner.mocks.push_back({mock.function, mock.builtin, value != nullptr ? *value : Value(),
                             mock.by_function, mock.by_builtin});
    }
  }
  inner.states.resize(program_.groups.size(), State::kNew);
  inner.results.resize(program_.groups.size());
  if (!Tick(1 + program_.groups.size() / 8)) return Flow::kError;
  env_ = &inner;
  const Flow flow = Run(step + 1, slots, sink);
  env_ = inner.outer;
  return flow;
}

}  // namespace kata_cc::policy
