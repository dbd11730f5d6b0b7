#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes a docker-archive with one busybox image, made from Debian's busybox-static:
# busybox-image.sh OUTPUT.tar. Import it with `ctr images import`; its name is
# docker.io/library/kata-cc-busybox:1. The same busybox gives the same bytes.
set -euo pipefail
[[ $# -eq 1 ]] || { echo "usage: busybox-image.sh OUTPUT.tar" >&2; exit 2; }
output=$(realpath -m "$1")
[[ -x /bin/busybox ]] || { echo "busybox-image.sh: /bin/busybox: install busybox-static" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp,root,var/log}
chmod 1777 "$root/tmp"
cp /bin/busybox "$root/bin/busybox"
while read -r applet; do
  [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
done < <(busybox --list)
# The pod's first process: sleeps until it is told to end, as Kubernetes' pause does.
cat >"$root/pause" <<'SCRIPT'
#!/bin/sh
trap 'exit 0' TERM INT
while :; do sleep 3600 & wait $!; done
SCRIPT
chmod 755 "$root/pause"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'app:x:1000:1000:app:/root:/bin/sh' >>"$root/etc/passwd"
printf 'root:x:0:\napp:x:1000:\n' >"$root/etc/group"

pack() {  # pack DIRECTORY TAR: the same bytes for the same files.
  tar --create --file "$2" --directory "$1" --sort=name --mtime=@0 --owner=0 --group=0 \
    --numeric-owner --format=gnu .
}
digest() { sha256sum "$1" | cut -d' ' -f1; }

archive=$work/archive
mkdir "$archive"
pack "$root" "$work/layer.tar"
layer=$(digest "$work/layer.tar")
mv "$work/layer.tar" "$archive/$layer.tar"
cat >"$work/config.json" <<JSON
{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z",
"config":{"Env":["PATH=/bin"],"Cmd":["sh"],"WorkingDir":"/"},
"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},
"history":[{"created":"1970-01-01T00:00:00Z","created_by":"kata-cc tests"}]}
JSON
config=$(digest "$work/config.json")
mv "$work/config.json" "$archive/$config.json"
cat >"$archive/manifest.json" <<JSON
[{"Config":"$config.json","RepoTags":["docker.io/library/kata-cc-busybox:1"],"Layers":["$layer.tar"]}]
JSON
pack "$archive" "$output"
