// SPDX-License-Identifier: Apache-2.0
// Whether a schema is one: the first thing wrong, in the words that OPA's cases expect.
#include <array>
#include <initializer_list>
#include <set>

#include "policy/engine/builtins/go_regex.h"
#include "policy/engine/builtins/json_schema.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

Error Bad(std::string text) {
  return BuiltinError(std::move(text));
}

Error BadType(std::string_view expected, std::string_view given) {
  return Bad("Invalid type. Expected: " + std::string(expected) + ", given: " + std::string(given));
}

bool IsSchema(const Value& value) {
  return value.is_object() || value.is_boolean();
}

class SchemaChecker {
 public:
  SchemaChecker(BuiltinContext& context, const Value& root) : context_(context), root_(root) {}

  Result<void> Check(const Value& schema, std::size_t depth) {
    TRY(context_.Charge(4 + schema_size(schema)));
    if (depth > kMaxSchemaDepth) return Error(Code::kResourceExhausted, "schema nested too deep");
    if (schema.is_boolean()) return {};
    if (!schema.is_object()) return Bad("Expected: Valid Schema, given: Invalid JSON");
    TRY(CheckNames(schema));
    if (const Value* ref = schema.Find("$ref"); ref != nullptr) {
      if (!ref->is_string()) return BadType("string", "$ref");
      const Value* target = TRY(ResolveSchemaRef(context_, root_, ref->string()));
      if (targets_.insert(target).second) TRY(Check(*target, depth + 1));
    }
    TRY(CheckDefinitions(schema, depth));
    TRY(CheckTypes(schema));
    TRY(CheckObjectKeywords(schema, depth));
    TRY(CheckArrayKeywords(schema, depth));
    TRY(CheckNumberKeywords(schema));
    TRY(CheckSizes(schema));
    TRY(CheckCombinations(schema, depth));
    return {};
  }

 private:
  static std::uint64_t schema_size(const Value& schema) {
    return schema.is_object() ? schema.size() : 0;
  }

  static Result<void> CheckNames(const Value& schema) {
    const Value* dialect = schema.Find("$schema");
    if (dialect != nullptr && !dialect->is_string()) return Bad("$schema must be of type string");
    for (std::string_view key : {"$id", "title", "description", "format"}) {
      const Value* value = schema.Find(key);
      if (value != nullptr && !value->is_string()) return BadType("string", key);
    }
    return {};
  }

  Result<void> CheckDefinitions(const Value& schema, std::size_t depth) {
    const Value* definitions = schema.Find("definitions");
    if (definitions == nullptr) return {};
    if (!definitions->is_object()) return BadType("Array Of Schemas", "definitions");
    for (const Member& member : definitions->members()) {
      if (!IsSchema(member.value)) return BadType("Array Of Schemas", "definitions");
      TRY(Check(member.value, depth + 1));
    }
    return {};
  }

  static Result<void> CheckType(const Value& type) {
    if (!type.is_string()) return BadType("type", "string/Array Of Strings");
    constexpr std::array<std::string_view, 7> kNames = {"array", "boolean", "integer", "number",
                                                        "null",  "object",  "string"};
    for (std::string_view name : kNames) {
      if (name == type.string()) return {};
    }
    return Bad("has a primitive type that is NOT VALID -- given: /" + std::string(type.string()) +
               "/ Expected valid values are:[array boolean integer number null object string]");
  }

  static Result<void> CheckTypes(const Value& schema) {
    const Value* type = schema.Find("type");
    if (type == nullptr) return {};
    if (!type->is_array()) return CheckType(*type);
    for (const Value& one : type->items())
      TRY(CheckType(one));
    return {};
  }

  Result<void> CheckProperties(const Value& properties, std::size_t depth) {
    for (const Member& member : properties.members())
      TRY(Check(member.value, depth + 1));
    return {};
  }

  Result<void> CheckObjectKeywords(const Value& schema, std::size_t depth) {
    if (const Value* properties = schema.Find("properties"); properties != nullptr) {
      if (!properties->is_object()) return Bad("Properties must be of type object");
      TRY(CheckProperties(*properties, depth));
    }
    if (const Value* more = schema.Find("additionalProperties"); more != nullptr) {
      if (!IsSchema(*more)) return BadType("boolean/Valid Schema", "additionalProperties");
      TRY(Check(*more, depth + 1));
    }
    if (const Value* patterns = schema.Find("patternProperties"); patterns != nullptr) {
      if (!patterns->is_object()) return BadType("Valid Schema", "patternProperties");
      for (const Member& member : patterns->members()) {
        const auto regex = GoRegex(context_, member.key.string());
        if (!regex) return Bad("Invalid regex pattern '" + std::string(member.key.string()) + "'");
      }
      TRY(CheckProperties(*patterns, depth));
    }
    if (const Value* names = schema.Find("propertyNames"); names != nullptr) {
      if (!IsSchema(*names)) return BadType("Valid Schema", "patternProperties");
      TRY(Check(*names, depth + 1));
    }
    return CheckDependencies(schema, depth);
  }

