// SPDX-License-Identifier: Apache-2.0
// A host that copies files into the guest, honestly and not.
#include "agent/storage/copy_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <set>
#include <thread>

#include "base/file.h"

namespace kata_cc::agent {
namespace {

namespace fs = std::filesystem;

class CopyFileTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    root_ = dir_ + "/shared";
    copier_ = *FileCopier::Create(root_);
    fs::create_directory(dir_ + "/outside");
    ASSERT_TRUE(WriteFile(dir_ + "/outside/secret", AsBytes("untouched")));
  }
  void TearDown() override {
    EXPECT_EQ(AsString(*ReadFile(dir_ + "/outside/secret", 100)), "untouched");
    EXPECT_EQ(std::distance(fs::directory_iterator(dir_ + "/outside"), {}), 1);
    fs::remove_all(dir_);
  }

  grpc::CopyFileRequest Request(const std::string& path, const std::string& data,
                                std::uint32_t mode = S_IFREG | 0640) const {
    grpc::CopyFileRequest request;
    request.set_path(path.starts_with('/') ? path : root_ + "/" + path);
    request.set_file_mode(mode);
    request.set_dir_mode(0750);
    request.set_uid(static_cast<std::int32_t>(::getuid()));
    request.set_gid(static_cast<std::int32_t>(::getgid()));
    if ((mode & S_IFMT) != S_IFLNK) {
      request.set_file_size(static_cast<std::int64_t>(data.size()));
    }
    request.set_data(data);
    return request;
  }

  std::string Content(const std::string& path) const {
    const auto bytes = ReadFile(root_ + "/" + path, 1 << 20);
    return bytes ? AsString(*bytes) : "missing";
  }

  Code CodeOf(const grpc::CopyFileRequest& request) {
    const auto result = copier_->Copy(request);
    return result ? Code{0} : result.error().code();
  }

  std::string dir_ = testing::TempDir() + "copy-XXXXXX";
  std::string root_;
  std::unique_ptr<FileCopier> copier_;
};

