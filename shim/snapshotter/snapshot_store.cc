// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/snapshot_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/retry.h"

namespace kata_cc::snapshotter {
namespace {

constexpr std::size_t kMaxRecordBytes = 4 << 20;
constexpr char kTemporary[] = ".new";

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<void> MakeDir(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  if (errno == EEXIST) return {};
  return ErrnoError(errno, path);
}

Result<void> SyncDirectory(const std::string& path) {
  const UniqueFd fd = TRY(OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return ErrnoError(errno, "sync " + path);
  return {};
}

Result<void> Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoError(errno, "rename " + from);
  return {};
}

Result<std::vector<std::string>> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error))
    names.push_back(it->path().filename());
  if (error) return ErrnoError(error.value(), directory);
  return names;
}

std::optional<std::uint64_t> ParseId(std::string_view name) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end == name.data() || id == 0) return std::nullopt;
  return id;
}

Error NoSnapshot(const std::string& name) {
  return {Code::kNotFound, "snapshot " + name + ": not found"};
}

void DropEmpty(std::map<std::string, std::string>* labels) {
  std::erase_if(*labels, [](const auto& label) { return label.second.empty(); });
}

}  // namespace

Result<void> WriteDurably(const std::string& path, const std::string& bytes, const StepHook& step) {
  const std::string temporary = path + kTemporary;
  step();
  {
    const UniqueFd fd = TRY(OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    for (std::string_view rest = bytes; !rest.empty();) {
      step();
      const ssize_t count =
          RetryOnEintr([&] { return ::write(fd.get(), rest.data(), rest.size()); });
      if (count < 0) return ErrnoError(errno, temporary);
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    step();
    if (::fsync(fd.get()) != 0) return ErrnoError(errno, "sync " + temporary);
  }
  step();
  (void)TRY(Rename(temporary, path));
  step();
  return SyncDirectory(path.substr(0, path.rfind('/')));
}

DiskUse DiskUseOf(const std::string& directory) {
  DiskUse use;
  std::set<std::pair<dev_t, ino_t>> seen;
  const auto add = [&](const std::string& path) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) return;
    if (!S_ISDIR(status.st_mode) && status.st_nlink > 1 &&
        !seen.emplace(status.st_dev, status.st_ino).second)
      return;
    use.bytes += std::int64_t{status.st_blocks} * 512;
    ++use.inodes;
  };
  add(directory);
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error))
    add(it->path());
  return use;
}

std::string SnapshotStore::Directory(std::uint64_t id) const {
  return root_ + "/snapshots/" + std::to_string(id);
}

