// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox/layer_disks.h"

#include "base/log.h"
#include "shim/guest/rootfs_storages.h"

namespace kata_cc::shim {

Result<void> LayerDisks::Attach(Uvm& uvm, const std::vector<LayerFile>& layers) {
  const std::lock_guard lock(mutex_);
  std::size_t done = 0;
  for (; done < layers.size(); ++done) {
    const std::string serial = LayerSerial(layers[done].root_hash);
    if (const auto attached = uses_.find(serial); attached != uses_.end()) {
      ++attached->second;
      continue;
    }
    const auto attached = uvm.AttachDisk({.id = serial, .path = layers[done].path});
    if (attached) {
      uses_[serial] = 1;
      continue;
    }
    for (std::size_t i = 0; i < done; ++i)
      ReleaseOne(uvm, LayerSerial(layers[i].root_hash));
    return Error(attached.error()).With("attach layer " + layers[done].path);
  }
  return {};
}

void LayerDisks::Release(Uvm& uvm, const std::vector<LayerFile>& layers) {
  const std::lock_guard lock(mutex_);
  for (const LayerFile& layer : layers)
    ReleaseOne(uvm, LayerSerial(layer.root_hash));
}

void LayerDisks::ReleaseOne(Uvm& uvm, const std::string& serial) {
  const auto found = uses_.find(serial);
  if (found == uses_.end() || --found->second > 0) return;
  if (auto detached = uvm.DetachDisk(serial); !detached) {
    Log(LogLevel::kWarn, "layer stays attached", {{field::kError, detached.error().message()}});
    return;  // Its next use finds it there.
  }
  uses_.erase(found);
}

}  // namespace kata_cc::shim
