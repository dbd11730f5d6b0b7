// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/storage_table.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/storage/beneath.h"
#include "agent/storage/block_device.h"
#include "agent/storage/device_mapper.h"
#include "agent/storage/encrypted_disk.h"
#include "agent/storage/mount.h"
#include "agent/storage/verity.h"

namespace kata_cc::agent {
namespace {

constexpr std::size_t kMaxStorages = 256;
constexpr mode_t kMountPointMode = 0755;
constexpr const char* kLayersBelow = "/sandbox/layers/";
// Kata's driver options for a file system that the guest makes, under a key of its own.
constexpr std::string_view kEphemeralKey = "encryption_key=ephemeral";
constexpr std::string_view kCreateFileSystem = "create_filesystem";

class MountPart : public StorageTable::Part {
 public:
  explicit MountPart(ScopedMount mount) : mount_(std::move(mount)) {}

 private:
  ScopedMount mount_;
};

class DevicePart : public StorageTable::Part {
 public:
  explicit DevicePart(DmDevice device) : device_(std::move(device)) {}
  const std::string& path() const { return device_.path(); }

 private:
  DmDevice device_;
};

class EncryptedPart : public StorageTable::Part {
 public:
  explicit EncryptedPart(EncryptedDisk disk) : disk_(std::move(disk)) {}
  const std::string& path() const { return disk_.path(); }

 private:
  EncryptedDisk disk_;
};

class SharePart : public StorageTable::Part {
 public:
  explicit SharePart(ScratchBudget::Share share) : share_(std::move(share)) {}

 private:
  ScratchBudget::Share share_;
};

// A directory that was made for a mount, and goes after it; one that is not empty stays.
class DirectoryPart : public StorageTable::Part {
 public:
  DirectoryPart(UniqueFd parent, std::string name)
      : parent_(std::move(parent)), name_(std::move(name)) {}
  ~DirectoryPart() override { ::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR); }

 private:
  UniqueFd parent_;
  std::string name_;
};

std::vector<std::string> OptionsOf(const grpc::Storage& storage) {
  return {storage.options().begin(), storage.options().end()};
}

bool IsEncrypted(const grpc::Storage& storage) {
  return std::find(storage.driver_options().begin(), storage.driver_options().end(),
                   kEphemeralKey) != storage.driver_options().end();
}

// Whether the containers of a pod hand it on to each other, also when none of them runs.
bool IsShared(const grpc::Storage& storage) {
  return storage.driver() == "ephemeral" || storage.driver() == "local" || storage.shared();
}

std::string FormOf(grpc::Storage storage) {
  storage.clear_source();
  return storage.SerializeAsString();
}

// Takes the options `key=value` out, and returns the value of the last of them.
std::optional<std::string> TakeOption(std::vector<std::string>& options, std::string_view key) {
  std::optional<std::string> value;
  for (auto it = options.begin(); it != options.end();) {
    if (it->size() > key.size() && it->starts_with(key) && (*it)[key.size()] == '=') {
      value = it->substr(key.size() + 1);
      it = options.erase(it);
    } else {
      ++it;
    }
  }
  return value;
}

Result<unsigned> ParseId(const std::string& text, int base) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value, base);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return Error(Code::kInvalidArgument, "storage: an option's value is not a number");
  }
  return value;
}

// Of the mounted file system's root.
Result<void> SetOwnership(const UniqueFd& root, const std::string& relative,
                          std::optional<unsigned> mode, std::optional<unsigned> group) {
  const UniqueFd dir = TRY(OpenBeneath(root, relative, O_RDONLY | O_DIRECTORY));
  if (group) {
    if (::fchown(dir.get(), static_cast<uid_t>(-1), *group) != 0) return ErrnoError(errno, "chown");
    mode = mode.value_or(0775) | S_ISGID;  // What is made in it belongs to the group.
  }
  if (mode && ::fchmod(dir.get(), *mode & 07777U) != 0) return ErrnoError(errno, "chmod");
  return {};
}

}  // namespace

