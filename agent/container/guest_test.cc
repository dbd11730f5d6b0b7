// SPDX-License-Identifier: Apache-2.0
// What only a guest has: memory and process limits, device mapper, and disks that the host tampered
// with. The disks and their root hashes are made by tests/e2e/agent_guest_test.sh.
#include <fcntl.h>
#include <sys/mount.h>

#include <cstdlib>
#include <sstream>

#include "agent/container/containers_fixture.h"
#include "agent/storage/beneath.h"
#include "agent/storage/block_device.h"
#include "agent/storage/verity.h"

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

// Not a test but a figure (tests/bench/layer_pod.sh): the same file through dm-verity and without.
TEST_F(GuestTest, DISABLED_ReadsThroughVerity) {
  const LayerInfo info = LayerOf("bench");
  const auto device = FindBlockDevice("bench", 0ms);
  ASSERT_TRUE(device);
  const std::string place = dir_ + "/bench";
  fs::create_directory(place);
  const auto target = OpenFile(place, O_PATH | O_DIRECTORY);
  ASSERT_TRUE(target);
  const auto measure = [&](const char* what, const std::string& path) {
    const auto mount = ScopedMount::Mount(path, *target, "erofs", {MS_RDONLY, ""});
    ASSERT_TRUE(mount) << mount.error().message();
    const auto file = OpenFile(place + "/file", O_RDONLY);
    ASSERT_TRUE(file);
    std::vector<char> buffer(1U << 20U);
    std::uint64_t size = 0;
    auto began = std::chrono::steady_clock::now();
    for (ssize_t n = 0; (n = ::read(file->get(), buffer.data(), buffer.size())) > 0;)
      size += static_cast<std::uint64_t>(n);
    const std::chrono::duration<double> sequential = std::chrono::steady_clock::now() - began;
    EXPECT_TRUE(WriteFile("/proc/sys/vm/drop_caches", AsBytes(std::string_view("3"))));
    ASSERT_EQ(::posix_fadvise(file->get(), 0, 0, POSIX_FADV_RANDOM), 0);
    constexpr int kReads = 2000;
    std::uint64_t at = 1;
    began = std::chrono::steady_clock::now();
    for (int i = 0; i < kReads; ++i) {
      at = at * 6364136223846793005U + 1442695040888963407U;
      const auto offset = static_cast<off_t>((at >> 20U) % (size / 4096) * 4096);
      ASSERT_EQ(::pread(file->get(), buffer.data(), 4096, offset), 4096);
    }
    const std::chrono::duration<double> random = std::chrono::steady_clock::now() - began;
    std::printf("%s: sequential %.1f MiB/s, random %.0f reads a second\n", what,
                static_cast<double>(size >> 20U) / sequential.count(), kReads / random.count());
  };
  verity::Geometry geometry;
  geometry.data_blocks = std::stoull(info.data_blocks);
  const auto hash = verity::ParseDigest(info.root_hash);
  ASSERT_TRUE(hash);
  for (int i = 0; i < 3; ++i) {
    measure("erofs without verity", device->path);
    const auto verified = OpenLayer({*hash, geometry}, *device);
    ASSERT_TRUE(verified) << verified.error().message();
    measure("erofs through verity", verified->path());
  }
}

class EncryptedTest : public GuestTest {
 protected:
  void SetUp() override {
    paths_.verified_only = true;
    GuestTest::SetUp();
  }

  static grpc::Storage Encrypted(const std::string& serial, const std::string& mount_point) {
    grpc::Storage storage;
    storage.set_driver("blk");
    storage.set_source(serial);
    storage.set_fstype("ext4");
    storage.add_driver_options("encryption_key=ephemeral");
    storage.add_driver_options("create_filesystem");
    storage.set_mount_point(mount_point);
    return storage;
  }

  // Before the overlay, as the shim has it.
  grpc::CreateContainerRequest OnDisk(const std::string& id, const std::vector<std::string>& args,
                                      const std::string& serial) {
    auto request = Verified(id, args, {"upper", "lower"});
    *request.add_storages() = Encrypted(serial, paths_.run_dir + "/" + id + "/scratch");
    request.mutable_storages()->SwapElements(request.storages_size() - 2,
                                             request.storages_size() - 1);
    return request;
  }

  // A volume of the pod, mounted at /volume.
  grpc::CreateContainerRequest WithVolume(const std::string& id,
                                          const std::vector<std::string>& args,
                                          const std::string& name, grpc::Storage volume) {
    auto request = Verified(id, args, {"upper", "lower"});
    grpc::Mount& mount = *request.mutable_oci()->add_mounts();
    mount.set_destination("/volume");
    mount.set_type("bind");
    mount.add_options("rbind");
    mount.set_source(volume.mount_point());
    EXPECT_NE(volume.mount_point().find(name), std::string::npos);
    *request.add_storages() = std::move(volume);
    return request;
  }

