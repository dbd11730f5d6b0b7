#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of the guest's kernel: the one that Debian's linux-image-6.12-cloud-amd64 needs,
# whatever other kernels are in /boot.
set -euo pipefail
package=linux-image-6.12-cloud-amd64

die() { echo "guest-kernel.sh: $*" >&2; exit 1; }

# No pipes into head or grep -m: with pipefail, a writer that is cut off is a failure by chance.
depends=$(dpkg-query -W -f '${Depends}' "$package" 2>/dev/null) || die "$package: not installed"
[[ $depends =~ linux-image-(6\.12[^ ,]*) ]] || die "$package: depends on no kernel: $depends"
kernel=/boot/vmlinuz-${BASH_REMATCH[1]}
[[ -r $kernel ]] || die "$kernel: missing, though $package is installed"
[[ -d /lib/modules/${BASH_REMATCH[1]} ]] || die "/lib/modules/${BASH_REMATCH[1]}: missing"
echo "$kernel"