std::string SnapshotStore::RecordPath(std::uint64_t id) const {
  return root_ + "/records/" + std::to_string(id) + ".json";
}

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::Open(std::string root, StepHook step) {
  std::error_code error;
  std::filesystem::create_directories(root, error);
  if (error) return ErrnoError(error.value(), root);
  // 0711: the files of images are to be reached by what runs as another user on the host.
  if (::chmod(root.c_str(), 0711) != 0) return ErrnoError(errno, root);
  std::unique_ptr<SnapshotStore> store(new SnapshotStore(std::move(root), std::move(step)));
  for (const char* name : {"/records", "/damaged", "/trash"})
    (void)TRY(MakeDir(store->root_ + name, 0700));
  (void)TRY(MakeDir(store->root_ + "/snapshots", 0711));
  store->lock_ = TRY(OpenFile(store->root_ + "/lock", O_RDWR | O_CREAT, 0600));
  if (::flock(store->lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return Error(Code::kAlreadyExists, store->root_ + ": another snapshotter has it open");
  (void)TRY(store->Load());
  return store;
}

void SnapshotStore::LoadRecord(Table& table, const std::string& file) {
  const std::string path = root_ + "/records/" + file;
  const auto read = [&]() -> Result<Record> {
    const Bytes bytes = TRY(ReadFile(path, kMaxRecordBytes));
    Record record = TRY(ParseRecord(AsString(bytes)));
    if (path != RecordPath(record.id))
      return Error(Code::kDataLoss, "snapshot record: names another file");
    if (table.records.contains(record.name))
      return Error(Code::kDataLoss, "snapshot record: name is taken by another");
    return record;
  };
  Result<Record> record = read();
  if (!record) {
    Log(LogLevel::kError, "damaged record set aside: its snapshot is lost",
        {{field::kPath, path}, {field::kError, record.error().message()}});
    if (::rename(path.c_str(), (root_ + "/damaged/" + file).c_str()) != 0)
      Log(LogLevel::kError, "damaged record stays", {{field::kPath, path}});
    return;
  }
  table.names[record->id] = record->name;
  if (!record->parent.empty()) ++table.children[record->parent];
  std::string name = record->name;
  table.records.emplace(std::move(name), *std::move(record));
}

Result<void> SnapshotStore::Load() {
  auto table = table_.Lock();
  for (const std::string& file : TRY(NamesIn(root_ + "/records"))) {
    if (file.ends_with(kTemporary)) {
      ::unlink((root_ + "/records/" + file).c_str());
      continue;
    }
    LoadRecord(*table, file);
  }
  for (const char* directory : {"/records", "/snapshots", "/trash", "/damaged"})
    for (const std::string& name : TRY(NamesIn(root_ + directory)))
      if (const auto id = ParseId(name)) table->next_id = std::max(table->next_id, *id + 1);
  return {};
}

Result<void> SnapshotStore::Save(const Record& record) {
  return WriteDurably(RecordPath(record.id), EncodeRecord(record), step_);
}

// The directory appears under its own name only when it is complete.
Result<void> SnapshotStore::MakeDirectory(const Record& record, const Record* parent) {
  const std::string path = Directory(record.id);
  const std::string temporary = path + kTemporary;
  std::error_code error;
  step_();
  std::filesystem::remove_all(temporary, error);
  (void)TRY(MakeDir(temporary, 0711));
  const std::string files = temporary + "/fs";
  (void)TRY(MakeDir(files, 0755));
  if (::chmod(files.c_str(), 0755) != 0) return ErrnoError(errno, files);  // Whatever the umask.
  if (record.kind == Kind::kActive) (void)TRY(MakeDir(temporary + "/work", 0711));
  if (parent != nullptr) {
    struct stat status = {};
    if (::stat(Files(parent->id).c_str(), &status) != 0)
      return Error(Code::kFailedPrecondition, "snapshot " + parent->name + ": its files are lost");
    if (::lchown(files.c_str(), status.st_uid, status.st_gid) != 0) return ErrnoError(errno, files);
  }
  step_();
  return Rename(temporary, path);
}

Result<Record> SnapshotStore::Create(Record wanted) {
  auto table = table_.Lock();
  const Record* parent = nullptr;
  if (!wanted.parent.empty()) {
    const auto found = table->records.find(wanted.parent);
    if (found == table->records.end()) return NoSnapshot(wanted.parent).With("parent");
    if (found->second.kind != Kind::kCommitted)
      return Error(Code::kInvalidArgument, "parent " + wanted.parent + ": is not committed");
    parent = &found->second;
  }
  if (wanted.name.empty()) return Error(Code::kInvalidArgument, "snapshot: no key");
  if (table->records.contains(wanted.name))
    return Error(Code::kAlreadyExists, "snapshot " + wanted.name + ": already exists");
  wanted.id = table->next_id++;
  wanted.created_ns = wanted.updated_ns = NowNs();
  wanted.use.reset();
  DropEmpty(&wanted.labels);
  (void)TRY(MakeDirectory(wanted, parent));
  if (auto saved = Save(wanted); !saved) {
    (void)MoveToTrash(wanted.id);
    return std::move(saved).error();
  }
  table->names[wanted.id] = wanted.name;
  if (!wanted.parent.empty()) ++table->children[wanted.parent];
  table->records[wanted.name] = wanted;
  return wanted;
}

// Saves first: memory never says what the disk does not.
Result<void> SnapshotStore::Replace(Table& table, const std::string& old_name, Record record) {
  (void)TRY(Save(record));
  table.records.erase(old_name);
  table.names[record.id] = record.name;
  std::string name = record.name;
  table.records[std::move(name)] = std::move(record);
  return {};
}

Result<Record> SnapshotStore::Commit(const std::string& key, const std::string& name,
                                     std::map<std::string, std::string> labels) {
  auto table = table_.Lock();
  const auto found = table->records.find(key);
  if (table->records.contains(name) && name != key)
    return Error(Code::kAlreadyExists, "snapshot " + name + ": already exists");
  if (found == table->records.end()) return NoSnapshot(key);
  if (found->second.kind != Kind::kActive)
    return Error(Code::kFailedPrecondition, "snapshot " + key + ": is not active");
  if (name.empty()) return Error(Code::kInvalidArgument, "snapshot: no name");
  Record record = found->second;
  record.name = name;
  record.kind = Kind::kCommitted;
  record.created_ns = record.updated_ns = NowNs();
  record.labels = std::move(labels);
  DropEmpty(&record.labels);
  (void)TRY(Replace(*table, std::string(key), record));
  return record;
}

Result<Record> SnapshotStore::Remove(const std::string& name) {
  auto table = table_.Lock();
  const auto found = table->records.find(name);
  if (found == table->records.end()) return NoSnapshot(name);
  if (const auto children = table->children.find(name);
      children != table->children.end() && children->second > 0)
    return Error(Code::kFailedPrecondition,
                 "snapshot " + name + ": cannot be removed: it has children");
  Record record = found->second;
  step_();
  if (::unlink(RecordPath(record.id).c_str()) != 0 && errno != ENOENT)
    return ErrnoError(errno, RecordPath(record.id));
  table->records.erase(found);
  table->names.erase(record.id);
  if (!record.parent.empty() && --table->children[record.parent] == 0)
    table->children.erase(record.parent);
  step_();
  // Gone whatever happens now: containerd's collection stops at the first error of a removal.
  if (auto synced = SyncDirectory(root_ + "/records"); !synced)
    Log(LogLevel::kError, "removal not synced", {{field::kError, synced.error().message()}});
  if (auto moved = MoveToTrash(record.id); !moved)
    Log(LogLevel::kWarn, "directory stays until cleanup",
        {{field::kError, moved.error().message()}});
  return record;
}

Result<void> SnapshotStore::MoveToTrash(std::uint64_t id) {
  step_();
  const std::string target = root_ + "/trash/" + std::to_string(id);
  if (::rename(Directory(id).c_str(), target.c_str()) != 0 && errno != ENOENT)
    return ErrnoError(errno, "rename to " + target);
  return {};
}

Result<Record> SnapshotStore::Update(const std::string& name,
                                     const std::map<std::string, std::string>& labels,
                                     const std::vector<std::string>& paths) {
  constexpr std::string_view kLabelPrefix = "labels.";
  auto table = table_.Lock();
  const auto found = table->records.find(name);
  if (found == table->records.end()) return NoSnapshot(name);
  Record record = found->second;
  if (paths.empty()) record.labels = labels;
  for (const std::string& path : paths) {
    if (path == "labels") {
      record.labels = labels;
    } else if (path.starts_with(kLabelPrefix)) {
      const std::string label = path.substr(kLabelPrefix.size());
      const auto value = labels.find(label);
      record.labels[label] = value == labels.end() ? "" : value->second;
    } else {
      return Error(Code::kInvalidArgument, "snapshot " + name + ": cannot update " + path);
    }
  }
  DropEmpty(&record.labels);
  record.updated_ns = NowNs();
  (void)TRY(Replace(*table, std::string(name), record));
  return record;
}

Result<Record> SnapshotStore::Stat(const std::string& name) const {
  auto table = table_.Lock();
  const auto found = table->records.find(name);
  if (found == table->records.end()) return NoSnapshot(name);
  return found->second;
}

Result<Record> SnapshotStore::StatId(std::uint64_t id) const {
  auto table = table_.Lock();
  const auto name = table->names.find(id);
  if (name == table->names.end()) return NoSnapshot(std::to_string(id));
  return table->records.at(name->second);
}

std::vector<Record> SnapshotStore::List() const {
  auto table = table_.Lock();
  std::vector<Record> records;
  records.reserve(table->records.size());
  for (const auto& [name, record] : table->records) {
    records.push_back(record);
    if (!table->records.contains(record.parent)) records.back().parent.clear();
  }
  return records;
}

Result<std::vector<Record>> SnapshotStore::Chain(const std::string& name) const {
  auto table = table_.Lock();
  std::vector<Record> chain;
  for (const std::string* next = &name; !next->empty(); next = &chain.back().parent) {
    const auto found = table->records.find(*next);
    if (found == table->records.end()) {
      if (chain.empty()) return NoSnapshot(name);
      return Error(Code::kFailedPrecondition,
                   "snapshot " + name + ": its parent " + *next + " is lost");
    }
    if (chain.size() > table->records.size())
      return Error(Code::kFailedPrecondition, "snapshot " + name + ": is its own ancestor");
    chain.push_back(found->second);
  }
  return chain;
}

Result<void> SnapshotStore::SetDiffId(std::uint64_t id, const std::string& diff_id) {
  auto table = table_.Lock();
  const auto name = table->names.find(id);
  if (name == table->names.end()) return {};
  Record record = table->records[name->second];
  if (record.diff_id == diff_id) return {};
  record.diff_id = diff_id;
  const std::string old_name = record.name;
  return Replace(*table, old_name, std::move(record));
}

Result<void> SnapshotStore::SetUse(std::uint64_t id, DiskUse use) {
  auto table = table_.Lock();
  const auto name = table->names.find(id);
  if (name == table->names.end()) return {};
  Record record = table->records[name->second];
  record.use = use;
  const std::string old_name = record.name;
  return Replace(*table, old_name, std::move(record));
}

Result<void> SnapshotStore::Cleanup() {
  const std::lock_guard<std::mutex> one_at_a_time(cleanup_);
  {
    auto table = table_.Lock();  // So that no directory is one that is just being made.
    for (const std::string& name : TRY(NamesIn(root_ + "/snapshots"))) {
      const auto id = ParseId(name);
      if (id && name == std::to_string(*id) && table->names.contains(*id)) continue;
      (void)TRY(Rename(root_ + "/snapshots/" + name, root_ + "/trash/" + name));
    }
  }
  for (const std::string& name : TRY(NamesIn(root_ + "/trash"))) {
    std::error_code error;
    std::filesystem::remove_all(root_ + "/trash/" + name, error);
    if (error)
      Log(LogLevel::kWarn, "trash cannot be deleted",
          {{field::kPath, name}, {field::kError, error.message()}});
  }
  return {};
}

}  // namespace kata_cc::snapshotter
