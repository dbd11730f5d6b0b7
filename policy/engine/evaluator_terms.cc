// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "policy/engine/evaluator.h"

namespace kata_cc::policy {
namespace {

// Atoms: shared by all threads without a count.
const Value& True() {
  static const Value value = Value::Bool(true);
  return value;
}
const Value& False() {
  static const Value value = Value::Bool(false);
  return value;
}

}  // namespace

const Value* Evaluator::Eval(const Node& node, Value* slots, Value& scratch) {
  switch (node.kind) {
    case NodeKind::kConstant:
      return &node.constant;
    case NodeKind::kSlot:
      return &slots[node.slot];
    case NodeKind::kInput:
      return env_->input ? &*env_->input : nullptr;
    case NodeKind::kBase:
      return &env_->data;
    case NodeKind::kGet:
      return EvalGet(node, slots, scratch);
    case NodeKind::kRule:
      return EvalRule(*node.group, scratch);
    case NodeKind::kVirtual:
      return EvalVirtual(*node.tree, node.nodes, slots, scratch);
    case NodeKind::kCall:
      return EvalCall(node, slots, scratch);
    case NodeKind::kBuiltin:
      return EvalBuiltin(node, slots, scratch);
    case NodeKind::kEqual:
    case NodeKind::kNotEqual:
    case NodeKind::kLess:
    case NodeKind::kLessEqual:
    case NodeKind::kGreater:
    case NodeKind::kGreaterEqual:
    case NodeKind::kCount:
    case NodeKind::kMember:
      return EvalCompare(node, slots, scratch);
    case NodeKind::kArray:
    case NodeKind::kSet:
    case NodeKind::kObject:
      return EvalComposite(node, slots, scratch);
    case NodeKind::kArrayOf:
    case NodeKind::kSetOf:
    case NodeKind::kObjectOf:
      return EvalComprehension(node, slots, scratch);
    case NodeKind::kTemplate:
      return EvalTemplate(node, slots, scratch);
  }
  return nullptr;
}

const Value* Evaluator::EvalGet(const Node& node, Value* slots, Value& scratch) {
  const Value* at = Eval(node.nodes[0], slots, scratch);
  for (std::size_t i = 1; i < node.nodes.size() && at != nullptr; ++i) {
    const Node& key = node.nodes[i];
    if (key.kind == NodeKind::kConstant) {
      at = at->Find(key.constant);
      continue;
    }
    Value key_scratch;
    const Value* key_value = Eval(key, slots, key_scratch);
    if (key_value == nullptr) return nullptr;
    at = at->Find(*key_value);
    // A set's element is equal to the key, and lives in the set.
  }
  return at;
}

const Value* Evaluator::EvalComposite(const Node& node, Value* slots, Value& scratch) {
  if (!Enter()) return nullptr;
  struct Leaver {
    Evaluator& evaluator;
    ~Leaver() { evaluator.Leave(); }
  } const leaver{*this};
  if (!Tick(1 + node.nodes.size() / 4)) return nullptr;
  std::vector<Value> items;
  items.reserve(node.nodes.size());
  for (const Node& part : node.nodes) {
    Value part_scratch;
    const Value* value = Eval(part, slots, part_scratch);
    if (value == nullptr) return nullptr;
    items.push_back(value == &part_scratch ? std::move(part_scratch) : *value);
  }
  if (node.kind == NodeKind::kArray) {
    scratch = Value::Array(std::move(items));
  } else if (node.kind == NodeKind::kSet) {
    scratch = Value::Set(std::move(items));
  } else {
    std::vector<Member> members;
    members.reserve(items.size() / 2);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      members.push_back({std::move(items[i]), std::move(items[i + 1])});
    scratch = Value::Object(std::move(members));
  }
  return Fits(scratch, node.location) ? &scratch : nullptr;
}

const Value* Evaluator::EvalComprehension(const Node& node, Value* slots, Value& scratch) {
  const std::int64_t bytes = sink_bytes_;
  std::vector<Value> items;
  std::vector<Member> members;
  Sink sink;
  sink.kind = node.kind == NodeKind::kObjectOf ? SinkKind::kMembers : SinkKind::kItems;
  sink.items = &items;
  sink.members = &members;
  sink.value = &node.nodes.back();
  sink.keys = &node.nodes;
  const Flow flow = Run(node.block->steps.data(), slots, sink);
  sink_bytes_ = bytes;
  if (flow == Flow::kError) return nullptr;
  if (node.kind == NodeKind::kArrayOf) {
    scratch = Value::Array(std::move(items));
  } else if (node.kind == NodeKind::kSetOf) {
    if (!Tick(items.size() / 4)) return nullptr;
    scratch = Value::Set(std::move(items));
  } else {
    std::stable_sort(members.begin(), members.end(),
                     [](const Member& a, const Member& b) { return a.key < b.key; });
    for (std::size_t i = 1; i < members.size(); ++i) {
      const Member& before = members[i - 1];
      if (before.key == members[i].key && before.value != members[i].value) {
        return Fail(node.location, Code::kAborted,
                    "eval_conflict_error: object keys must be unique");
      }
    }
    scratch = Value::Object(std::move(members));
  }
  return Fits(scratch, node.location) ? &scratch : nullptr;
}

const Value* Evaluator::EvalTemplate(const Node& node, Value* slots, Value& scratch) {
  std::string out;
  for (const Node& part : node.nodes) {
    if (part.kind == NodeKind::kConstant && part.constant.is_string()) {
      out += part.constant.string();
      continue;
    }
    Value part_scratch;
    const Value* values = Eval(part, slots, part_scratch);
    if (values == nullptr) return nullptr;
    if (values->items().size() > 1) {
      return Fail(part.location, Code::kAborted,
                  "eval_conflict_error: template expression has several values");
    }
    if (values->items().empty()) {
      out += "<undefined>";
    } else if (values->items()[0].is_string()) {
      out += values->items()[0].string();
    } else {
      out += ToTermText(values->items()[0]);
    }
    if (!Tick(1 + out.size() / 64)) return nullptr;
  }
  scratch = Value::String(out);
  return &scratch;
}

const Value* Evaluator::EvalCompare(const Node& node, Value* slots, Value& scratch) {
  if (!env_->mocks.empty()) return EvalBuiltin(node, slots, scratch);
  Value scratch_a;
  const Value* a = Eval(node.nodes[0], slots, scratch_a);
  if (a == nullptr) return nullptr;
  if (node.kind == NodeKind::kCount) {
    const Kind kind = a->kind();
    if (kind != Kind::kArray && kind != Kind::kObject && kind != Kind::kSet) {
      return CallBuiltin(*node.builtin, std::span(a, 1), node.location, scratch);
    }
    scratch = Value::Int(static_cast<std::int64_t>(a->size()));
    return &scratch;
  }
  Value scratch_b;
  const Value* b = Eval(node.nodes[1], slots, scratch_b);
  if (b == nullptr) return nullptr;
  if (!Tick(CompareCost(*a, *b))) return nullptr;
  bool out = false;
  switch (node.kind) {
    case NodeKind::kEqual:
      out = Value::Equal(*a, *b);
      break;
    case NodeKind::kNotEqual:
      out = !Value::Equal(*a, *b);
      break;
    case NodeKind::kLess:
      out = Value::Compare(*a, *b) < 0;
      break;
    case NodeKind::kLessEqual:
      out = Value::Compare(*a, *b) <= 0;
      break;
    case NodeKind::kGreater:
      out = Value::Compare(*a, *b) > 0;
      break;
    case NodeKind::kGreaterEqual:
      out = Value::Compare(*a, *b) >= 0;
      break;
    default:
      if (b->is_array()) {
        if (!Tick(b->size() / 4 + (a->weight() > 16 ? b->weight() / 16 : 0))) return nullptr;
        const auto items = b->items();
        out = std::find(items.begin(), items.end(), *a) != items.end();
      } else if (b->is_set()) {
        out = b->Contains(*a);
      } else if (b->is_object()) {
        if (!Tick(b->size() / 4)) return nullptr;
        const auto members = b->members();
        out = std::any_of(members.begin(), members.end(),
                          [a](const Member& member) { return member.value == *a; });
      }
  }
  return out ? &True() : &False();
}

const Value* Evaluator::EvalBuiltin(const Node& node, Value* slots, Value& scratch) {
  if (!Enter()) return nullptr;
  struct Leaver {
    Evaluator& evaluator;
    ~Leaver() { evaluator.Leave(); }
  } const leaver{*this};
  if (!Tick()) return nullptr;
  const std::size_t count = node.nodes.size();
  Value* operands = stack_.Push(count);
  struct Popper {
    SlotStack& stack;
    std::size_t count;
    ~Popper() { stack.Pop(count); }
  } const popper{stack_, count};
  for (std::size_t i = 0; i < count; ++i) {
    Value operand_scratch;
    const Value* value = Eval(node.nodes[i], slots, operand_scratch);
    if (value == nullptr) return nullptr;
    operands[i] = value == &operand_scratch ? std::move(operand_scratch) : *value;
  }
  if (!env_->mocks.empty()) {
    if (const ActiveMock* mock = FindMock(nullptr, node.builtin)) {
      return CallMock(*mock, std::span(operands, count), node.location, scratch);
    }
  }
  return CallBuiltin(*node.builtin, std::span<const Value>(operands, count), node.location,
                     scratch);
}

const Value* Evaluator::CallBuiltin(const Builtin& builtin, std::span<const Value> operands,
                                    const Location& location, Value& scratch) {
  if (builtin.function == nullptr) {
    return Fail(location, Code::kFailedPrecondition,
                "eval_builtin_error: " + std::string(builtin.refusal));
  }
  Value key;
  if (builtin.nondeterministic) {
    key = Value::Array(operands);
    if (!Tick(kept_results_.size() / 4)) return nullptr;
    for (const auto& [kept, result] : kept_results_) {
      if (kept != &builtin || result.first != key) continue;
      if (!result.second) return nullptr;
      scratch = *result.second;
      return &scratch;
    }
  }
  live_at_call_ = LiveBytes();
  charged_bytes_ = 0;
  BuiltinResult result = builtin.function(*this, operands);
  if (error_) return nullptr;
  if (!result) {
    const Error& error = result.error();
    if (error.code() == Code::kResourceExhausted) {
      return Fail(location, error.code(), std::string(builtin.name) + ": " + error.message());
    }
    if (options_.strict_builtin_errors) {
      const bool type = error.code() == Code::kInvalidArgument;
      return Fail(location, error.code(),
                  (type ? "eval_type_error: " : "eval_builtin_error: ") +
                      std::string(builtin.name) + ": " + error.message());
    }
    return nullptr;
  }
  if (builtin.nondeterministic) kept_results_.push_back({&builtin, {key, *result}});
  if (!*result) return nullptr;
  scratch = **std::move(result);
  return Fits(scratch, location) ? &scratch : nullptr;
}

}  // namespace kata_cc::policy
