// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/verity.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace kata_cc::agent {
namespace {

constexpr std::string_view kLayers = "/run/kata-containers/sandbox/layers/";
const std::string kHash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

grpc::Storage Layer() {
  grpc::Storage storage;
  storage.set_driver("blk");
  storage.set_source("l0123456789abcdef012");
  storage.set_fstype("erofs");
  storage.add_options("ro");
  storage.add_options("io.katacontainers.fs-opt.block_device=file");
  storage.add_options("io.katacontainers.fs-opt.is-layer");
  storage.add_options("io.katacontainers.fs-opt.root-hash=" + kHash);
  storage.add_options("io.katacontainers.fs-opt.data-blocks=1000");
  storage.set_mount_point(std::string(kLayers) + kHash);
  return storage;
}

TEST(ParseLayer, TakesTheFormAndNothingElse) {
  const auto layer = ParseLayer(Layer(), kLayers);
  ASSERT_TRUE(layer) << layer.error().message();
  EXPECT_EQ(verity::ToHex(layer->root_hash), kHash);
  EXPECT_EQ(layer->geometry.data_blocks, 1000U);
  const std::vector<std::function<void(grpc::Storage&)>> wrong = {
      [](auto& s) { s.set_fstype("ext4"); },
      [](auto& s) { s.set_fstype("tar"); },
      [](auto& s) { s.set_options(0, "rw"); },
      [](auto& s) { s.add_options("rw"); },
      [](auto& s) { s.mutable_options()->RemoveLast(); },
      [](auto& s) { s.mutable_options()->SwapElements(3, 4); },
      [](auto& s) { s.set_options(3, "io.katacontainers.fs-opt.root-hash="); },
      [](auto& s) { s.set_options(3, "io.katacontainers.fs-opt.root-hash=" + kHash + "0"); },
      [](auto& s) { s.set_options(3, "io.katacontainers.fs-opt.root-hash-x=" + kHash); },
      [](auto& s) { s.set_options(4, "io.katacontainers.fs-opt.data-blocks=-1"); },
      [](auto& s) { s.set_options(4, "io.katacontainers.fs-opt.data-blocks=010"); },
      [](auto& s) { s.set_options(4, "io.katacontainers.fs-opt.data-blocks=10 1"); },
      [](auto& s) {
        s.set_options(4, "io.katacontainers.fs-opt.data-blocks=99999999999999999999");
      },
      [](auto& s) { s.add_driver_options("x"); },
      [](auto& s) { s.mutable_fs_group(); },
      [](auto& s) { s.set_shared(true); },
      [](auto& s) { s.set_mount_point(std::string(kLayers) + std::string(64, '0')); },
      [](auto& s) { s.set_mount_point("/run/kata-containers/web/rootfs/" + kHash); },
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    auto storage = Layer();
    wrong[i](storage);
    const auto refused = ParseLayer(storage, kLayers);
    ASSERT_FALSE(refused) << i;
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument) << i;
  }
}

TEST(IsLayer, IsWhatAnyOfItsOptionsSays) {
  EXPECT_TRUE(IsLayer(Layer()));
  grpc::Storage plain;
  plain.add_options("ro");
  EXPECT_FALSE(IsLayer(plain));
}

TEST(VerityTable, IsTheKernelsForm) {
  const auto layer = ParseLayer(Layer(), kLayers);
  ASSERT_TRUE(layer);
  BlockDevice disk;
  disk.major = 254;
  disk.minor = 16;
  const DmTable table = VerityTable(*layer, disk);
  EXPECT_TRUE(table.read_only);
  EXPECT_EQ(table.target, "verity");
  EXPECT_EQ(table.sectors, 8000U);
  EXPECT_EQ(table.parameters,
            "1 254:16 254:16 4096 4096 1000 1000 sha256 " + kHash + " " + std::string(64, '0'));
}

TEST(OpenLayer, ADiskThatIsTooShortIsRefusedFirst) {
  const auto layer = ParseLayer(Layer(), kLayers);
  ASSERT_TRUE(layer);
  BlockDevice disk;
  disk.size_bytes = 1000 * 4096;  // No room for the tree.
  EXPECT_EQ(OpenLayer(*layer, disk).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace kata_cc::agent
