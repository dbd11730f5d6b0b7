// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/load.h"

#include <algorithm>

#include "policy/engine/builtins/builtin.h"
#include "policy/engine/language_builtins.h"
#include "policy/engine/parser.h"

namespace kata_cc::policy {
namespace {

void AddFamily(const BuiltinFamily& family, const Options& options, BuiltinTable& table) {
  const auto& off = options.families_off;
  if (std::find(off.begin(), off.end(), family.name) == off.end()) {
    table.Add(family);
  } else {
    table.AddOff(family);
  }
}

Result<std::unique_ptr<Loaded>> MakeAs(const std::vector<Module>& modules, const Options& options,
                                       bool v1) {
  auto out = std::make_unique<Loaded>();
  AddFamily(LanguageFamily(), options, out->builtins);
  for (const BuiltinFamily& family : DefaultFamilies())
    AddFamily(family, options, out->builtins);
  for (const BuiltinFamily* family : options.families)
    AddFamily(*family, options, out->builtins);
  ParseOptions parse;
  parse.depth = options.limits.depth;
  parse.v1 = v1;
  out->v1 = v1;
  Program& program = out->program;
  // A package's annotations may stand in another of its modules than the one that asks for them.
  const bool wanted = std::any_of(modules.begin(), modules.end(), [](const Module& module) {
    return module.text.find("rego.metadata.") != std::string::npos;
  });
  for (const Module& module : modules) {
    parse.module_index = static_cast<std::uint32_t>(program.modules.size());
    program.module_names.push_back(module.name);
    program.modules.push_back(TRY(ParseModule(module.name, module.text, parse)));
    const Builtin* yaml = out->builtins.Find("yaml.unmarshal");
    if (wanted && yaml != nullptr) ReadAnnotations(program.modules.back(), *yaml);
  }
  out->compiler = std::make_unique<Compiler>(program, out->builtins);
  TRY(out->compiler->Compile());
  return Result<std::unique_ptr<Loaded>>(std::move(out));
}

}  // namespace

Result<std::unique_ptr<Loaded>> Loaded::Make(const std::vector<Module>& modules,
                                             const Options& options) {
  std::size_t bytes = 0;
  for (const Module& module : modules)
    bytes += module.text.size();
  if (bytes > options.limits.policy_bytes) {
    return Error(Code::kResourceExhausted,
                 "policy: larger than " + std::to_string(options.limits.policy_bytes) + " bytes");
  }
  auto first = MakeAs(modules, options, options.dialect != Dialect::kV0);
  if (first || options.dialect != Dialect::kAuto) return first;
  auto second = MakeAs(modules, options, false);
  if (second || second.error().message() == first.error().message()) return second;
  return Error(first.error().code(),
               first.error().message() + "\nas Rego v0: " + second.error().message());
}

}  // namespace kata_cc::policy
