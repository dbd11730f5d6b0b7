#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds containerd's snapshotter test suite from Debian's sources: build_go.sh OUTPUT. Without Go or
# the sources it fails, for what it is needed for would not be tested.
set -euo pipefail
output=$(realpath -m "$1")
cd "$(dirname "$0")/go"
command -v go >/dev/null || { echo "build_go.sh: no go: run tests/setup/packages.sh peers" >&2; exit 1; }
[[ -d /usr/share/gocode/src/github.com/containerd/containerd/snapshots/testsuite ]] ||
  { echo "build_go.sh: no golang-github-containerd-containerd-dev: run tests/setup/packages.sh peers" >&2; exit 1; }
mkdir -p "$(dirname "$output")"
echo "== building $output with $(go version); the first time takes some minutes" >&2
export GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' CGO_ENABLED=0 GOTOOLCHAIN=local
export GOCACHE=${GOCACHE:-$(dirname "$output")/gocache}
exec go test -c -o "$output" .
