#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# snapshotter_test.sh BUILD_DIR: kata-cc-snapshotter under a real containerd and, on the host, runc:
# import, pull, late unpacking, users, crashes, collection. Needs root; no VM.
set -euo pipefail
build=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
program=$build/shim/snapshotter/kata-cc-snapshotter
ctl=$build/shim/ctl/kata-ccctl
# Another containerd than the machine's, with its ctr beside it.
[[ ! ${KATA_CC_CONTAINERD:-} ]] || PATH=$(dirname "$KATA_CC_CONTAINERD"):$PATH
for tool in containerd ctr docker-registry jq runc; do
  command -v "$tool" >/dev/null || { echo "no $tool: run tests/setup/packages.sh vm peers" >&2; exit 1; }
done
STACK=$(mktemp -d /tmp/kata-cc-snapshotter.XXXXXX)
# shellcheck source=tests/e2e/cases.sh
. "$here/cases.sh"
# shellcheck source=tests/e2e/describe.sh
. "$here/describe.sh"
registry_port=$((20000 + $$ % 20000))
image=docker.io/library/kata-cc-layers:1
pulled=localhost:$registry_port/kata-cc-layers:1

start_snapshotter() {
  "$program" --root "$STACK/root" --socket "$STACK/snapshotter.sock" \
    --containerd "$STACK/containerd/containerd.sock" </dev/null >>"$STACK/snapshotter.log" 2>&1 &
  echo $! >"$STACK/snapshotter.pid"
  local i
  for ((i = 0; i < 100; i++)); do
    # containerd looks for a plugin that was gone only every few seconds.
    [[ -S $STACK/snapshotter.sock ]] && { [[ ! -S $STACK/containerd/containerd.sock ]] ||
      c -n up snapshots --snapshotter kata-cc prepare up >/dev/null 2>&1; } && break
    sleep 0.1
  done
  [[ ! -S $STACK/containerd/containerd.sock ]] ||
    c -n up snapshots --snapshotter kata-cc rm up && return
  echo "the snapshotter did not start:" >&2
  tail "$STACK/snapshotter.log" >&2
  return 1
}
stop_snapshotter() {  # stop_snapshotter [SIGNAL]
  local pid
  pid=$(cat "$STACK/snapshotter.pid")
  kill "-${1:-TERM}" "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  rm -f "$STACK/snapshotter.sock"
}
cleanup() {
  "$repository/tests/setup/containerd.sh" stop "$STACK/containerd" || true
  stop_snapshotter KILL || true
  [[ -f $STACK/registry.pid ]] && kill "$(cat "$STACK/registry.pid")" 2>/dev/null
  awk -v dir="$STACK/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
    while read -r mount; do umount -l "$mount"; done
  [[ ${KATA_CC_KEEP:-} ]] || rm -rf "$STACK"
}
trap cleanup EXIT

c() { ctr --address "$STACK/containerd/containerd.sock" "$@"; }

# An image of four layers: busybox, whiteouts and an opaque directory over it, directories that no
# entry describes, and one layer again.
make_image() {
  local work=$STACK/make layer n=0 ids=() names=()
  mkdir -p "$work/archive"
  "$here/../setup/busybox-image.sh" "$work/busybox.tar"
  mkdir "$work/base" && tar -xf "$work/busybox.tar" -C "$work/base"
  cp "$work/base/$(jq -r '.[0].Layers[0]' "$work/base/manifest.json")" "$work/0.tar"
  mkdir -p "$work/1/etc" "$work/1/var/log" "$work/1/data"
  echo one >"$work/1/data/file"
  touch "$work/1/etc/.wh.group" "$work/1/var/log/.wh..wh..opq"
  tar -C "$work/1" --sort=name --mtime=@1700000000 --owner=0 --group=0 -cf "$work/1.tar" .
  mkdir -p "$work/2/var/lib/deep/down"
  echo two >"$work/2/var/lib/deep/down/file"
  tar -C "$work/2" --mtime=@1700000001 --owner=7 --group=7 -cf "$work/2.tar" var/lib/deep/down/file
  cp "$work/1.tar" "$work/3.tar"
  for layer in 0 1 2 3; do
    ids+=("sha256:$(sha256sum "$work/$layer.tar" | cut -d' ' -f1)")
    cp "$work/$layer.tar" "$work/archive/$n.tar"
    names+=("$n.tar")
    n=$((n + 1))
  done
  jq -n '{architecture: "amd64", os: "linux", config: {Env: ["PATH=/bin"], Cmd: ["sh"], User: "app",
    Volumes: {"/data": {}}}, rootfs: {type: "layers", diff_ids: $ARGS.positional}}' \
    --args "${ids[@]}" >"$work/archive/config.json"
  jq -n '[{Config: "config.json", RepoTags: [$tag], Layers: $ARGS.positional}]' --arg tag "$image" \
    --args "${names[@]}" >"$work/archive/manifest.json"
  tar -C "$work/archive" -cf "$STACK/image.tar" .
  "$ctl" layer hash --json "$STACK/image.tar" | jq -r '.[].root_hash' >"$STACK/expected"
}

