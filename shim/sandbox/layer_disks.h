// SPDX-License-Identifier: Apache-2.0
// LayerDisks: the layer images that are attached to a sandbox's VM, each once, however many of its
// containers use it. Any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "shim/rootfs/layer_list.h"
#include "shim/sandbox/uvm.h"

namespace kata_cc::shim {

class LayerDisks {
 public:
  // Blocking. Counts a use of each layer, and attaches those that are new; none on failure.
  Result<void> Attach(Uvm& uvm, const std::vector<LayerFile>& layers);

  // Blocking. Ends the uses, and detaches what has no other. Errors are logged: a disk that the
  // guest does not let go stays attached until the VM's end.
  void Release(Uvm& uvm, const std::vector<LayerFile>& layers);

 private:
  void ReleaseOne(Uvm& uvm, const std::string& serial);

  // Held while the VM attaches: a second container that wants the same layer has to wait anyhow.
  std::mutex mutex_;
  std::map<std::string, int> uses_;  // Of what is attached, by serial.
};

}  // namespace kata_cc::shim