  static std::string Raw(const std::string& serial) {
    const auto device = FindBlockDevice(serial, 0ms);
    EXPECT_TRUE(device);
    return device ? device->path : "";
  }
};

// A disk of the host's, past every cache of the guest.
class RawDisk {
 public:
  static constexpr std::size_t kBlock = 4096;
  explicit RawDisk(const std::string& path)
      : fd_(::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC)),
        block_(static_cast<char*>(std::aligned_alloc(kBlock, kBlock)), &std::free) {}
  bool Read(std::size_t block) {
    return ::pread(fd_.get(), block_.get(), kBlock, At(block)) == kBlock;
  }
  bool Write(std::size_t block) {
    return ::pwrite(fd_.get(), block_.get(), kBlock, At(block)) == kBlock;
  }
  char* bytes() { return block_.get(); }
  std::string_view text() const { return {block_.get(), kBlock}; }

 private:
  static off_t At(std::size_t block) { return static_cast<off_t>(block * kBlock); }
  UniqueFd fd_;
  std::unique_ptr<char, void (*)(void*)> block_;
};

TEST_F(EncryptedTest, AWritableLayerOnALargeDiskOfTheHosts) {
  const auto began = std::chrono::steady_clock::now();
  Create(OnDisk("web",
                {"sh", "-c",
                 "echo NEEDLE-OF-THE-GUEST >/new; cat /new; cat /one/file; "
                 "test -e /gone || echo gone; mknod /fifo p && rm /fifo; "
                 "dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null; wc -c </big; read end"},
                "large"));
  const auto took = std::chrono::steady_clock::now() - began;
  Start("web");
  std::string output;
  while (output.find("8388608\n") == std::string::npos) {
    const auto part = Read("web");
    ASSERT_TRUE(part);
    ASSERT_FALSE(part->empty()) << output;
    output += *part;
  }
  EXPECT_EQ(output, "NEEDLE-OF-THE-GUEST\nof the upper\ngone\n8388608\n");
  EXPECT_LT(took, 20s);
  std::cout << "created in " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
            << " ms\n";
  ASSERT_TRUE(Remove("web"));
  // The disk may be used again, with another key: what was on it is gone.
  Create(OnDisk("app", {"sh", "-c", "test -e /new || echo gone"}, "large"));
  Start("app");
  EXPECT_EQ(ReadAll("app"), "gone\n");
}

TEST_F(EncryptedTest, AContainerThatFillsItsDiskDoesNotEndThePod) {
  Create(OnDisk("web", {"sh", "-c", "dd if=/dev/zero of=/big bs=1M 2>&1; echo alive"}, "small"));
  Start("web");
  const std::string output = ReadAll("web");
  EXPECT_NE(output.find("No space left on device"), std::string::npos) << output;
  EXPECT_NE(output.find("alive"), std::string::npos) << output;
  Create(Verified("app", {"echo", "too"}, {"upper", "lower"}));
  Start("app");
  EXPECT_EQ(ReadAll("app"), "too\n");
}

TEST_F(EncryptedTest, AVolumeOutlivesItsContainersAndGoesWithTheSandbox) {
  CreateSandbox("a-pod");
  const std::string place = paths_.run_dir + "/sandbox/storage/dm9sdW1l";
  auto volume = Encrypted("volume", place);
  volume.set_shared(true);
  volume.mutable_fs_group()->set_group_id(1234);
  Create(WithVolume("init",
                    {"sh", "-c", "echo NEEDLE-OF-THE-GUEST >/volume/file; ls -l /volume | wc -l"},
                    "storage", volume));
  Start("init");
  EXPECT_EQ(ReadAll("init"), "2\n");  // No lost+found.
  ASSERT_TRUE(Remove("init"));
  auto request = WithVolume("app", {"sh", "-c", "cat /volume/file; echo more >/volume/other"},
                            "storage", volume);
  request.mutable_oci()->mutable_process()->mutable_user()->set_uid(4321);
  request.mutable_oci()->mutable_process()->clear_capabilities();
  Create(request);
  Start("app");
  EXPECT_EQ(ReadAll("app"), "NEEDLE-OF-THE-GUEST\n");
  EXPECT_EQ(*Wait("app"), 0);
  struct stat status = {};
  ASSERT_EQ(::stat((place + "/other").c_str(), &status), 0);
  EXPECT_EQ(status.st_gid, 1234U);
  // The same place for something else.
  volume.clear_fs_group();
  EXPECT_EQ(CodeOf(WithVolume("bad", {"true"}, "storage", volume)), Code::kAlreadyExists);
  ASSERT_TRUE(containers_->DestroySandbox());
  EXPECT_FALSE(fs::exists(place));
}

