// SPDX-License-Identifier: Apache-2.0
// Reads a layer's tar entry by entry, through libarchive, into a LayerTree and a DataStore.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "proto/verity/data_store.h"
#include "proto/verity/layer_tree.h"
#include "proto/verity/tar_stream.h"

namespace kata_cc::verity {

struct Limits {
  uint64_t tar_bytes = uint64_t{256} << 30;
  uint64_t file_bytes = uint64_t{1} << 40;  // Of one file, holes included.
  uint64_t entries = 4'000'000;             // Nodes, implied directories included.
  uint64_t xattr_bytes = 65536;             // Of all attributes of one entry.
};

// Fails on the first entry that breaks a limit, leads out of the layer or cannot be represented.
Result<void> ReadTar(TarStream& stream, const Limits& limits, LayerTree& tree, DataStore& store);

}  // namespace kata_cc::verity
