// SPDX-License-Identifier: Apache-2.0
// Record: what is kept of one snapshot, a JSON file of its own, so that a damaged one costs that
// snapshot and no other (docs/decisions/0042).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kata_cc::snapshotter {

enum class Kind { kView, kActive, kCommitted };

struct DiskUse {
  std::int64_t bytes = 0;
  std::int64_t inodes = 0;
};

struct Record {
  std::uint64_t id = 0;  // Names its directory; never used twice.
  std::string name;      // containerd's key or, once committed, name. Opaque.
  std::string parent;    // Name of a committed snapshot; empty: none.
  Kind kind = Kind::kActive;
  std::int64_t created_ns = 0;  // Since 1970.
  std::int64_t updated_ns = 0;
  std::map<std::string, std::string> labels;

  std::string content_namespace;  // Of containerd, to find the layer in; empty: not known.
  std::string chain_id;           // Of the image layer it unpacks: "sha256:..."; empty: no layer.
  std::string diff_id;            // In hex; empty: not known yet.
  std::optional<DiskUse> use;     // Of a committed one, once it is known.

  bool is_layer() const { return !chain_id.empty(); }
};

std::string EncodeRecord(const Record& record);

// DataLoss, with the reason, for anything that EncodeRecord does not write.
Result<Record> ParseRecord(std::string_view text);

}  // namespace kata_cc::snapshotter
