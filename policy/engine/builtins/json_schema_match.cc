// SPDX-License-Identifier: Apache-2.0
// A document against a schema.
#include "policy/engine/builtins/json_schema.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "policy/engine/builtins/go_regex.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

std::string_view JsonType(const Value& value) {
  switch (value.kind()) {
    case Kind::kNumber:
      return value.is_integer() ? "integer" : "number";
    case Kind::kSet:
      return "array";
    default:
      return KindName(value.kind());
  }
}

bool HasType(const Value& value, std::string_view wanted) {
  const std::string_view type = JsonType(value);
  return type == wanted || (wanted == "number" && type == "integer");
}

// A part of the document under validation, for the names of fields.
struct Place {
  const Place* parent = nullptr;
  std::string name;

  std::string Text() const {
    if (parent == nullptr) return "(Root)";
    std::string above = parent->Text();
    return parent->parent == nullptr ? name : above + "." + name;
  }
};

struct Outcome {
  std::vector<SchemaError> errors;
  int score = 0;  // Keywords that held: of several alternatives, the best one is reported.

  void Take(Outcome other) {
    errors.insert(errors.end(), std::make_move_iterator(other.errors.begin()),
                  std::make_move_iterator(other.errors.end()));
    score += other.score;
  }
};

class SchemaMatcher {
 public:
  SchemaMatcher(BuiltinContext& context, const Value& root) : context_(context), root_(root) {}

  Result<Outcome> Match(const Value& schema, const Value& value, const Place& place) {
    Outcome out;
    TRY(context_.Charge(4, sizeof(Outcome)));
    if (++depth_ > kMaxSchemaDepth) {
      return Error(Code::kResourceExhausted, "schema or document nested too deep");
    }
    TRY(MatchKeywords(schema, value, place, out));
    TRY(ChargeBytes(context_, std::exchange(unpaid_bytes_, 0)));
    --depth_;
    return out;
  }

 private:
  void Fail(Outcome& out, const Place& place, std::string_view type, std::string text) {
    out.errors.push_back({std::string(type), place.Text(), std::move(text)});
    unpaid_bytes_ += out.errors.back().field.size() + out.errors.back().description.size();
    --out.score;
  }

  Result<void> MatchKeywords(const Value& schema, const Value& value, const Place& place,
                             Outcome& out) {
    if (schema.is_boolean()) {
      if (!schema.boolean()) Fail(out, place, "false", "False always fails validation");
      return {};
    }
    if (const Value* ref = schema.Find("$ref"); ref != nullptr) {
      const Value* target = TRY(ResolveSchemaRef(context_, root_, ref->string()));
      out.Take(TRY(Match(*target, value, place)));
      return {};
    }
    if (!MatchType(schema, value, place, out)) return {};
    TRY(MatchCombinations(schema, value, place, out));
    if (value.is_array() || value.is_set()) TRY(MatchArray(schema, value, place, out));
    if (value.is_object()) TRY(MatchObject(schema, value, place, out));
    if (value.is_number()) Add(TRY(MatchSchemaNumber(schema, value)), place, out);
    TRY(MatchValues(schema, value, place, out));
    if (value.is_string()) {
      Add(TRY(MatchSchemaString(context_, schema, value.string())), place, out);
    }
    if (value.is_object()) TRY(MatchProperties(schema, value, place, out));
    ++out.score;
    return {};
  }

  bool MatchType(const Value& schema, const Value& value, const Place& place, Outcome& out) {
    const Value* type = schema.Find("type");
    if (type == nullptr) return true;
    std::string expected;
    const auto matches = [&](const Value& one) {
      expected.append(expected.empty() ? "" : ",").append(one.string());
      return HasType(value, one.string());
    };
    if (type->is_string()) {
      if (matches(*type)) return true;
    } else {
      bool any = false;
      for (const Value& one : type->items())
        any = matches(one) || any;
      if (any) return true;
      if (type->size() > 1) expected = "[" + expected + "]";
    }
    Fail(out, place, "invalid_type",
         "Invalid type. Expected: " + expected + ", given: " + std::string(JsonType(value)));
    return false;
  }