TEST_F(CopyFileTest, MakesFilesDirectoriesAndLinks) {
  ASSERT_TRUE(copier_->Copy(Request("vol", "", S_IFDIR | 0751)));
  ASSERT_TRUE(copier_->Copy(Request("vol/..2026", "", S_IFDIR | 0755)));
  ASSERT_TRUE(copier_->Copy(Request("vol/..2026/key", "value")));
  ASSERT_TRUE(copier_->Copy(Request("vol/..data", "..2026", S_IFLNK | 0777)));
  ASSERT_TRUE(copier_->Copy(Request("vol/key", "..data/key", S_IFLNK | 0777)));
  EXPECT_EQ(Content("vol/key"), "value");
  struct stat status = {};
  ASSERT_EQ(::stat((root_ + "/vol").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFDIR | 0751U);
  ASSERT_EQ(::stat((root_ + "/vol/key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0640U);
  // kubelet's way to update: another directory, and the link exchanged.
  ASSERT_TRUE(copier_->Copy(Request("vol/..2027/key", "new value")));
  ASSERT_TRUE(copier_->Copy(Request("vol/..data", "..2027", S_IFLNK | 0777)));
  EXPECT_EQ(Content("vol/key"), "new value");
  ASSERT_EQ(::stat((root_ + "/vol/..2027").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFDIR | 0750U) << "the mode for parents";
}

TEST_F(CopyFileTest, OldGenerationsOfAVolumeGoWithTheNewLink) {
  const auto link = [&](const std::string& name, const std::string& target) {
    return CodeOf(Request(name, target, S_IFLNK | 0777)) == Code{0};
  };
  ASSERT_TRUE(copier_->Copy(Request("vol/..1/kept", "old")));
  ASSERT_TRUE(copier_->Copy(Request("vol/..1/dropped", "old")));
  ASSERT_TRUE(copier_->Copy(Request("vol/..1/sub/deep/file", "old")));
  ASSERT_TRUE(link("vol/..1/out", dir_ + "/outside"));
  ASSERT_TRUE(link("vol/..data", "..1"));
  for (const char* name : {"kept", "dropped", "sub"})
    ASSERT_TRUE(link("vol/" + std::string(name), "..data/" + std::string(name)));
  ASSERT_TRUE(link("vol/other", "elsewhere"));
  ASSERT_TRUE(copier_->Copy(Request("vol/plain", "stays")));
  ASSERT_TRUE(copier_->Copy(Request("vol/..half/kept", "of an update that was cut short")));
  ASSERT_TRUE(copier_->Copy(Request("vol/..2/kept", "new")));
  EXPECT_EQ(Content("vol/kept"), "old");
  ASSERT_TRUE(link("vol/..data", "..2"));
  EXPECT_EQ(Content("vol/kept"), "new");
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(root_ + "/vol"))
    names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"..2", "..data", "kept", "other", "plain"}));
}

TEST_F(CopyFileTest, ALinkThatLeadsToNoGenerationRemovesNothing) {
  const auto link = [&](const std::string& target) {
    return CodeOf(Request("vol/..data", target, S_IFLNK | 0777)) == Code{0};
  };
  ASSERT_TRUE(copier_->Copy(Request("vol/..1/key", "old")));
  ASSERT_TRUE(link("..1"));
  for (const std::string& target : {std::string("..2"), dir_ + "/outside", std::string("../.."),
                                    std::string("../../outside"), std::string("..1/key")}) {
    ASSERT_TRUE(link(target)) << target;
    EXPECT_EQ(Content("vol/..1/key"), "old") << target;
  }
}

TEST_F(CopyFileTest, AnEmptyFileIsOne) {
  ASSERT_TRUE(copier_->Copy(Request("empty", "")));
  EXPECT_EQ(Content("empty"), "");
}

TEST_F(CopyFileTest, PiecesAppearTogetherAtTheEnd) {
  auto request = Request("file", "one ");
  request.set_file_size(11);
  ASSERT_TRUE(copier_->Copy(request));
  EXPECT_EQ(Content("file"), "missing");
  request.set_offset(4);
  request.set_data("two ");
  ASSERT_TRUE(copier_->Copy(request));
  EXPECT_EQ(Content("file"), "missing");
  request.set_offset(8);
  request.set_data("end");
  ASSERT_TRUE(copier_->Copy(request));
  EXPECT_EQ(Content("file"), "one two end");
  // An update: until its end the old one stays.
  request.set_offset(0);
  request.set_data("ONE ");
  ASSERT_TRUE(copier_->Copy(request));
  EXPECT_EQ(Content("file"), "one two end");
}

TEST_F(CopyFileTest, SizesThatLieAreRefused) {
  const auto with = [&](std::int64_t size, std::int64_t offset, const std::string& data) {
    auto request = Request("lie", data);
    request.set_file_size(size);
    request.set_offset(offset);
    return CodeOf(request);
  };
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(with(3, 0, "four"), Code::kInvalidArgument);
  EXPECT_EQ(with(-1, 0, ""), Code::kInvalidArgument);
  EXPECT_EQ(with(4, -1, "four"), Code::kInvalidArgument);
  EXPECT_EQ(with(4, 5, ""), Code::kInvalidArgument);
  EXPECT_EQ(with(kMax, kMax, "x"), Code::kInvalidArgument);
  EXPECT_EQ(with(kMax, 0, "x"), Code::kInvalidArgument);
  EXPECT_EQ(with(8, 4, "four"), Code::kInvalidArgument) << "a piece without the ones before";
  EXPECT_EQ(with(8, 0, ""), Code::kInvalidArgument) << "a piece of nothing";
  ASSERT_EQ(with(8, 0, "four"), Code{0});
  EXPECT_EQ(with(8, 3, "xxxxx"), Code::kInvalidArgument) << "an overlap";
  EXPECT_EQ(with(8, 4, "four"), Code::kInvalidArgument) << "a wrong piece ended it";
  ASSERT_EQ(with(8, 0, "four"), Code{0});
  EXPECT_EQ(with(9, 4, "four"), Code::kInvalidArgument) << "another size";
  EXPECT_EQ(Content("lie"), "missing");
}

TEST_F(CopyFileTest, PathsThatLeadElsewhereAreRefused) {
  for (const std::string& path :
       {dir_ + "/outside/secret", root_ + "/../outside/secret", root_ + "/a/../../outside/secret",
        root_, root_ + "/", root_ + "//x", std::string("/etc/passwd"),
        root_ + "/" + std::string(300, 'n'), root_ + std::string("/a\0b", 4),
        std::string(10'000, '/')}) {
    EXPECT_EQ(CodeOf(Request(path, "evil")), Code::kInvalidArgument) << path;
    EXPECT_EQ(CodeOf(Request(path, "", S_IFDIR | 0755)), Code::kInvalidArgument) << path;
    EXPECT_EQ(CodeOf(Request(path, "/etc", S_IFLNK | 0777)), Code::kInvalidArgument) << path;
  }
}

TEST_F(CopyFileTest, NothingIsWrittenThroughALink) {
  ASSERT_TRUE(copier_->Copy(Request("dir", dir_ + "/outside", S_IFLNK | 0777)));
  ASSERT_TRUE(copier_->Copy(Request("file", dir_ + "/outside/secret", S_IFLNK | 0777)));
  EXPECT_EQ(CodeOf(Request("dir/new", "evil")), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(Request("dir/secret", "evil")), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(Request("dir/link", "/etc", S_IFLNK | 0777)), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(Request("dir/sub", "", S_IFDIR | 0700)), Code::kInvalidArgument);
  EXPECT_NE(CodeOf(Request("dir", "", S_IFDIR | 0700)), Code{0}) << "no mode through a link";
  // A file in place of a link takes the link's name.
  ASSERT_TRUE(copier_->Copy(Request("file", "mine")));
  EXPECT_FALSE(fs::is_symlink(root_ + "/file"));
  EXPECT_EQ(Content("file"), "mine");
}

TEST_F(CopyFileTest, SpecialFilesAndOddOwnersAreRefused) {
  for (const std::uint32_t type : {S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, 0xF000, 0}) {
    EXPECT_EQ(CodeOf(Request("special", "", type | 0666)), Code::kInvalidArgument) << type;
  }
  auto request = Request("owner", "x");
  request.set_uid(-1);
  EXPECT_EQ(CodeOf(request), Code::kInvalidArgument);
  for (const std::string& target :
       {std::string(), std::string("a\0b", 3), std::string(5000, 'x')}) {
    EXPECT_EQ(CodeOf(Request("link", target, S_IFLNK | 0777)), Code::kInvalidArgument);
  }
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(CopyFileTest, HalfCopiedFilesAreBounded) {
  for (std::size_t i = 0; i <= FileCopier::kMaxPending; ++i) {
    auto request = Request("f" + std::to_string(i), "x");
    request.set_file_size(2);
    EXPECT_EQ(CodeOf(request), i < FileCopier::kMaxPending ? Code{0} : Code::kResourceExhausted);
  }
}

TEST_F(CopyFileTest, ARaceWithLinksLeadsNowhere) {
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    std::error_code ignored;
    while (!stop) {
      fs::create_directory(root_ + "/race", ignored);
      fs::remove_all(root_ + "/race", ignored);
      static_cast<void>(::symlink((dir_ + "/outside").c_str(), (root_ + "/race").c_str()) == 0);
      ::unlink((root_ + "/race").c_str());
    }
  });
  for (int i = 0; i < 2000; ++i)
    static_cast<void>(copier_->Copy(Request("race/secret", "evil")));
  stop = true;
  swapper.join();  // TearDown looks at what is outside.
}

TEST_F(CopyFileTest, WhatIsToBeOpenedTakesItsNameOpened) {
  bool fails = false;
  std::string given;
  const auto open = [&](const std::string& file) -> Result<void> {
    given = file;
    if (fails) return Error(Code::kPermissionDenied, "forged");
    return WriteFile(file, AsBytes("opened"));
  };
  ASSERT_TRUE(copier_->OpenBelow(root_ + "/volume", open));
  ASSERT_TRUE(copier_->OpenBelow(root_ + "/file", open));
  EXPECT_FALSE(copier_->OpenBelow(dir_ + "/outside", open));
  ASSERT_TRUE(copier_->Copy(Request("volume/..1/password", "sealed")));
  EXPECT_EQ(Content("volume/..1/password"), "opened");
  EXPECT_EQ(given.find(root_ + "/.copy-"), 0U) << "not yet by its name: " << given;
  ASSERT_TRUE(copier_->Copy(Request("file", "sealed")));
  EXPECT_EQ(Content("file"), "opened");
  for (const char* other : {"volume2", "files", "other/volume"}) {
    ASSERT_TRUE(copier_->Copy(Request(other, "sealed")));
    EXPECT_EQ(Content(other), "sealed") << other;
  }
  fails = true;
  EXPECT_EQ(CodeOf(Request("volume/..1/password", "forged")), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Request("volume/new", "forged")), Code::kPermissionDenied);
  EXPECT_EQ(Content("volume/..1/password"), "opened");
  EXPECT_EQ(Content("volume/new"), "missing");
  EXPECT_FALSE(fs::exists(given)) << "and nothing is left of it";
}

}  // namespace
}  // namespace kata_cc::agent
