// SPDX-License-Identifier: Apache-2.0
// SnapshotStore: the records of all snapshots, in memory and on disk, and their directories.
//
//   ROOT/records/ID.json    one a snapshot; what is not here does not exist
//   ROOT/snapshots/ID/      fs (the snapshot's own files), work (overlayfs'), layers.json
//   ROOT/damaged/           records that could not be read; their snapshots are gone
//   ROOT/trash/             directories on their way out
//
// A record is written last and removed first, each by one rename or unlink that is synced, so a
// crash leaves at most a directory without a record, which the next start removes. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/synced.h"
#include "base/unique_fd.h"
#include "shim/snapshotter/record.h"

namespace kata_cc::snapshotter {

// Called before each step that changes the disk; tests end the process in it.
using StepHook = std::function<void()>;

class SnapshotStore {
 public:
  // AlreadyExists while another process has the root open. Damaged records are set aside and
  // logged.
  static Result<std::unique_ptr<SnapshotStore>> Open(
      std::string root, StepHook step = [] {});

  // Takes kind, name, parent, labels, content_namespace, chain_id and diff_id of wanted.
  // NotFound: no such parent; InvalidArgument: it is not committed; AlreadyExists: the name is
  // taken.
  Result<Record> Create(Record wanted);
  // Labels replace those of the active snapshot. NotFound, FailedPrecondition: key is not active.
  Result<Record> Commit(const std::string& key, const std::string& name,
                        std::map<std::string, std::string> labels);
  // FailedPrecondition: it has children.
  Result<Record> Remove(const std::string& name);
  // paths are "labels" or "labels.NAME"; none: all labels. An empty value removes a label.
  Result<Record> Update(const std::string& name, const std::map<std::string, std::string>& labels,
                        const std::vector<std::string>& paths);

  Result<Record> Stat(const std::string& name) const;
  Result<Record> StatId(std::uint64_t id) const;
  // A lost parent is left out, for containerd's collection starts at snapshots without one.
  std::vector<Record> List() const;
  // The snapshot and its ancestors, nearest first. FailedPrecondition when one is missing.
  Result<std::vector<Record>> Chain(const std::string& name) const;

  // What became known later; no error when the snapshot has gone meanwhile.
  Result<void> SetDiffId(std::uint64_t id, const std::string& diff_id);
  Result<void> SetUse(std::uint64_t id, DiskUse use);

  // Deletes removed snapshots' directories, and directories that no record knows.
  Result<void> Cleanup();

  const std::string& root() const { return root_; }
  std::string Directory(std::uint64_t id) const;
  std::string Files(std::uint64_t id) const { return Directory(id) + "/fs"; }
  std::string WorkDirectory(std::uint64_t id) const { return Directory(id) + "/work"; }

 private:
  struct Table {
    std::map<std::string, Record> records;  // By name.
    std::map<std::uint64_t, std::string> names;
    std::map<std::string, int> children;
    std::uint64_t next_id = 1;
  };
  using Locked = Synced<Table>::Locked;

  SnapshotStore(std::string root, StepHook step) : root_(std::move(root)), step_(std::move(step)) {}
  Result<void> Load();
  void LoadRecord(Table& table, const std::string& file);
  Result<void> MakeDirectory(const Record& record, const Record* parent);
  Result<void> Save(const Record& record);
  Result<void> Replace(Table& table, const std::string& old_name, Record record);
  Result<void> MoveToTrash(std::uint64_t id);
  std::string RecordPath(std::uint64_t id) const;

  const std::string root_;
  const StepHook step_;
  UniqueFd lock_;
  mutable Synced<Table> table_;
  std::mutex cleanup_;
};

// Blocks and inodes of a directory tree, each hard-linked file once; of what can be read.
DiskUse DiskUseOf(const std::string& directory);

// path gets bytes whole or not at all, also through a crash: a temporary file beside it, synced,
// renamed, and the directory synced.
Result<void> WriteDurably(
    const std::string& path, const std::string& bytes, const StepHook& step = [] {});

}  // namespace kata_cc::snapshotter