  Result<void> MatchCombinations(const Value& schema, const Value& value, const Place& place,
                                 Outcome& out) {
    if (const Value* any = schema.Find("anyOf"); any != nullptr && any->size() > 0) {
      TRY(MatchAlternatives(*any, false, value, place, out));
    }
    if (const Value* one = schema.Find("oneOf"); one != nullptr && one->size() > 0) {
      TRY(MatchAlternatives(*one, true, value, place, out));
    }
    if (const Value* all = schema.Find("allOf"); all != nullptr) {
      bool held = true;
      for (const Value& part : all->items()) {
        Outcome result = TRY(Match(part, value, place));
        held = held && result.errors.empty();
        out.Take(std::move(result));
      }
      if (!held) Fail(out, place, "number_all_of", "Must validate all the schemas (allOf)");
    }
    if (const Value* negated = schema.Find("not"); negated != nullptr) {
      const Outcome result = TRY(Match(*negated, value, place));
      if (result.errors.empty()) {
        Fail(out, place, "number_not", "Must not validate the schema (not)");
      }
    }
    TRY(MatchDependencies(schema, value, place, out));
    const Value* condition = schema.Find("if");
    if (condition == nullptr) return {};
    const Outcome result = TRY(Match(*condition, value, place));
    const bool held = result.errors.empty();
    const Value* consequence = schema.Find(held ? "then" : "else");
    if (consequence == nullptr) return {};
    Outcome then = TRY(Match(*consequence, value, place));
    if (then.errors.empty()) return {};
    Fail(out, place, held ? "condition_then" : "condition_else",
         held ? "Must validate \"then\" as \"if\" was valid"
              : "Must validate \"else\" as \"if\" was not valid");
    out.Take(std::move(then));
    return {};
  }

  Result<void> MatchAlternatives(const Value& schemas, bool exactly_one, const Value& value,
                                 const Place& place, Outcome& out) {
    std::optional<Outcome> best;
    int held = 0;
    for (const Value& part : schemas.items()) {
      Outcome result = TRY(Match(part, value, place));
      if (result.errors.empty()) {
        ++held;
        if (!exactly_one) return {};
      } else if (!best || result.score > best->score) {
        best = std::move(result);
      }
    }
    if (held == 1) return {};
    Fail(out, place, exactly_one ? "number_one_of" : "number_any_of",
         exactly_one ? "Must validate one and only one schema (oneOf)"
                     : "Must validate at least one schema (anyOf)");
    if (held == 0 && best) out.Take(*std::move(best));
    return {};
  }

  Result<void> MatchDependencies(const Value& schema, const Value& value, const Place& place,
                                 Outcome& out) {
    const Value* dependencies = schema.Find("dependencies");
    if (dependencies == nullptr || !value.is_object()) return {};
    for (const Member& member : dependencies->members()) {
      if (value.Find(member.key) == nullptr) continue;
      if (!member.value.is_array()) {
        out.Take(TRY(Match(member.value, value, place)));
        continue;
      }
      for (const Value& name : member.value.items()) {
        if (value.Find(name) == nullptr) {
          Fail(out, place, "missing_dependency",
               "Has a dependency on " + std::string(name.string()));
        }
      }
    }
    return {};
  }

  Result<void> MatchValues(const Value& schema, const Value& value, const Place& place,
                           Outcome& out) {
    if (const Value* constant = schema.Find("const"); constant != nullptr && *constant != value) {
      Fail(out, place, "const", place.Text() + " does not match: " + ToJsonText(*constant));
    }
    const Value* values = schema.Find("enum");
    if (values == nullptr) return {};
    TRY(context_.Charge(values->weight() / 8));
    const auto items = values->items();
    if (std::find(items.begin(), items.end(), value) != items.end()) return {};
    std::string allowed;
    for (const Value& item : items) {
      allowed += (allowed.empty() ? "" : ", ") + ToJsonText(item);
    }
    Fail(out, place, "enum", place.Text() + " must be one of the following: " + allowed);
    return {};
  }

  Result<void> MatchArray(const Value& schema, const Value& value, const Place& place,
                          Outcome& out) {
    const auto items = value.items();
    const auto at = [&place](std::size_t i) { return Place{&place, std::to_string(i)}; };
    if (const Value* schemas = schema.Find("items"); schemas != nullptr) {
      const Value* more = schema.Find("additionalItems");
      for (std::size_t i = 0; i < items.size(); ++i) {
        const Value* part = schemas;
        if (schemas->is_array()) part = i < schemas->size() ? &schemas->items()[i] : more;
        if (part == nullptr) break;
        if (part == more && more->is_false()) {
          Fail(out, place, "array_no_additional_items", "No additional items allowed on array");
          break;
        }
        out.Take(TRY(Match(*part, items[i], at(i))));
      }
    }
    MatchSize(schema, "minItems", "maxItems", items.size(), "array_min_items", "array_max_items",
              "Array must have at ", " items", place, out);
    if (const Value* unique = schema.Find("uniqueItems"); unique != nullptr && unique->is_true()) {
      TRY(context_.Charge(value.weight()));
      TRY(MatchUnique(items, place, out));
    }
    const Value* contains = schema.Find("contains");
    if (contains == nullptr) return {};
    std::optional<Outcome> best;
    for (std::size_t i = 0; i < items.size(); ++i) {
      Outcome result = TRY(Match(*contains, items[i], at(i)));
      if (result.errors.empty()) return {};
      if (!best || result.score > best->score) best = std::move(result);
    }
    Fail(out, place, "contains", "At least one of the items must match");
    if (best) out.Take(*std::move(best));
    return {};
  }