StorageTable::Mounted::~Mounted() {
  while (!parts.empty())
    parts.pop_back();
}

// What the storages of one request have in common.
struct StorageTable::Request {
  std::uint64_t writable_bytes = 0;
  std::vector<std::string> layers;  // Mount points of what was mounted before, in order.
  std::vector<std::string> encrypted;
};

Result<std::unique_ptr<StorageTable>> StorageTable::Create(StorageConfig config,
                                                           ScratchBudget budget) {
  UniqueFd root = TRY(OpenFile(config.run_dir, O_PATH | O_DIRECTORY));
  return std::unique_ptr<StorageTable>(
      new StorageTable(std::move(config), std::move(budget), std::move(root)));
}

StorageTable::~StorageTable() = default;

StorageTable::Use::Use(Use&& other) noexcept
    : table_(std::exchange(other.table_, nullptr)), mount_point_(std::move(other.mount_point_)) {}

StorageTable::Use::~Use() {
  if (table_ != nullptr) table_->Drop(mount_point_);
}

std::vector<std::string> StorageTable::Drivers() {
  return {"blk", "ephemeral", "local", "overlayfs", "scsi"};
}

Result<std::vector<StorageTable::Use>> StorageTable::MountAll(const Storages& storages,
                                                              std::uint64_t writable_bytes) {
  if (static_cast<std::size_t>(storages.size()) > kMaxStorages) {
    return Error(Code::kInvalidArgument, "storages: too many");
  }
  Request request;
  request.writable_bytes = writable_bytes;
  std::vector<Use> uses;
  for (const grpc::Storage& storage : storages) {
    auto use = MountOne(storage, request);
    if (!use) {
      while (!uses.empty())
        uses.pop_back();
      return std::move(use).error().With("storage " + storage.driver());
    }
    uses.push_back(*std::move(use));
  }
  const std::lock_guard lock(mutex_);
  for (const grpc::Storage& storage : storages)
    if (IsShared(storage)) mounted_.at(storage.mount_point()).shared = true;
  return uses;
}

void StorageTable::ReleaseShared() {
  const std::lock_guard lock(mutex_);
  for (auto it = mounted_.begin(); it != mounted_.end();) {
    it->second.shared = false;
    it = it->second.uses == 0 ? mounted_.erase(it) : std::next(it);
  }
}

Result<StorageTable::Use> StorageTable::MountOne(const grpc::Storage& storage, Request& request) {
  (void)TRY(RelativeTo(config_.run_dir, storage.mount_point()));
  const bool block = storage.driver() == "blk" || storage.driver() == "scsi";
  // The wait for a device, without the lock.
  if (block) (void)TRY(FindBlockDevice(storage.source(), config_.hotplug_patience));
  const std::lock_guard lock(mutex_);
  const auto it = mounted_.find(storage.mount_point());
  if (it != mounted_.end()) {
    if (storage.driver() == "overlayfs" || it->second.form != FormOf(storage)) {
      return Error(Code::kAlreadyExists, "the mount point is in use for something else");
    }
    ++it->second.uses;
    if (it->second.kind == Kind::kLayer) request.layers.push_back(storage.mount_point());
    return Use(this, storage.mount_point());
  }
  Result<Mounted> mounted = Error(Code::kInvalidArgument, "no such driver");
  if (block && IsEncrypted(storage)) {
    mounted = MountEncrypted(storage);
    if (mounted && !storage.shared()) request.encrypted.push_back(storage.mount_point());
  } else if (block) {
    mounted = IsLayer(storage) ? MountLayer(storage) : MountBlock(storage);
  }
  if (storage.driver() == "ephemeral") mounted = MountEphemeral(storage);
  if (storage.driver() == "local") mounted = MountLocal(storage);
  if (storage.driver() == "overlayfs") mounted = MountOverlay(storage, request);
  if (!mounted) return std::move(mounted).error();
  mounted->form = FormOf(storage);
  mounted->uses = 1;
  if (mounted->kind == Kind::kLayer) request.layers.push_back(storage.mount_point());
  mounted_.emplace(storage.mount_point(), *std::move(mounted));
  return Use(this, storage.mount_point());
}

