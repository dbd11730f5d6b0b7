// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/volumes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "base/encoding.h"
#include "base/synced.h"
#include "shim/guest/copy_files.h"
#include "shim/guest/volume_watch.h"

namespace kata_cc::shim {
namespace {

namespace fs = std::filesystem;
constexpr char kPod[] = "/var/lib/kubelet/pods/0123";

TEST(VolumesTest, KindsFollowKubeletsPaths) {
  const std::string pod = kPod;
  for (const char* plugin : {"configmap", "secret", "projected", "downward-api"})
    EXPECT_EQ(KindOfVolume(pod + "/volumes/kubernetes.io~" + plugin + "/v", "/v"),
              VolumeKind::kCopied);
  EXPECT_EQ(KindOfVolume(pod + "/etc-hosts", "/etc/hosts"), VolumeKind::kCopied);
  EXPECT_EQ(KindOfVolume(pod + "/containers/app/1a2b", "/dev/termination-log"),
            VolumeKind::kCopied);
  EXPECT_EQ(KindOfVolume("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/1/resolv.conf",
                         "/etc/resolv.conf"),
            VolumeKind::kCopied);
  EXPECT_EQ(
      KindOfVolume("/var/lib/containerd/io.containerd.grpc.v1.cri/containers/1/volumes/2", "/data"),
      VolumeKind::kCopied);
  EXPECT_EQ(KindOfVolume(pod + "/volumes/kubernetes.io~empty-dir/cache", "/cache"),
            VolumeKind::kEmptyDir);
  for (const std::string& source :
       {std::string("/etc"), std::string("/"), pod + "/volumes/kubernetes.io~csi/pvc/mount",
        pod + "/volume-subpaths/v/app/0", pod + "/volumes/kubernetes.io~empty-dir/cache/sub",
        pod + "/volumes/kubernetes.io~empty-dir/..",
        std::string("/volumes/kubernetes.io~empty-dir/cache"),
        std::string("/volumes/kubernetes.io~secret/v")})
    EXPECT_EQ(KindOfVolume(source, "/x"), VolumeKind::kHost) << source;
}

class VolumeDirTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/volumes_test.XXXXXX";
    dir_ = ::mkdtemp(pattern);
  }
  void TearDown() override { fs::remove_all(dir_); }
  // As kubelet writes a volume of this content.
  void Write(const std::string& volume, const std::string& version, const std::string& text) {
    fs::create_directories(volume + "/.." + version);
    std::ofstream(volume + "/.." + version + "/key") << text;
    fs::create_symlink(".." + version, volume + "/..data_tmp");
    fs::rename(volume + "/..data_tmp", volume + "/..data");
    if (!fs::is_symlink(volume + "/key")) fs::create_symlink("..data/key", volume + "/key");
  }
  std::string dir_;
};

TEST_F(VolumeDirTest, AnEmptyDirIsMadeInTheGuest) {
  const std::string source = dir_ + "/pods/0/volumes/kubernetes.io~empty-dir/cache";
  EXPECT_FALSE(EmptyDirStorage(source, "pod", StorageMode::kMemory));
  fs::create_directories(source);
  const auto storage = EmptyDirStorage(source, "pod", StorageMode::kMemory);
  ASSERT_TRUE(storage) << storage.error().message();
  EXPECT_EQ(storage->driver(), "local");
  EXPECT_EQ(storage->mount_point(), "/run/kata-containers/shared/containers/pod/local/cache");
  ASSERT_GE(storage->options_size(), 1);
  EXPECT_EQ(storage->options(0), "mode=0777");
  char pattern[] = "/dev/shm/volumes_test.XXXXXX";
  const std::string memory = ::mkdtemp(pattern);
  const std::string in_memory = memory + "/pods/0/volumes/kubernetes.io~empty-dir/cache";
  fs::create_directories(in_memory);
  const auto tmpfs = EmptyDirStorage(in_memory, "pod", StorageMode::kBlockEncrypted);
  fs::remove_all(memory);
  ASSERT_TRUE(tmpfs);
  EXPECT_EQ(tmpfs->driver(), "ephemeral");
  EXPECT_EQ(tmpfs->fstype(), "tmpfs");
  EXPECT_EQ(tmpfs->mount_point(), "/run/kata-containers/sandbox/ephemeral/cache");
  EXPECT_TRUE(tmpfs->options(0).starts_with("size="));
}

TEST_F(VolumeDirTest, AnEncryptedEmptyDirHasKatasForm) {
  const std::string source = dir_ + "/pods/0/volumes/kubernetes.io~empty-dir/cache";
  fs::create_directories(source);
  const auto storage = EmptyDirStorage(source, "pod", StorageMode::kBlockEncrypted);
  ASSERT_TRUE(storage) << storage.error().message();
  EXPECT_EQ(storage->driver(), "blk");
  EXPECT_EQ(storage->source(), SerialOf('e', source));
  EXPECT_EQ(storage->source().size(), 20U);
  EXPECT_EQ(storage->fstype(), "ext4");
  EXPECT_EQ(storage->options_size(), 0);
  ASSERT_EQ(storage->driver_options_size(), 2);
  EXPECT_EQ(storage->driver_options(0), "encryption_key=ephemeral");
  EXPECT_EQ(storage->driver_options(1), "create_filesystem");
  EXPECT_TRUE(storage->shared());
  const std::string dir = "/run/kata-containers/sandbox/storage/";
  ASSERT_TRUE(storage->mount_point().starts_with(dir));
  std::string encoded = storage->mount_point().substr(dir.size());
  EXPECT_EQ(encoded.size(), 28U);
  encoded.pop_back();
  EXPECT_EQ(AsString(*Base64UrlDecode(encoded)), storage->source());
}

