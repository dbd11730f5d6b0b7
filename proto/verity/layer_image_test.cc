// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/layer_image.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "proto/verity/bytes.h"
#include "proto/verity/hash_tree.h"
#include "proto/verity/tar_for_test.h"

namespace kata_cc::verity {
namespace {

std::string Hash(const std::string& tar, const LayerOptions& options = {}) {
  const auto image = HashLayer(ReadString(tar), options);
  return image ? ToHex(image->root_hash) : "error: " + image.error().message();
}

std::string Gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(bytes.size() + 1024, '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "layer-image-test-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

const std::string kBig(300'000, 'b');

std::string Sample() {
  return TarForTest()
      .Add({.name = "bin/", .type = '5', .mode = 0755})
      .Add({.name = "bin/tool", .data = kBig, .mode = 04755})
      .Add({.name = "bin/alias", .type = '1', .link = "bin/tool", .mode = 04755})
      .Add({.name = "etc/", .type = '5', .mode = 0755})
      .Add({.name = "etc/conf", .data = "x=1\n", .mtime = 1234567890})
      .Add({.name = "link", .type = '2', .link = "etc/conf"})
      .Finish();
}

// Computed once and pinned: a change of these bytes breaks every policy that names a layer.
TEST(LayerImageTest, TheFormatIsPinned) {
  EXPECT_EQ(Hash(Sample()), "eb387e7540876d71bcc888118aeb4fb6fe493771b384206178173c0fba4905c5");
}

TEST(LayerImageTest, CompressionAndReadSizesDoNotMatter) {
  const std::string tar = Sample();
  const std::string root = Hash(tar);
  EXPECT_EQ(Hash(Gzip(tar)), root);
  EXPECT_EQ(Hash(Zstd(tar)), root);
  EXPECT_EQ(Hash(Gzip(tar.substr(0, 1000)) + Gzip(tar.substr(1000))), root);
  const auto slow = HashLayer(ReadString(tar, 7), {});
  ASSERT_TRUE(slow);
  EXPECT_EQ(ToHex(slow->root_hash), root);
}

TEST(LayerImageTest, OrderPaddingAndHeaderFormatDoNotMatter) {
  const std::string other =
      TarForTest()
          .Add({.name = "./link", .type = '2', .link = "etc/conf"})
          .Add({.name = "./etc/conf", .data = "an older one", .mtime = 7})
          .Add({.name = "./etc", .type = '5', .mode = 0755})
          .Add({.name = "wrong",
                .data = "x=1\n",
                .pax = {{"path", "etc/conf"}, {"mtime", "1234567890.0"}, {"uid", "0"}}})
          .Add({.name = "bin/tool", .data = kBig, .mode = 04755})
          .Add({.name = "bin/", .type = '5', .mode = 0755})
          .Add({.name = "bin/alias", .type = '1', .link = "./bin/tool", .mode = 04755})
          .Finish();
  EXPECT_EQ(Hash(other + std::string(20480, '\0')), Hash(Sample()));
}

TEST(LayerImageTest, EveryAttributeMatters) {
  const TarItem base = {.name = "f", .data = "data"};
  const std::string root = Hash(TarForTest().Add(base).Finish());
  const auto differs = [&](const char* what, auto change) {
    TarItem item = base;
    change(item);
    EXPECT_NE(Hash(TarForTest().Add(item).Finish()), root) << what;
  };
  differs("mode", [](TarItem& item) { item.mode = 04644; });
  differs("uid", [](TarItem& item) { item.uid = 65537; });
  differs("gid", [](TarItem& item) { item.gid = 1; });
  differs("big uid", [](TarItem& item) { item.pax["uid"] = "4000000000"; });
  differs("time", [](TarItem& item) { item.mtime = 2; });
  differs("nanosecond", [](TarItem& item) { item.pax["mtime"] = "1.000000001"; });
  differs("data", [](TarItem& item) { item.data = "datb"; });
  differs("capability", [](TarItem& item) {
    item.pax["SCHILY.xattr.security.capability"] = std::string("\1\0\0\2\0\4\0\0", 8);
  });
  differs("user attribute", [](TarItem& item) { item.pax["SCHILY.xattr.user.a"] = "v"; });
  differs("type", [](TarItem& item) {
    item.type = '3';
    item.data.clear();
  });
  differs("name", [](TarItem& item) { item.pax["path"] = "\xC3\xA9"; });
}

TEST(LayerImageTest, AttributesThatLinuxHasNoPlaceForAreIgnored) {
  const TarItem plain = {.name = "f", .type = '2', .link = "t"};
  TarItem marked = plain;
  marked.pax = {{"SCHILY.xattr.com.apple.x", "1"}, {"SCHILY.xattr.user.on-symlink", "1"}};
  EXPECT_EQ(Hash(TarForTest().Add(marked).Finish()), Hash(TarForTest().Add(plain).Finish()));
}

TEST(LayerImageTest, HolesAreWhatIsZeroHoweverTheTarSaysIt) {
  std::string content(1'000'000, '\0');
  content.replace(400'000, 5, "hello");
  const std::string dense = TarForTest().Add({.name = "sparse", .data = content}).Finish();
  const std::string gnu =  // One extent, in GNU's pax form 0.1.
      TarForTest()
          .Add({.name = "x",
                .data = "hello",
                .pax = {{"GNU.sparse.name", "sparse"},
                        {"GNU.sparse.size", "1000000"},
                        {"GNU.sparse.numblocks", "2"},
                        {"GNU.sparse.map", "400000,5,1000000,0"}}})
          .Finish();
  EXPECT_EQ(Hash(dense), Hash(gnu));
  const auto image = HashLayer(ReadString(dense), {});
  ASSERT_TRUE(image);
  EXPECT_LT(image->geometry.data_blocks, 25U);
}

TEST(LayerImageTest, TheFileHasTreeAndTrailerAndOnlyThen) {
  const TempDirectory directory;
  LayerOptions options;
  options.scratch_directory = directory.path();
  const std::string path = directory / "layer";
  const auto image = WriteLayerImage(ReadString(Sample()), path, options);
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_EQ(std::filesystem::file_size(path), image->geometry.TotalBytes());
  const auto trailer = ReadTrailer(path);
  ASSERT_TRUE(trailer) << trailer.error().message();
  EXPECT_EQ(trailer->geometry, image->geometry);
  EXPECT_EQ(ToHex(trailer->root_hash), Hash(Sample()));

  // The tree as computed anew from the written data.
  const std::string bytes = Slurp(path);
  const std::span<const uint8_t> data(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  BlockHasher hasher;
  std::vector<Digest> leaves;
  for (std::size_t i = 0; i < image->geometry.data_blocks; ++i)
    leaves.push_back(hasher.Hash(data.subspan(i * kBlockSize, kBlockSize)));
  std::string tree;
  const auto root = WriteHashTree(hasher, leaves, [&](std::span<const uint8_t> piece) {
    tree.append(piece.begin(), piece.end());
    return Result<void>();
  });
  ASSERT_TRUE(root);
  EXPECT_EQ(*root, image->root_hash);
  EXPECT_EQ(bytes.substr(image->geometry.HashStart() * kBlockSize, tree.size()), tree);
  EXPECT_TRUE(CheckSuperblock(data.first(kBlockSize), image->geometry));
  EXPECT_FALSE(CheckSuperblock(data.first(kBlockSize), {image->geometry.data_blocks + 1}));
}

TEST(LayerImageTest, OutOfOrderFilesGiveTheSameBytes) {
  const TempDirectory directory;
  LayerOptions options;
  options.scratch_directory = directory.path();
  const TarItem a = {.name = "a", .data = std::string(70'000, 'a')};
  const TarItem b = {.name = "b", .data = std::string(90'001, 'b')};
  const TarItem c = {.name = "c", .data = "c"};
  ASSERT_TRUE(WriteLayerImage(ReadString(TarForTest().Add(a).Add(b).Add(c).Finish()),
                              directory / "in-order", options));
  ASSERT_TRUE(WriteLayerImage(ReadString(TarForTest().Add(c).Add(b).Add(b).Add(a).Finish()),
                              directory / "mixed", options));
  EXPECT_EQ(Slurp(directory / "in-order"), Slurp(directory / "mixed"));
}

TEST(LayerImageTest, FailureLeavesNothingBehind) {
  const TempDirectory directory;
  LayerOptions options;
  options.scratch_directory = directory.path();
  const std::string tar = Sample();
  EXPECT_FALSE(WriteLayerImage(ReadString(tar.substr(0, 200'000)), directory / "layer", options));
  options.expected_diff_id = std::string(64, '0');
  EXPECT_FALSE(WriteLayerImage(ReadString(tar), directory / "layer", options));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(LayerImageTest, TheDiffIdIsOfAllBytesOfTheTar) {
  // sha256sum of 1024 zero bytes, the tar of nothing.
  const auto image = HashLayer(ReadString(std::string(1024, '\0')), {});
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_EQ(image->diff_id, "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}

struct Hostile {
  const char* what;
  std::string tar;
  const char* error;
};

TEST(LayerImageTest, HostileTarsAreRefusedWithTheReason) {
  LayerOptions options;
  options.limits.tar_bytes = 1 << 20;
  options.limits.entries = 100;
  std::string many;
  for (int i = 0; i < 200; ++i)
    many += TarForTest().Add({.name = "f" + std::to_string(i)}).Unfinished();
  const std::string overlay_xattr =
      TarForTest()
          .Add({.name = "d", .type = '5', .pax = {{"SCHILY.xattr.trusted.overlay.opaque", "y"}}})
          .Finish();
  const std::string gzip = Gzip(Sample());
  const Hostile cases[] = {
      {"empty", "", "empty"},
      {"garbage", std::string(4096, 'g'), "format"},
      {"xz",
       std::string("\xFD"
                   "7zXZ\0",
                   6) +
           std::string(100, 'x'),
       "xz is not supported"},
      {"cut in data", Sample().substr(0, 100'000), "Truncated"},
      {"cut in header", Sample().substr(0, 300), "format"},
      {"cut gzip", gzip.substr(0, gzip.size() - 12), "runcated"},
      {"dot dot", TarForTest().Add({.name = "../x"}).Finish(), "climbs"},
      {"absolute", TarForTest().Add({.name = "/etc/x"}).Finish(), "absolute"},
      {"out by symlink",
       TarForTest().Add({.name = "s", .type = '2', .link = ".."}).Add({.name = "s/x"}).Finish(),
       "leads out"},
      {"link out", TarForTest().Add({.name = "l", .type = '1', .link = "../x"}).Finish(), "climbs"},
      {"bomb", Zstd(TarForTest().Add({.name = "z", .data = std::string(2 << 20, 'z')}).Finish()),
       "larger than"},
      {"claims 8 GiB", TarForTest().Add({.name = "c", .claimed_size = 8589934591}).Finish(),
       "runcated"},
      {"claims an exabyte",
       TarForTest().Add({.name = "c", .pax = {{"size", "2000000000000000"}}}).Finish(),
       "too large"},
      {"too many", many + std::string(1024, '\0'), "too many entries"},
      {"overlay attribute", overlay_xattr, "overlayfs"},
      {"negative uid", TarForTest().Add({.name = "u", .pax = {{"uid", "-2"}}}).Finish(), ""},
      {"uid over 32 bits", TarForTest().Add({.name = "u", .pax = {{"uid", "4294967296"}}}).Finish(),
       "out of range"},
      {"device number",
       TarForTest().Add({.name = "d", .type = '3', .major = 0x1000, .minor = 1}).Finish(),
       "out of range"},
      {"empty symlink", TarForTest().Add({.name = "s", .type = '2'}).Finish(), "symlink"},
  };
  for (const Hostile& hostile : cases) {
    const std::string result = Hash(hostile.tar, options);
    EXPECT_TRUE(result.starts_with("error: ")) << hostile.what << ": " << result;
    EXPECT_NE(result.find(hostile.error), std::string::npos) << hostile.what << ": " << result;
  }
}

TEST(LayerImageTest, ErrorsOfTheSourceComeThrough) {
  const auto image = HashLayer(
      [](std::span<std::byte>) -> Result<std::size_t> {
        return Error(Code::kUnavailable, "content store is gone");
      },
      {});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace kata_cc::verity
