// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/snapshotter.h"

#include <unistd.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/log.h"

namespace kata_cc::snapshotter {
namespace {

using shim::HostMount;

constexpr char kLayerLabel[] = "containerd.io/snapshot.ref";
constexpr std::size_t kMaxListBytes = 1 << 20;

std::string LayerListPath(const SnapshotStore& snapshots, const Record& record) {
  return snapshots.Directory(record.id) + "/layers.json";
}

}  // namespace

Snapshotter::Snapshotter(SnapshotStore& snapshots, LayerStore& layers, LayerFinder& finder,
                         LayerMaker& maker)
    : snapshots_(snapshots),
      layers_(layers),
      finder_(finder),
      maker_(maker),
      index_off_(::access("/sys/module/overlay/parameters/index", F_OK) == 0) {
  for (const Record& record : snapshots_.List())
    if (record.is_layer() && (record.diff_id.empty() || !layers_.Find(record.diff_id)))
      maker_.Want(record);
  housekeeping_.Post([this] {
    if (auto cleaned = Cleanup(); !cleaned)
      Log(LogLevel::kWarn, "cleanup failed", {{field::kError, cleaned.error().message()}});
  });
}

Result<std::vector<HostMount>> Snapshotter::Prepare(Record wanted) {
  if (const auto label = wanted.labels.find(kLayerLabel); label != wanted.labels.end())
    wanted.chain_id = label->second;
  else
    wanted.chain_id = ChainIdOfKey(wanted.name);
  if (wanted.kind != Kind::kActive) wanted.chain_id.clear();
  if (wanted.is_layer()) {
    Result<FoundLayer> found = finder_.Find(wanted.content_namespace, wanted.chain_id);
    if (found)
      wanted.diff_id = found->diff_id;
    else if (found.error().code() == Code::kFailedPrecondition)
      return std::move(found).error();
    else  // The image's documents may yet come; containerd may be elsewhere.
      Log(LogLevel::kInfo, "layer not found yet",
          {{field::kPath, wanted.chain_id}, {field::kError, found.error().message()}});
  }
  const Record record = TRY(snapshots_.Create(std::move(wanted)));
  if (record.is_layer()) maker_.Want(record);
  return MountsOf(record);
}

Result<std::vector<HostMount>> Snapshotter::MountsOf(const Record& record) {
  const std::vector<Record> chain = TRY(snapshots_.Chain(record.name));
  const std::string files = snapshots_.Files(record.id);
  const bool writable = record.kind == Kind::kActive;
  if (chain.size() == 1)
    return std::vector<HostMount>{{"bind", files, {writable ? "rw" : "ro", "rbind"}}};
  HostMount mount{"overlay", "overlay", {}};
  if (!record.is_layer())
    mount.source = std::string(shim::kLayerListSource) + LayerListPath(snapshots_, record);
  if (index_off_) mount.options.emplace_back("index=off");
  if (writable) {
    mount.options.push_back("workdir=" + snapshots_.WorkDirectory(record.id));
    mount.options.push_back("upperdir=" + files);
  }
  std::string lower = "lowerdir=";
  for (std::size_t i = 1; i < chain.size(); ++i)
    lower += (i > 1 ? ":" : "") + snapshots_.Files(chain[i].id);
  // overlayfs without an upper directory wants two lower ones; a view's own is empty.
  if (!writable && chain.size() == 2) lower += ":" + files;
  mount.options.push_back(std::move(lower));
  return std::vector<HostMount>{std::move(mount)};
}

Result<std::vector<HostMount>> Snapshotter::Mounts(const std::string& key,
                                                   std::chrono::steady_clock::time_point deadline,
                                                   const std::function<bool()>& cancelled) {
  const std::vector<Record> chain = TRY(snapshots_.Chain(key));
  const Record& record = chain.front();
  if (record.kind == Kind::kCommitted)
    return Error(Code::kFailedPrecondition, "snapshot " + key + ": is not active or a view");
  if (!record.is_layer() && chain.size() > 1) (void)TRY(WriteLayerList(chain, deadline, cancelled));
  return MountsOf(record);
}

Result<void> Snapshotter::WriteLayerList(const std::vector<Record>& chain,
                                         std::chrono::steady_clock::time_point deadline,
                                         const std::function<bool()>& cancelled) {
  shim::LayerList list;
  const std::vector<Record> ancestors(chain.begin() + 1, chain.end());
  for (const Record& ancestor : ancestors)
    if (!ancestor.is_layer())
      list.problem = "snapshot " + ancestor.name + " was not unpacked from an image's layer";
  if (list.problem.empty()) {
    auto files = maker_.Get(ancestors, deadline, cancelled);
    if (files) {
      list.layers = *std::move(files);
      shim::DropRepeatedLayers(&list.layers);
    } else if (files.error().code() == Code::kDeadlineExceeded ||
               files.error().code() == Code::kCancelled) {
      return std::move(files).error();
    } else {
      // The host can mount the snapshot all the same; who needs verified layers reads why not.
      list.problem = files.error().message();
    }
  }
  const std::string text = EncodeLayerList(list);
  const std::string path = LayerListPath(snapshots_, chain.front());
  if (const auto present = ReadFile(path, kMaxListBytes); present && AsString(*present) == text)
    return {};
  return WriteDurably(path, text);
}

Result<void> Snapshotter::Commit(const std::string& key, const std::string& name,
                                 const std::string& parent,
                                 std::map<std::string, std::string> labels) {
  if (!parent.empty()) {
    const Record record = TRY(snapshots_.Stat(key));
    if (record.parent != parent)
      return Error(Code::kUnimplemented, "snapshot " + key + ": commit onto another parent");
  }
  Record committed = TRY(snapshots_.Commit(key, name, std::move(labels)));
  housekeeping_.Post([this, committed = std::move(committed)] { FinishCommit(committed); });
  return {};
}

void Snapshotter::FinishCommit(const Record& record) {
  std::error_code error;
  std::filesystem::remove_all(snapshots_.WorkDirectory(record.id), error);
  (void)Usage(record.name);  // Removed meanwhile: nothing to keep.
}

Result<void> Snapshotter::Remove(const std::string& key) {
  (void)TRY(snapshots_.Remove(key));
  housekeeping_.Post([this] { (void)Cleanup(); });
  return {};
}

Result<DiskUse> Snapshotter::Usage(const std::string& key) {
  const Record record = TRY(snapshots_.Stat(key));
  DiskUse use;
  if (record.use) {
    use = *record.use;
  } else {
    use = DiskUseOf(snapshots_.Files(record.id));
    if (record.kind == Kind::kCommitted) (void)TRY(snapshots_.SetUse(record.id, use));
  }
  use.bytes += layers_.BytesOf(record.diff_id);
  return use;
}

Result<void> Snapshotter::Cleanup() {
  (void)TRY(snapshots_.Cleanup());
  layers_.Collect([&] {
    std::set<std::string> diff_ids;
    for (const Record& record : snapshots_.List())
      if (!record.diff_id.empty()) diff_ids.insert(record.diff_id);
    return diff_ids;
  });
  return {};
}

}  // namespace kata_cc::snapshotter
