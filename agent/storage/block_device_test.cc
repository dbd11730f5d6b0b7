// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/block_device.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/file.h"

namespace kata_cc::agent {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A machine's /sys and /dev with one virtio disk behind a bridge.
class BlockDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    roots_ = {dir_ + "/sys", dir_ + "/dev"};
    fs::create_directories(roots_.sys + "/block");
    fs::create_directories(roots_.dev);
  }
  void TearDown() override { fs::remove_all(dir_); }

  void Plug() {
    const std::string bridge = roots_.sys + "/devices/pci0000:00/0000:00:02.0";
    const std::string device = bridge + "/0000:01:03.0";
    fs::create_directories(bridge + "/pci_bus/0000:01");
    fs::create_directories(device + "/virtio4/block/vdb");
    fs::create_directories(roots_.sys + "/bus/pci/devices");
    fs::create_directories(roots_.sys + "/class/block/vdb");
    fs::create_directories(roots_.sys + "/block/vdb");
    fs::create_directory_symlink(device, roots_.sys + "/bus/pci/devices/0000:01:03.0");
    ASSERT_TRUE(WriteFile(roots_.sys + "/block/vdb/serial", AsBytes("rootfs0\n")));
    ASSERT_TRUE(WriteFile(roots_.sys + "/class/block/vdb/dev", AsBytes("254:16\n")));
    ASSERT_TRUE(WriteFile(roots_.sys + "/class/block/vdb/size", AsBytes("2048\n")));
    ASSERT_TRUE(WriteFile(roots_.dev + "/vdb", {}));
  }

  std::string dir_ = testing::TempDir() + "block-XXXXXX";
  DeviceRoots roots_;
};

TEST_F(BlockDeviceTest, IsFoundByEachOfItsNames) {
  Plug();
  for (const char* source : {"rootfs0", "/dev/vdb", "0000:01:03.0", "02/03"}) {
    const auto device = FindBlockDevice(source, 0ms, roots_);
    ASSERT_TRUE(device) << source << ": " << device.error().message();
    EXPECT_EQ(device->path, roots_.dev + "/vdb");
    EXPECT_EQ(device->major, 254U);
    EXPECT_EQ(device->minor, 16U);
    EXPECT_EQ(device->size_bytes, 1U << 20);
  }
}

TEST_F(BlockDeviceTest, ADisksSerialIsAskedForOnceAndANewDisksAgain) {
  Plug();
  ASSERT_TRUE(WriteFile(roots_.sys + "/block/vdb/diskseq", AsBytes("7\n")));
  ASSERT_TRUE(FindBlockDevice("rootfs0", 0ms, roots_));
  fs::remove(roots_.sys + "/block/vdb/serial");
  EXPECT_TRUE(FindBlockDevice("rootfs0", 0ms, roots_));
  // Another disk under the same name.
  ASSERT_TRUE(WriteFile(roots_.sys + "/block/vdb/diskseq", AsBytes("8\n")));
  ASSERT_TRUE(WriteFile(roots_.sys + "/block/vdb/serial", AsBytes("other\n")));
  EXPECT_FALSE(FindBlockDevice("rootfs0", 0ms, roots_));
  EXPECT_TRUE(FindBlockDevice("other", 0ms, roots_));
}

TEST_F(BlockDeviceTest, IsWaitedFor) {
  std::thread later([this] {
    std::this_thread::sleep_for(100ms);
    Plug();
  });
  EXPECT_TRUE(FindBlockDevice("rootfs0", 10s, roots_));
  later.join();
}

TEST_F(BlockDeviceTest, WhatIsNotThereIsNotFoundInTime) {
  Plug();
  for (const char* source : {"rootfs1", "/dev/vdc", "0000:01:04.0", "02/04", "03/03", "rootfs"}) {
    EXPECT_EQ(FindBlockDevice(source, 1ms, roots_).error().code(), Code::kNotFound) << source;
  }
}

TEST_F(BlockDeviceTest, WhatIsNoNameIsRefused) {
  Plug();
  for (const std::string& source :
       {std::string(), std::string("/dev/../etc/passwd"), std::string("/dev/"), std::string("../x"),
        std::string(".."), std::string("a/b"), std::string("02/03/"), std::string("a\0b", 3),
        std::string(100, 'a'), std::string("/etc/passwd"), std::string("/dev/mapper/x")}) {
    EXPECT_EQ(FindBlockDevice(source, 0ms, roots_).error().code(), Code::kInvalidArgument)
        << source;
  }
}

}  // namespace
}  // namespace kata_cc::agent
