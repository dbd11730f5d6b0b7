// SPDX-License-Identifier: Apache-2.0
// The files of an initrd, read as strictly as an audit needs: the kernel unpacks archive after
// archive and frame after frame, so anything that this list would not show is refused.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::ctl {

struct InitrdFile {
  std::string sha256;
  std::uint64_t size = 0;
};

// One cpio archive (newc), plain or in one legacy lz4 frame: its regular files by path, directories
// left out. kInvalidArgument for any other kind of entry, hard links, owners other than root,
// set-user-ID bits, a path twice or out of the root, and anything after the archive but zeros.
Result<std::map<std::string, InitrdFile>> ReadInitrd(ByteView initrd);

}  // namespace kata_cc::ctl
