// SPDX-License-Identifier: Apache-2.0
// Go's text/template over a Rego object: actions, pipelines, variables, if, range, with, define,
// template, block, break, continue and the built-in functions. A missing key prints <undefined>.
// Language: documentation of Go's package text/template.
#pragma once

#include <string>
#include <string_view>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

// FailedPrecondition: the template does not parse, or a function or field does not fit its value.
// Steps are charged for each node that is run, bytes for what is written.
Result<std::string> RenderTemplate(BuiltinContext& context, std::string_view text,
                                   const Value& variables);

}  // namespace kata_cc::policy
