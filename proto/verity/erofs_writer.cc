// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/erofs_writer.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "proto/verity/bytes.h"

namespace kata_cc::verity {
namespace {

constexpr std::size_t kInodeBytes = 64;  // The extended form.
constexpr std::size_t kNidBytes = 32;
constexpr uint64_t kFirstInodeAt = 64;  // Node 0 stays unused: some readers take it for none.
constexpr std::size_t kDirentBytes = 12;
constexpr std::size_t kXattrHeaderBytes = 12;
constexpr uint32_t kHole = 0xFFFFFFFF;
enum Layout : uint16_t { kFlatPlain = 0, kFlatInline = 2, kChunkBased = 4 };

struct Dirent {
  std::string_view name;
  std::size_t inode;
};

struct Inode {
  Node* node = nullptr;
  uint32_t links = 0;
  Layout layout = kFlatPlain;
  std::vector<uint8_t> xattrs;
  std::vector<Dirent> dirents;
  std::vector<std::size_t> block_ends;  // Of a directory: how many dirents end with each block.
  uint64_t size = 0;
  uint64_t body_bytes = 0;  // After inode and xattrs: inline tail or chunk map.
  uint64_t first_block = 0;
  uint64_t at = 0;  // From the start of the inode area.

  uint64_t nid() const { return at / kNidBytes; }
};

uint32_t Crc32c(std::span<const uint8_t> data) {
  uint32_t crc = 0xFFFFFFFF;
  for (const uint8_t byte : data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
  }
  return crc;  // As the kernel's: not inverted at the end.
}

uint16_t ModeOf(const Node& node) {
  switch (node.type) {
    case NodeType::kDirectory:
      return S_IFDIR | node.metadata.permissions;
    case NodeType::kFile:
      return S_IFREG | node.metadata.permissions;
    case NodeType::kSymlink:
      return S_IFLNK | 0777;
    case NodeType::kChar:
      return S_IFCHR | node.metadata.permissions;
    case NodeType::kBlock:
      return S_IFBLK | node.metadata.permissions;
    case NodeType::kFifo:
      return S_IFIFO | node.metadata.permissions;
    case NodeType::kSocket:
      return S_IFSOCK | node.metadata.permissions;
  }
  return 0;
}

uint8_t DirentType(const Node& node) {
  switch (node.type) {
    case NodeType::kFile:
      return 1;
    case NodeType::kDirectory:
      return 2;
    case NodeType::kChar:
      return 3;
    case NodeType::kBlock:
      return 4;
    case NodeType::kFifo:
      return 5;
    case NodeType::kSocket:
      return 6;
    case NodeType::kSymlink:
      return 7;
  }
  return 0;
}

uint32_t DeviceNumber(const Node& node) {
  return (node.device_minor & 0xFF) | node.device_major << 8 | (node.device_minor & ~0xFFU) << 12;
}

struct XattrName {
  uint8_t index;
  std::string_view rest;
};

XattrName SplitXattr(std::string_view name) {
  if (name == "system.posix_acl_access") return {2, ""};
  if (name == "system.posix_acl_default") return {3, ""};
  if (name.starts_with("user.")) return {1, name.substr(5)};
  if (name.starts_with("trusted.")) return {4, name.substr(8)};
  return {6, name.substr(std::strlen("security."))};
}

// The attributes as they follow the inode; the reader of the tar let no other names through.
Result<std::vector<uint8_t>> EncodeXattrs(const Node& node) {
  auto all = node.metadata.xattrs;
  if (node.opaque) all["trusted.overlay.opaque"].assign(1, 'y');
  std::vector<uint8_t> bytes;
  if (all.empty()) return bytes;
  bytes.resize(kXattrHeaderBytes);
  for (const auto& [full_name, value] : all) {
    const XattrName name = SplitXattr(full_name);
    const std::size_t at = bytes.size();
    bytes.resize(at + (4 + name.rest.size() + value.size() + 3) / 4 * 4);
    bytes[at] = static_cast<uint8_t>(name.rest.size());
    bytes[at + 1] = name.index;
    PutLe16(bytes, at + 2, static_cast<uint16_t>(value.size()));
    std::copy(name.rest.begin(), name.rest.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(at + 4));
    std::copy(value.begin(), value.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(at + 4 + name.rest.size()));
  }
  if (bytes.size() / 4 > UINT16_MAX)
    return Error(Code::kInvalidArgument, "layer entry: too many extended attributes");
  return bytes;
}

class Writer {
 public:
  Writer(LayerTree& tree, DataStore& store) : tree_(tree), store_(store) {}

