// SPDX-License-Identifier: Apache-2.0
// What only a guest has: memory and process limits, device mapper, and disks that the host tampered
// with. The disks and their root hashes are made by tests/e2e/agent_guest_test.sh.
#include <sstream>

#include "agent/container/containers_fixture.h"
#include "agent/storage/beneath.h"

namespace kata_cc::agent {
namespace {

// /layers: a line `<name> <root hash> <data blocks>` for each layer image.
struct LayerInfo {
  std::string root_hash;
  std::string data_blocks;
};
LayerInfo LayerOf(const std::string& name) {
  std::ifstream file("/layers");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    LayerInfo info;
    words >> word >> info.root_hash >> info.data_blocks;
    if (word == name) return info;
  }
  ADD_FAILURE() << "no layer " << name;
  return {};
}

class GuestTest : public ContainersTest {
 protected:
  std::string LayersDir() const { return paths_.run_dir + "/sandbox/layers/"; }

  void AddLayer(grpc::CreateContainerRequest& request, const std::string& serial,
                const LayerInfo& info) const {
    grpc::Storage& layer = *request.add_storages();
    layer.set_driver("blk");
    layer.set_source(serial);
    layer.set_fstype("erofs");
    layer.add_options("ro");
    layer.add_options("io.katacontainers.fs-opt.block_device=file");
    layer.add_options("io.katacontainers.fs-opt.is-layer");
    layer.add_options("io.katacontainers.fs-opt.root-hash=" + info.root_hash);
    layer.add_options("io.katacontainers.fs-opt.data-blocks=" + info.data_blocks);
    layer.set_mount_point(LayersDir() + info.root_hash);
  }

  void AddOverlay(grpc::CreateContainerRequest& request, const std::string& id,
                  const std::vector<LayerInfo>& layers) const {
    std::string lower;
    for (const LayerInfo& layer : layers)
      lower += (lower.empty() ? "" : ":") + layer.root_hash;
    grpc::Storage& overlay = *request.add_storages();
    overlay.set_driver("overlayfs");
    overlay.set_source("none");
    overlay.set_fstype("overlay");
    overlay.add_options("io.katacontainers.fs-opt.overlay-rw");
    overlay.add_options("lowerdir=" + lower);
    overlay.set_mount_point(RootfsOf(id));
  }

  // A container on verified layers, by the serials of their disks, top first.
  grpc::CreateContainerRequest Verified(const std::string& id, const std::vector<std::string>& args,
                                        const std::vector<std::string>& serials) {
    auto request = Request(id, args);
    request.clear_storages();
    std::vector<LayerInfo> layers;
    for (const std::string& serial : serials) {
      layers.push_back(LayerOf(serial));
      AddLayer(request, serial, layers.back());
    }
    AddOverlay(request, id, layers);
    return request;
  }

