// SPDX-License-Identifier: Apache-2.0
// Parser: Rego text to a syntax tree. Bounded: nesting by a limit, backtracking by a budget that is
// linear in the text.
// Grammar: https://www.openpolicyagent.org/docs/policy-reference#grammar
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/engine/ast.h"

namespace kata_cc::policy {

struct ParseOptions {
  bool v1 = true;                  // False: Rego v0, where keywords need imports.
  std::uint32_t module_index = 0;  // For locations.
  std::size_t depth = 256;         // Of nested terms and bodies.
};

// InvalidArgument: "name:line:column: what".
Result<ModuleAst> ParseModule(std::string_view name, std::string_view text,
                              const ParseOptions& options);
// A query, as the body of a rule.
Result<Body> ParseQuery(std::string_view name, std::string_view text, const ParseOptions& options);
// One term, without variables: JSON with sets and trailing commas.
Result<Value> ParseGroundTerm(std::string_view text, const ParseOptions& options);

}  // namespace kata_cc::policy
