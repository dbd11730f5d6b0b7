// SPDX-License-Identifier: Apache-2.0
// Verified layers in the guest: the request that the policy approved says root hash and size, the
// kernel checks each block against them. The form of the request: docs/layers.md.
#pragma once

#include <string>
#include <string_view>

#include "agent/storage/block_device.h"
#include "agent/storage/device_mapper.h"
#include "base/result.h"
#include "proto/agent.pb.h"
#include "proto/verity/geometry.h"

namespace kata_cc::agent {

struct LayerRequest {
  verity::Digest root_hash = {};
  verity::Geometry geometry;
};

// Whether the storage is in the form of a layer, be it a right one or not.
bool IsLayer(const grpc::Storage& storage);

// layers_dir: where all layers are mounted, each under its root hash. InvalidArgument unless it is
// exactly the form.
Result<LayerRequest> ParseLayer(const grpc::Storage& storage, std::string_view layers_dir);

// The kernel's table for it (dm-verity, version 1).
DmTable VerityTable(const LayerRequest& layer, const BlockDevice& device);

// A read-only device whose reads give the layer's bytes or an error. Nothing on the disk is
// believed: a disk that is too short, whose first block does not verify, or whose superblock
// disagrees with the geometry is InvalidArgument. Blocking.
Result<DmDevice> OpenLayer(const LayerRequest& layer, const BlockDevice& device);

}  // namespace kata_cc::agent