  Result<void> CheckDependencies(const Value& schema, std::size_t depth) {
    const Value* dependencies = schema.Find("dependencies");
    if (dependencies == nullptr) return {};
    if (!dependencies->is_object()) return Bad("dependencies must be of type object");
    for (const Member& member : dependencies->members()) {
      const Error bad = Bad("Dependency must be of type Schema Or Array Of Strings");
      if (member.value.is_array()) {
        for (const Value& name : member.value.items()) {
          if (!name.is_string()) return bad;
        }
        continue;
      }
      if (!IsSchema(member.value)) return bad;
      TRY(Check(member.value, depth + 1));
    }
    return {};
  }

  Result<void> CheckArrayKeywords(const Value& schema, std::size_t depth) {
    if (const Value* items = schema.Find("items"); items != nullptr) {
      const Error bad = BadType("Valid Schema/Array Of Schemas", "items");
      if (items->is_array()) {
        for (const Value& one : items->items()) {
          if (!IsSchema(one)) return bad;
          TRY(Check(one, depth + 1));
        }
      } else {
        if (!IsSchema(*items)) return bad;
        TRY(Check(*items, depth + 1));
      }
    }
    if (const Value* more = schema.Find("additionalItems"); more != nullptr) {
      if (!IsSchema(*more)) return BadType("boolean/Valid Schema", "additionalItems");
      TRY(Check(*more, depth + 1));
    }
    return {};
  }

  static Result<void> CheckNumberKeywords(const Value& schema) {
    if (const Value* multiple = schema.Find("multipleOf"); multiple != nullptr) {
      if (!multiple->is_number()) return BadType("Number", "multipleOf");
      if (*multiple <= Value::Int(0)) return Bad("multipleOf must be strictly greater than 0");
    }
    for (std::string_view key : {"minimum", "maximum"}) {
      const Value* limit = schema.Find(key);
      if (limit != nullptr && !limit->is_number()) {
        return Bad(std::string(key) + " must be of a Number");
      }
      const std::string exclusive = key == "minimum" ? "exclusiveMinimum" : "exclusiveMaximum";
      const Value* strict = schema.Find(std::string_view(exclusive));
      if (strict == nullptr || strict->is_number()) continue;
      if (!strict->is_boolean()) return BadType("boolean/number", exclusive);
      if (limit == nullptr) {
        return Bad(exclusive + " cannot be used without " + std::string(key));
      }
    }
    return {};
  }

  static Result<void> CheckSizes(const Value& schema) {
    for (std::string_view key :
         {"minLength", "maxLength", "minProperties", "maxProperties", "minItems", "maxItems"}) {
      const Value* size = schema.Find(key);
      if (size == nullptr) continue;
      if (!size->is_number() || !size->is_integer()) {
        return Bad(std::string(key) + " must be of an integer");
      }
      if (*size < Value::Int(0)) {
        return Bad(std::string(key) + " must be greater than or equal to 0");
      }
    }
    for (std::string_view what : {"Length", "Properties"}) {
      const std::string min = "min" + std::string(what);
      const std::string max = "max" + std::string(what);
      const Value* least = schema.Find(std::string_view(min));
      const Value* most = schema.Find(std::string_view(max));
      if (least != nullptr && most != nullptr && *least > *most) {
        return Bad(min + " cannot be greater than " + max);
      }
    }
    return {};
  }

  Result<void> CheckCombinations(const Value& schema, std::size_t depth) {
    if (const Value* pattern = schema.Find("pattern"); pattern != nullptr) {
      if (!pattern->is_string()) return BadType("string", "pattern");
      if (!GoRegex(context_, pattern->string())) return Bad("pattern must be a valid regex");
    }
    if (const Value* required = schema.Find("required"); required != nullptr) {
      if (!required->is_array()) return Bad("required must be of an array");
      for (const Value& name : required->items()) {
        if (!name.is_string()) return BadType("string", "required");
      }
      if (HasRepeats(*required)) return Bad("required items must be unique");
    }
    if (const Value* unique = schema.Find("uniqueItems"); unique != nullptr) {
      if (!unique->is_boolean()) return Bad("uniqueItems must be of a boolean");
    }
    if (const Value* contains = schema.Find("contains"); contains != nullptr) {
      TRY(Check(*contains, depth + 1));
    }
    if (const Value* values = schema.Find("enum"); values != nullptr) {
      if (!values->is_array()) return Bad("enum must be of an array");
      if (HasRepeats(*values)) return Bad("enum items must be unique");
    }
    for (std::string_view key : {"oneOf", "anyOf", "allOf"}) {
      const Value* schemas = schema.Find(key);
      if (schemas == nullptr) continue;
      if (!schemas->is_array()) return Bad(std::string(key) + " must be of an array");
      for (const Value& one : schemas->items())
        TRY(Check(one, depth + 1));
    }
    for (std::string_view key : {"not", "if", "then", "else"}) {
      const Value* one = schema.Find(key);
      if (one == nullptr) continue;
      if (!IsSchema(*one)) return Bad(std::string(key) + " must be of an object");
      TRY(Check(*one, depth + 1));
    }
    return {};
  }

  static bool HasRepeats(const Value& array) {
    return Value::Set({array.items().begin(), array.items().end()}).size() != array.size();
  }

  BuiltinContext& context_;
  const Value& root_;
  std::set<const Value*> targets_;  // Of references, checked or being checked.
};

}  // namespace

Result<void> CheckSchema(BuiltinContext& context, const Value& schema) {
  return SchemaChecker(context, schema).Check(schema, 0);
}

}  // namespace kata_cc::policy