TEST_F(EncryptedTest, EmptyDirsInMemoryLiveAsLongAsTheSandbox) {
  CreateSandbox("a-pod");
  for (const char* driver : {"local", "ephemeral"}) {
    grpc::Storage volume;
    volume.set_driver(driver);
    volume.set_source(driver);
    volume.set_fstype(driver == std::string("local") ? "local" : "tmpfs");
    volume.set_mount_point(paths_.run_dir + "/sandbox/" + driver + "/cache");
    if (driver == std::string("ephemeral")) volume.add_options("size=65536");
    const std::string script = "echo kept >/volume/file";
    Create(WithVolume("init", {"sh", "-c", script}, "cache", volume));
    Start("init");
    EXPECT_EQ(*Wait("init"), 0);
    ASSERT_TRUE(Remove("init"));
    Create(WithVolume("app", {"cat", "/volume/file"}, "cache", volume));
    Start("app");
    EXPECT_EQ(ReadAll("app"), "kept\n") << driver;
    ASSERT_TRUE(Remove("app"));
  }
  // Of its size.
  grpc::Storage volume;
  volume.set_driver("ephemeral");
  volume.set_source("tmpfs");
  volume.set_fstype("tmpfs");
  volume.set_mount_point(paths_.run_dir + "/sandbox/ephemeral/cache");
  volume.add_options("size=65536");
  Create(WithVolume("full", {"sh", "-c", "dd if=/dev/zero of=/volume/big bs=1k 2>&1; echo $?"},
                    "cache", volume));
  Start("full");
  EXPECT_NE(ReadAll("full").find("No space left on device"), std::string::npos);
}

TEST_F(EncryptedTest, WhatTheHostChangesIsAnErrorAndNeverOtherBytes) {
  CreateSandbox("a-pod");
  const std::string place = paths_.run_dir + "/sandbox/storage/dm9sdW1l";
  auto volume = Encrypted("changed", place);
  volume.set_shared(true);
  Create(WithVolume("web",
                    {"sh", "-c", "seq 8000 >/volume/file; echo NEEDLE-OF-THE-GUEST >/volume/two"},
                    "storage", volume));
  Start("web");
  const auto ended = Wait("web");
  ASSERT_TRUE(ended && *ended == 0);
  ::sync();
  std::string right;
  for (int i = 1; i <= 8000; ++i)
    right += std::to_string(i) + "\n";
  const auto read = [&]() -> std::optional<std::string> {
    EXPECT_TRUE(WriteFile("/proc/sys/vm/drop_caches", AsBytes(std::string_view("3"))));
    const auto bytes = ReadFile(place + "/file", 1U << 20U);
    if (!bytes) return std::nullopt;
    return AsString(*bytes);
  };
  ASSERT_TRUE(read() == right);
  RawDisk disk(Raw("changed"));  // No other test writes it.
  std::size_t written = 0;
  std::size_t errors = 0;
  constexpr std::size_t kBlocks = (64U << 20U) / RawDisk::kBlock;
  std::string last;  // Of the blocks written, the one before.
  for (std::size_t block = 0; block < kBlocks; ++block) {
    ASSERT_TRUE(disk.Read(block));
    if (disk.text().find_first_not_of('\0') == std::string_view::npos) continue;
    ++written;
    EXPECT_EQ(disk.text().find("NEEDLE-OF-THE-GUEST"), std::string_view::npos);
    const std::string before(disk.text());
    // One bit; or another block, which is right at its own place.
    if (written % 2 == 0 || last.empty()) {
      disk.bytes()[block % RawDisk::kBlock] ^= 1;
    } else {
      last.copy(disk.bytes(), RawDisk::kBlock);
    }
    last = before;
    ASSERT_TRUE(disk.Write(block));
    const auto seen = read();
    if (!seen) ++errors;
    ASSERT_TRUE(!seen || *seen == right) << "block " << block;
    before.copy(disk.bytes(), RawDisk::kBlock);
    ASSERT_TRUE(disk.Write(block));
  }
  std::cout << written << " blocks written, " << errors << " of them an error when changed\n";
  EXPECT_GE(errors, right.size() / RawDisk::kBlock);
}

TEST_F(EncryptedTest, OtherFormsAreRefused) {
  const auto with = [&](const std::function<void(grpc::Storage&)>& change) {
    auto request = OnDisk("web", {"true"}, "small");
    change(*request.mutable_storages(2));
    return CodeOf(request);
  };
  EXPECT_EQ(with([](auto& s) { s.set_fstype("xfs"); }), Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& s) { s.add_options("ro"); }), Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& s) { s.add_driver_options("discard"); }), Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& s) { s.mutable_driver_options()->RemoveLast(); }),
            Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& s) { s.set_driver_options(0, "encryption_key=known"); }),
            Code::kPermissionDenied);
  EXPECT_EQ(with([](auto& s) { s.set_source("tiny"); }), Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& s) { s.set_source("absent"); }), Code::kNotFound);
  EXPECT_EQ(with([](auto& s) { s.set_mount_point("/etc"); }), Code::kInvalidArgument);
}

}  // namespace
}  // namespace kata_cc::agent
