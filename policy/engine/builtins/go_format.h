// SPDX-License-Identifier: Apache-2.0
// fmt.Sprintf of Go for the kinds of value that Rego's sprintf has: integers, floating-point
// numbers and strings (everything else is a string: its Rego text).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

// Verbs, flags, widths, argument indexes and the notes on misuse (%!d(string=x), %!(EXTRA ...))
// are Go's. Output is charged to the context before it is made.
Result<std::string> GoFormat(BuiltinContext& context, std::string_view format,
                             std::span<const Value> arguments);

// As Go's strconv.FormatFloat(value, 'g', -1, 64).
std::string ShortestFloat(double value);

}  // namespace kata_cc::policy
