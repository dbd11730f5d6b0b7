// SPDX-License-Identifier: Apache-2.0
// Copies of host files into the guest by the agent's CopyFile, as Kata does for volumes when no
// file system is shared: regular files, directories and symbolic links; other kinds are skipped.
#pragma once

#include <functional>

#include "base/result.h"
#include "shim/guest/guest_spec.h"

namespace kata_cc::shim {

struct CopyLimits {
  std::size_t max_bytes = std::size_t{64} << 20;  // Of all files of one copy: it is guest memory.
  std::size_t max_entries = 4096;
  std::size_t chunk_bytes = std::size_t{1} << 20;  // Of one request; ttrpc takes 4 MiB.
};

// Blocking; send is called for each part, in order. NotFound when the host path is missing,
// ResourceExhausted above the limits.
Result<void> CopyToGuest(const GuestCopy& copy,
                         const std::function<Result<void>(const grpc::CopyFileRequest&)>& send,
                         CopyLimits limits = {});

}  // namespace kata_cc::shim
