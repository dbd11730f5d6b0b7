// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/snapshotter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "proto/verity/layer_image.h"
#include "proto/verity/tar_for_test.h"
#include "shim/snapshotter/fake_content.h"

namespace kata_cc::snapshotter {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr MakerTimes kFast{milliseconds(1), milliseconds(5), milliseconds(300)};

std::string Tar(const std::string& name) {
  verity::TarForTest tar;
  tar.Add({.name = name, .data = "the content of " + name});
  return tar.Finish();
}

std::string RootHash(const std::string& tar) {
  const auto image = verity::HashLayer(verity::ReadString(tar), {});
  return image ? verity::ToHex(image->root_hash) : image.error().message();
}

class SnapshotterTest : public testing::Test {
 protected:
  struct Running {
    std::unique_ptr<SnapshotStore> snapshots;
    std::unique_ptr<LayerStore> layers;
    std::unique_ptr<LayerFinder> finder;
    std::unique_ptr<LayerMaker> maker;
    std::unique_ptr<Snapshotter> snapshotter;
  };

  void SetUp() override {
    char pattern[] = "/dev/shm/snapshotter_test.XXXXXX";
    root_ = ::mkdtemp(pattern);
    Restart();
  }
  void TearDown() override {
    Stop();
    fs::remove_all(root_);
  }
  void Stop() {  // In reverse.
    running_.snapshotter.reset();
    running_.maker.reset();
    running_.finder.reset();
    running_.layers.reset();
    running_.snapshots.reset();
  }
  void Restart() {
    Stop();
    running_.snapshots = *SnapshotStore::Open(root_);
    running_.layers = std::make_unique<LayerStore>(*LayerStore::Open(root_));
    running_.finder = std::make_unique<LayerFinder>(content_);
    running_.maker = std::make_unique<LayerMaker>(*running_.snapshots, *running_.layers, content_,
                                                  *running_.finder, 2, kFast);
    running_.snapshotter = std::make_unique<Snapshotter>(*running_.snapshots, *running_.layers,
                                                         *running_.finder, *running_.maker);
  }
  Snapshotter& snapshotter() { return *running_.snapshotter; }

  static Record Wanted(const std::string& key, const std::string& parent,
                       const std::string& chain_id) {
    Record record;
    record.name = key;
    record.parent = parent;
    record.content_namespace = "k8s.io";
    if (!chain_id.empty()) record.labels["containerd.io/snapshot.ref"] = chain_id;
    return record;
  }
  // As containerd unpacks an image.
  void Unpack(const std::vector<std::string>& chain_ids) {
    std::string parent;
    for (const std::string& chain_id : chain_ids) {
      const auto prepared = snapshotter().Prepare(Wanted("extract " + chain_id, parent, chain_id));
      ASSERT_TRUE(prepared) << prepared.error().message();
      ASSERT_TRUE(snapshotter().Commit("extract " + chain_id, chain_id, "", {}));
      parent = chain_id;
    }
  }
  Result<shim::LayerList> ListOf(const std::string& key, milliseconds wait = milliseconds(5000)) {
    const auto mounts =
        snapshotter().Mounts(key, std::chrono::steady_clock::now() + wait, [] { return false; });
    if (!mounts) return mounts.error();
    const std::string source = mounts->at(0).source;
    if (!source.starts_with(shim::kLayerListSource)) return Error(Code::kUnknown, source);
    return shim::ReadLayerList(source.substr(shim::kLayerListSource.size()));
  }
  bool ImageExists(const std::string& tar) const {
    return fs::exists(root_ + "/layers/" + Sha256Of(tar) + ".img");
  }

