// SPDX-License-Identifier: Apache-2.0
// StorageTable: the file systems that requests ask for (Kata's Storage entries), each mounted once
// and counted by mount point, so that containers of a pod share their layers. What the pod's
// containers hand on to each other (emptyDirs) stays until ReleaseShared.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/storage/scratch_budget.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

struct StorageConfig {
  std::string run_dir;  // All mount points are below it.
  // Refuse block devices whose content no root hash vouches for, whatever they are for.
  bool verified_only = false;
  // Has the kernel learn a file system, or "verity", before it is used; not set: it knows them.
  std::function<Result<void>(std::string_view)> need_module;
  std::chrono::milliseconds hotplug_patience{3000};  // Kata's.
  // Runs a program to its end; an error unless it says 0. Not set: no encrypted storage.
  std::function<Result<void>(const std::vector<std::string>& argv)> run_program;
  std::string mke2fs = "/sbin/mke2fs";
};

// Any thread. Outlives its references.
class StorageTable {
 public:
  // Opens config.run_dir, which exists.
  static Result<std::unique_ptr<StorageTable>> Create(StorageConfig config, ScratchBudget budget);
  StorageTable(const StorageTable&) = delete;
  StorageTable& operator=(const StorageTable&) = delete;
  ~StorageTable();

  // A use of a mounted storage. The last one of a mount point unmounts it.
  class Use {
   public:
    Use(Use&& other) noexcept;
    Use& operator=(Use&&) = delete;
    ~Use();
    const std::string& mount_point() const { return mount_point_; }

   private:
    friend class StorageTable;
    Use(StorageTable* table, std::string mount_point)
        : table_(table), mount_point_(std::move(mount_point)) {}
    StorageTable* table_;
    std::string mount_point_;
  };

  // All storages of one request, in order; none on failure. An overlay stands on exactly the layers
  // before it. writable_bytes: how much a writable
  // layer may hold at most. InvalidArgument for what the storage's driver does not know,
  // AlreadyExists when a mount point holds something else.
  using Storages = google::protobuf::RepeatedPtrField<grpc::Storage>;
  Result<std::vector<Use>> MountAll(const Storages& storages, std::uint64_t writable_bytes);

  // Ends the sandbox's own use of its shared storages; those that no container uses are unmounted.
  void ReleaseShared();

  static std::vector<std::string> Drivers();

  const UniqueFd& root() const { return root_; }
  const StorageConfig& config() const { return config_; }

  // Something that exists until it is dropped: a mount, a device mapping, a directory.
  class Part {
   public:
    Part() = default;
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    virtual ~Part() = default;
  };

 private:
  // A layer may be part of a root file system.
  enum class Kind { kOther, kLayer };
  struct Mounted {
    Kind kind = Kind::kOther;
    std::string form;  // The request, without its source: what a second one must agree with.
    std::size_t uses = 0;
    bool shared = false;                       // The sandbox uses it, too.
    std::vector<std::unique_ptr<Part>> parts;  // Dropped in reverse.
    Mounted() = default;
    Mounted(Mounted&&) = default;
    Mounted& operator=(Mounted&&) = default;
    ~Mounted();
  };
  struct Request;

  StorageTable(StorageConfig config, ScratchBudget budget, UniqueFd root)
      : config_(std::move(config)), budget_(std::move(budget)), root_(std::move(root)) {}
  Result<Use> MountOne(const grpc::Storage& storage, Request& request);
  Result<void> Need(std::string_view module);
  Result<Mounted> MountBlock(const grpc::Storage& storage);
  Result<Mounted> MountLayer(const grpc::Storage& storage);
  Result<Mounted> MountEncrypted(const grpc::Storage& storage);
  Result<Mounted> MountEphemeral(const grpc::Storage& storage);
  Result<Mounted> MountLocal(const grpc::Storage& storage);
  Result<Mounted> MountOverlay(const grpc::Storage& storage, const Request& request);
  // Where an overlay's writable layer goes: a directory with room for it.
  Result<std::string> MakeScratch(const grpc::Storage& overlay, const Request& request,
                                  Mounted& mounted);
  Result<UniqueFd> MakeMountPoint(const std::string& mount_point, Mounted& mounted);
  Result<Mounted> MountTmpfs(const grpc::Storage& storage, std::vector<std::string> options);
  void Drop(const std::string& mount_point);

  const StorageConfig config_;
  ScratchBudget budget_;
  const UniqueFd root_;
  // Held while mounting and unmounting, so that neither meets the other half done.
  std::mutex mutex_;
  std::map<std::string, Mounted> mounted_;
};

}  // namespace kata_cc::agent
