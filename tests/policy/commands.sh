#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kata-ccctl rego as a process: commands.sh KATA_CCCTL. What it prints, and its exit codes.
set -euo pipefail
ctl=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "failed: $*" >&2; exit 1; }
# expect CODE TEXT COMMAND...: the exit code, and a text that is in the output.
expect() {
  local code=$1 text=$2 got=0 output
  shift 2
  output=$("$ctl" rego "$@" 2>&1) || got=$?
  [[ $got == "$code" ]] || fail "$* exits with $got, not $code: $output"
  [[ $output == *"$text"* ]] || fail "$* does not say '$text': $output"
}

cat >policy.rego <<'EOF'
package agent_policy

import rego.v1

policy_data := {"containers": [{"args": ["pause"]}, {"args": ["bash"]}]}

default CreateContainerRequest := false

CreateContainerRequest := {"allowed": true, "ops": ops} if {
	some i, container in policy_data.containers
	container.args == input.args
	not data.pstate[input.id]
	ops := [{"op": "add", "path": sprintf("/pstate/%s", [input.id]), "value": i}]
}

ExecProcessRequest if data.pstate[input.id] == 1
EOF
cat >policy_test.rego <<'EOF'
package agent_policy_test

import rego.v1

test_denied if not data.agent_policy.ExecProcessRequest with input as {"id": "a"}
test_allowed if data.agent_policy.ExecProcessRequest with input as {"id": "a"} with data.pstate as {"a": 1}
EOF
cat >requests.jsonl <<'EOF'
{"kind":"CreateContainerRequest","request":{"id":"a","args":["bash"]},"allowed":true}
{"kind":"ExecProcessRequest","request":{"id":"a"},"allowed":true}
{"kind":"CreateContainerRequest","request":{"id":"b","args":["sh"]},"allowed":false}
EOF
cat >mutations.jsonl <<'EOF'
{"base":1,"kind":"ExecProcessRequest","patch":[{"op":"replace","path":"/id","value":"b"}],"allowed":false}
EOF
echo '{"id":"a","args":["sh"]}' >input.json

expect 0 '"value": true' eval -p policy.rego -i input.json 'input.args[0] == "sh"'
expect 0 '{}' eval 'input.x'
expect 1 '{}' eval --fail 'input.x'
expect 2 'query:1:1: var x is unsafe' eval 'x > 1'
expect 2 'cannot be read' eval -p none.rego 'true'
expect 2 'divide by zero' eval --strict '1 / 0'
expect 0 '4 passed, 0 failed' replay .
sed 's/"bash"/"zsh"/' requests.jsonl >changed.jsonl
mkdir changed && cp policy.rego changed/ && cp changed.jsonl changed/requests.jsonl
expect 1 '1 passed, 2 failed' replay changed
expect 2 'requests.jsonl: cannot be read' replay /nonexistent
expect 0 'no findings' check policy.rego
sed 's/ExecProcessRequest/ExecProcesRequest/' policy.rego >typo.rego
expect 1 'did you mean ExecProcessRequest?' check typo.rego
cat >findings.rego <<'EOF'
package agent_policy

import rego.v1

default CopyFileRequest := false

CopyFileRequest if true

ExecProcessRequest if {
	input.a == 1
	input.a == 2
}

ExecProcessRequest if 1 == 2

level("a") := 1

level("b") := 2

level("a") := 3

level("b") := 2

StatsContainerRequest := level(input.x)

CloseStdinRequest := true

else := false if input.x

ReadStreamRequest if regex.match("(", input.x)

helper if input.x
EOF
findings=$("$ctl" rego check findings.rego 2>&1) && fail "check finds nothing"
while IFS='|' read -r place text; do
  grep -qF "findings.rego:$place: $text" <<<"$findings" || fail "check does not say $place $text: $findings"
done <<'EOF'
5:1|the default of data.agent_policy.CopyFileRequest is never used: a definition always holds
9:1|this body of data.agent_policy.ExecProcessRequest never holds: input.a cannot be both 1 and 2
14:1|this body of data.agent_policy.ExecProcessRequest never holds: line 14 is always false
20:1|data.agent_policy.level always conflicts with its definition at line 16
22:1|data.agent_policy.level repeats its definition at line 18
28:1|else is never reached: what is before it always holds
30:22|regex.match can match nothing: error parsing regexp: missing closing )
32:1|helper is used by no rule that the agent asks
EOF
[[ $(wc -l <<<"$findings") == 8 ]] || fail "check finds more: $findings"
expect 2 'm.rego: cannot be read' check m.rego
sed 's/not data/no data/' policy.rego >bad.rego
expect 2 'bad.rego:12:' check bad.rego

expect 0 '2 passed, 0 failed' test policy.rego policy_test.rego
# No test asks for CreateContainerRequest, which alone looks at policy_data.
expect 0 'policy.rego: 1 of 7 lines, not 5 9 10 11 12 13' test --coverage policy.rego policy_test.rego
expect 0 'policy_test.rego: 2 of 2 lines' test --coverage policy.rego policy_test.rego
cat >data_test.rego <<'EOF'
package agent_policy_test

import rego.v1

test_bash if {
	data.agent_policy.CreateContainerRequest.allowed with input as {"id": "b", "args": ["bash"]}
		with data.pstate as {}
}
EOF
expect 0 'policy.rego: 6 of 7 lines, not 16' test --coverage policy.rego data_test.rego
printf 'package t\nx := 1\n' >none.rego
expect 1 '0 passed, 0 failed' test none.rego
expect 2 'cannot be read' test gone.rego
sed -i 's/"a": 1/"a": 2/' policy_test.rego
expect 1 'failed data.agent_policy_test.test_allowed' test policy.rego policy_test.rego
expect 1 'container.args == input.args failed: ["bash"] != ["sh"]' \
  explain -p policy.rego --requests requests.jsonl --line 3
expect 0 'allows it' explain -p policy.rego --requests requests.jsonl --line 2
expect 1 'policy_data.containers[1]' explain -p policy.rego -i input.json CreateContainerRequest
expect 2 'has 3 lines' explain -p policy.rego --requests requests.jsonl --line 9
mkdir empty
expect 2 'no case files' conformance empty
mkdir cases && cat >cases/a.json <<'EOF'
{"category":"a","cases":[
 {"id":"a#0","query":"data.t.p = x","modules":["package t\np := 1"],"want_result":[{"x":1}]},
 {"id":"a#1","query":"data.t.p = x","modules":["package t\np := 1"],"want_result":[{"x":2}]},
 {"id":"a#2","query":"data.t.p = x","modules":["package t\np := http.send({})"],"want_result":[]}]}
EOF
expect 1 '1 passed, 1 failed' conformance cases
echo "kata-ccctl rego: all as expected"
