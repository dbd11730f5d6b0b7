// SPDX-License-Identifier: Apache-2.0
// GraphQL: graphql.*. Queries and schemas are text, or documents as graphql.parse_* gives them.
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/graphql_schema.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

using Parse = Result<Value> (*)(BuiltinContext&, std::string_view);

Result<Value> Document(BuiltinContext& context, Operands x, std::size_t i, Parse parse) {
  if (x[i].is_object()) {
    TRY(CheckGraphqlShape(context, x[i]));
    return x[i];
  }
  if (!x[i].is_string()) return OperandError(i + 1, "string, object", x[i]);
  TRY(ChargeScan(context, x[i].size()));
  return parse(context, x[i].string());
}

struct Checked {
  Value query, schema;
};

// Both documents, valid together; FailedPrecondition otherwise.
Result<Checked> CheckBoth(BuiltinContext& context, Operands x) {
  Checked out;
  out.query = TRY(Document(context, x, 0, ParseGraphqlQuery));
  out.schema = TRY(Document(context, x, 1, ParseGraphqlSchema));
  auto schema = GraphqlSchema::Load(context, out.schema);
  if (!schema) {
    if (schema.error().code() != Code::kFailedPrecondition) return std::move(schema).error();
    return BuiltinError("Error in gqlparser SchemaDocument to Schema conversion: " +
                        schema.error().message());
  }
  TRY(CheckGraphqlQuery(context, out.query, *schema));
  return out;
}

BuiltinResult ParseQuery(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeScan(context, text.size()));
  const Value document = TRY(ParseGraphqlQuery(context, text));
  return PruneGraphql(document);
}

BuiltinResult ParseSchema(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeScan(context, text.size()));
  const Value document = TRY(ParseGraphqlSchema(context, text));
  return PruneGraphql(document);
}

BuiltinResult ParseBoth(BuiltinContext& context, Operands x) {
  const Checked checked = TRY(CheckBoth(context, x));
  return Value::Array({PruneGraphql(checked.query), PruneGraphql(checked.schema)});
}

// False for what is wrong with the documents; operands of other types are errors.
bool IsVerdict(const Error& error) {
  return error.code() == Code::kFailedPrecondition;
}

BuiltinResult ParseAndVerify(BuiltinContext& context, Operands x) {
  auto checked = CheckBoth(context, x);
  if (!checked) {
    if (!IsVerdict(checked.error())) return std::move(checked).error();
    const Value empty = Value::SortedObject({});
    return Value::Array({Value::Bool(false), empty, empty});
  }
  return Value::Array(
      {Value::Bool(true), PruneGraphql(checked->query), PruneGraphql(checked->schema)});
}

BuiltinResult IsValid(BuiltinContext& context, Operands x) {
  auto checked = CheckBoth(context, x);
  if (!checked && !IsVerdict(checked.error())) return std::move(checked).error();
  return Value::Bool(checked.has_value());
}

BuiltinResult SchemaIsValid(BuiltinContext& context, Operands x) {
  auto document = Document(context, x, 0, ParseGraphqlSchema);
  if (!document) {
    if (!IsVerdict(document.error())) return std::move(document).error();
    return Value::Bool(false);
  }
  auto schema = GraphqlSchema::Load(context, *document);
  if (!schema && !IsVerdict(schema.error())) return std::move(schema).error();
  return Value::Bool(schema.has_value());
}

}  // namespace

std::span<const Builtin> GraphqlBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"graphql.parse", 2, ParseBoth},
      Builtin{"graphql.parse_query", 1, ParseQuery},
      Builtin{"graphql.parse_schema", 1, ParseSchema},
      Builtin{"graphql.parse_and_verify", 2, ParseAndVerify},
      Builtin{"graphql.is_valid", 2, IsValid},
      Builtin{"graphql.schema_is_valid", 1, SchemaIsValid},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
