// SPDX-License-Identifier: Apache-2.0
// JSON Schema, drafts 4 to 7, for json.match_schema and json.verify_schema.
// Specification: https://json-schema.org/draft-07; error texts as OPA's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

constexpr std::size_t kMaxSchemaDepth = 256;

// FailedPrecondition: the first thing that is wrong with the schema, or with what its references
// lead to. Keys are strings, and there are no sets.
Result<void> CheckSchema(BuiltinContext& context, const Value& schema);

// "#", "#/definitions/a" or the "$id" of a part ("#name"); nothing is fetched.
Result<const Value*> ResolveSchemaRef(BuiltinContext& context, const Value& root,
                                      std::string_view ref);

struct SchemaError {
  std::string type, field, description;
};

// What does not match, nothing if all does. The schema has passed CheckSchema.
Result<std::vector<SchemaError>> MatchSchema(BuiltinContext& context, const Value& document,
                                             const Value& schema);

// The same of the keywords about strings and numbers alone; the fields are empty.
Result<std::vector<SchemaError>> MatchSchemaString(BuiltinContext& context, const Value& schema,
                                                   std::string_view text);
Result<std::vector<SchemaError>> MatchSchemaNumber(const Value& schema, const Value& value);

// Whether text has the format; unknown formats hold for anything.
bool MatchesFormat(BuiltinContext& context, std::string_view format, std::string_view text);

}  // namespace kata_cc::policy
