// SPDX-License-Identifier: Apache-2.0
// The list of the builtin families. A new one: declare it, add it here.
#include "policy/engine/builtins/families.h"

#include <array>

namespace kata_cc::policy {

std::span<const BuiltinFamily> DefaultFamilies() {
  static const std::array kFamilies = {
      BuiltinFamily{"operators", OperatorBuiltins()},
      BuiltinFamily{"aggregates", AggregateBuiltins()},
      BuiltinFamily{"sets", SetBuiltins()},
      BuiltinFamily{"objects", ObjectBuiltins()},
      BuiltinFamily{"json_paths", JsonPathBuiltins()},
      BuiltinFamily{"strings", StringBuiltins()},
      BuiltinFamily{"regex", RegexBuiltins()},
      BuiltinFamily{"glob", GlobBuiltins()},
      BuiltinFamily{"numbers", NumberBuiltins()},
      BuiltinFamily{"units", UnitBuiltins()},
      BuiltinFamily{"semver", SemverBuiltins()},
      BuiltinFamily{"types", TypeBuiltins()},
      BuiltinFamily{"encoding", EncodingBuiltins()},
      BuiltinFamily{"net", NetBuiltins()},
      BuiltinFamily{"graph", GraphBuiltins()},
      BuiltinFamily{"identity", IdentityBuiltins()},
      BuiltinFamily{"time", TimeBuiltins()},
      BuiltinFamily{"json_schema", JsonSchemaBuiltins()},
      BuiltinFamily{"graphql", GraphqlBuiltins()},
      BuiltinFamily{"template", TemplateBuiltins()},
      BuiltinFamily{"refused", RefusedBuiltins()},
  };
  return kFamilies;
}

}  // namespace kata_cc::policy
