#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The example of docs/policy-engine.md is the one that example_test.cc compiles and runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
document=$(awk '/^```cpp/ { inside = 1; next } /^```/ { inside = 0 } inside' docs/policy-engine.md)
[[ -n $document ]] || { echo "docs/policy-engine.md has no example" >&2; exit 1; }
diff <(awk '/^\/\/ \[example\]/ { inside = !inside; next } inside' policy/engine/example_test.cc) <(echo "$document")