# Root hashes that the shim would find for a container's snapshot, base first.
hashes_of() {  # hashes_of NAMESPACE KEY
  local source
  source=$(c -n "$1" snapshots --snapshotter kata-cc mounts "$STACK/none" "$2" |
    grep -o 'kata-cc-layers:[^ ,]*' | sed 's/^kata-cc-layers://')
  expect "the list's problem" "$(jq -r .problem "$source")" ""
  jq -r '.layers[].root_hash' "$source" | tac
}
# The last of equal layers stays.
expected_hashes() { tac "$STACK/expected" | awk '!seen[$0]++' | tac; }

container_hashes() {  # container_hashes NAMESPACE IMAGE
  local key=probe-$RANDOM
  c -n "$1" snapshots --snapshotter kata-cc prepare "$key" "$(chain_of "$1" "$2")" >/dev/null
  hashes_of "$1" "$key"
  c -n "$1" snapshots --snapshotter kata-cc rm "$key"
}
chain_of() {  # the top chain id: the same for every namespace
  local chain='' id
  for id in $(jq -r '.rootfs.diff_ids[]' "$STACK/make/archive/config.json"); do
    if [[ $chain ]]; then
      chain=sha256:$(printf '%s %s' "$chain" "$id" | sha256sum | cut -d' ' -f1)
    else
      chain=$id
    fi
  done
  echo "$chain"
}

an_import_gives_the_hashes_of_kata_ccctl() {
  c -n import images import --snapshotter kata-cc "$STACK/image.tar" >/dev/null
  expect "root hashes" "$(container_hashes import "$image")" "$(expected_hashes)"
}

