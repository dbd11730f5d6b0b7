// SPDX-License-Identifier: Apache-2.0
// A layer's tar, compressed or not, turned into its verified image: [EROFS][dm-verity tree]
// [trailer]. The image depends on what the tar describes only: not on the order of its entries,
// its format, its compression, the machine or a library's version. One call uses two threads.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "proto/verity/geometry.h"
#include "proto/verity/tar_reader.h"
#include "proto/verity/tar_stream.h"

namespace kata_cc::verity {

struct LayerImage {
  std::string diff_id;  // SHA-256 of the tar, in hex.
  Digest root_hash{};
  Geometry geometry;
  uint64_t tar_bytes = 0;
  uint64_t entries = 0;
};

struct LayerOptions {
  Limits limits;
  std::string scratch_directory = "/tmp";       // For temporary files without a name.
  std::optional<std::string> expected_diff_id;  // Fails when the tar is another one.
};

// Writes the image to path: complete and on disk, or not at all. An older file is replaced.
Result<LayerImage> WriteLayerImage(const ReadBytes& read, const std::string& path,
                                   const LayerOptions& options);

// The same numbers without an image; needs no disk space but for the ends of files.
Result<LayerImage> HashLayer(const ReadBytes& read, const LayerOptions& options);

// A reader of an open file from its current place. The descriptor must outlive it.
ReadBytes ReadFrom(int fd);

// Reads geometry and root hash of an image on a host's disk, and checks its size.
Result<TrailerFields> ReadTrailer(const std::string& path);

}  // namespace kata_cc::verity
