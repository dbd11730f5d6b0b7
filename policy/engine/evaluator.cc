// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/evaluator.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>

namespace kata_cc::policy {
namespace {

constexpr std::uint64_t kStepsBetweenMemoryChecks = 64;
// Native frames of one call are a few hundred bytes a level; this many fit a thread's stack.
constexpr std::size_t kLevelsPerCall = 8;

}  // namespace

Evaluator::Evaluator(const Program& program, const Options& options, EngineCaches& caches,
                     SlotStack& stack, Value data)
    : program_(program), options_(options), caches_(caches), stack_(stack) {
  base_.data = std::move(data);
  base_.states.resize(program.groups.size(), State::kNew);
  base_.results.resize(program.groups.size());
  bytes_at_start_ = LiveBytes();
  now_ns_ = std::chrono::duration_cast<std::chrono::nanoseconds>(
                std::chrono::system_clock::now().time_since_epoch())
                .count();
}

void Evaluator::SetInput(Value input) {
  base_.input = std::move(input);
}

std::nullptr_t Evaluator::Fail(const Location& location, Code code, std::string text) {
  if (error_) return nullptr;
  if (location.line != 0) {
    const std::string name = location.module < program_.module_names.size()
                                 ? program_.module_names[location.module]
                                 : "query";
    text = name + ":" + std::to_string(location.line) + ":" + std::to_string(location.column) +
           ": " + text;
  }
  error_ = Error(code, std::move(text));
  return nullptr;
}

bool Evaluator::Tick(std::uint64_t count) {
  steps_ += count;
  if (steps_ < next_memory_check_) return !error_;
  next_memory_check_ = steps_ + kStepsBetweenMemoryChecks;
  if (steps_ > options_.limits.steps) {
    Fail({}, Code::kResourceExhausted,
         "evaluation takes more than " + std::to_string(options_.limits.steps) + " steps");
  } else if (LiveBytes() - bytes_at_start_ + sink_bytes_ >
             static_cast<std::int64_t>(options_.limits.memory_bytes)) {
    Fail({}, Code::kResourceExhausted,
         "evaluation takes more than " + std::to_string(options_.limits.memory_bytes) + " bytes");
  }
  return !error_;
}

bool Evaluator::Enter() {
  if (++depth_ <= options_.limits.depth * kLevelsPerCall) return true;
  Fail({}, Code::kResourceExhausted, "evaluation nested deeper than the limit");
  return false;
}

Result<void> Evaluator::Charge(std::uint64_t steps, std::uint64_t bytes) {
  if (steps > options_.limits.steps || !Tick(steps)) {
    Fail({}, Code::kResourceExhausted,
         "evaluation takes more than " + std::to_string(options_.limits.steps) + " steps");
    return *error_;
  }
  const auto limit = static_cast<std::int64_t>(options_.limits.memory_bytes);
  bool fits = bytes <= options_.limits.memory_bytes;
  if (fits) {
    // What a builtin makes may be strings of its own, which LiveBytes does not see.
    charged_bytes_ += static_cast<std::int64_t>(bytes);
    const std::int64_t made = std::max(LiveBytes() - live_at_call_, charged_bytes_);
    fits = live_at_call_ - bytes_at_start_ + sink_bytes_ + made <= limit;
  }
  if (!fits) {
    Fail({}, Code::kResourceExhausted,
         "evaluation takes more than " + std::to_string(options_.limits.memory_bytes) + " bytes");
    return *error_;
  }
  return {};
}

Result<const RE2*> Evaluator::Regex(std::string_view pattern) {
  return caches_.Regex(pattern);
}

std::uint64_t Evaluator::Random() {
  std::uint64_t out = 0;
  while (getrandom(&out, sizeof out, 0) != static_cast<ssize_t>(sizeof out)) {
  }
  return out;
}

Result<std::vector<Value>> Evaluator::EvaluateQuery(const Definition& query) {
  std::vector<Value> rows;
  Sink sink;
  sink.kind = SinkKind::kItems;
  sink.value = &query.value;
  sink.items = &rows;
  Value* frame = stack_.Push(query.slots);
  Run(query.block.steps.data(), frame, sink);
  stack_.Pop(query.slots);
  if (error_) return *error_;
  return rows;
}

Evaluator::Flow Evaluator::Miss(const Step* step, Value* slots) {
  if (observer_ != nullptr && !error_) {
    Observer* observer = std::exchange(observer_, nullptr);
    observer->OnMiss(*step, [&](const Node& node) {
      Value scratch;
      const Value* value = Eval(node, slots, scratch);
      return value == nullptr ? std::optional<Value>() : std::optional<Value>(*value);
    });
    observer_ = observer;
  }
  return Failed();
}

Evaluator::Flow Evaluator::Run(const Step* step, Value* slots, Sink& sink) {
  if (!Enter()) return Flow::kError;
  struct Leaver {
    Evaluator& evaluator;
    ~Leaver() { evaluator.Leave(); }
  } const leaver{*this};
  for (;; ++step) {
    if (!Tick()) return Flow::kError;
    if (observer_ != nullptr) observer_->OnStep(*step);
    Value scratch;
    switch (step->kind) {
      case StepKind::kBind: {
        const Value* value = Eval(step->a, slots, scratch);
        if (value == nullptr) return Miss(step, slots);
        if (value == &scratch) {
          slots[step->slot] = std::move(scratch);
        } else {
          slots[step->slot] = *value;
        }
        break;
      }
      case StepKind::kTest: {
        const Value* value = Eval(step->a, slots, scratch);
        if (value == nullptr || value->is_false()) return Miss(step, slots);
        break;
      }
      case StepKind::kEqual: {
        const Value* a = Eval(step->a, slots, scratch);
        if (a == nullptr) return Miss(step, slots);
        Value other;
        const Value* b = Eval(step->b, slots, other);
        if (b == nullptr || !Tick(CompareCost(*a, *b)) || !Value::Equal(*a, *b)) {
          return Miss(step, slots);
        }
        break;
      }
      case StepKind::kArrayOf:
      case StepKind::kObjectOf: {
        const Value* value = Eval(step->a, slots, scratch);
        const Kind kind = step->kind == StepKind::kArrayOf ? Kind::kArray : Kind::kObject;
        if (value == nullptr || value->kind() != kind || value->size() != step->count) {
          return Miss(step, slots);
        }
        break;
      }
      case StepKind::kScan: {
        const Value* value = Eval(step->a, slots, scratch);
        if (value == nullptr) return Miss(step, slots);
        const Value over = *value;  // Keeps it while slots change.
        return Scan(step, over, slots, sink);
      }
      case StepKind::kRelation:
        return RunRelation(step, slots, sink);
      case StepKind::kNot: {
        Sink exists;
        const Flow flow = Run(step->block->steps.data(), slots, exists);
        if (flow == Flow::kError) return flow;
        if (flow == Flow::kDone) return Miss(step, slots);
        break;
      }
      case StepKind::kEvery: {
        const Flow flow = RunEvery(step, slots);
        if (flow != Flow::kDone) return flow == Flow::kError ? flow : Miss(step, slots);
        break;
      }
      case StepKind::kWith:
        return RunWith(step, slots, sink);
      case StepKind::kEndWith: {
        Environment* inner = env_;
        env_ = inner->outer;
        const Flow flow = Run(step + 1, slots, sink);
        env_ = inner;
        return flow;
      }
      case StepKind::kPrint: {
        const Flow flow = Print(step, slots);
        if (flow == Flow::kError) return flow;
        break;
      }
      case StepKind::kYield:
        return Yield(step, slots, sink);
    }
  }
}

Evaluator::Flow Evaluator::Print(const Step* step, Value* slots) {
  // Beyond the limit's worth of values nothing of them would be shown.
  if (prints_.size() * 2 > options_.limits.print_bytes) return Flow::kNext;
  if (step->count != 0) return PrintAll(step, slots);
  for (const Node& node : step->nodes) {
    Value scratch;
    const Value* value = Eval(node, slots, scratch);
    if (error_) return Flow::kError;
    prints_.Add(value == nullptr ? Prints::Undefined() : *value);
  }
  prints_.EndLine();
  return Flow::kNext;
}

// Operands that have several values: a line for each combination.
Evaluator::Flow Evaluator::PrintAll(const Step* step, Value* slots) {
  std::vector<std::vector<Value>> lines(1);
  for (const Node& node : step->nodes) {
    const bool iterates = node.kind == NodeKind::kTemplate && node.nodes.size() == 1 &&
                          node.nodes[0].kind == NodeKind::kSetOf;
    Value scratch;
    const Value* value = Eval(iterates ? node.nodes[0] : node, slots, scratch);
    if (error_) return Flow::kError;
    std::vector<Value> alternatives;
    if (value != nullptr && iterates) {
      alternatives.assign(value->items().begin(), value->items().end());
    } else if (value != nullptr) {
      alternatives.push_back(*value);
    }
    if (alternatives.empty()) alternatives.push_back(Prints::Undefined());
    if (!Tick(lines.size() * alternatives.size())) return Flow::kError;
    std::vector<std::vector<Value>> longer;
    for (const auto& each : lines) {
      for (const Value& alternative : alternatives) {
        longer.push_back(each);
        longer.back().push_back(alternative);
      }
    }
    lines = std::move(longer);
  }
  for (const auto& line : lines) {
    for (const Value& value : line)
      prints_.Add(value);
    prints_.EndLine();
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::Yield(const Step* step, Value* slots, Sink& sink) {
  (void)step;
  if (sink.kind == SinkKind::kExists) return Flow::kDone;
  Value scratch;
  const Value* value = Eval(*sink.value, slots, scratch);
  if (value == nullptr) return Failed();
  switch (sink.kind) {
    case SinkKind::kSingle:
      sink.found = true;
      if (!sink.has_result) {
        sink.has_result = true;
        sink.result = value == &scratch ? std::move(scratch) : *value;
      } else if (!Tick(CompareCost(sink.result, *value))) {
        return Flow::kError;
      } else if (!Value::Equal(sink.result, *value)) {
        const bool function = sink.group->kind == GroupKind::kFunction;
        Fail(
            sink.group->location, Code::kAborted,
            "eval_conflict_error: " +
                std::string(function ? "functions must not produce multiple outputs for same inputs"
                                     : "complete rules must not produce multiple outputs") +
                ": " + sink.group->Name());
        return Flow::kError;
      }
      return sink.first_decides ? Flow::kDone : Flow::kNext;
    case SinkKind::kItems:
      sink_bytes_ += static_cast<std::int64_t>(sizeof(Value));
      sink.items->push_back(value == &scratch ? std::move(scratch) : *value);
      return Flow::kNext;
    case SinkKind::kMembers: {
      Value key_scratch;
      const Value* key = Eval((*sink.keys)[0], slots, key_scratch);
      if (key == nullptr) return Failed();
      sink_bytes_ += static_cast<std::int64_t>(sizeof(Member));
      sink.members->push_back({*key, *value});
      return Flow::kNext;
    }
    default:
      break;
  }
  Entry entry;
  for (const Node& node : *sink.keys) {
    Value key_scratch;
    const Value* key = Eval(node, slots, key_scratch);
    if (key == nullptr) return Failed();
    entry.keys.push_back(*key);
  }
  entry.value = *value;
  entry.element = sink.element;
  sink_bytes_ += static_cast<std::int64_t>(sizeof(Entry) + entry.keys.size() * sizeof(Value));
  sink.entries->push_back(std::move(entry));
  return Flow::kNext;
}

}  // namespace kata_cc::policy
