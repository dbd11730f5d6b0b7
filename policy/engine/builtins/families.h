// SPDX-License-Identifier: Apache-2.0
// One function a family: its builtins, in static storage.
#pragma once

#include <span>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

std::span<const Builtin> OperatorBuiltins();   // Arithmetic, comparison, set operators, count.
std::span<const Builtin> AggregateBuiltins();  // sum, product, max, min, sort, array.*
std::span<const Builtin> SetBuiltins();
std::span<const Builtin> ObjectBuiltins();
std::span<const Builtin> JsonPathBuiltins();  // json.filter, json.remove, json.patch
std::span<const Builtin> StringBuiltins();    // sprintf too
std::span<const Builtin> RegexBuiltins();
std::span<const Builtin> GlobBuiltins();
std::span<const Builtin> NumberBuiltins();  // Rounding, numbers.*, bits.*, rand.intn
std::span<const Builtin> UnitBuiltins();
std::span<const Builtin> SemverBuiltins();
std::span<const Builtin> TypeBuiltins();      // is_*, type_name, to_number, cast_*
std::span<const Builtin> EncodingBuiltins();  // base64*, hex, json, urlquery
std::span<const Builtin> NetBuiltins();       // net.cidr_*
std::span<const Builtin> GraphBuiltins();
std::span<const Builtin> IdentityBuiltins();  // uuid.*, uri.*
std::span<const Builtin> TimeBuiltins();
std::span<const Builtin> JsonSchemaBuiltins();
std::span<const Builtin> GraphqlBuiltins();
std::span<const Builtin> TemplateBuiltins();  // strings.render_template
std::span<const Builtin> RefusedBuiltins();   // Known, and refused when a policy is loaded.

}  // namespace kata_cc::policy
