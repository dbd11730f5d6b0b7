// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox/launch_data.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/testing/vectors.h"
#include "shim/sandbox/utf8.h"

namespace kata_cc::shim {
namespace {

std::string Base64(const std::string& bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                  reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  out.pop_back();
  return out;
}

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Result<LaunchData> Read(const char* key, std::string value) {
  Annotations annotations;
  annotations[key] = std::move(value);
  return ReadLaunchData(annotations);
}

std::string Hex(const HostData& data) {
  std::string out;
  for (const std::uint8_t byte : data) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

TEST(LaunchDataTest, PolicyIsBoundByItsSha256) {
  const auto launch = Read(kPolicyAnnotation, Base64("abc"));
  ASSERT_TRUE(launch) << launch.error().message();
  EXPECT_EQ(launch->policy, "abc");
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(Hex(*launch->host_data),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(LaunchDataTest, WithoutAnnotationsNothingIsBound) {
  const auto launch = ReadLaunchData({});
  ASSERT_TRUE(launch);
  EXPECT_TRUE(launch->policy.empty());
  EXPECT_FALSE(launch->host_data.has_value());
}

TEST(LaunchDataTest, RefusesAPolicyThatIsNotBase64OrNotText) {
  for (const char* text : {"", "a", "!!!!", "YWJj\n", "YW=j", "====", "YQ=", " YWJj"}) {
    const auto launch = Read(kPolicyAnnotation, text);
    ASSERT_FALSE(launch) << text;
    EXPECT_EQ(launch.error().code(), Code::kInvalidArgument);
    EXPECT_EQ(launch.error().message().find(kPolicyAnnotation), 0U) << launch.error().message();
  }
  EXPECT_FALSE(Read(kPolicyAnnotation, Base64("\xff\xfe")));
}

TEST(LaunchDataTest, RefusesAPolicyOverTheLimit) {
  EXPECT_TRUE(Read(kPolicyAnnotation, Base64(std::string(kMaxPolicyBytes, 'a'))));
  const auto launch = Read(kPolicyAnnotation, Base64(std::string(kMaxPolicyBytes + 1, 'a')));
  ASSERT_FALSE(launch);
  EXPECT_NE(launch.error().message().find("larger than 2 MiB"), std::string::npos);
}

constexpr char kInitdata[] =
    "version = \"0.1.0\"\nalgorithm = \"sha384\"\n[data]\n\"policy.rego\" = \"package x\"\n";

TEST(LaunchDataTest, InitdataBecomesABlockImageAndACutDigest) {
  const std::string compressed = Gzip(kInitdata);
  const auto launch = Read(kInitdataAnnotation, Base64(compressed));
  ASSERT_TRUE(launch) << launch.error().message();
  const std::string& image = launch->initdata_image;
  EXPECT_EQ(image.size() % 512, 0U);
  EXPECT_EQ(image.substr(0, 8), "initdata");
  EXPECT_EQ(static_cast<unsigned char>(image[8]), compressed.size() & 0xff);
  EXPECT_EQ(image.substr(16, compressed.size()), compressed);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_Digest(kInitdata, sizeof kInitdata - 1, digest, &length, EVP_sha384(), nullptr);
  EXPECT_TRUE(std::equal(launch->host_data->begin(), launch->host_data->end(), digest));
}

TEST(LaunchDataTest, RefusesBrokenInitdata) {
  const std::string good = Gzip(kInitdata);
  std::string dotted;
  for (int i = 0; i < 1'000'000; ++i)
    dotted += "a.";
  const std::string bad[] = {"not gzip",
                             good.substr(0, good.size() - 4),
                             good + "x",
                             Gzip("= not toml"),
                             Gzip("version = \"0.2.0\"\nalgorithm = \"sha256\"\n[data]\n"),
                             Gzip("version = \"0.1.0\"\nalgorithm = \"md5\"\n[data]\n"),
                             Gzip("version = \"0.1.0\"\nalgorithm = \"sha256\"\n"),
                             Gzip("[" + dotted + "a]"),
                             Gzip(std::string(kMaxInitdataBytes + 1, '\n'))};
  for (const std::string& bytes : bad) {
    const auto launch = Read(kInitdataAnnotation, Base64(bytes));
    ASSERT_FALSE(launch);
    EXPECT_EQ(launch.error().code(), Code::kInvalidArgument);
  }
}

TEST(LaunchDataTest, RefusesBothAnnotations) {
  Annotations annotations;
  annotations[kPolicyAnnotation] = Base64("package x");
  annotations[kInitdataAnnotation] = Base64(Gzip(kInitdata));
  EXPECT_FALSE(ReadLaunchData(annotations));
}

TEST(Utf8Test, TakesOnlyTheShortestForms) {
  for (const char* good : {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"})
    EXPECT_TRUE(IsUtf8(good));
  for (const char* bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff"})
    EXPECT_FALSE(IsUtf8(bad));
}

class LaunchDataVectors : public kata_cc::testing::VectorsTest {};

// The agent's side of the same documents: agent/attest/initdata_test.cc.
TEST_F(LaunchDataVectors, EveryInitdataDocumentIsBoundOrRefused) {
  const nlohmann::json vectors = nlohmann::json::parse(AsString(Read("initdata.json")));
  int seen = 0;
  for (const nlohmann::json& vector : vectors["documents"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    ++seen;
    const std::string document = AsString(Read(vector["toml"]));
    if (!vector["ok"]) {
      EXPECT_FALSE(shim::Read(kInitdataAnnotation, Base64(Gzip(document))));
      continue;
    }
    EXPECT_EQ(vector["annotation"], kInitdataAnnotation);
    const auto launch = shim::Read(kInitdataAnnotation, vector["annotation_value"]);
    ASSERT_TRUE(launch) << launch.error().message();
    EXPECT_EQ(Hex(*launch->host_data), vector["host_data_snp"]);
    EXPECT_EQ(
        "host-data=" + Base64(std::string(launch->host_data->begin(), launch->host_data->end())),
        vector["qemu_host_data"]);
    EXPECT_EQ(launch->initdata_image, AsString(Read(vector["block_image"])));
  }
  EXPECT_EQ(seen, 15);
}

}  // namespace
}  // namespace kata_cc::shim
