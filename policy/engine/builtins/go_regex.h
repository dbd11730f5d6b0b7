// SPDX-License-Identifier: Apache-2.0
// Regular expressions as Go's package regexp reads them, on RE2: (?<name>...) is taken, \C is not,
// and errors read as Go's.
#pragma once

#include <re2/re2.h>

#include <string_view>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

// As BuiltinContext::Regex; the error is a BuiltinError, "error parsing regexp: ...".
Result<const RE2*> GoRegex(BuiltinContext& context, std::string_view pattern);

}  // namespace kata_cc::policy