  std::string root_;
  FakeContent content_;
  Running running_;
  const std::string a_ = Tar("a");
  const std::string b_ = Tar("b");
};

TEST_F(SnapshotterTest, AContainersMountNamesTheImagesOfItsLayers) {
  const auto chain_ids = content_.PutImage({a_, b_, a_});
  content_.Put(a_);
  content_.Put(b_);
  Unpack(chain_ids);
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", chain_ids[2], "")));
  const auto list = ListOf("web");
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(list->problem, "");
  ASSERT_EQ(list->layers.size(), 2U);  // The base is the top again.
  EXPECT_EQ(verity::ToHex(list->layers[0].root_hash), RootHash(a_));
  EXPECT_EQ(verity::ToHex(list->layers[1].root_hash), RootHash(b_));
  EXPECT_EQ(content_.reads - 2, 2);  // Manifest and configuration once, each layer once.
}

TEST_F(SnapshotterTest, TheKeyAloneNamesTheLayerWhenImagesAreImported) {
  const auto chain_ids = content_.PutImage({a_});
  content_.Put(a_);
  const std::string key = "default/7/extract-123-Ab_- " + chain_ids[0];
  ASSERT_TRUE(snapshotter().Prepare(Wanted(key, "", "")));
  ASSERT_TRUE(snapshotter().Commit(key, "default/8/" + chain_ids[0], "", {}));
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", "default/8/" + chain_ids[0], "")));
  EXPECT_EQ(ListOf("web")->layers.size(), 1U);
}

TEST_F(SnapshotterTest, CommitDoesNotWaitForContentAndMountsDoes) {
  const auto chain_ids = content_.PutImage({a_});
  Unpack(chain_ids);  // The layer is still being fetched.
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", chain_ids[0], "")));
  std::thread fetch([&] {
    std::this_thread::sleep_for(milliseconds(30));
    content_.Put(a_);
  });
  const auto list = ListOf("web");
  fetch.join();
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(list->problem, "");
  EXPECT_EQ(list->layers.size(), 1U);
}

TEST_F(SnapshotterTest, WaitingEndsWithTheCallersDeadlineOrItsGoing) {
  const auto chain_ids = content_.PutImage({a_});
  ASSERT_TRUE(snapshotter().Prepare(Wanted("extract", "", chain_ids[0])));
  content_.down = true;  // So that the layer stays wanted.
  ASSERT_TRUE(snapshotter().Commit("extract", chain_ids[0], "", {}));
  content_.down = false;
  Restart();
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", chain_ids[0], "")));
  EXPECT_EQ(ListOf("web", milliseconds(10)).error().code(), Code::kDeadlineExceeded);
  const auto gone = snapshotter().Mounts(
      "web", std::chrono::steady_clock::now() + milliseconds(5000), [] { return true; });
  EXPECT_EQ(gone.error().code(), Code::kCancelled);
}

TEST_F(SnapshotterTest, WithoutContentTheHostCanMountAndTheListSaysWhy) {
  const auto chain_ids = content_.PutImage({a_});
  Unpack(chain_ids);
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", chain_ids[0], "")));
  auto list = ListOf("web");
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_TRUE(list->layers.empty());
  EXPECT_NE(list->problem.find("pull the image again"), std::string::npos) << list->problem;
  content_.Put(a_);  // Pulled again.
  list = ListOf("web");
  EXPECT_EQ(list->problem, "");
  EXPECT_EQ(list->layers.size(), 1U);
}

TEST_F(SnapshotterTest, ContentOfAnotherDiffIdMakesNoImage) {
  const auto chain_ids = content_.PutImage({a_});
  content_.Corrupt("sha256:" + Sha256Of(a_), b_);
  Unpack(chain_ids);
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", chain_ids[0], "")));
  const auto list = ListOf("web");
  ASSERT_TRUE(list);
  EXPECT_NE(list->problem.find("diff id"), std::string::npos) << list->problem;
  EXPECT_FALSE(ImageExists(a_));
  EXPECT_FALSE(ImageExists(b_));
}

TEST_F(SnapshotterTest, Schema1AndEncryptedImagesAreRefusedByName) {
  const auto old = content_.PutImage({a_}, kSchema1Reference);
  const auto schema1 = snapshotter().Prepare(Wanted("extract", "", old[0]));
  ASSERT_FALSE(schema1);
  EXPECT_NE(schema1.error().message().find("Docker schema 1"), std::string::npos);
  const auto secret = content_.PutImage({b_}, kConfigReference, "application/tar+encrypted");
  EXPECT_EQ(snapshotter().Prepare(Wanted("extract", "", secret[0])).error().code(),
            Code::kFailedPrecondition);
  EXPECT_TRUE(snapshotter().snapshots().List().empty());
}

TEST_F(SnapshotterTest, AnImageIsSharedByDiffIdAndGoesWithItsLastSnapshot) {
  const auto one = content_.PutImage({a_});
  const auto two = content_.PutImage({b_, a_});
  content_.Put(a_);
  content_.Put(b_);
  Unpack(one);
  Unpack(two);
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", two[1], "")));
  ASSERT_EQ(ListOf("web")->layers.size(), 2U);
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web1", one[0], "")));
  ASSERT_EQ(ListOf("web1")->layers.size(), 1U);
  for (const auto* key : {"web", "web1"})
    ASSERT_TRUE(snapshotter().Remove(key));
  ASSERT_TRUE(snapshotter().Remove(two[1]));
  ASSERT_TRUE(snapshotter().Cleanup());
  EXPECT_TRUE(ImageExists(a_));
  ASSERT_TRUE(snapshotter().Remove(one[0]));
  ASSERT_TRUE(snapshotter().Cleanup());
  EXPECT_FALSE(ImageExists(a_));
  EXPECT_TRUE(ImageExists(b_));
}

TEST_F(SnapshotterTest, ARestartMakesWhatIsMissingOrDamaged) {
  const auto chain_ids = content_.PutImage({a_, b_});
  content_.Put(a_);
  content_.Put(b_);
  Unpack(chain_ids);
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", chain_ids[1], "")));
  ASSERT_EQ(ListOf("web")->layers.size(), 2U);
  const std::string layers = root_ + "/layers/";
  fs::remove(layers + Sha256Of(a_) + ".img");
  fs::resize_file(layers + Sha256Of(b_) + ".img", 8192);
  std::ofstream(layers + Sha256Of(b_) + ".img.new-abcdef") << "half";
  Restart();
  EXPECT_FALSE(fs::exists(layers + Sha256Of(b_) + ".img.new-abcdef"));
  const auto list = ListOf("web");
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(list->problem, "");
  ASSERT_EQ(list->layers.size(), 2U);
  EXPECT_EQ(verity::ToHex(list->layers[0].root_hash), RootHash(b_));
}

TEST_F(SnapshotterTest, WorksWithoutContainerdUntilAnImageIsNeeded) {
  content_.down = true;
  const std::string chain_id = ChainId("", Sha256Of(a_));
  ASSERT_TRUE(snapshotter().Prepare(Wanted("extract", "", chain_id)));
  content_.down = false;
  content_.PutImage({a_});
  content_.Put(a_);
  ASSERT_TRUE(snapshotter().Commit("extract", chain_id, "", {}));
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", chain_id, "")));
  EXPECT_EQ(ListOf("web")->layers.size(), 1U);
}

TEST_F(SnapshotterTest, MountsAreThoseOfOverlayfs) {
  const auto chain_ids = content_.PutImage({a_, b_});
  content_.Put(a_);
  content_.Put(b_);
  const auto base = snapshotter().Prepare(Wanted("extract", "", chain_ids[0]));
  ASSERT_TRUE(base);
  EXPECT_EQ(base->at(0).type, "bind");
  EXPECT_EQ(base->at(0).options, (std::vector<std::string>{"rw", "rbind"}));
  ASSERT_TRUE(snapshotter().Commit("extract", chain_ids[0], "", {}));
  // containerd keeps whiteouts only where it sees an overlay mount.
  const auto next = snapshotter().Prepare(Wanted("extract", chain_ids[0], chain_ids[1]));
  EXPECT_EQ(next->at(0).type, "overlay");
  EXPECT_EQ(next->at(0).source, "overlay");
  Record view = Wanted("view", chain_ids[0], "");
  view.kind = Kind::kView;
  const auto mounts = snapshotter().Prepare(view);
  ASSERT_TRUE(mounts);
  const std::string lower = "lowerdir=" + root_ + "/snapshots/1/fs:" + root_ + "/snapshots/3/fs";
  EXPECT_EQ(mounts->at(0).options.back(), lower);
  EXPECT_EQ(snapshotter()
                .Mounts(chain_ids[0], std::chrono::steady_clock::now(), [] { return false; })
                .error()
                .code(),
            Code::kFailedPrecondition);
}

TEST_F(SnapshotterTest, ACommitOntoAnotherParentIsRefused) {
  ASSERT_TRUE(snapshotter().Prepare(Wanted("web", "", "")));
  EXPECT_EQ(snapshotter().Commit("web", "x", "other", {}).error().code(), Code::kUnimplemented);
}

TEST(ChainIdTest, FollowsTheImageSpecification) {
  const std::string a(64, 'a');
  EXPECT_EQ(ChainId("", a), "sha256:" + a);
  EXPECT_EQ(ChainId("sha256:" + a, a), "sha256:" + Sha256Of("sha256:" + a + " sha256:" + a));
  EXPECT_EQ(ChainIdOfKey("ns/12/extract-1-x sha256:" + a), "sha256:" + a);
  for (const std::string& key : {std::string(), std::string("ns/12/web"), "ns/12/sha256:" + a,
                                 "ns/1/extract-1 sha256:" + a.substr(1), "ns/1/xextract-1 " + a})
    EXPECT_EQ(ChainIdOfKey(key), "") << key;
}

}  // namespace
}  // namespace kata_cc::snapshotter
