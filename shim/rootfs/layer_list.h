// SPDX-License-Identifier: Apache-2.0
// LayerList: how kata-cc-snapshotter tells the shim where a root file system's layer images are.
// The overlay mount that containerd passes on has `kata-cc-layers:FILE` for its source, which the
// kernel does not look at; FILE is this list. Both are of the host: what a layer holds is checked
// in the guest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/verity/geometry.h"

namespace kata_cc::shim {

inline constexpr std::string_view kLayerListSource = "kata-cc-layers:";

struct LayerFile {
  std::string path;
  verity::Digest root_hash{};
  verity::Geometry geometry;
};

struct LayerList {
  std::vector<LayerFile> layers;  // Top first; none twice.
  std::string problem;            // Why layers are missing; empty: all are there.
};

std::string EncodeLayerList(const LayerList& list);
Result<LayerList> ParseLayerList(std::string_view text);
Result<LayerList> ReadLayerList(const std::string& path);

// A layer that is listed twice stays at its uppermost place only (docs/layers.md).
void DropRepeatedLayers(std::vector<LayerFile>* layers);

}  // namespace kata_cc::shim
