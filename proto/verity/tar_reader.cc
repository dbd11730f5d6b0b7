// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kata_cc::verity {
namespace {

constexpr std::size_t kMaxXattrName = 255;
constexpr std::size_t kMaxXattrValue = 65535;

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

// libarchive converts pax names from UTF-8 to the thread's locale; in C they would be lost.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), old_(uselocale(locale_)) {}
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() {
    uselocale(old_);
    if (locale_ != nullptr) freelocale(locale_);
  }
  bool valid() const { return locale_ != nullptr; }

 private:
  locale_t locale_;
  locale_t old_;
};

struct Feed {
  TarStream& stream;
  std::optional<Error> error;
};

la_ssize_t OnRead(archive* reader, void* context, const void** buffer) {
  auto* const feed = static_cast<Feed*>(context);
  auto piece = feed->stream.Next();
  if (!piece) {
    feed->error = std::move(piece).error();
    archive_set_error(reader, EIO, "source failed");
    return ARCHIVE_FATAL;
  }
  *buffer = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

Error Refused(std::string_view path, std::string_view why) {
  return {Code::kInvalidArgument,
          "layer entry: " + std::string(path.substr(0, 256)) + ": " + std::string(why)};
}

// Whether containerd's unpacker would have set the attribute on Linux. It ignores what the file
// system has no name space for, and user attributes on what may not have them.
bool Settable(std::string_view name, NodeType type) {
  if (name.starts_with("user."))
    return name.size() > 5 && (type == NodeType::kFile || type == NodeType::kDirectory);
  if (type != NodeType::kSymlink && name == "system.posix_acl_access") return true;
  if (type == NodeType::kDirectory && name == "system.posix_acl_default") return true;
  return (name.starts_with("trusted.") && name.size() > 8) ||
         (name.starts_with("security.") && name.size() > 9);
}

Result<NodeType> TypeOf(archive_entry* header, std::string_view path) {
  switch (archive_entry_filetype(header)) {
    case AE_IFREG:
      return NodeType::kFile;
    case AE_IFDIR:
      return NodeType::kDirectory;
    case AE_IFLNK:
      return NodeType::kSymlink;
    case AE_IFCHR:
      return NodeType::kChar;
    case AE_IFBLK:
      return NodeType::kBlock;
    case AE_IFIFO:
      return NodeType::kFifo;
    default:
      return Refused(path, "unknown type of file");
  }
}

Result<uint32_t> Id(la_int64_t id, std::string_view path) {
  if (id < 0 || id >= la_int64_t{UINT32_MAX}) return Refused(path, "user or group out of range");
  return static_cast<uint32_t>(id);
}

Result<void> TakeXattrs(archive_entry* header, const Limits& limits, Entry& entry) {
  uint64_t total = 0;
  archive_entry_xattr_reset(header);
  const char* raw_name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(header, &raw_name, &value, &size) == ARCHIVE_OK) {
    const std::string_view name = raw_name;
    // They would change what overlayfs shows of other layers.
    if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay."))
      return Refused(entry.path, "holds an attribute of overlayfs");
    if (!Settable(name, entry.type)) continue;
    if (name.size() > kMaxXattrName || size > kMaxXattrValue ||
        (total += name.size() + size + 8) > limits.xattr_bytes)
      return Refused(entry.path, "extended attributes are too large");
    entry.metadata.xattrs[std::string(name)].assign(static_cast<const char*>(value), size);
  }
  return {};
}

Result<void> TakeDevice(archive_entry* header, Entry& entry) {
  const dev_t major = archive_entry_rdevmajor(header);
  const dev_t minor = archive_entry_rdevminor(header);
  if (major > 0xFFF || minor > 0xFFFFF) return Refused(entry.path, "device number out of range");
  entry.device_major = static_cast<uint32_t>(major);
  entry.device_minor = static_cast<uint32_t>(minor);
  return {};
}

