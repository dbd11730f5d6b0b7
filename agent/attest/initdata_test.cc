// SPDX-License-Identifier: Apache-2.0
#include "agent/attest/initdata.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "agent/attest/host_data.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/testing/vectors.h"

namespace kata_cc::agent {
namespace {

constexpr const char* kDocument =
    "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"policy.rego\" = \"package x\"\n";

// A device image of document, as the shim makes it.
Bytes Image(std::string_view document) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  Bytes gzip(deflateBound(&stream, document.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(document.data()));
  stream.avail_in = static_cast<uInt>(document.size());
  stream.next_out = gzip.data();
  stream.avail_out = static_cast<uInt>(gzip.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  gzip.resize(stream.total_out);
  deflateEnd(&stream);
  Bytes image(16 + gzip.size());
  std::copy_n("initdata", 8, image.begin());
  StoreLe<std::uint64_t>(image, 8, gzip.size());
  std::copy(gzip.begin(), gzip.end(), image.begin() + 16);
  image.resize((image.size() + 511) / 512 * 512);
  return image;
}

TEST(Initdata, RoundTrips) {
  const auto document = UnpackInitdataImage(Image(kDocument));
  ASSERT_TRUE(document) << document.error().message();
  EXPECT_EQ(*document, kDocument);
  const auto initdata = ParseInitdata(*document);
  ASSERT_TRUE(initdata) << initdata.error().message();
  EXPECT_EQ(initdata->algorithm, "sha256");
  EXPECT_EQ(initdata->data.at("policy.rego"), "package x");
}

TEST(Initdata, RefusesBytesAfterTheStreamAndATruncatedOne) {
  Bytes image = Image(kDocument);
  const auto length = LoadLe<std::uint64_t>(image, 8);
  StoreLe<std::uint64_t>(image, 8, length + 1);
  EXPECT_FALSE(UnpackInitdataImage(image));
  StoreLe<std::uint64_t>(image, 8, length - 1);
  EXPECT_FALSE(UnpackInitdataImage(image));
  StoreLe<std::uint64_t>(image, 8, 0);
  EXPECT_FALSE(UnpackInitdataImage(image));
}

TEST(Initdata, AFlippedBitIsNoticed) {
  const Bytes good = Image(kDocument);
  const auto end = 16 + LoadLe<std::uint64_t>(good, 8);
  for (std::size_t i = 26; i < end; ++i) {  // After the gzip header, whose fields mean nothing.
    Bytes bad = good;
    bad[i] ^= 1;
    EXPECT_FALSE(UnpackInitdataImage(bad)) << i;
  }
}

TEST(Initdata, RefusesKeysThatNestBeyondTheStack) {
  std::string parts;
  for (int i = 0; i < 1'000'000; ++i)
    parts += "a.";
  EXPECT_FALSE(ParseInitdata(std::string(kDocument) + parts + "a = 1"));
  EXPECT_FALSE(ParseInitdata("[" + parts + "a]"));
}

TEST(Initdata, RefusesKeysItDoesNotKnowAndDeepNesting) {
  EXPECT_FALSE(ParseInitdata(std::string("more = 1\n") + kDocument));
  EXPECT_FALSE(ParseInitdata("version = " + std::string(100'000, '[')));
  EXPECT_FALSE(ParseInitdata("version = \"0.1.0\"\nalgorithm = \"sha256\"\ndata = []\n"));
  EXPECT_FALSE(ParseInitdata(std::string(kMaxInitdataBytes + 1, '\n')));
}

TEST(Initdata, RefusesAHeaderWithoutAKey) {
  for (const char* header : {"[\x01version]", "[[!]]", "[", "[\n]", "[ ]"})
    EXPECT_FALSE(ParseInitdata(std::string(kDocument) + "\n" + header)) << header;
}

TEST(Initdata, FindsTheOneDeviceThatHasIt) {
  std::string root = ::testing::TempDir() + "initdata-XXXXXX";
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  for (const char* name : {"vda", "vdb", "sda", "loop0"}) {
    std::filesystem::create_directories(root + "/block/" + name);
    std::filesystem::create_directories(root + "/dev");
    ASSERT_TRUE(WriteFile(root + "/dev/" + name, Bytes(512)));
  }
  auto found = FindInitdata(root + "/block", root + "/dev");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
  ASSERT_TRUE(WriteFile(root + "/dev/vdb", Image(kDocument)));
  found = FindInitdata(root + "/block", root + "/dev");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value_or(""), kDocument);
  ASSERT_TRUE(WriteFile(root + "/dev/sda", Image(kDocument)));
  EXPECT_FALSE(FindInitdata(root + "/block", root + "/dev"));
  std::filesystem::remove_all(root);
}

class InitdataVectors : public kata_cc::testing::VectorsTest {
 protected:
  nlohmann::json Cases(const char* group) {
    return nlohmann::json::parse(AsString(Read("initdata.json"))).at(group);
  }
};

TEST_F(InitdataVectors, Documents) {
  int seen = 0;
  for (const auto& c : Cases("documents")) {
    const std::string id = c.at("id");
    const std::string document = AsString(Read(c.at("toml")));
    const auto initdata = ParseInitdata(document);
    EXPECT_EQ(initdata.has_value(), c.at("ok").get<bool>()) << id;
    ++seen;
    if (!initdata) continue;
    EXPECT_EQ(HexEncode(AsBytes(initdata->digest)), c.at("digest")) << id;
    const auto host_data = ParseHostData(c.at("host_data_snp").get<std::string>());
    ASSERT_TRUE(host_data);
    EXPECT_TRUE(CheckHostData(*FixedHostData(*host_data), initdata->digest, "initdata")) << id;
    std::set<std::string> keys;
    for (const auto& [key, value] : initdata->data)
      keys.insert(key);
    EXPECT_EQ(keys, c.at("data_keys").get<std::set<std::string>>()) << id;
    const auto unpacked = UnpackInitdataImage(Read(c.at("block_image")));
    ASSERT_TRUE(unpacked) << id << unpacked.error().message();
    EXPECT_EQ(*unpacked, document) << id;
  }
  EXPECT_GT(seen, 10);
}

TEST_F(InitdataVectors, DeviceImages) {
  int seen = 0;
  for (const auto& c : Cases("device_images")) {
    const std::string id = c.at("id");
    const auto document = UnpackInitdataImage(Read(c.at("file")));
    // What inflates beyond the limit is refused, as the vectors recommend.
    const bool ok = c.at("ok").get<bool>() && !c.contains("inflated_size");
    EXPECT_EQ(document.has_value(), ok) << id;
    ++seen;
    if (!document) continue;
    EXPECT_EQ(Base64Encode(AsBytes(*document)), c.at("content_b64")) << id;
  }
  EXPECT_GT(seen, 4);
}

}  // namespace
}  // namespace kata_cc::agent