a_pull_gives_the_same_hashes() {
  docker-registry serve "$STACK/registry.yml" </dev/null >"$STACK/registry.log" 2>&1 &
  echo $! >"$STACK/registry.pid"
  wait_for_port
  c -n push images import --no-unpack "$STACK/image.tar" >/dev/null 2>&1 ||
    c -n push images import "$STACK/image.tar" >/dev/null
  c -n push images tag "$image" "$pulled" >/dev/null
  c -n push images push --plain-http "$pulled" >/dev/null
  rm -rf "$STACK/root/layers.before" && ls "$STACK/root/layers" >"$STACK/layers.before"
  c -n pull images pull --plain-http --snapshotter kata-cc "$pulled" >/dev/null
  expect "root hashes" "$(container_hashes pull "$pulled")" "$(expected_hashes)"
  # Shared with the other namespace.
  expect "images" "$(ls "$STACK/root/layers")" "$(cat "$STACK/layers.before")"
}
wait_for_port() {
  local i
  for ((i = 0; i < 100; i++)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$registry_port") 2>/dev/null && return
    sleep 0.1
  done
  return 1
}

late_unpacking_gives_the_same_hashes() {
  c -n late images pull --plain-http --snapshotter native "$pulled" >/dev/null
  c -n late run --rm --snapshotter kata-cc "$pulled" late-1 /bin/true
  expect "root hashes" "$(container_hashes late "$pulled")" "$(expected_hashes)"
}

runc_runs_on_it_with_users_and_whiteouts() {
  # The sleep: ctr may miss the output of a process that ends at once.
  expect "a user by name" "$(c -n import run --rm --snapshotter kata-cc "$image" user \
    sh -c 'id -u; sleep 0.3')" 1000
  # containerd 1.6 has no such option.
  if ctr run --help | grep -q -- '--user'; then
    expect "a user of ctr run" "$(c -n import run --rm --snapshotter kata-cc --user app "$image" user-u \
      sh -c 'id -u; sleep 0.3')" 1000
  fi
  expect "a whiteout" "$(c -n import run --rm --snapshotter kata-cc "$image" gone \
    sh -c '[ -e /etc/group ] || echo gone; sleep 0.3')" gone
  expect "an upper file" "$(c -n import run --rm --snapshotter kata-cc "$image" file \
    sh -c 'cat /var/lib/deep/down/file; sleep 0.3')" two
}

kata_ccctl_reads_exports_and_layouts() {
  local work=$STACK/export
  mkdir "$work"
  c -n import images export "$work/export.tar" "$image"
  expect "root hashes of an export" "$("$ctl" layer hash --json "$work/export.tar" | jq -r '.[].root_hash')" \
    "$(<"$STACK/expected")"
  mkdir "$work/layout"
  tar -C "$work/layout" -xf "$work/export.tar"
  rm -f "$work/layout/manifest.json" # Docker's.
  expect "root hashes of an OCI layout" "$("$ctl" layer hash --json "$work/layout" | jq -r '.[].root_hash')" \
    "$(<"$STACK/expected")"
}

# A layer of all that is odd, on another: what containerd unpacked beside what the image shows.
make_odd_layer() {
  local work=$STACK/odd
  mkdir -p "$work/base/gone" "$work/base/opaque" "$work/tree/opaque" "$work/tree/usr/bin" "$work/archive"
  touch "$work/base/gone/file" "$work/base/opaque/lower" "$work/base/kept"
  tar -C "$work/base" --format=pax -cf "$work/archive/0.tar" .
  cd "$work/tree"
  head -c 300000 /dev/urandom >usr/bin/tool
  chmod 4755 usr/bin/tool
  ln usr/bin/tool usr/bin/tool-again
  ln -s ../usr/bin/tool usr/link
  cp usr/bin/tool usr/bin/capable && setcap cap_net_raw+ep usr/bin/capable # With a link containerd loses it.
  setfattr -n user.note -v hello usr
  echo text >"$(printf 'n%.0s' {1..255})"
  mkdir -p "deep/$(printf 'd%.0s' {1..200})/$(printf 'e%.0s' {1..200})"
  chown 70000:4000000000 n* && chown -h 123456:70007 usr/link
  touch -d '2001-02-03 04:05:06.123456789' n* && touch -h -d '2001-02-03 04:05:06.987654321' usr/link
  touch -d '2150-01-01' deep
  mknod dev-c c 1 3 && mknod dev-b b 259 70000 && mkfifo pipe
  truncate -s 20M sparse && printf middle | dd of=sparse bs=1 seek=5000000 conv=notrunc status=none
  touch .wh.gone opaque/.wh..wh..opq opaque/upper
  tar --xattrs --xattrs-include='*' --format=pax --sparse -cf "$work/archive/1.tar" .
  # Entries for the second time: another file, another kind, other attributes, a link to what is new.
  python3 - "$work/archive/1.tar" <<'PY'
import io, sys, tarfile
def entry(name, kind=tarfile.REGTYPE, data=b"", **attributes):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mtime = kind, len(data), 1234567890.25
    for key, value in attributes.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(data))
with tarfile.open(sys.argv[1], "a", format=tarfile.PAX_FORMAT) as archive:
    for data in (b"first", b"second, and longer", b"third"):
        entry("twice", data=data, mode=0o600)
    entry("was-a-file", data=b"gone"); entry("was-a-file", tarfile.DIRTYPE, mode=0o711)
    entry("was-a-file/inside", data=b"inside")
    entry("was-a-link", tarfile.SYMTYPE, linkname="usr"); entry("was-a-link", data=b"a file")
    entry("usr/bin", tarfile.DIRTYPE, mode=0o1775, uid=9, gid=10)
    entry("first", data=b"one", mode=0o644); entry("second", tarfile.LNKTYPE, linkname="first")
    entry("first", data=b"replaced", mode=0o640)
    entry("to-usr", tarfile.SYMTYPE, linkname="usr"); entry("to-usr/through", data=b"a parent that is a link")
PY
}

