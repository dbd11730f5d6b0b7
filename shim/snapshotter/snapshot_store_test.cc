// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/snapshot_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace kata_cc::snapshotter {
namespace {

namespace fs = std::filesystem;

Record Wanted(const std::string& name, const std::string& parent = "", Kind kind = Kind::kActive) {
  Record record;
  record.name = name;
  record.parent = parent;
  record.kind = kind;
  return record;
}

std::size_t EntriesIn(const std::string& path) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(path), fs::directory_iterator()));
}

class SnapshotStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/dev/shm/snapshot_store_test.XXXXXX";
    root_ = ::mkdtemp(pattern);
    Reopen();
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(root_);
  }
  void Reopen() {
    store_.reset();
    auto store = SnapshotStore::Open(root_);
    ASSERT_TRUE(store) << store.error().message();
    store_ = *std::move(store);
  }
  void Commit(const std::string& name, const std::string& parent = "") {
    ASSERT_TRUE(store_->Create(Wanted("making " + name, parent)));
    ASSERT_TRUE(store_->Commit("making " + name, name, {}));
  }
  std::string root_;
  std::unique_ptr<SnapshotStore> store_;
};

TEST_F(SnapshotStoreTest, KeepsRecordsThroughARestart) {
  Commit("base");
  Record wanted = Wanted("web", "base");
  wanted.labels = {{"a", "b"}, {"empty", ""}};
  wanted.content_namespace = "k8s.io";
  wanted.chain_id = "sha256:" + std::string(64, 'c');
  wanted.diff_id = std::string(64, 'd');
  ASSERT_TRUE(store_->Create(wanted));
  Reopen();
  const auto record = store_->Stat("web");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->parent, "base");
  EXPECT_EQ(record->labels, (std::map<std::string, std::string>{{"a", "b"}}));
  EXPECT_EQ(record->content_namespace, "k8s.io");
  EXPECT_EQ(record->chain_id, wanted.chain_id);
  EXPECT_EQ(record->diff_id, wanted.diff_id);
  const auto chain = store_->Chain("web");
  ASSERT_TRUE(chain);
  ASSERT_EQ(chain->size(), 2U);
  EXPECT_EQ((*chain)[1].kind, Kind::kCommitted);
}

