// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox/pod_disks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {

Result<void> PodDisks::Attach(Uvm& uvm, const std::vector<VmDisk>& disks) {
  const std::lock_guard lock(mutex_);
  std::size_t done = 0;
  for (; done < disks.size(); ++done) {
    const VmDisk& disk = disks[done];
    if (const auto attached = uses_.find(disk.id); attached != uses_.end()) {
      ++attached->second;
      continue;
    }
    const auto attached = uvm.AttachDisk(disk);
    if (attached) {
      uses_[disk.id] = 1;
      continue;
    }
    for (std::size_t i = 0; i < done; ++i)
      ReleaseOne(uvm, disks[i]);
    uvm.Rest();
    return Error(attached.error()).With("attach " + disk.path);
  }
  uvm.Rest();
  return {};
}

void PodDisks::Release(Uvm& uvm, const std::vector<VmDisk>& disks) {
  const std::lock_guard lock(mutex_);
  for (const VmDisk& disk : disks)
    ReleaseOne(uvm, disk);
  uvm.Rest();
}

void PodDisks::ReleaseOne(Uvm& uvm, const VmDisk& disk) {
  const auto found = uses_.find(disk.id);
  if (found == uses_.end() || --found->second > 0) return;
  if (auto detached = uvm.DetachDisk(disk.id); !detached) {
    Log(LogLevel::kWarn, "disk stays attached", {{field::kError, detached.error().message()}});
    return;  // Its next use finds it there.
  }
  uses_.erase(found);
}

Result<void> MakeEmptyDisk(const std::string& path, std::uint64_t size_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return ErrnoError(errno, path);
  if (::lseek(file.get(), 0, SEEK_END) > 0) return {};
  if (::ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) return ErrnoError(errno, path);
  return {};
}

}  // namespace kata_cc::shim
