// SPDX-License-Identifier: Apache-2.0
// The builtins yaml.*, on libyaml's parser: a family of its own, so the engine links no YAML.
// YAML 1.2 scalars with the octal and merge-key habits of 1.1, as OPA reads them.
#pragma once

#include <string>
#include <string_view>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy_yaml {

// The family "yaml": yaml.marshal, yaml.unmarshal, yaml.is_valid.
policy::BuiltinFamily Family();

// The first document of the text; null for none. FailedPrecondition for malformed text; aliases
// are charged for what they repeat.
Result<policy::Value> ParseYaml(policy::BuiltinContext& context, std::string_view text);
// Block style, keys in order, strings quoted where they would read as something else.
std::string ToYaml(const policy::Value& value);

}  // namespace kata_cc::policy_yaml