  Code CodeOf(const grpc::CreateContainerRequest& request) {
    const auto created = containers_->CreateContainer(request);
    return created ? Code{0} : created.error().code();
  }
};

TEST_F(GuestTest, AContainerBeyondItsMemoryIsKilledAndToldOf) {
  auto request = Request("web", {"sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1"});
  auto& memory = *request.mutable_oci()->mutable_linux()->mutable_resources()->mutable_memory();
  memory.set_limit(32 << 20);
  Create(request);
  auto promise = std::make_shared<std::promise<std::string>>();
  Reply<grpc::OOMEvent> reply;
  reply.done = [promise](const Result<grpc::OOMEvent>& r) {
    promise->set_value(r ? r->container_id() : r.error().message());
  };
  containers_->GetOOMEvent(reply);
  Start("web");
  auto event = promise->get_future();
  ASSERT_EQ(event.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(event.get(), "web");
  EXPECT_EQ(*Wait("web"), 137);
}

TEST_F(GuestTest, StatisticsHaveAllControllers) {
  auto request = Request("web", {"sleep", "1000"});
  auto& resources = *request.mutable_oci()->mutable_linux()->mutable_resources();
  resources.mutable_memory()->set_limit(64 << 20);
  resources.mutable_pids()->set_limit(50);
  Create(request);
  Start("web");
  auto stats = containers_->StatsContainer("web");
  ASSERT_TRUE(stats);
  const auto& group = stats->cgroup_stats();
  EXPECT_EQ(group.memory_stats().usage().limit(), 64U << 20);
  EXPECT_GT(group.memory_stats().usage().usage(), 0U);
  EXPECT_GT(group.memory_stats().stats().at("anon"), 0U);
  EXPECT_EQ(group.pids_stats().current(), 1U);
  EXPECT_EQ(group.pids_stats().limit(), 50U);
  grpc::UpdateContainerRequest update;
  update.set_container_id("web");
  update.mutable_resources()->mutable_memory()->set_limit(96 << 20);
  update.mutable_resources()->mutable_cpu()->set_quota(50'000);
  update.mutable_resources()->mutable_cpu()->set_period(100'000);
  const auto updated = containers_->UpdateContainer(update);
  ASSERT_TRUE(updated) << updated.error().message();
  stats = containers_->StatsContainer("web");
  EXPECT_EQ(stats->cgroup_stats().memory_stats().usage().limit(), 96U << 20);
  const auto max = ReadFile("/sys/fs/cgroup" + paths_.cgroup_parent + "/web/cpu.max", 100);
  EXPECT_EQ(AsString(*max), "50000 100000\n");
}

TEST_F(GuestTest, AContainerThatFillsItsFileSystemDoesNotEndThePod) {
  Run("other", {"sleep", "1000"});
  Run("web", {"sh", "-c", "dd if=/dev/zero of=/big bs=1M 2>&1; echo alive"});
  const std::string output = ReadAll("web");
  EXPECT_NE(output.find("No space left on device"), std::string::npos) << output;
  EXPECT_NE(output.find("alive"), std::string::npos) << output;
  EXPECT_EQ(Output("other", {"echo", "too"}).first, "too\n");
}

TEST_F(GuestTest, LayersAreVerifiedAndStackedInOrder) {
  Close();
  paths_.verified_only = true;
  Open();
  // `upper` hides /one/file of `lower`, and whites /gone out.
  Create(Verified("web", {"sh", "-c", "cat /one/file /two; test -e /gone || echo gone"},
                  {"upper", "lower"}));
  Start("web");
  EXPECT_EQ(ReadAll("web"), "of the upper\nof the lower\ngone\n");
  EXPECT_EQ(*Wait("web"), 0);
  // Shared by a second container, and still there when the first one goes.
  Create(Verified("app", {"sh", "-c", "read go; cat /one/file"}, {"upper", "lower"}));
  Start("app");
  ASSERT_TRUE(Remove("web"));
  ASSERT_TRUE(Write("app", "", "go\n"));
  EXPECT_EQ(ReadAll("app"), "of the upper\n");
  ASSERT_TRUE(Remove("app"));
  // Then the devices are gone: the same may be made anew.
  Create(Verified("web", {"cat", "/two"}, {"upper", "lower"}));
  Start("web");
  EXPECT_EQ(ReadAll("web"), "of the lower\n");
}

TEST_F(GuestTest, WhatTheHostTamperedWithIsRefusedOrAnErrorAtRead) {
  Close();
  paths_.verified_only = true;
  Open();
  const LayerInfo lower = LayerOf("lower");
  const auto on_disk = [&](const std::string& serial, const std::vector<std::string>& args) {
    auto request = Request("web", args);
    request.clear_storages();
    AddLayer(request, serial, lower);
    AddOverlay(request, "web", {lower});
    return request;
  };
  EXPECT_NE(CodeOf(on_disk("badsuper", {"true"})), Code{0}) << "a bit of the superblock";
  EXPECT_NE(CodeOf(on_disk("badtree", {"true"})), Code{0}) << "a bit of the tree's top";
  EXPECT_NE(CodeOf(on_disk("short", {"true"})), Code{0}) << "the end is missing";
  EXPECT_NE(CodeOf(on_disk("upper", {"true"})), Code{0}) << "another layer's disk";
  EXPECT_EQ(CodeOf(on_disk("absent", {"true"})), Code::kNotFound);
  // A bit of a file: all but that file works, and that one is an error, never other bytes.
  const auto created = containers_->CreateContainer(
      on_disk("baddata", {"sh", "-c", "cat /marked >/dev/null; echo $?; cat /two"}));
  ASSERT_TRUE(created) << created.error().message();
  Start("web");
  EXPECT_EQ(ReadAll("web"), "1\nof the lower\n");
  EXPECT_NE(ReadAll("web", "", true).find("Input/output error"), std::string::npos);
}

TEST_F(GuestTest, LayersThatAreNotTheRequestsAreRefused) {
  Close();
  paths_.verified_only = true;
  Open();
  const LayerInfo upper = LayerOf("upper");
  const LayerInfo lower = LayerOf("lower");
  const auto with = [&](const std::vector<LayerInfo>& listed) {
    auto request = Request("web", {"true"});
    request.clear_storages();
    AddLayer(request, "upper", upper);
    AddLayer(request, "lower", lower);
    AddOverlay(request, "web", listed);
    return CodeOf(request);
  };
  EXPECT_EQ(with({lower, upper}), Code::kInvalidArgument) << "another order";
  EXPECT_EQ(with({upper}), Code::kInvalidArgument) << "one too few";
  EXPECT_EQ(with({upper, lower, lower}), Code::kInvalidArgument) << "one too many";
  EXPECT_EQ(with({upper, upper}), Code::kInvalidArgument);
  EXPECT_EQ(with({}), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(Request("web", {"true"})), Code::kPermissionDenied) << "without a root hash";
  // A directory in memory is no layer, though it is a storage of the request.
  auto request = Request("web", {"true"});
  request.clear_storages();
  grpc::Storage& memory = *request.add_storages();
  memory.set_driver("ephemeral");
  memory.set_fstype("tmpfs");
  memory.set_source("tmpfs");
  memory.set_mount_point(LayersDir() + lower.root_hash);
  AddOverlay(request, "web", {lower});
  EXPECT_EQ(CodeOf(request), Code::kInvalidArgument);
  // One block fewer: the hash is right, but the file system says another size.
  LayerInfo other = lower;
  other.data_blocks = std::to_string(std::stoul(lower.data_blocks) - 1);
  request = Request("web", {"true"});
  request.clear_storages();
  AddLayer(request, "lower", other);
  AddOverlay(request, "web", {other});
  EXPECT_NE(CodeOf(request), Code{0});
}

}  // namespace
}  // namespace kata_cc::agent