Result<Entry> ToEntry(archive_entry* header, const Limits& limits) {
  Entry entry;
  const char* const path = archive_entry_pathname(header);
  if (path == nullptr) return Refused("?", "name is not UTF-8");
  entry.path = path;
  entry.metadata.permissions = static_cast<uint16_t>(archive_entry_mode(header) & 07777);
  entry.metadata.uid = TRY(Id(archive_entry_uid(header), entry.path));
  entry.metadata.gid = TRY(Id(archive_entry_gid(header), entry.path));
  if (archive_entry_mtime(header) >= 0) {  // The unpacker takes times before 1970 for 1970.
    entry.metadata.mtime_s = archive_entry_mtime(header);
    entry.metadata.mtime_ns = static_cast<uint32_t>(archive_entry_mtime_nsec(header));
  }
  if (const char* link = archive_entry_hardlink(header); link != nullptr) {
    entry.hard_link = true;
    entry.link_path = link;
  } else {
    entry.type = TRY(TypeOf(header, entry.path));
  }
  TRY(TakeXattrs(header, limits, entry));
  if (entry.hard_link) return entry;
  if (entry.type == NodeType::kSymlink) {
    const char* const target = archive_entry_symlink(header);
    if (target == nullptr || *target == '\0') return Refused(entry.path, "symlink to nothing");
    entry.target = target;
    if (entry.target.size() >= kBlockSize) return Refused(entry.path, "symlink is too long");
  }
  if (entry.type == NodeType::kChar || entry.type == NodeType::kBlock)
    TRY(TakeDevice(header, entry));
  if (entry.type == NodeType::kFile) {
    const la_int64_t size = archive_entry_size(header);
    if (size < 0 || static_cast<uint64_t>(size) > limits.file_bytes)
      return Refused(entry.path, "file is too large");
    entry.size = static_cast<uint64_t>(size);
  }
  return entry;
}

class Reader {
 public:
  Reader(TarStream& stream, const Limits& limits, LayerTree& tree, DataStore& store)
      : feed_{stream, {}}, limits_(limits), tree_(tree), store_(store) {}

  Result<void> Run() {
    const Utf8Locale locale;
    if (!locale.valid() || !archive_)
      return Error(Code::kResourceExhausted, "layer: no memory or no C.UTF-8 locale");
    archive_read_support_format_tar(archive_.get());
    if (archive_read_open(archive_.get(), &feed_, nullptr, &OnRead, nullptr) != ARCHIVE_OK)
      return Failure("not a tar");
    while (true) {
      archive_entry* header = nullptr;
      const int status = archive_read_next_header(archive_.get(), &header);
      if (status == ARCHIVE_EOF) return {};
      if (status != ARCHIVE_OK) return Failure("tar cannot be read");
      Entry entry = TRY(ToEntry(header, limits_));
      Node* const node = TRY(tree_.Add(std::move(entry)));
      if (tree_.nodes() > limits_.entries)
        return Error(Code::kResourceExhausted, "layer: too many entries");
      if (node != nullptr) TRY(TakeData(*node));
    }
  }

 private:
  Error Failure(std::string_view fallback) {
    if (feed_.error) return *feed_.error;
    const char* const text = archive_error_string(archive_.get());
    return {Code::kInvalidArgument,
            "layer: " + std::string(text != nullptr ? std::string_view(text) : fallback)};
  }

  Result<void> TakeData(Node& node) {
    store_.Begin(node);
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    int status = ARCHIVE_OK;
    while ((status = archive_read_data_block(archive_.get(), &data, &size, &offset)) == ARCHIVE_OK)
      TRY(store_.Append(static_cast<uint64_t>(offset), {static_cast<const uint8_t*>(data), size}));
    if (status != ARCHIVE_EOF) return Failure("tar ends within a file");
    return store_.Finish();
  }

  std::unique_ptr<archive, FreeArchive> archive_{archive_read_new()};
  Feed feed_;
  const Limits& limits_;
  LayerTree& tree_;
  DataStore& store_;
};

}  // namespace

Result<void> ReadTar(TarStream& stream, const Limits& limits, LayerTree& tree, DataStore& store) {
  return Reader(stream, limits, tree, store).Run();
}

}  // namespace kata_cc::verity
