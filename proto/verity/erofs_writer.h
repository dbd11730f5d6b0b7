// SPDX-License-Identifier: Apache-2.0
// Lays a LayerTree out as an uncompressed EROFS file system (linux/fs/erofs/erofs_fs.h): block 0
// the superblock, then file data, directory data, inodes. Order, numbers and times follow from the
// tree alone, so equal trees give equal bytes.
#pragma once

#include "base/result.h"
#include "proto/verity/data_store.h"
#include "proto/verity/layer_tree.h"

namespace kata_cc::verity {

// The data of all files is in store. Leaves store ready to be sealed.
Result<void> WriteErofs(LayerTree& tree, DataStore& store);

}  // namespace kata_cc::verity
