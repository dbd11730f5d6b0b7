// SPDX-License-Identifier: Apache-2.0
// The storages of CreateContainer that make a container's root file system (docs/layers.md).
#pragma once

#include <string>
#include <vector>

#include "proto/agent.pb.h"
#include "shim/rootfs/layer_list.h"

namespace kata_cc::shim {

// The serial of a layer's disk, by which the guest looks for it.
std::string LayerSerial(const verity::Digest& root_hash);

// The serial of the encrypted disk of a container's writable layer.
std::string ScratchSerial(const std::string& container_id);

// Verified layers, top first, under an overlay.
void AddLayerStorages(const std::vector<LayerFile>& layers, const std::string& container_id,
                      grpc::CreateContainerRequest* request);

// Puts the disk of the writable layer before the overlay, which is the last so far.
void AddScratchStorage(const std::string& container_id, grpc::CreateContainerRequest* request);

// One file system that nothing vouches for, for sandboxes that are not confidential.
void AddImageStorages(const std::string& source, const std::string& container_id,
                      grpc::CreateContainerRequest* request);

}  // namespace kata_cc::shim
