#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Recorded requests of real policies: replay.sh KATA_CCCTL FOLDER, the folder of kata-recorded,
# kata-main and static. Exit code 0 when every answer is the recorded one.
set -euo pipefail
ctl=$1
folder=$2

"$ctl" rego replay "$folder"/kata-recorded/*/
mapfile -t cases < <(find "$folder/kata-main/cases" -name requests.jsonl -printf '%h\n' | sort)
"$ctl" rego replay --rules "$folder/kata-main/rules.rego" "${cases[@]}"
# The small ones load either way.
for policy in "$folder"/static/*.rego; do
  for dialect in --v0 --v1; do
    "$ctl" rego eval "$dialect" --policy "$policy" 'data.agent_policy' >/dev/null
  done
done
