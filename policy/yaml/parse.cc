// SPDX-License-Identifier: Apache-2.0
#include <yaml.h>

#include <map>
#include <set>

#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/yaml/scalar.h"
#include "policy/yaml/yaml.h"

namespace kata_cc::policy_yaml {
namespace {

using policy::BuiltinContext;
using policy::BuiltinError;
using policy::Member;
using policy::Value;

constexpr std::size_t kMaxDepth = 256;

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&event_); }
  yaml_event_t* get() { return &event_; }
  const yaml_event_t* operator->() const { return &event_; }

 private:
  yaml_event_t event_{};
};

struct Anchored {
  Value value;
  std::uint64_t nodes = 1;
};

class YamlReader {
 public:
  YamlReader(BuiltinContext& context, std::string_view text) : context_(context) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;
  ~YamlReader() { yaml_parser_delete(&parser_); }

  Result<Value> Read() {
    while (true) {
      Event event;
      TRY(Next(event));
      if (event->type == YAML_STREAM_END_EVENT) return Value();
      if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_START_EVENT) {
        return Node(event, 0);
      }
    }
  }

 private:
  Result<void> Next(Event& event) {
    TRY(context_.Charge(4, sizeof(Value)));
    if (yaml_parser_parse(&parser_, event.get()) == 1) return {};
    const std::string problem = parser_.problem != nullptr ? parser_.problem : "malformed";
    // The line as go-yaml counts it: from 1 for the scanner's errors, from 0 for the parser's.
    std::size_t line =
        parser_.context_mark.line != 0 ? parser_.context_mark.line : parser_.problem_mark.line;
    if (parser_.error == YAML_SCANNER_ERROR) ++line;
    return BuiltinError("yaml: " + (line != 0 ? "line " + std::to_string(line) + ": " : "") +
                        problem);
  }

  static std::string Text(const unsigned char* text) {
    return text != nullptr ? reinterpret_cast<const char*>(text) : "";
  }

  Result<Value> Node(Event& event, std::size_t depth) {
    if (depth > kMaxDepth) return Error(Code::kResourceExhausted, "yaml nested too deep");
    switch (event->type) {
      case YAML_SCALAR_EVENT:
        return Scalar(event);
      case YAML_ALIAS_EVENT:
        return Alias(event);
      case YAML_SEQUENCE_START_EVENT:
        return Sequence(event, depth);
      case YAML_MAPPING_START_EVENT:
        return Mapping(event, depth);
      default:
        return BuiltinError("yaml: unexpected event");
    }
  }

  Value Keep(const std::string& anchor, Value value, std::uint64_t nodes) {
    nodes_ += nodes;
    if (!anchor.empty()) anchors_[anchor] = {value, nodes};
    return value;
  }

  Result<Value> Alias(Event& event) {
    const std::string name = Text(event->data.alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end())
      return BuiltinError("yaml: unknown anchor '" + name + "' referenced");
    TRY(context_.Charge(found->second.nodes, found->second.nodes * sizeof(Value)));
    nodes_ += found->second.nodes;
    return found->second.value;
  }

  Result<Value> Scalar(Event& event) {
    const auto& scalar = event->data.scalar;
    const std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    TRY(policy::ChargeBytes(context_, text.size()));
    const std::string tag = Text(scalar.tag);
    const std::string anchor = Text(scalar.anchor);
    if (tag == "tag:yaml.org,2002:binary") {
      const auto bytes = policy::DecodeBase64(text, policy::Base64::kStandard);
      if (!bytes) return BuiltinError("yaml: !!binary value contains invalid base64 data");
      return Keep(anchor, Value::String(policy::ValidUtf8(*bytes)), 1);
    }
    const bool typed = tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:float" ||
                       tag == "tag:yaml.org,2002:bool" || tag == "tag:yaml.org,2002:null";
    const bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE && tag.empty();
    if (!plain && !typed) return Keep(anchor, Value::String(policy::ValidUtf8(text)), 1);
    auto value = ResolvePlain(text);
    if (!value) return BuiltinError("json: unsupported value: " + std::string(text));
    return Keep(anchor, *std::move(value), 1);
  }

  Result<Value> Sequence(Event& start, std::size_t depth) {
    const std::string anchor = Text(start->data.sequence_start.anchor);
    const std::uint64_t before = nodes_;
    std::vector<Value> items;
    while (true) {
      Event event;
      TRY(Next(event));
      if (event->type == YAML_SEQUENCE_END_EVENT) break;
      items.push_back(TRY(Node(event, depth + 1)));
    }
    return Finish(anchor, Value::Array(std::move(items)), before);
  }

  Value Finish(const std::string& anchor, Value value, std::uint64_t before) {
    const std::uint64_t inside = nodes_ - before;
    nodes_ = before;
    return Keep(anchor, std::move(value), inside + 1);
  }

  static Result<std::string> KeyText(const Value& key) {
    if (key.is_string()) return std::string(key.string());
    if (key.is_number()) return key.NumberText();
    if (key.is_boolean()) return std::string(key.boolean() ? "true" : "false");
    return BuiltinError("unsupported map key of type: " + std::string(KindName(key.kind())));
  }

  Result<Value> Mapping(Event& start, std::size_t depth) {
    const std::string anchor = Text(start->data.mapping_start.anchor);
    const std::uint64_t before = nodes_;
    std::vector<Value> merged;
    std::vector<Member> members;
    while (true) {
      Event key_event;
      TRY(Next(key_event));
      if (key_event->type == YAML_MAPPING_END_EVENT) break;
      const bool plain_merge = key_event->type == YAML_SCALAR_EVENT &&
                               key_event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
      const Value key = TRY(Node(key_event, depth + 1));
      Event value_event;
      TRY(Next(value_event));
      Value value = TRY(Node(value_event, depth + 1));
      if (plain_merge && key.is_string() && key.string() == "<<") {
        TRY(Merge(value, merged));
        continue;
      }
      const std::string text = TRY(KeyText(key));
      members.push_back({Value::String(text), std::move(value)});
    }
    // What is merged never replaces what is there; of several, the first wins.
    std::vector<Member> all;
    for (auto from = merged.rbegin(); from != merged.rend(); ++from)
      all.insert(all.end(), from->members().begin(), from->members().end());
    all.insert(all.end(), std::make_move_iterator(members.begin()),
               std::make_move_iterator(members.end()));
    return Finish(anchor, Value::Object(std::move(all)), before);
  }

  Result<void> Merge(const Value& value, std::vector<Value>& merged) {
    if (value.is_object()) {
      TRY(context_.Charge(value.size(), value.size() * sizeof(Member)));
      merged.push_back(value);
      return {};
    }
    const Error bad = BuiltinError("yaml: map merge requires map or sequence of maps as the value");
    if (!value.is_array()) return bad;
    for (const Value& one : value.items()) {
      if (!one.is_object()) return bad;
      TRY(Merge(one, merged));
    }
    return {};
  }

  BuiltinContext& context_;
  yaml_parser_t parser_{};
  std::map<std::string, Anchored> anchors_;
  std::uint64_t nodes_ = 0;
};

}  // namespace

Result<Value> ParseYaml(BuiltinContext& context, std::string_view text) {
  TRY(context.Charge(text.size() / 4));
  return YamlReader(context, text).Read();
}

}  // namespace kata_cc::policy_yaml