  Result<void> Run() {
    TRY(Visit(tree_.root(), 0, 0));
    TRY(PlanBodies());
    TRY(store_.Arrange(files_));
    PlanInodes();
    TRY(WriteBodies());
    TRY(WriteInodes());
    return WriteSuperblock();
  }

 private:
  Result<std::size_t> Visit(Node& node, std::size_t parent, int depth);
  Result<void> PlanBodies();
  void PlanDirectory(Inode& inode);
  void PlanInodes();
  Result<void> WriteBodies();
  Result<void> WriteInodes();
  Result<void> WriteSuperblock();
  std::vector<uint8_t> DirectoryBlock(const Inode& inode, std::size_t block) const;
  Result<std::vector<uint8_t>> Body(const Inode& inode) const;
  std::array<uint8_t, kInodeBytes> Encode(const Inode& inode, std::size_t number) const;

  LayerTree& tree_;
  DataStore& store_;
  std::vector<Inode> inodes_;
  std::unordered_map<const Node*, std::size_t> numbers_;
  std::vector<Node*> files_;
  uint64_t inode_area_ = 0;  // Its first block.
  uint64_t inode_bytes_ = 0;
  bool chunked_ = false;
};

// Depth first, names in byte order: the order of inodes and of file data.
Result<std::size_t> Writer::Visit(Node& node, std::size_t parent, int depth) {
  const std::size_t number = inodes_.size();
  numbers_[&node] = number;
  inodes_.emplace_back();
  inodes_[number].node = &node;
  inodes_[number].xattrs = TRY(EncodeXattrs(node));
  if (node.type == NodeType::kFile) files_.push_back(&node);
  if (node.type != NodeType::kDirectory) return number;

  std::vector<Dirent> dirents = {{".", number}, {"..", parent}};
  inodes_[number].links = 2;
  for (const auto& [name, child] : node.children) {
    if (depth == 0 && name.starts_with(".wh..wh.")) continue;  // Only targets of hard links.
    const auto known = numbers_.find(child.get());
    const std::size_t at =
        known != numbers_.end() ? known->second : TRY(Visit(*child, number, depth + 1));
    dirents.push_back({name, at});
    if (child->type == NodeType::kDirectory)
      ++inodes_[number].links;
    else
      ++inodes_[at].links;
  }
  std::ranges::sort(dirents, {}, &Dirent::name);
  inodes_[number].dirents = std::move(dirents);
  return number;
}

void Writer::PlanDirectory(Inode& inode) {
  std::size_t used = 0;
  for (std::size_t i = 0; i < inode.dirents.size(); ++i) {
    const std::size_t needed = kDirentBytes + inode.dirents[i].name.size();
    if (used + needed > kBlockSize) {
      inode.block_ends.push_back(i);
      used = 0;
    }
    used += needed;
  }
  inode.size = inode.block_ends.size() * kBlockSize + used;
  inode.block_ends.push_back(inode.dirents.size());
}

// Decides for each inode what follows it and what lies in blocks.
Result<void> Writer::PlanBodies() {
  for (Inode& inode : inodes_) {
    Node& node = *inode.node;
    if (node.type == NodeType::kFile) inode.size = node.size;
    if (node.type == NodeType::kSymlink) inode.size = node.target.size();
    if (node.type == NodeType::kDirectory) PlanDirectory(inode);
    const std::size_t room = kBlockSize - kInodeBytes;
    uint64_t tail = inode.size % kBlockSize;
    if (node.type == NodeType::kFile) tail = node.data.tail_bytes;
    if (!node.data.present_chunks.empty()) {
      inode.layout = kChunkBased;
      inode.body_bytes = 4 * node.data.present_chunks.size();
      chunked_ = true;
    } else if (tail != 0 && inode.xattrs.size() + tail <= room) {
      inode.layout = kFlatInline;
      inode.body_bytes = tail;
    } else {
      node.data.tail_as_block = node.type == NodeType::kFile && tail != 0;
    }
  }
  return {};
}

// Gives each inode its place. An inline tail may not cross a block, nor may the inode itself.
void Writer::PlanInodes() {
  uint64_t at = kFirstInodeAt;
  for (Inode& inode : inodes_) {
    const uint64_t head = kInodeBytes + inode.xattrs.size();
    const uint64_t whole = inode.layout == kFlatInline ? head + inode.body_bytes : kInodeBytes;
    if (at % kBlockSize + whole > kBlockSize) at = (at / kBlockSize + 1) * kBlockSize;
    inode.at = at;
    at += head + inode.body_bytes;
    at = (at + kNidBytes - 1) / kNidBytes * kNidBytes;
  }
  inode_bytes_ = at;
}

std::vector<uint8_t> Writer::DirectoryBlock(const Inode& inode, std::size_t block) const {
  const std::size_t begin = block == 0 ? 0 : inode.block_ends[block - 1];
  const std::size_t end = inode.block_ends[block];
  std::vector<uint8_t> bytes((end - begin) * kDirentBytes);
  for (std::size_t i = begin; i < end; ++i) {
    const Inode& target = inodes_[inode.dirents[i].inode];
    const std::size_t at = (i - begin) * kDirentBytes;
    PutLe64(bytes, at, target.nid());
    PutLe16(bytes, at + 8, static_cast<uint16_t>(bytes.size()));
    bytes[at + 10] = DirentType(*target.node);
    bytes.insert(bytes.end(), inode.dirents[i].name.begin(), inode.dirents[i].name.end());
  }
  return bytes;
}

// What lies in blocks and is no file data: directories, and symlinks too long for their inode.
Result<void> Writer::WriteBodies() {
  for (Inode& inode : inodes_) {
    inode.first_block = inode.node->data.first_block;
    if (inode.node->type == NodeType::kSymlink && inode.layout == kFlatPlain) {
      inode.first_block = store_.next_block();
      const std::string& target = inode.node->target;
      TRY(store_.AppendBlocks({reinterpret_cast<const uint8_t*>(target.data()), target.size()}));
    }
    if (inode.node->type != NodeType::kDirectory) continue;
    inode.first_block = store_.next_block();
    const std::size_t in_blocks = inode.block_ends.size() - (inode.layout == kFlatInline ? 1 : 0);
    for (std::size_t block = 0; block < in_blocks; ++block)
      TRY(store_.AppendBlocks(DirectoryBlock(inode, block)));
  }
  return {};
}

Result<std::vector<uint8_t>> Writer::Body(const Inode& inode) const {
  const Node& node = *inode.node;
  if (inode.layout == kChunkBased) {
    std::vector<uint8_t> map(inode.body_bytes);
    uint64_t block = node.data.first_block;
    for (std::size_t i = 0; i < node.data.present_chunks.size(); ++i) {
      const bool present = node.data.present_chunks[i];
      PutLe32(map, 4 * i, present ? static_cast<uint32_t>(block) : kHole);
      if (present) block += uint64_t{1} << node.data.chunk_bits;
    }
    return map;
  }
  if (inode.layout == kFlatPlain) return std::vector<uint8_t>{};
  if (node.type == NodeType::kFile) return store_.Tail(node.data);
  if (node.type == NodeType::kDirectory) return DirectoryBlock(inode, inode.block_ends.size() - 1);
  return std::vector<uint8_t>(node.target.begin(), node.target.end());
}

std::array<uint8_t, kInodeBytes> Writer::Encode(const Inode& inode, std::size_t number) const {
  const Node& node = *inode.node;
  std::array<uint8_t, kInodeBytes> bytes{};
  PutLe16(bytes, 0, static_cast<uint16_t>(1 | inode.layout << 1));
  if (!inode.xattrs.empty())
    PutLe16(bytes, 2, static_cast<uint16_t>((inode.xattrs.size() - kXattrHeaderBytes) / 4 + 1));
  PutLe16(bytes, 4, ModeOf(node));
  PutLe64(bytes, 8, inode.size);
  if (node.type == NodeType::kChar || node.type == NodeType::kBlock)
    PutLe32(bytes, 16, DeviceNumber(node));
  else if (inode.layout == kChunkBased)
    PutLe32(bytes, 16, node.data.chunk_bits);
  else if (inode.size > inode.body_bytes)
    PutLe32(bytes, 16, static_cast<uint32_t>(inode.first_block));
  PutLe32(bytes, 20, static_cast<uint32_t>(number + 1));
  PutLe32(bytes, 24, node.metadata.uid);
  PutLe32(bytes, 28, node.metadata.gid);
  PutLe64(bytes, 32, static_cast<uint64_t>(node.metadata.mtime_s));
  PutLe32(bytes, 40, node.metadata.mtime_ns);
  PutLe32(bytes, 44, inode.links);
  return bytes;
}

Result<void> Writer::WriteInodes() {
  constexpr std::size_t kStep = 64 * std::size_t{kBlockSize};
  inode_area_ = store_.next_block();
  std::vector<uint8_t> bytes;
  uint64_t start = 0;  // Of bytes, in the area.
  for (std::size_t i = 0; i < inodes_.size(); ++i) {
    const Inode& inode = inodes_[i];
    bytes.resize(inode.at - start);
    const auto head = Encode(inode, i);
    bytes.insert(bytes.end(), head.begin(), head.end());
    bytes.insert(bytes.end(), inode.xattrs.begin(), inode.xattrs.end());
    const std::vector<uint8_t> body = TRY(Body(inode));
    bytes.insert(bytes.end(), body.begin(), body.end());
    if (bytes.size() < kStep) continue;
    const std::size_t whole = bytes.size() / kBlockSize * kBlockSize;
    TRY(store_.AppendBlocks(std::span(bytes).first(whole)));
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(whole));
    start += whole;
  }
  return store_.AppendBlocks(bytes);
}

Result<void> Writer::WriteSuperblock() {
  constexpr std::size_t kAt = 1024;
  std::vector<uint8_t> block(kBlockSize);
  const std::span<uint8_t> super = std::span(block).subspan(kAt);
  PutLe32(super, 0, 0xE0F5E1E2);
  PutLe32(super, 8, 0x3);  // Checksummed; inode times are modification times.
  super[12] = 12;          // log2 of the block size.
  PutLe16(super, 14, static_cast<uint16_t>(inodes_.front().nid()));
  PutLe64(super, 16, inodes_.size());
  PutLe32(super, 36, static_cast<uint32_t>(store_.next_block()));
  PutLe32(super, 40, static_cast<uint32_t>(inode_area_));
  PutLe32(super, 80, chunked_ ? 0x4 : 0);  // Needs a kernel that knows chunks.
  PutLe32(super, 4, Crc32c(super));
  return store_.SetFirstBlock(block);
}

}  // namespace

Result<void> WriteErofs(LayerTree& tree, DataStore& store) {
  return Writer(tree, store).Run();
}

}  // namespace kata_cc::verity
