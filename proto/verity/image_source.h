// SPDX-License-Identifier: Apache-2.0
// The layers of an image on disk: an OCI layout (directory or tar), an archive of `docker save`,
// or a layer's own tar. All of it is untrusted; sizes are limited, names are looked up, never
// opened as paths beyond the layout's directory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/verity/tar_stream.h"

namespace kata_cc::verity {

struct LayerSource {
  std::string diff_id;  // As the image's configuration says, in hex; empty for a lone layer.
  std::string name;     // The blob's digest or the archive member.
  uint64_t bytes = 0;   // As stored; 0 when not known.
};

class ImageSource {
 public:
  // Images other than for linux/amd64 in an index of several are passed over.
  static Result<ImageSource> Open(const std::string& path);

  const std::vector<LayerSource>& layers() const { return layers_; }  // Base first.

  // Calls use with a reader of the layer's bytes as stored.
  Result<void> ReadLayer(const LayerSource& layer,
                         const std::function<Result<void>(const ReadBytes&)>& use) const;

 private:
  enum class Kind { kLayer, kDirectory, kArchive };
  Result<std::string> ReadText(const std::string& member) const;
  Result<void> WithMember(const std::string& member,
                          const std::function<Result<void>(const ReadBytes&, uint64_t)>& use,
                          int links_left = 1) const;
  Result<void> LoadOciIndex();
  Result<void> LoadOciManifest(const std::string& text);
  Result<void> LoadDockerManifest(const std::string& text);

  std::string path_;
  Kind kind_ = Kind::kLayer;
  std::vector<LayerSource> layers_;
};

}  // namespace kata_cc::verity
