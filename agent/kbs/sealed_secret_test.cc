// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/sealed_secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/testing/vectors.h"

namespace kata_cc::agent {
namespace {

using nlohmann::json;

class SealedSecrets : public kata_cc::testing::VectorsTest {
 protected:
  void SetUp() override {
    VectorsTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    vectors_ = json::parse(AsString(Read("sealed-secret.json")));
    key_ = vectors_.at("signing_jwk").dump();
    ASSERT_TRUE(WriteFile(dir_ + "/test-key", AsBytes(key_)));
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  Result<Secret> Get(const ResourceUri& uri) {
    asked_.push_back(uri.HttpPath());
    if (uri.HttpPath() == "/kbs/v0/resource/default/signing-key/test-key") {
      return Secret::Copy(AsBytes(key_));
    }
    if (uri.HttpPath() == "/kbs/v0/resource/default/secret/dev") {
      return Secret::Copy(AsBytes(value_));
    }
    return Error(Code::kPermissionDenied, "kbs: the broker answers 401");
  }
  Unsealer Make() {
    return Unsealer([this](const ResourceUri& uri) { return Get(uri); }, dir_);
  }
  Unseal Opener() {
    return [this](std::string_view text) { return Make().Unseal(text); };
  }
  std::string Sealed(const std::string& id) {
    for (const json& c : vectors_.at("cases"))
      if (c.at("id") == id) return c.at("sealed");
    ADD_FAILURE() << id;
    return "";
  }

  std::string dir_ = ::testing::TempDir() + "sealed-XXXXXX";
  json vectors_;
  std::string key_, value_ = "s3cret\nvalue";
  std::vector<std::string> asked_;
};

TEST_F(SealedSecrets, AreJudgedAsStated) {
  const Unsealer unsealer = Make();
  int seen = 0;
  for (const json& c : vectors_.at("cases")) {
    const std::string id = c.at("id");
    ++seen;
    const std::string text = c.at("sealed");
    const auto secret = unsealer.Unseal(text);
    if (id == "envelope") {  // Its form is good; what unwraps it is not here.
      ASSERT_FALSE(secret);
      EXPECT_EQ(secret.error().code(), Code::kUnimplemented);
      EXPECT_TRUE(VerifySealedSecret(*ParseSealedSecret(text), key_));
    } else {  // null: the prefix is missing, which is refused here.
      EXPECT_EQ(secret.has_value(), c.at("ok") == true) << id;
      if (secret) {
        EXPECT_EQ(secret->text(), value_);
      }
    }
  }
  EXPECT_EQ(seen, 14);
}

TEST_F(SealedSecrets, NothingIsFetchedForAForgedOne) {
  EXPECT_FALSE(Make().Unseal(Sealed("wrong-key")));
  EXPECT_EQ(asked_, std::vector<std::string>{"/kbs/v0/resource/default/signing-key/test-key"});
  asked_.clear();
  EXPECT_FALSE(Make().Unseal(Sealed("alg-none")));
  EXPECT_FALSE(Make().Unseal(Sealed("path-traversal-kid")));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(SealedSecrets, EnvironmentIsUnsealedInPlace) {
  std::vector<std::string> environment = {"PATH=/bin", "PASSWORD=" + Sealed("vault"), "sealed.x",
                                          "NOTE=not sealed."};
  ASSERT_TRUE(UnsealEnvironment(environment, Opener()));
  EXPECT_EQ(environment, (std::vector<std::string>{"PATH=/bin", "PASSWORD=" + value_, "sealed.x",
                                                   "NOTE=not sealed."}));
  environment = {"A=" + Sealed("wrong-key")};
  const auto refused = UnsealEnvironment(environment, Opener());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message().starts_with("environment: A: "));
  value_ = std::string("a\0b", 3);
  environment = {"A=" + Sealed("vault")};
  EXPECT_FALSE(UnsealEnvironment(environment, Opener()));
}

TEST_F(SealedSecrets, FilesAreReplacedAndKeepTheirMode) {
  const std::string path = dir_ + "/file";
  ASSERT_TRUE(WriteFile(path, AsBytes(Sealed("vault") + "\n")));
  ASSERT_EQ(::chmod(path.c_str(), 0440), 0);
  EXPECT_TRUE(*UnsealFile(path, Opener()));
  EXPECT_EQ(AsString(*ReadFile(path, 100)), value_);
  struct stat info = {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0440U);
  EXPECT_FALSE(*UnsealFile(path, Opener()));  // An ordinary file now.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_), {}), 2);

  ASSERT_TRUE(WriteFile(dir_ + "/bad", AsBytes(Sealed("wrong-key"))));
  EXPECT_FALSE(UnsealFile(dir_ + "/bad", Opener()));
  std::filesystem::create_symlink(path, dir_ + "/link");
  EXPECT_FALSE(UnsealFile(dir_ + "/link", Opener()));
  EXPECT_FALSE(UnsealFile(dir_, Opener()));
}

TEST_F(SealedSecrets, AllFilesOfAVolumeAreUnsealed) {
  std::filesystem::create_directories(dir_ + "/volume/sub");
  ASSERT_TRUE(WriteFile(dir_ + "/volume/a", AsBytes(Sealed("vault"))));
  ASSERT_TRUE(WriteFile(dir_ + "/volume/sub/b", AsBytes(Sealed("vault"))));
  ASSERT_TRUE(WriteFile(dir_ + "/volume/plain", AsBytes("plain")));
  ASSERT_TRUE(WriteFile(dir_ + "/outside", AsBytes(Sealed("wrong-key"))));
  std::filesystem::create_symlink(dir_ + "/outside", dir_ + "/volume/link");
  const auto done = UnsealFiles(dir_ + "/volume", Opener());
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(AsString(*ReadFile(dir_ + "/volume/a", 100)), value_);
  EXPECT_EQ(AsString(*ReadFile(dir_ + "/volume/sub/b", 100)), value_);
  EXPECT_EQ(AsString(*ReadFile(dir_ + "/volume/plain", 100)), "plain");
  ASSERT_TRUE(WriteFile(dir_ + "/volume/c", AsBytes(Sealed("wrong-key"))));
  EXPECT_FALSE(UnsealFiles(dir_ + "/volume", Opener()));
  EXPECT_FALSE(UnsealFiles(dir_ + "/none", Opener()));
  ASSERT_TRUE(WriteFile(dir_ + "/one", AsBytes(Sealed("vault"))));
  ASSERT_TRUE(UnsealFiles(dir_ + "/one", Opener()));
  EXPECT_EQ(AsString(*ReadFile(dir_ + "/one", 100)), value_);
}

TEST(SealedSecret, RefusesWhatIsNone) {
  for (const char* text : {"sealed.", "sealed..", "sealed...", "sealed.a.b", "sealed.e30.e30.e30",
                           "sealed.a.b.c.d", "sealed"}) {
    EXPECT_FALSE(ParseSealedSecret(text)) << text;
  }
  EXPECT_FALSE(ParseSealedSecret("sealed." + std::string(kMaxSealedBytes, 'a')));
}

}  // namespace
}  // namespace kata_cc::agent
