// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <tuple>

#include "policy/engine/observer.h"

namespace kata_cc::policy {
namespace {

constexpr std::size_t kMostValueBytes = 160;
constexpr std::size_t kMostDepth = 12;

std::string Short(const Value& value) {
  std::string text = ToTermText(value);
  if (text.size() > kMostValueBytes) {
    std::size_t cut = kMostValueBytes;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80U)
      --cut;
    text.resize(cut);
    text += "...";
  }
  return text;
}

bool IsName(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

std::string_view Sign(NodeKind kind, std::string_view builtin) {
  struct Named {
    std::string_view name;
    std::string_view sign;
  };
  constexpr std::array kSigns = {Named{"equal", "=="}, Named{"neq", "!="},
                                 Named{"lt", "<"},     Named{"lte", "<="},
                                 Named{"gt", ">"},     Named{"gte", ">="},
                                 Named{"plus", "+"},   Named{"minus", "-"},
                                 Named{"mul", "*"},    Named{"div", "/"},
                                 Named{"rem", "%"},    Named{"and", "&"},
                                 Named{"or", "|"},     Named{"internal.member_2", "in"}};
  (void)kind;
  for (const Named& named : kSigns) {
    if (named.name == builtin) return named.sign;
  }
  return {};
}

// The step that binds a slot, in a block or one inside it.
const Step* BinderOf(const Block& block, std::uint32_t slot) {
  for (const Step& step : block.steps) {
    const bool binds = step.kind == StepKind::kBind || step.kind == StepKind::kScan ||
                       step.kind == StepKind::kRelation || step.kind == StepKind::kEvery;
    if (binds && (step.slot == slot || step.slot2 == slot)) return &step;
    if (!step.block) continue;
    if (const Step* found = BinderOf(*step.block, slot)) return found;
  }
  return nullptr;
}

std::string RenderSlot(std::uint32_t slot, const Definition& definition) {
  if (slot < definition.names.size() && !definition.names[slot].empty() &&
      definition.names[slot][0] != '$') {
    return definition.names[slot];
  }
  const Step* binder = BinderOf(definition.block, slot);
  if (binder == nullptr) return "_";
  const std::string from = Render(binder->a, definition);
  if (binder->kind == StepKind::kBind || binder->kind == StepKind::kRelation) return from;
  const bool named_key = binder->slot != kNoSlot && binder->slot != slot;
  return from + "[" + (named_key ? RenderSlot(binder->slot, definition) : "_") + "]";
}

std::string List(const std::vector<Node>& nodes, std::size_t first, const Definition& definition) {
  std::string out;
  for (std::size_t i = first; i < nodes.size(); ++i)
    out += (i > first ? ", " : "") + Render(nodes[i], definition);
  return out;
}

std::string Position(const Location& location, const std::vector<std::string>& modules) {
  const std::string name = location.module < modules.size() ? modules[location.module] : "query";
  return name + ":" + std::to_string(location.line);
}

}  // namespace

std::string Render(const Node& node, const Definition& definition) {
  switch (node.kind) {
    case NodeKind::kConstant:
      return Short(node.constant);
    case NodeKind::kSlot:
      return RenderSlot(node.slot, definition);
    case NodeKind::kInput:
      return "input";
    case NodeKind::kBase:
      return "data";
    case NodeKind::kRule:
      return node.group->path.back();
    case NodeKind::kCall:
      return node.group->path.back() + "(" + List(node.nodes, 0, definition) + ")";
    case NodeKind::kGet: {
      std::string out = Render(node.nodes[0], definition);
      for (std::size_t i = 1; i < node.nodes.size(); ++i) {
        const Node& key = node.nodes[i];
        const bool plain = key.kind == NodeKind::kConstant && key.constant.is_string() &&
                           IsName(key.constant.string());
        out +=
            plain ? "." + std::string(key.constant.string()) : "[" + Render(key, definition) + "]";
      }
      return out;
    }
    case NodeKind::kArray:
      return "[" + List(node.nodes, 0, definition) + "]";
    case NodeKind::kSet:
      return "{" + List(node.nodes, 0, definition) + "}";
    case NodeKind::kObject: {
      std::string out = "{";
      for (std::size_t i = 0; i + 1 < node.nodes.size(); i += 2) {
        out += (i > 0 ? ", " : "") + Render(node.nodes[i], definition) + ": " +
               Render(node.nodes[i + 1], definition);
      }
      return out + "}";
    }
    case NodeKind::kArrayOf:
      return "[" + Render(node.nodes[0], definition) + " | ...]";
    case NodeKind::kSetOf:
      return "{" + Render(node.nodes[0], definition) + " | ...}";
    case NodeKind::kObjectOf:
      return "{" + Render(node.nodes[0], definition) + ": " + Render(node.nodes[1], definition) +
             " | ...}";
    case NodeKind::kTemplate:
      return "$\"...\"";
    case NodeKind::kVirtual: {
      std::string out = "data";
      for (const std::string& part : node.tree->path)
        out += "." + part;
      for (const Node& key : node.nodes)
        out += "[" + Render(key, definition) + "]";
      return out;
    }
    default:
      break;
  }
  const std::string_view sign = Sign(node.kind, node.builtin->name);
  if (!sign.empty() && node.nodes.size() == 2) {
    return Render(node.nodes[0], definition) + " " + std::string(sign) + " " +
           Render(node.nodes[1], definition);
  }
  return std::string(node.builtin->name) + "(" + List(node.nodes, 0, definition) + ")";
}

void Explainer::OnScan(const Step& step, const Value& key) {
  if (!active_.empty()) active_.back().scans.emplace_back(&step, key);
}

void Explainer::OnScanned() {
  if (!active_.empty() && !active_.back().scans.empty()) active_.back().scans.pop_back();
}

void Explainer::OnGroup(const Group& group) {
  calls_.push_back({&group, {}});
}

void Explainer::OnGroupDone(const Group&, bool defined) {
  Call call = std::move(calls_.back());
  calls_.pop_back();
  if (active_.empty()) {
    roots_.push_back(std::move(call));
  } else if (!defined) {
    active_.back().pending.push_back(std::move(call));
  }
}

void Explainer::OnDefinition(const Definition& definition) {
  active_.emplace_back();
  active_.back().attempt.definition = &definition;
}

void Explainer::OnDefinitionDone(bool found) {
  Attempt attempt = std::move(active_.back().attempt);
  active_.pop_back();
  attempt.found = found;
  if (!calls_.empty()) calls_.back().attempts.push_back(std::move(attempt));
}

// The elements that the scans around the step are at: policy_data.containers[1].
std::string Explainer::Context() const {
  const Active& active = active_.back();
  std::string out;
  for (const auto& [step, key] : active.scans) {
    if (!out.empty()) out += ", ";
    out += Render(step->a, *active.attempt.definition) + "[" + Short(key) + "]";
  }
  return out;
}

std::string Explainer::Describe(const Step& step, const EvalNode& eval) const {
  const Definition& definition = *active_.back().attempt.definition;
  const auto value = [&](const Node& node) {
    const auto got = eval(node);
    return got ? Short(*got) : std::string("undefined");
  };
  const auto comparison = [&](const Node& a, const Node& b, std::string_view sign,
                              std::string_view opposite) {
    return Render(a, definition) + " " + std::string(sign) + " " + Render(b, definition) +
           " failed: " + value(a) + " " + std::string(opposite) + " " + value(b);
  };
  switch (step.kind) {
    case StepKind::kEqual:
      return comparison(step.a, step.b, "==", "!=");
    case StepKind::kTest:
      switch (step.a.kind) {
        case NodeKind::kEqual:
          return comparison(step.a.nodes[0], step.a.nodes[1], "==", "!=");
        case NodeKind::kNotEqual:
          return comparison(step.a.nodes[0], step.a.nodes[1], "!=", "==");
        case NodeKind::kMember:
          return comparison(step.a.nodes[0], step.a.nodes[1], "in", "not in");
        case NodeKind::kLess:
        case NodeKind::kLessEqual:
        case NodeKind::kGreater:
        case NodeKind::kGreaterEqual:
          return Render(step.a, definition) + " failed: " + value(step.a.nodes[0]) + " and " +
                 value(step.a.nodes[1]);
        default:
          break;
      }
      if (step.a.kind == NodeKind::kBuiltin || step.a.kind == NodeKind::kCall) {
        std::string out = Render(step.a, definition) + " failed";
        for (std::size_t i = 0; i < step.a.nodes.size(); ++i) {
          if (step.a.nodes[i].kind == NodeKind::kConstant) continue;
          out += (out.ends_with("failed") ? ": " : ", ") + Render(step.a.nodes[i], definition) +
                 " is " + value(step.a.nodes[i]);
        }
        return out;
      }
      return Render(step.a, definition) + " failed: it is " + value(step.a);
    case StepKind::kBind:
      return Render(step.a, definition) + " failed: it is undefined";
    case StepKind::kArrayOf:
    case StepKind::kObjectOf:
      return Render(step.a, definition) + " failed: not the " +
             (step.kind == StepKind::kArrayOf ? "array" : "object") + " of " +
             std::to_string(step.count) + " that is expected: " + value(step.a);
    case StepKind::kScan:
    case StepKind::kRelation:
      return Render(step.a, definition) + "[_] failed: nothing to go over in " + value(step.a);
    case StepKind::kNot: {
      for (const Step& inner : step.block->steps) {
        if (inner.kind == StepKind::kTest || inner.kind == StepKind::kBind) {
          return "not " + Render(inner.a, definition) + " failed: it is " + value(inner.a);
        }
        if (inner.kind == StepKind::kEqual) {
          return "not " + Render(inner.a, definition) + " == " + Render(inner.b, definition) +
                 " failed: both are " + value(inner.a);
        }
      }
      return "not ... failed";
    }
    case StepKind::kEvery:
      return "every ... in " + Render(step.a, definition) + " failed: " + value(step.a);
    default:
      return "failed";
  }
}

void Explainer::OnMiss(const Step& step, const EvalNode& eval) {
  if (active_.empty()) return;
  Active& active = active_.back();
  const auto order = [](const Location& at) { return std::tuple(at.line, at.column); };
  if (active.attempt.failed && order(step.location) < order(active.attempt.at)) {
    active.pending.clear();
    return;
  }
  const std::string context = Context();
  active.attempt.failed = true;
  active.attempt.at = step.location;
  active.attempt.text = (context.empty() ? "" : context + ": ") + Describe(step, eval);
  active.attempt.calls = std::exchange(active.pending, {});
  // Those of steps before this one are no reason.
  const auto called = [&](const Node& node, const Group* group, const auto& self) -> bool {
    if (node.group == group) return true;
    return std::any_of(node.nodes.begin(), node.nodes.end(),
                       [&](const Node& part) { return self(part, group, self); });
  };
  if (step.kind != StepKind::kEvery && step.kind != StepKind::kNot) {
    std::erase_if(active.attempt.calls, [&](const Call& call) {
      return !called(step.a, call.group, called) && !called(step.b, call.group, called);
    });
  }
}

void Explainer::Print(const Call& call, std::size_t indent, std::size_t most,
                      std::vector<std::string>& out) const {
  if (indent > kMostDepth) return;
  const std::string space(indent * 2, ' ');
  for (const Attempt& attempt : call.attempts) {
    if (out.size() >= most) return;
    if (attempt.found || !attempt.failed) continue;
    out.push_back(space + call.group->path.back() + " at " + Position(attempt.at, modules_) + ": " +
                  attempt.text);
    for (const Call& inner : attempt.calls)
      Print(inner, indent + 1, most, out);
  }
}

std::vector<std::string> Explainer::Lines(std::size_t most) const {
  std::vector<std::string> out;
  for (const Call& root : roots_) {
    if (root.attempts.empty()) out.push_back(root.group->Name() + " has no body that could hold");
    Print(root, 0, most, out);
  }
  return out;
}

}  // namespace kata_cc::policy