void StorageTable::Drop(const std::string& mount_point) {
  const std::lock_guard lock(mutex_);
  const auto it = mounted_.find(mount_point);
  if (it != mounted_.end() && --it->second.uses == 0 && !it->second.shared) mounted_.erase(it);
}

Result<UniqueFd> StorageTable::MakeMountPoint(const std::string& mount_point, Mounted& mounted) {
  const std::string relative = TRY(RelativeTo(config_.run_dir, mount_point));
  const std::size_t slash = relative.rfind('/');
  const bool nested = slash != std::string::npos;
  UniqueFd parent = TRY(MakeDirectoriesBeneath(
      root_, nested ? relative.substr(0, slash) : std::string(), kMountPointMode));
  std::string name = nested ? relative.substr(slash + 1) : relative;
  const bool made = ::mkdirat(parent.get(), name.c_str(), kMountPointMode) == 0;
  if (!made && errno != EEXIST) return ErrnoError(errno, "mkdir of the mount point");
  UniqueFd target = TRY(OpenBeneath(parent, name, O_PATH | O_DIRECTORY));
  if (made) {
    mounted.parts.push_back(std::make_unique<DirectoryPart>(std::move(parent), std::move(name)));
  }
  return target;
}

Result<void> StorageTable::Need(std::string_view module) {
  return config_.need_module ? config_.need_module(module) : Result<void>();
}

Result<StorageTable::Mounted> StorageTable::MountBlock(const grpc::Storage& storage) {
  if (config_.verified_only) {
    return Error(Code::kPermissionDenied, "a layer without a root hash");
  }
  constexpr std::array<std::string_view, 4> kKnown = {"squashfs", "erofs", "ext4", "xfs"};
  if (std::find(kKnown.begin(), kKnown.end(), storage.fstype()) == kKnown.end()) {
    return Error(Code::kInvalidArgument, "no such file system for a block device");
  }
  const MountOptions options = TRY(ParseMountOptions(OptionsOf(storage)));
  const BlockDevice device = TRY(FindBlockDevice(storage.source(), std::chrono::milliseconds(0)));
  TRY(Need(storage.fstype()));
  Mounted mounted;
  const bool read_only_type = storage.fstype() == "squashfs" || storage.fstype() == "erofs";
  mounted.kind = read_only_type ? Kind::kLayer : Kind::kOther;
  const UniqueFd target = TRY(MakeMountPoint(storage.mount_point(), mounted));
  mounted.parts.push_back(std::make_unique<MountPart>(
      TRY(ScopedMount::Mount(device.path, target, storage.fstype(), options))));
  return mounted;
}

Result<StorageTable::Mounted> StorageTable::MountLayer(const grpc::Storage& storage) {
  const LayerRequest layer = TRY(ParseLayer(storage, config_.run_dir + kLayersBelow));
  const BlockDevice device = TRY(FindBlockDevice(storage.source(), std::chrono::milliseconds(0)));
  TRY(Need("verity"));
  TRY(Need(verity::kFileSystem));
  Mounted mounted;
  mounted.kind = Kind::kLayer;
  auto verified = std::make_unique<DevicePart>(TRY(OpenLayer(layer, device)));
  const std::string path = verified->path();
  mounted.parts.push_back(std::move(verified));
  const UniqueFd target = TRY(MakeMountPoint(storage.mount_point(), mounted));
  constexpr unsigned long kFlags = MS_RDONLY | MS_NODEV;
  mounted.parts.push_back(std::make_unique<MountPart>(
      TRY(ScopedMount::Mount(path, target, std::string(verity::kFileSystem), {kFlags, ""}))));
  return mounted;
}

