// SPDX-License-Identifier: Apache-2.0
// The builtins that are part of the language: walk, print, trace, rego.*.
#pragma once

#include "policy/engine/ast.h"
#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

BuiltinFamily LanguageFamily();

// What the METADATA blocks of a module say, each at the package or rule that follows it: sets
// ModuleAst::annotations and Rule::annotations. Blocks that are no YAML are left out.
void ReadAnnotations(ModuleAst& module, const Builtin& yaml_unmarshal);

// A module as `opa parse --format json` has it, without locations.
Value ModuleAsValue(const ModuleAst& module);

}  // namespace kata_cc::policy
