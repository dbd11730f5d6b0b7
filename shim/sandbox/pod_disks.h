// SPDX-License-Identifier: Apache-2.0
// PodDisks: what is attached to a sandbox's VM, each disk once, however many of its containers use
// it. Any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "shim/sandbox/uvm.h"

namespace kata_cc::shim {

class PodDisks {
 public:
  // Blocking. Counts a use of each disk, by id, and attaches those that are new; none on failure.
  Result<void> Attach(Uvm& uvm, const std::vector<VmDisk>& disks);

  // Blocking. Ends the uses, and detaches what has no other. Errors are logged: a disk that the
  // guest does not let go stays attached until the VM's end.
  void Release(Uvm& uvm, const std::vector<VmDisk>& disks);

 private:
  void ReleaseOne(Uvm& uvm, const VmDisk& disk);

  // Held while the VM attaches: a second container that wants the same disk has to wait anyhow.
  std::mutex mutex_;
  std::map<std::string, int> uses_;  // Of what is attached, by id.
};

// An empty disk for the guest to encrypt: a sparse file. One that is there already stays as it is.
Result<void> MakeEmptyDisk(const std::string& path, std::uint64_t size_bytes);

}  // namespace kata_cc::shim
