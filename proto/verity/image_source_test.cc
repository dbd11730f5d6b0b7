// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/image_source.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "proto/verity/layer_image.h"
#include "proto/verity/tar_for_test.h"

namespace kata_cc::verity {
namespace {

class ImageSourceTest : public testing::Test {
 protected:
  ImageSourceTest() {
    std::string name = std::filesystem::temp_directory_path() / "image-source-test-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
    layer_ = TarForTest().Add({.name = "file", .data = "content"}).Finish();
    diff_id_ = HashLayer(ReadString(layer_), {})->diff_id;
    config_ = R"({"rootfs":{"diff_ids":["sha256:)" + diff_id_ + R"("]}})";
  }
  ~ImageSourceTest() override { std::filesystem::remove_all(root_); }

  std::string Write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = root_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  std::string Blob(char digit, const std::string& content) {
    Write("blobs/sha256/" + std::string(64, digit), content);
    return R"({"digest":"sha256:)" + std::string(64, digit) + R"("})";
  }

  void ExpectTheLayer(const Result<ImageSource>& source) {
    ASSERT_TRUE(source) << source.error().message();
    ASSERT_EQ(source->layers().size(), 1U);
    std::string diff_id;
    const auto read = source->ReadLayer(source->layers()[0], [&](const ReadBytes& bytes) {
      const auto image = HashLayer(bytes, {});
      diff_id = image ? image->diff_id : image.error().message();
      return Result<void>();
    });
    EXPECT_TRUE(read) << read.error().message();
    EXPECT_EQ(diff_id, diff_id_);
  }

  std::string Refusal(const std::string& path) {
    const auto source = ImageSource::Open(path);
    return source ? "" : source.error().message();
  }

  std::string root_;
  std::string layer_;
  std::string diff_id_;
  std::string config_;
};

TEST_F(ImageSourceTest, ALoneLayerIsOneLayer) {
  ExpectTheLayer(ImageSource::Open(Write("layer.tar", layer_)));
}

TEST_F(ImageSourceTest, AnOciLayoutIsReadThroughItsIndex) {
  const std::string manifest =
      R"({"config":)" + Blob('a', config_) + R"(,"layers":[)" + Blob('b', layer_) + "]}";
  const std::string blob = Blob('c', manifest);
  Write("oci-layout", "{}");
  Write("index.json", R"({"manifests":[)" + blob + "]}");
  ExpectTheLayer(ImageSource::Open(root_));
}

TEST_F(ImageSourceTest, ADockerArchiveIsReadThroughItsManifest) {
  const std::string path = Write(
      "image.tar", TarForTest()
                       .Add({.name = "aa/layer.tar", .data = layer_})
                       .Add({.name = "bb/layer.tar", .type = '2', .link = "../aa/layer.tar"})
                       .Add({.name = "config.json", .data = config_})
                       .Add({.name = "manifest.json",
                             .data = R"([{"Config":"config.json","Layers":["bb/layer.tar"]}])"})
                       .Finish());
  ExpectTheLayer(ImageSource::Open(path));
}

TEST_F(ImageSourceTest, Schema1IsRefused) {
  const std::string old =
      Write("old.tar", TarForTest().Add({.name = "repositories", .data = "{}"}).Finish());
  EXPECT_NE(Refusal(old).find("schema 1"), std::string::npos);
  Write("index.json", R"({"schemaVersion":1,"fsLayers":[]})");
  EXPECT_NE(Refusal(root_).find("schema 1"), std::string::npos);
}

TEST_F(ImageSourceTest, BadLayoutsAreRefused) {
  EXPECT_NE(Refusal(root_ + "/missing"), "");
  EXPECT_NE(Refusal(root_), "");  // No index.
  for (const char* index :
       {"", "[", "3", R"({"manifests":3})", R"({"manifests":[]})", R"({"manifests":[3]})",
        R"({"manifests":[{"digest":"sha256:../../../etc/passwd"}]})",
        R"({"manifests":[{"digest":"md5:00"}]})", R"({"layers":[]})",
        R"({"manifests":[{"platform":{"os":"windows"}}]})"}) {
    Write("index.json", index);
    EXPECT_NE(Refusal(root_), "") << index;
  }
  Write("index.json", std::string(100'000, '['));
  EXPECT_NE(Refusal(root_), "");
}

TEST_F(ImageSourceTest, CountsOfLayersAndDiffIdsMustAgree) {
  const std::string manifest = R"({"config":)" + Blob('a', config_) + R"(,"layers":[]})";
  const std::string blob = Blob('c', manifest);
  Write("index.json", R"({"manifests":[)" + blob + "]}");
  EXPECT_NE(Refusal(root_).find("diff ids"), std::string::npos);
}

}  // namespace
}  // namespace kata_cc::verity
