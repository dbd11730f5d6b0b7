// SPDX-License-Identifier: Apache-2.0
// JSON Patch (RFC 6902) on a value. What a patch does not touch is shared, not copied.
#pragma once

#include "base/result.h"
#include "policy/engine/value.h"

namespace kata_cc::policy {

// The document after all operations, or InvalidArgument/NotFound of the first that fails. Each
// costs the sizes of the objects and arrays on its path.
Result<Value> ApplyPatch(Value document, const Value& operations);

}  // namespace kata_cc::policy