// Kata's form of an encrypted volume. Nothing that the host has on the disk is believed, so a guest
// that wants verified content takes it, too.
Result<StorageTable::Mounted> StorageTable::MountEncrypted(const grpc::Storage& storage) {
  const auto& wanted = storage.driver_options();
  if (wanted.size() != 2 ||
      std::find(wanted.begin(), wanted.end(), kCreateFileSystem) == wanted.end() ||
      storage.fstype() != "ext4" || storage.options_size() > 0) {
    return Error(Code::kInvalidArgument, "an encrypted disk is made ext4, without other options");
  }
  if (!config_.run_program) return Error(Code::kUnimplemented, "no encrypted disks");
  const BlockDevice device = TRY(FindBlockDevice(storage.source(), std::chrono::milliseconds(0)));
  TRY(Need("encryption"));
  Mounted mounted;
  auto encrypted = std::make_unique<EncryptedPart>(TRY(EncryptedDisk::Create(device)));
  const std::string path = encrypted->path();
  mounted.parts.push_back(std::move(encrypted));
  // No journal and no copies of the superblock: the file system ends with the machine. Inode tables
  // stay unwritten until they are used, so that a large disk costs the host nothing.
  TRY(config_.run_program({config_.mke2fs, "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-O",
                           "^has_journal,^resize_inode,sparse_super2", "-E",
                           "lazy_itable_init=1,nodiscard,num_backup_sb=0", path}));
  const UniqueFd target = TRY(MakeMountPoint(storage.mount_point(), mounted));
  mounted.parts.push_back(std::make_unique<MountPart>(TRY(ScopedMount::Mount(
      path, target, "ext4", {MS_NODEV | MS_NOATIME, "noinit_itable,errors=remount-ro"}))));
  const std::string relative = TRY(RelativeTo(config_.run_dir, storage.mount_point()));
  const UniqueFd root = TRY(OpenBeneath(root_, relative, O_RDONLY | O_DIRECTORY));
  if (::unlinkat(root.get(), "lost+found", AT_REMOVEDIR) != 0) {
    return ErrnoError(errno, "remove lost+found");
  }
  std::optional<unsigned> group;
  if (storage.has_fs_group()) group = storage.fs_group().group_id();
  TRY(SetOwnership(root_, relative, storage.shared() ? 0777U : 0700U, group));
  return mounted;
}

Result<StorageTable::Mounted> StorageTable::MountTmpfs(const grpc::Storage& storage,
                                                       std::vector<std::string> options) {
  std::optional<unsigned> group;
  std::optional<unsigned> mode;
  if (const auto text = TakeOption(options, "fsgid")) group = TRY(ParseId(*text, 10));
  if (storage.has_fs_group()) group = storage.fs_group().group_id();
  if (const auto text = TakeOption(options, "mode")) mode = TRY(ParseId(*text, 8));
  const std::string type = storage.fstype() == "hugetlbfs" ? "hugetlbfs" : "tmpfs";
  Mounted mounted;
  if (const auto size = type == "tmpfs" ? TakeOption(options, "size") : std::nullopt) {
    options.push_back("size=" + budget_.Bound(*size));
  } else if (type == "tmpfs") {
    auto share = budget_.Take(std::uint64_t{1} << 40);
    options.push_back("size=" + std::to_string(share.bytes()));
    mounted.parts.push_back(std::make_unique<SharePart>(std::move(share)));
  }
  const MountOptions parsed = TRY(ParseMountOptions(options));
  const UniqueFd target = TRY(MakeMountPoint(storage.mount_point(), mounted));
  mounted.parts.push_back(
      std::make_unique<MountPart>(TRY(ScopedMount::Mount(type, target, type, parsed))));
  const std::string relative = TRY(RelativeTo(config_.run_dir, storage.mount_point()));
  TRY(SetOwnership(root_, relative, mode, group));
  return mounted;
}