  Result<void> MatchUnique(Operands items, const Place& place, Outcome& out) {
    TRY(context_.Charge(items.size() * 8));
    std::vector<std::size_t> order(items.size());
    for (std::size_t i = 0; i < order.size(); ++i)
      order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return items[a] < items[b]; });
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (items[order[i - 1]] != items[order[i]]) continue;
      Fail(out, place, "unique",
           "array items[" + std::to_string(order[i - 1]) + "," + std::to_string(order[i]) +
               "] must be unique");
    }
    return {};
  }

  void MatchSize(const Value& schema, std::string_view min, std::string_view max, std::size_t size,
                 std::string_view min_type, std::string_view max_type, std::string_view before,
                 std::string_view after, const Place& place, Outcome& out) {
    const Value length = Value::Int(static_cast<std::int64_t>(size));
    const Value* least = schema.Find(min);
    const Value* most = schema.Find(max);
    if (least != nullptr && length < *least) {
      Fail(out, place, min_type,
           std::string(before) + "least " + least->NumberText() + std::string(after));
    }
    if (most != nullptr && length > *most) {
      Fail(out, place, max_type,
           std::string(before) + "most " + most->NumberText() + std::string(after));
    }
  }

  Result<void> MatchObject(const Value& schema, const Value& value, const Place& place,
                           Outcome& out) {
    MatchSize(schema, "minProperties", "maxProperties", value.size(), "array_min_properties",
              "array_max_properties", "Must have at ", " properties", place, out);
    if (const Value* required = schema.Find("required"); required != nullptr) {
      for (const Value& name : required->items()) {
        if (value.Find(name) != nullptr) {
          ++out.score;
        } else {
          Fail(out, place, "required", std::string(name.string()) + " is required");
        }
      }
    }
    const Value* properties = schema.Find("properties");
    const Value* more = schema.Find("additionalProperties");
    const Value* names = schema.Find("propertyNames");
    for (const Member& member : value.members()) {
      const std::string key = KeyText(member.key);
      const Place below{&place, key};
      bool known = properties != nullptr && properties->Find(member.key) != nullptr;
      const bool matched = TRY(MatchPatterns(schema, key, member.value, below, out));
      known = known || matched;
      if (!known && more != nullptr && more->is_false()) {
        Fail(out, place, "additional_property_not_allowed",
             "Additional property " + key + " is not allowed");
      } else if (!known && more != nullptr) {
        out.Take(TRY(Match(*more, member.value, below)));
      }
      if (names == nullptr) continue;
      Outcome result = TRY(Match(*names, Value::String(key), place));
      if (result.errors.empty()) continue;
      Fail(out, place, "invalid_property_name", "Property name of \"" + key + "\" does not match");
      out.Take(std::move(result));
    }
    return {};
  }

  static std::string KeyText(const Value& key) {
    return key.is_string() ? std::string(key.string()) : ToJsonText(key);
  }

  Result<bool> MatchPatterns(const Value& schema, const std::string& key, const Value& value,
                             const Place& place, Outcome& out) {
    const Value* patterns = schema.Find("patternProperties");
    if (patterns == nullptr) return false;
    bool any = false;
    for (const Member& pattern : patterns->members()) {
      TRY(ChargeScan(context_, key.size() * 4));
      const RE2* regex = TRY(GoRegex(context_, pattern.key.string()));
      if (!RE2::PartialMatch(key, *regex)) continue;
      any = true;
      out.Take(TRY(Match(pattern.value, value, place)));
    }
    return any;
  }

  Result<void> MatchProperties(const Value& schema, const Value& value, const Place& place,
                               Outcome& out) {
    const Value* properties = schema.Find("properties");
    if (properties == nullptr) return {};
    for (const Member& member : properties->members()) {
      const Value* found = value.Find(member.key);
      if (found == nullptr) continue;
      out.Take(TRY(Match(member.value, *found, Place{&place, KeyText(member.key)})));
    }
    return {};
  }

  void Add(std::vector<SchemaError> errors, const Place& place, Outcome& out) {
    for (SchemaError& error : errors)
      Fail(out, place, error.type, std::move(error.description));
  }

  BuiltinContext& context_;
  const Value& root_;
  std::size_t depth_ = 0;
  std::uint64_t unpaid_bytes_ = 0;  // Of the errors' texts.
};

}  // namespace

Result<std::vector<SchemaError>> MatchSchema(BuiltinContext& context, const Value& document,
                                             const Value& schema) {
  Outcome outcome = TRY(SchemaMatcher(context, schema).Match(schema, document, Place{}));
  return std::move(outcome.errors);
}

}  // namespace kata_cc::policy
