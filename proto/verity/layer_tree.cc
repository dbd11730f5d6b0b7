// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/layer_tree.h"

#include <algorithm>
#include <climits>
#include <utility>

namespace kata_cc::verity {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kWhiteoutMeta = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::size_t kMaxDepth = 512;
constexpr int kMaxSymlinks = 40;

using Path = std::vector<std::string>;

Error Refused(std::string_view path, std::string_view why) {
  return {Code::kInvalidArgument, "layer entry: " + std::string(path) + ": " + std::string(why)};
}

// The components of a tar path. "." and empty ones do not count; "" is the root itself.
Result<Path> Split(std::string_view path) {
  if (path.size() >= PATH_MAX) return Refused(path.substr(0, 64), "name is too long");
  if (path.find('\0') != std::string_view::npos) return Refused(path, "name holds a zero byte");
  if (path.size() > 1 && path.front() == '/' && path.find_first_not_of("/.") != path.npos)
    return Refused(path, "name is absolute");
  Path components;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view component = path.substr(at, end - at);
    at = end + 1;
    if (component.empty() || component == ".") continue;
    if (component == "..") return Refused(path, "name climbs with ..");
    if (component.size() > NAME_MAX) return Refused(path, "name has a component over 255 bytes");
    components.emplace_back(component);
  }
  if (components.size() > kMaxDepth) return Refused(path.substr(0, 64), "name is too deep");
  return components;
}

std::string Join(const Path& path) {
  std::string joined;
  for (const std::string& component : path)
    joined.append(joined.empty() ? 0 : 1, '/').append(component);
  return joined;
}

std::shared_ptr<Node> NewNode(Entry&& entry) {
  auto node = std::make_shared<Node>();
  node->type = entry.type;
  node->metadata = std::move(entry.metadata);
  node->device_major = entry.device_major;
  node->device_minor = entry.device_minor;
  node->size = entry.type == NodeType::kFile ? entry.size : 0;
  node->target = std::move(entry.target);
  return node;
}

bool IsAufsMetadata(const Path& path) {
  return path.front().starts_with(kWhiteoutMeta) && path.front() != kOpaque;
}

}  // namespace

LayerTree::LayerTree() : root_(std::make_shared<Node>()) {}

// Walks to the directory that holds path's last component, making what is missing and following
// symlinks inside the layer, as containerd does when it unpacks. A step above the root fails.
Result<Node*> LayerTree::ParentOf(const Path& path) {
  Path todo(path.rbegin() + 1, path.rend());
  std::vector<Node*> trail = {root_.get()};
  int symlinks = 0;
  while (!todo.empty()) {
    const std::string component = std::move(todo.back());
    todo.pop_back();
    if (component == "..") {  // Only ever out of a symlink's target.
      if (trail.size() == 1) return Refused(Join(path), "a symlink leads out of the layer");
      trail.pop_back();
      continue;
    }
    auto& slot = trail.back()->children[component];
    if (slot && slot->type == NodeType::kSymlink) {
      if (++symlinks > kMaxSymlinks) return Refused(Join(path), "too many symlinks");
      const std::string_view target = slot->target;
      if (target.starts_with('/')) trail.resize(1);
      Path components;
      for (std::size_t at = 0; at <= target.size();) {
        const std::size_t end = std::min(target.find('/', at), target.size());
        const std::string_view part = target.substr(at, end - at);
        if (!part.empty() && part != ".") components.emplace_back(part);
        at = end + 1;
      }
      todo.insert(todo.end(), components.rbegin(), components.rend());
      continue;
    }
    if (!slot || slot->whiteout) {
      if (!slot) ++nodes_;
      const bool hides_lower = slot != nullptr;
      slot = std::make_shared<Node>();
      slot->implied = true;
      slot->opaque = hides_lower;
    }
    if (slot->type != NodeType::kDirectory) return Refused(Join(path), "parent is no directory");
    trail.push_back(slot.get());
    if (trail.size() > kMaxDepth) return Refused(Join(path), "name is too deep");
  }
  return trail.back();
}

// A whiteout hides what lower layers have under the name. It never hides what this layer has: a
// directory of this layer becomes opaque instead, and other nodes hide the lower ones anyway.
Result<Node*> LayerTree::AddWhiteout(const std::string& name, Node& parent, const Entry& entry) {
  if (name == kOpaque) {
    parent.opaque = true;
    return nullptr;
  }
  const std::string hidden = name.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..")
    return Refused(entry.path, "whiteout of no name");
  auto& slot = parent.children[hidden];
  if (slot && slot->type == NodeType::kDirectory) slot->opaque = true;
  if (slot) return nullptr;
  slot = std::make_shared<Node>();
  slot->type = NodeType::kChar;
  slot->whiteout = true;
  slot->metadata.permissions = 0;
  ++nodes_;
  return nullptr;
}

Result<Node*> LayerTree::AddHardLink(const Path& path, Node& parent, const Entry& entry) {
  const Path link = TRY_CONTEXT(Split(entry.link_path), "hard link " + entry.path);
  if (link.empty()) return Refused(entry.path, "hard link to the root");
  Node* const holder = TRY(ParentOf(link));
  const auto found = holder->children.find(link.back());
  if (found == holder->children.end() || !found->second || found->second->whiteout)
    return Refused(entry.path, "hard link to " + entry.link_path + ", which is not in the layer");
  const std::shared_ptr<Node> target = found->second;
  if (target->type == NodeType::kDirectory) return Refused(entry.path, "hard link to a directory");
  // The header of a link sets the attributes of the one inode, as the unpacker's calls would.
  if (target->type != NodeType::kSymlink) {
    target->metadata.permissions = entry.metadata.permissions;
    for (const auto& [name, value] : entry.metadata.xattrs)
      target->metadata.xattrs[name] = value;
  }
  target->metadata.uid = entry.metadata.uid;
  target->metadata.gid = entry.metadata.gid;
  target->metadata.mtime_s = entry.metadata.mtime_s;
  target->metadata.mtime_ns = entry.metadata.mtime_ns;
  parent.children[path.back()] = target;
  return nullptr;
}

Result<Node*> LayerTree::Add(Entry entry) {
  const Path path = TRY(Split(entry.path));
  if (path.empty()) return nullptr;  // The root's attributes are not a layer's to set.
  Node& parent = *TRY(ParentOf(path));
  const std::string& name = path.back();
  if (name.starts_with(kWhiteout) && !IsAufsMetadata(path)) {
    if (name.starts_with(kWhiteoutMeta) && name != kOpaque)
      return Refused(entry.path, "unknown kind of whiteout");
    return AddWhiteout(name, parent, entry);
  }
  if (entry.hard_link) return AddHardLink(path, parent, entry);

  auto& slot = parent.children[name];
  if (entry.type == NodeType::kDirectory && slot && slot->type == NodeType::kDirectory) {
    auto xattrs = std::move(slot->metadata.xattrs);
    for (auto& [key, value] : entry.metadata.xattrs)
      xattrs[key] = std::move(value);
    slot->metadata = std::move(entry.metadata);
    slot->metadata.xattrs = std::move(xattrs);
    slot->implied = false;
    return nullptr;
  }
  const bool hid_lower = slot && (slot->whiteout || slot->opaque);
  if (!slot) ++nodes_;
  slot = NewNode(std::move(entry));
  if (slot->type == NodeType::kDirectory) slot->opaque = hid_lower;
  return slot->type == NodeType::kFile ? slot.get() : nullptr;
}

}  // namespace kata_cc::verity
