// SPDX-License-Identifier: Apache-2.0
// LayerTree: what a layer's tar describes, entry by entry, as containerd's unpacker would leave it
// in an overlayfs upper directory. Names come from an image's author and are hostile: they are
// resolved in this tree only, never in a real file system. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::verity {

enum class NodeType : uint8_t { kDirectory, kFile, kSymlink, kChar, kBlock, kFifo, kSocket };

// Where a regular file's bytes are; what the numbers mean is DataStore's business.
struct FileData {
  uint64_t first_block = 0;
  uint32_t blocks = 0;
  uint32_t tail_bytes = 0;  // Kept in the tail spool when not 0.
  uint64_t tail_at = 0;
  bool tail_as_block = false;        // The tail is to get a block, not a place beside the inode.
  uint8_t chunk_bits = 0;            // log2 of the chunk size in blocks.
  std::vector<bool> present_chunks;  // Not empty: some chunk is a hole.
};

struct Metadata {
  uint16_t permissions = 0755;  // 12 bits.
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime_s = 0;
  uint32_t mtime_ns = 0;
  std::map<std::string, std::string> xattrs;
};

struct Node {
  NodeType type = NodeType::kDirectory;
  bool implied = false;  // A directory that no entry describes.
  bool opaque = false;
  bool whiteout = false;
  Metadata metadata;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t size = 0;
  FileData data;
  std::string target;
  std::map<std::string, std::shared_ptr<Node>> children;
};

// One tar entry without its data.
struct Entry {
  std::string path;  // As in the tar.
  NodeType type = NodeType::kFile;
  Metadata metadata;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t size = 0;
  std::string target;      // Of a symlink.
  bool hard_link = false;  // To the entry of link_path; type and size mean nothing.
  std::string link_path;
};

class LayerTree {
 public:
  LayerTree();

  // Takes the entry in. Returns the node whose data follows, or null when there is none to keep.
  Result<Node*> Add(Entry entry);

  const Node& root() const { return *root_; }
  Node& root() { return *root_; }
  uint64_t nodes() const { return nodes_; }

 private:
  using Path = std::vector<std::string>;
  Result<Node*> ParentOf(const Path& path);
  Result<Node*> AddWhiteout(const std::string& name, Node& parent, const Entry& entry);
  Result<Node*> AddHardLink(const Path& path, Node& parent, const Entry& entry);

  std::shared_ptr<Node> root_;
  uint64_t nodes_ = 1;
};

}  // namespace kata_cc::verity
