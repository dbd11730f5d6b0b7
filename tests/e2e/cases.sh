# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by end-to-end tests after stack.sh: runs the functions given to run_cases, each in a
# subshell with `set -e`, prints one line a case and, for a failed one, what it said and the ends
# of the logs. The last line is `N passed, N failed`; the exit code is 1 if any failed.

expect() {  # expect WHAT ACTUAL PATTERN: a glob pattern
  # shellcheck disable=SC2053 # the right side is a pattern
  [[ $2 == $3 ]] || { printf '%s: got "%s", expected "%s"\n' "$1" "$2" "$3" >&2; return 1; }
}

must_fail() {  # must_fail COMMAND...
  if "$@"; then echo "succeeded, though it must not: $*" >&2; return 1; fi
}

show_logs() {
  local log
  tail -n 40 "$STACK/containerd/containerd.log" >&2
  for log in "$STACK"/libvirt/log/*.log; do
    if [[ -s $log ]]; then echo "--- $log" >&2; tail -n 15 "$log" >&2; fi
  done
  return 0
}

run_cases() {
  local name output=$STACK/case.out passed=0 failed=0 began took status
  for name in "$@"; do
    began=$(date +%s%N)
    # Not `if (...)`: bash ignores set -e in a condition.
    set +e
    (set -e; "$name") >"$output" 2>&1 </dev/null
    status=$?
    set -e
    took=$((($(date +%s%N) - began) / 1000000))
    if [[ $status -eq 0 ]]; then
      passed=$((passed + 1))
      printf 'ok      %-50s %6d ms\n' "$name" "$took"
    else
      failed=$((failed + 1))
      printf 'FAILED  %-50s %6d ms\n' "$name" "$took"
      sed 's/^/        /' "$output"
      show_logs
    fi
  done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [[ $failed -eq 0 ]]
}
