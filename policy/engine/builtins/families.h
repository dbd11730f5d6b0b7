// SPDX-License-Identifier: Apache-2.0
// One function a family: its builtins, in static storage.
#pragma once

#include <span>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

std::span<const Builtin> OperatorBuiltins();  // Arithmetic, comparison, set operators, count.

}  // namespace kata_cc::policy
