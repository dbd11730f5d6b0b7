#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails when a file includes across a boundary that docs/layout.md does not allow.
set -euo pipefail
cd "$(git rev-parse --show-toplevel 2>/dev/null || pwd)"

# folder  what it may include of ours (a regular expression on the include path)
rules=(
  'base             ^base/'
  'proto/ttrpc      ^(base|proto/ttrpc)/'
  'proto/oci        ^(base/|proto/oci/|proto/oci\.pb\.h$)'
  'proto/cose       ^(base|proto/cose)/'
  'proto/snp        ^(base|proto/snp)/'
  'policy/engine    ^(policy/engine/|base/result\.h$)'
  'policy/crypto    ^(policy/(engine|crypto)/|base/result\.h$)'
  'policy/yaml      ^(policy/(engine|yaml)/|base/result\.h$)'
  'proto/verity     ^(base|proto/verity)/'
  'policy/genpolicy ^(policy|base|proto/oci|proto/verity)/'
  'shim             ^(shim|proto|base)/'
  'agent            ^(agent|proto|base|policy/engine)/'
  'guest-image      ^(guest-image|proto/snp|base)/'
  'shim/sim         ^(shim/sim|proto/snp|guest-image/measure|base)/'
  'shim/vm          ^(shim|proto|guest-image/measure|base)/'
  'shim/ctl         ^(shim|proto|base|policy|guest-image/measure)/'
)
status=0
for rule in "${rules[@]}"; do
  read -r folder allowed <<<"$rule"
  [[ -d $folder ]] || continue
  while IFS=: read -r file line text; do
    path=${text#*\"} path=${path%%\"*}
    [[ $path =~ $allowed ]] && continue
    [[ $folder == shim && ($file == shim/ctl/* || $file == shim/sim/* || $file == shim/vm/*) ]] && continue  # They have rules of their own.
    echo "$file:$line: $folder may not include $path" >&2
    status=1
  done < <(grep -rnE '^#include "' --include='*.h' --include='*.cc' "$folder" || true)
done
# The engine stands on the standard library, nlohmann-json and RE2 alone.
if grep -rnE '^#include <[^>]*[/.][^>]*>' --include='*.h' --include='*.cc' policy/engine |
  grep -vE '<(nlohmann/json\.hpp|re2/re2\.h|sys/random\.h)>|_test\.cc:.*<gtest/gtest\.h>|/testing\.h:.*<gtest/gtest\.h>' >&2; then
  echo "policy/engine may include no other library" >&2
  status=1
fi
exit "$status"