Result<StorageTable::Mounted> StorageTable::MountEphemeral(const grpc::Storage& storage) {
  if (storage.fstype() != "tmpfs" && storage.fstype() != "hugetlbfs") {
    return Error(Code::kInvalidArgument, "not a file system in memory");
  }
  return MountTmpfs(storage, OptionsOf(storage));
}

// Kata's is a plain directory in the guest's memory; here with a bound.
Result<StorageTable::Mounted> StorageTable::MountLocal(const grpc::Storage& storage) {
  return MountTmpfs(storage, OptionsOf(storage));
}

// Beside the root file system: the encrypted disk that the request has put there, or memory.
Result<std::string> StorageTable::MakeScratch(const grpc::Storage& overlay, const Request& request,
                                              Mounted& mounted) {
  const std::size_t slash = overlay.mount_point().rfind('/');
  const std::string scratch = overlay.mount_point().substr(0, slash) + "/scratch";
  std::string relative = TRY(RelativeTo(config_.run_dir, scratch));
  const auto& encrypted = request.encrypted;
  if (std::find(encrypted.begin(), encrypted.end(), scratch) != encrypted.end()) return relative;
  auto share = budget_.Take(request.writable_bytes);
  MountOptions memory{MS_NODEV, "mode=0700,size=" + std::to_string(share.bytes())};
  mounted.parts.push_back(std::make_unique<SharePart>(std::move(share)));
  const UniqueFd target = TRY(MakeMountPoint(scratch, mounted));
  mounted.parts.push_back(
      std::make_unique<MountPart>(TRY(ScopedMount::Mount("scratch", target, "tmpfs", memory))));
  return relative;
}

Result<StorageTable::Mounted> StorageTable::MountOverlay(const grpc::Storage& storage,
                                                         const Request& request) {
  std::vector<std::string> options = OptionsOf(storage);
  const auto lower = TakeOption(options, "lowerdir");
  std::erase(options, std::string("io.katacontainers.fs-opt.overlay-rw"));
  if (!lower || !options.empty() || storage.fstype() != "overlay") {
    return Error(Code::kInvalidArgument, "an overlay has `lowerdir=` and no other option");
  }
  TRY(Need("overlay"));
  // Exactly the layers of this request, in their order: no directory of another kind, none twice.
  std::vector<UniqueFd> layers;
  MountOptions overlay;
  std::string_view rest = *lower;
  for (std::size_t i = 0;; ++i) {
    const std::size_t colon = rest.find(':');
    std::string layer(rest.substr(0, colon));
    if (!layer.starts_with('/')) layer = config_.run_dir + kLayersBelow + layer;
    if (i >= request.layers.size() || request.layers[i] != layer) {
      return Error(Code::kInvalidArgument, "lowerdir does not list the layers of the request");
    }
    const std::string below = TRY(RelativeTo(config_.run_dir, layer));
    layers.push_back(TRY(OpenBeneath(root_, below)));
    // By descriptor: short, for mount(2) takes a page of options.
    overlay.data += i == 0 ? "lowerdir=" : ":";
    overlay.data += PathOf(layers.back());
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  if (layers.size() != request.layers.size()) {
    return Error(Code::kInvalidArgument, "lowerdir does not list the layers of the request");
  }
  Mounted mounted;
  const std::string relative = TRY(MakeScratch(storage, request, mounted));
  const UniqueFd upper = TRY(MakeDirectoriesBeneath(root_, relative + "/upper", 0755));
  const UniqueFd work = TRY(MakeDirectoriesBeneath(root_, relative + "/work", 0700));
  overlay.data += ",upperdir=" + PathOf(upper) + ",workdir=" + PathOf(work);
  const UniqueFd target = TRY(MakeMountPoint(storage.mount_point(), mounted));
  mounted.parts.push_back(
      std::make_unique<MountPart>(TRY(ScopedMount::Mount("overlay", target, "overlay", overlay))));
  return mounted;
}

}  // namespace kata_cc::agent
