// SPDX-License-Identifier: Apache-2.0
// Loaded: modules parsed and compiled, with the builtins that they were compiled for.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/engine/compiler.h"
#include "policy/engine/engine.h"

namespace kata_cc::policy {

struct Loaded {
  BuiltinTable builtins;
  Program program;
  std::unique_ptr<Compiler> compiler;
  bool v1 = true;

  // By the dialect of the options. InvalidArgument with places; ResourceExhausted by size.
  static Result<std::unique_ptr<Loaded>> Make(const std::vector<Module>& modules,
                                              const Options& options);
};

}  // namespace kata_cc::policy
