// SPDX-License-Identifier: Apache-2.0
// json.match_schema, json.verify_schema, and references within a schema.
#include "policy/engine/builtins/json_schema.h"

#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/url.h"

namespace kata_cc::policy {
namespace {

// Whether all keys are strings and there are no sets, as JSON has it.
bool IsPlain(const Value& value) {
  if (value.is_set()) return false;
  if (value.is_array()) {
    return std::all_of(value.items().begin(), value.items().end(), IsPlain);
  }
  if (!value.is_object()) return true;
  return std::all_of(value.members().begin(), value.members().end(), [](const Member& member) {
    return member.key.is_string() && IsPlain(member.value);
  });
}

// A document or schema operand: an object, or its JSON text.
Result<Value> DocumentOperand(BuiltinContext& context, Operands x, std::size_t i) {
  if (x[i].is_object()) {
    TRY(context.Charge(x[i].weight()));
    if (IsPlain(x[i])) return x[i];
    TRY(context.Charge(x[i].weight() * 4, std::uint64_t{x[i].weight()} * 16));
    return ParseJson(ToJsonText(x[i]));
  }
  if (!x[i].is_string()) return OperandError(i + 1, "string, object", x[i]);
  TRY(context.Charge(x[i].size() / 4, x[i].size() * 4));
  auto value = ParseJson(x[i].string());
  if (!value) return BuiltinError("invalid JSON string");
  return *std::move(value);
}

BuiltinResult JsonMatchSchema(BuiltinContext& context, Operands x) {
  const Value document = TRY(DocumentOperand(context, x, 0));
  const Value schema = TRY(DocumentOperand(context, x, 1));
  TRY(CheckSchema(context, schema));
  const auto errors = TRY(MatchSchema(context, document, schema));
  std::vector<Value> list;
  for (const SchemaError& error : errors) {
    std::vector<Member> members;
    const auto add = [&members](std::string_view key, const std::string& text) {
      members.push_back({Value::String(key), Value::String(text)});
    };
    add("desc", error.description);
    add("error", error.field + ": " + error.description);
    add("field", error.field);
    add("type", error.type);
    list.push_back(Value::Object(std::move(members)));
  }
  return Value::Array({Value::Bool(errors.empty()), Value::Array(std::move(list))});
}

BuiltinResult JsonVerifySchema(BuiltinContext& context, Operands x) {
  const auto report = [](const std::string& text) {
    return Value::Array({Value::Bool(false), Value::String("jsonschema: " + text)});
  };
  auto schema = DocumentOperand(context, x, 0);
  if (!schema) {
    if (schema.error().code() != Code::kFailedPrecondition) return std::move(schema).error();
    return report(schema.error().message());
  }
  auto checked = CheckSchema(context, *schema);
  if (checked) return Value::Array({Value::Bool(true), Value()});
  if (checked.error().code() == Code::kResourceExhausted) return std::move(checked).error();
  return report(checked.error().message());
}

const Value* FindId(const Value& schema, std::string_view id, std::size_t depth) {
  if (depth > kMaxSchemaDepth) return nullptr;
  if (schema.is_object()) {
    const Value* own = schema.Find("$id");
    if (own != nullptr && own->is_string() && own->string() == id) return &schema;
    for (const Member& member : schema.members()) {
      if (const Value* found = FindId(member.value, id, depth + 1)) return found;
    }
  }
  if (schema.is_array()) {
    for (const Value& item : schema.items()) {
      if (const Value* found = FindId(item, id, depth + 1)) return found;
    }
  }
  return nullptr;
}

}  // namespace

Result<const Value*> ResolveSchemaRef(BuiltinContext& context, const Value& root,
                                      std::string_view ref) {
  TRY(context.Charge(1 + ref.size() / 4));
  const bool by_id = ref.empty() || ref[0] != '#' || (ref.size() > 1 && ref[1] != '/');
  if (by_id) TRY(context.Charge(root.weight()));
  if (ref.empty() || ref[0] != '#') {
    if (const Value* found = FindId(root, ref, 0)) return found;
    return BuiltinError("reference to " + std::string(ref) +
                        ": the engine opens no connections and no files");
  }
  std::string_view rest = ref.substr(1);
  if (!rest.empty() && rest[0] != '/') {
    if (const Value* found = FindId(root, ref, 0)) return found;
  }
  const Value* at = &root;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('/'), rest.size());
    std::string key = TRY(UnescapeQuery(rest.substr(0, end)));
    for (const auto& [escape, c] : {std::pair("~1", "/"), std::pair("~0", "~")}) {
      for (std::size_t i = key.find(escape); i != std::string::npos; i = key.find(escape, i + 1)) {
        key.replace(i, 2, c);
      }
    }
    rest.remove_prefix(end);
    const Value* next = nullptr;
    if (at->is_object()) next = at->Find(std::string_view(key));
    const bool index =
        !key.empty() && key.size() < 9 && key.find_first_not_of("0123456789") == std::string::npos;
    if (at->is_array() && index) next = at->Find(Value::Int(std::stol(key)));
    if (next == nullptr) return BuiltinError("Object has no key '" + key + "'");
    at = next;
  }
  return at;
}

std::span<const Builtin> JsonSchemaBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"json.match_schema", 2, JsonMatchSchema},
      Builtin{"json.verify_schema", 1, JsonVerifySchema},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