the_image_is_what_containerd_unpacked() {
  local work=$STACK/odd record id
  (make_odd_layer)
  jq -n '{architecture: "amd64", os: "linux", config: {}, rootfs: {type: "layers", diff_ids: $ARGS.positional}}' --args \
    "sha256:$(sha256sum "$work/archive/0.tar" | cut -d' ' -f1)" "sha256:$(sha256sum "$work/archive/1.tar" | cut -d' ' -f1)" \
    >"$work/archive/config.json"
  echo '[{"Config": "config.json", "RepoTags": ["docker.io/library/odd:1"], "Layers": ["0.tar", "1.tar"]}]' \
    >"$work/archive/manifest.json"
  tar -C "$work/archive" -cf "$work/odd.tar" .
  c -n odd images import --snapshotter kata-cc "$work/odd.tar" >/dev/null
  id=$(jq -r '.rootfs.diff_ids[1]' "$work/archive/config.json" | cut -c8-)
  wait_until 20 test -e "$STACK/root/layers/$id.img"
  record=$(grep -l "$id" "$STACK"/root/records/*.json)
  describe "$STACK/root/snapshots/$(basename "$record" .json)/fs" >"$work/containerd"
  mkdir "$work/mnt"
  mount -o loop,ro -t erofs "$STACK/root/layers/$id.img" "$work/mnt"
  describe "$work/mnt" >"$work/image"
  umount "$work/mnt"
  grep -q '^twice|f|600' "$work/image"
  grep -q '^security.capability=' "$work/image"
  sed -i 's/^\(gone|c|.*|\)[0-9.]*$/\1/' "$work/containerd" "$work/image" # A whiteout's time is nobody's.
  diff -u "$work/containerd" "$work/image"
}
wait_until() {
  local i
  for ((i = 0; i < $1 * 10; i++)); do
    "${@:2}" && return
    sleep 0.1
  done
  return 1
}

an_export_of_what_a_container_wrote_works() {
  c -n import run --snapshotter kata-cc "$image" writer sh -c 'echo new >/tmp/new'
  c -n import snapshots --snapshotter kata-cc diff writer | tar -tz | grep -qx tmp/new
  c -n import containers rm writer
}

# Killed at any time during an import, the next start works and ends with the right hashes.
kills_during_an_import_leave_no_half_layer() {
  local i
  for i in 1 2 3 4 5 6 7 8; do
    c -n "kill$i" images import --snapshotter kata-cc "$STACK/image.tar" >/dev/null 2>&1 &
    local import=$!
    sleep "0.0$((i * 3 % 10))$i"
    stop_snapshotter KILL
    wait "$import" || true
    start_snapshotter
    expect "half images" "$(find "$STACK/root/layers" -name '*.new-*')" ""
    c -n "kill$i" images import --snapshotter kata-cc "$STACK/image.tar" >/dev/null
    expect "root hashes" "$(container_hashes "kill$i" "$image")" "$(expected_hashes)"
  done
}

a_lost_or_cut_image_is_made_again() {
  rm "$STACK/root/layers/$(jq -r '.rootfs.diff_ids[0]' "$STACK/make/archive/config.json" | cut -c8-).img"
  truncate -s 8192 "$STACK/root/layers/$(jq -r '.rootfs.diff_ids[1]' "$STACK/make/archive/config.json" | cut -c8-).img"
  expect "root hashes" "$(container_hashes import "$image")" "$(expected_hashes)"
}

usage_and_listing_answer() {
  c -n import snapshots --snapshotter kata-cc usage | grep -q KiB
  expect "layers" "$(c -n import snapshots --snapshotter kata-cc ls | grep -c Committed)" 4
}

a_damaged_record_does_not_stop_the_rest() {
  local record
  c -n damage images import --snapshotter kata-cc "$STACK/image.tar" >/dev/null
  record=$(grep -l '"damage/' "$STACK"/root/records/*.json | head -n 1)
  stop_snapshotter
  echo '{' >"$record"
  start_snapshotter
  expect "root hashes" "$(container_hashes import "$image")" "$(expected_hashes)"
}

collection_removes_everything() {
  local namespace i
  for namespace in $(c namespaces ls -q); do
    c -n "$namespace" images ls -q | xargs -r ctr --address "$STACK/containerd/containerd.sock" -n "$namespace" images rm --sync >/dev/null
  done
  for ((i = 0; i < 100; i++)); do
    [[ -z $(find "$STACK/root/layers" "$STACK/root/records" -type f) ]] && return
    sleep 0.1
  done
  find "$STACK/root/layers" "$STACK/root/records" -type f >&2
  return 1
}

make_image
cat >"$STACK/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $STACK/registry}}
http: {addr: "127.0.0.1:$registry_port"}
YAML
start_snapshotter  # Before containerd.
CONTAINERD_EXTRA="
[proxy_plugins.kata-cc]
  type = \"snapshot\"
  address = \"$STACK/snapshotter.sock\"
" "$repository/tests/setup/containerd.sh" start "$STACK/containerd"
run_cases an_import_gives_the_hashes_of_kata_ccctl a_pull_gives_the_same_hashes \
  late_unpacking_gives_the_same_hashes runc_runs_on_it_with_users_and_whiteouts \
  kata_ccctl_reads_exports_and_layouts the_image_is_what_containerd_unpacked \
  an_export_of_what_a_container_wrote_works kills_during_an_import_leave_no_half_layer \
  a_lost_or_cut_image_is_made_again usage_and_listing_answer a_damaged_record_does_not_stop_the_rest \
  collection_removes_everything