TEST_F(VolumeDirTest, BlockDevicesAreFoundByTheirNumbersAndOthersRefused) {
  fs::create_directories(dir_ + "/dev/block/7:3");
  std::ofstream(dir_ + "/dev/block/7:3/uevent") << "MAJOR=7\nMINOR=3\nDEVNAME=loop3\n";
  grpc::Linux os_linux;
  grpc::LinuxDevice& device = *os_linux.add_devices();
  device.set_path("/dev/data");
  device.set_type("b");
  device.set_major(7);
  device.set_minor(3);
  auto devices = DevicesOf(os_linux, dir_);
  ASSERT_TRUE(devices) << devices.error().message();
  ASSERT_EQ(devices->size(), 1U);
  EXPECT_EQ(devices->front().path, "/dev/loop3");
  EXPECT_EQ(devices->front().container_path, "/dev/data");
  EXPECT_FALSE(devices->front().read_only);
  const std::string serial = devices->front().serial;
  grpc::LinuxDeviceCgroup& rule = *os_linux.mutable_resources()->add_devices();
  rule.set_allow(true);
  rule.set_type("b");
  rule.set_major(7);
  rule.set_minor(3);
  rule.set_access("rm");
  devices = DevicesOf(os_linux, dir_);
  EXPECT_TRUE(devices->front().read_only);
  EXPECT_NE(devices->front().serial, serial);  // Another disk, should both be wanted.
  device.set_minor(4);
  EXPECT_EQ(DevicesOf(os_linux, dir_).error().code(), Code::kNotFound);
  device.set_type("c");
  const auto refused = DevicesOf(os_linux, dir_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message().find("/dev/data"), std::string::npos);
}

TEST_F(VolumeDirTest, UpdatesFollowInKubeletsOrderUntilTheContainerIsGone) {
  const std::unique_ptr<Reactor> reactor(*Reactor::Create());
  std::thread thread([&] { (void)reactor->Run(); });
  auto pool = std::make_unique<WorkerPool>(1);
  Synced<std::vector<grpc::CopyFileRequest>> sent;
  int failures = 1;  // The first update meets a busy guest.
  const auto watch = VolumeWatch::Create(
      *reactor, *pool,
      [&](const GuestCopy& copy) -> Result<void> {
        if (failures-- > 0) return Error(Code::kUnavailable, "busy");
        return CopyToGuest(copy, [&](const grpc::CopyFileRequest& request) {
          sent.Lock()->push_back(request);
          return Result<void>();
        });
      },
      std::chrono::milliseconds(5));
  const std::string volume = dir_ + "/volume";
  Write(volume, "1", "old");
  fs::create_directories(dir_ + "/plain");
  watch->Add("web", {{volume, "/guest/v"}, {dir_ + "/plain", "/guest/p"}});
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  sent.Lock()->clear();

  Write(volume, "2", "new");
  std::vector<grpc::CopyFileRequest> all;
  for (int i = 0; i < 400 && all.size() < 7; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    all = *sent.Lock();
  }
  // The volume, both generations, the link, the names.
  ASSERT_EQ(all.size(), 7U);
  EXPECT_EQ(all[3].path(), "/guest/v/..2");
  EXPECT_EQ(all[4].path(), "/guest/v/..2/key");
  EXPECT_EQ(all[4].data(), "new");
  EXPECT_EQ(all[5].path(), "/guest/v/..data");
  EXPECT_EQ(all[5].data(), "..2");

  watch->Remove("web");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  sent.Lock()->clear();
  Write(volume, "3", "newer");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(sent.Lock()->empty());
  watch->Stop();
  pool.reset();
  reactor->Post([&] { reactor->Stop(); });
  thread.join();
}

TEST_F(VolumeDirTest, UpdatesOfAVolumeDoNotOverlapAndTheLastIsNotMissed) {
  const std::unique_ptr<Reactor> reactor(*Reactor::Create());
  std::thread thread([&] { (void)reactor->Run(); });
  auto pool = std::make_unique<WorkerPool>(4);
  const std::string volume = dir_ + "/volume";
  std::atomic<int> active = 0;
  std::atomic<int> copies = 0;
  std::atomic<bool> overlapped = false;
  Synced<std::string> seen;
  const auto watch = VolumeWatch::Create(
      *reactor, *pool,
      [&](const GuestCopy& copy) -> Result<void> {
        overlapped = overlapped || ++active > 1;
        const std::string target = fs::read_symlink(copy.host_path + "/..data");
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
        *seen.Lock() = target;
        ++copies;
        --active;
        return {};
      },
      std::chrono::milliseconds(2));
  Write(volume, "0", "");
  watch->Add("web", {{volume, "/guest/v"}});
  for (int i = 1; i <= 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    Write(volume, std::to_string(i), "");
  }
  for (int i = 0; i < 400 && *seen.Lock() != "..20"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(*seen.Lock(), "..20");
  EXPECT_FALSE(overlapped);
  EXPECT_GE(copies, 2);
  watch->Stop();
  pool.reset();
  reactor->Post([&] { reactor->Stop(); });
  thread.join();
}

}  // namespace
}  // namespace kata_cc::shim
