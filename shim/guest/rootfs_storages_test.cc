// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/rootfs_storages.h"

#include <gtest/gtest.h>

namespace kata_cc::shim {
namespace {

TEST(RootfsStoragesTest, LayersHaveTheAgreedForm) {
  LayerFile top;
  top.root_hash.fill(0xab);
  top.geometry.data_blocks = 42;
  LayerFile base;
  base.root_hash.fill(0x01);
  base.geometry.data_blocks = 7;
  grpc::CreateContainerRequest request;
  AddLayerStorages({top, base}, "web", &request);
  ASSERT_EQ(request.storages_size(), 3);
  std::string ab;
  std::string one;
  for (int i = 0; i < 32; ++i) {
    ab += "ab";
    one += "01";
  }
  const grpc::Storage& layer = request.storages(0);
  EXPECT_EQ(layer.driver(), "blk");
  EXPECT_EQ(layer.source(), "labababababababababa");
  EXPECT_EQ(layer.source().size(), 20U);
  EXPECT_EQ(layer.fstype(), "erofs");
  EXPECT_EQ(layer.mount_point(), "/run/kata-containers/sandbox/layers/" + ab);
  ASSERT_EQ(layer.options_size(), 5);
  EXPECT_EQ(layer.options(0), "ro");
  EXPECT_EQ(layer.options(1), "io.katacontainers.fs-opt.block_device=file");
  EXPECT_EQ(layer.options(2), "io.katacontainers.fs-opt.is-layer");
  EXPECT_EQ(layer.options(3), "io.katacontainers.fs-opt.root-hash=" + ab);
  EXPECT_EQ(layer.options(4), "io.katacontainers.fs-opt.data-blocks=42");
  EXPECT_EQ(layer.driver_options_size(), 0);
  EXPECT_FALSE(layer.has_fs_group());
  EXPECT_FALSE(layer.shared());
  const grpc::Storage& overlay = request.storages(2);
  EXPECT_EQ(overlay.driver(), "overlayfs");
  EXPECT_EQ(overlay.source(), "none");
  EXPECT_EQ(overlay.fstype(), "overlay");
  ASSERT_EQ(overlay.options_size(), 2);
  EXPECT_EQ(overlay.options(0), "io.katacontainers.fs-opt.overlay-rw");
  EXPECT_EQ(overlay.options(1), "lowerdir=" + ab + ":" + one);
  EXPECT_EQ(overlay.mount_point(), "/run/kata-containers/web/rootfs");
}

}  // namespace
}  // namespace kata_cc::shim