TEST_F(SnapshotStoreTest, RefusesWhatContainerdsOwnSnapshottersRefuse) {
  Commit("base");
  ASSERT_TRUE(store_->Create(Wanted("web", "base")));
  EXPECT_EQ(store_->Create(Wanted("web")).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(store_->Create(Wanted("x", "none")).error().code(), Code::kNotFound);
  EXPECT_EQ(store_->Create(Wanted("x", "web")).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->Create(Wanted("")).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->Commit("none", "y", {}).error().code(), Code::kNotFound);
  EXPECT_EQ(store_->Commit("base", "y", {}).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(store_->Commit("web", "base", {}).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(store_->Remove("base").error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(store_->Remove("none").error().code(), Code::kNotFound);
  EXPECT_EQ(store_->Update("none", {}, {}).error().code(), Code::kNotFound);
  EXPECT_EQ(store_->Update("web", {}, {"parent"}).error().code(), Code::kInvalidArgument);
  ASSERT_TRUE(store_->Create(Wanted("view", "base", Kind::kView)));
  EXPECT_EQ(store_->Commit("view", "y", {}).error().code(), Code::kFailedPrecondition);
}

TEST_F(SnapshotStoreTest, UpdatesLabelsAlone) {
  Record wanted = Wanted("web");
  wanted.labels = {{"kept", "1"}, {"changed", "1"}, {"removed", "1"}};
  ASSERT_TRUE(store_->Create(wanted));
  ASSERT_TRUE(store_->Update("web", {{"changed", "2"}, {"removed", ""}, {"ignored", "x"}},
                             {"labels.changed", "labels.removed"}));
  EXPECT_EQ(store_->Stat("web")->labels,
            (std::map<std::string, std::string>{{"kept", "1"}, {"changed", "2"}}));
  ASSERT_TRUE(store_->Update("web", {{"all", "new"}}, {}));
  Reopen();
  EXPECT_EQ(store_->Stat("web")->labels, (std::map<std::string, std::string>{{"all", "new"}}));
}

TEST_F(SnapshotStoreTest, ADamagedRecordCostsItsSnapshotAlone) {
  Commit("base");
  Commit("middle", "base");
  Commit("other");
  ASSERT_TRUE(store_->Create(Wanted("web", "middle")));
  const std::uint64_t middle = store_->Stat("middle")->id;
  for (const std::string& text : {std::string(), std::string("{"), std::string(40, '\0'),
                                  std::string("{\"format\":\"kata-cc snapshot 1\"}")}) {
    std::ofstream(root_ + "/records/" + std::to_string(middle) + ".json") << text;
    Reopen();
    EXPECT_FALSE(store_->Stat("middle"));
    EXPECT_TRUE(store_->Stat("other"));
    EXPECT_EQ(store_->Chain("web").error().code(), Code::kFailedPrecondition);
  }
  for (const Record& record : store_->List())
    EXPECT_EQ(record.parent, "") << record.name;
  ASSERT_TRUE(store_->Cleanup());
  EXPECT_EQ(EntriesIn(root_ + "/damaged"), 1U);
  EXPECT_FALSE(fs::exists(store_->Directory(middle)));
  EXPECT_TRUE(store_->Remove("web"));  // containerd's collection goes on.
  EXPECT_TRUE(store_->Remove("base"));
  const auto created = store_->Create(Wanted("new"));
  ASSERT_TRUE(created);
  EXPECT_GT(created->id, middle);
}

TEST_F(SnapshotStoreTest, TwoRecordsOfOneNameOrUnderAnotherFileNameAreDamage) {
  Commit("base");
  const std::string record = root_ + "/records/" + std::to_string(store_->Stat("base")->id);
  fs::copy_file(record + ".json", root_ + "/records/77.json");
  Reopen();
  EXPECT_EQ(store_->List().size(), 1U);
  EXPECT_EQ(EntriesIn(root_ + "/damaged"), 1U);
}

TEST_F(SnapshotStoreTest, TheRootIsOneProcesssAtATime) {
  EXPECT_EQ(SnapshotStore::Open(root_).error().code(), Code::kAlreadyExists);
}

TEST_F(SnapshotStoreTest, RemovedAndUnknownDirectoriesGoWithCleanup) {
  Commit("base");
  const std::uint64_t id = store_->Stat("base")->id;
  std::ofstream(store_->Files(id) + "/file") << "x";
  fs::create_directory(root_ + "/snapshots/4711");
  fs::create_directory(root_ + "/snapshots/4712.new");
  ASSERT_TRUE(store_->Remove("base"));
  ASSERT_TRUE(store_->Cleanup());
  EXPECT_EQ(EntriesIn(root_ + "/snapshots"), 0U);
  EXPECT_EQ(EntriesIn(root_ + "/trash"), 0U);
  EXPECT_EQ(EntriesIn(root_ + "/records"), 0U);
}

TEST_F(SnapshotStoreTest, DiskUseCountsHardLinksOnce) {
  fs::create_directory(root_ + "/d");
  std::ofstream(root_ + "/d/a") << std::string(100000, 'x');
  const DiskUse one = DiskUseOf(root_ + "/d");
  fs::create_hard_link(root_ + "/d/a", root_ + "/d/b");
  fs::create_symlink("/etc", root_ + "/d/c");
  const DiskUse two = DiskUseOf(root_ + "/d");
  EXPECT_GE(one.bytes, 100000);
  EXPECT_EQ(two.bytes, one.bytes);
  EXPECT_EQ(one.inodes, 2);
  EXPECT_EQ(two.inodes, 3);
}

// What a life of a snapshot does to the disk, ended before each of its steps in turn. Whatever the
// step, the next start finds a store in which every snapshot is whole and the rest can be done.
TEST_F(SnapshotStoreTest, AnEndBeforeAnyStepLeavesWholeSnapshots) {
  store_.reset();
  int steps = 0;
  for (bool ended = true; ended; ++steps) {
    fs::remove_all(root_);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int left = steps;
      auto store = SnapshotStore::Open(root_, [&left] {
        if (left-- == 0) ::_exit(42);
      });
      if (!store) ::_exit(1);
      SnapshotStore& mine = **store;
      const bool done =
          mine.Create(Wanted("making base")) && mine.Commit("making base", "base", {{"l", "1"}}) &&
          mine.Create(Wanted("web", "base")) &&
          mine.SetDiffId(mine.Stat("base")->id, std::string(64, 'a')) &&
          mine.Update("web", {{"l", "2"}}, {}) && mine.Remove("web") && mine.Remove("base");
      ::_exit(done ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ended = WEXITSTATUS(status) == 42;
    ASSERT_TRUE(ended || WEXITSTATUS(status) == 0);

    Reopen();
    EXPECT_EQ(EntriesIn(root_ + "/damaged"), 0U) << "step " << steps;
    for (const Record& record : store_->List()) {
      EXPECT_TRUE(fs::is_directory(store_->Files(record.id))) << "step " << steps;
      EXPECT_TRUE(store_->Chain(record.name)) << "step " << steps;
      EXPECT_EQ(record.kind == Kind::kCommitted, record.name == "base") << "step " << steps;
    }
    ASSERT_TRUE(store_->Cleanup());
    EXPECT_EQ(EntriesIn(root_ + "/snapshots"), store_->List().size()) << "step " << steps;
    EXPECT_EQ(EntriesIn(root_ + "/records"), store_->List().size()) << "step " << steps;
    if (!store_->Stat("base")) {
      if (store_->Stat("making base")) {
        ASSERT_TRUE(store_->Remove("making base"));
      }
      ASSERT_TRUE(store_->Create(Wanted("making base"))) << "step " << steps;
      ASSERT_TRUE(store_->Commit("making base", "base", {})) << "step " << steps;
    }
    EXPECT_TRUE(store_->Create(Wanted("next", "base"))) << "step " << steps;
    store_.reset();
  }
  EXPECT_GT(steps, 30);
}

}  // namespace
}  // namespace kata_cc::snapshotter
