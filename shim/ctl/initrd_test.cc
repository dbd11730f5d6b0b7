// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/initrd.h"

#include <gtest/gtest.h>
#include <lz4.h>

#include <cstdio>

namespace kata_cc::ctl {
namespace {

struct Fields {
  unsigned mode = 0100644, uid = 0, gid = 0, links = 1;
};

void Pad(Bytes& out) {
  out.resize((out.size() + 3) / 4 * 4);
}

Bytes Entry(const std::string& path, const std::string& content = "", const Fields& fields = {}) {
  char header[111];
  std::snprintf(header, sizeof header,
                "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1U, fields.mode,
                fields.uid, fields.gid, fields.links, 0U, content.size(), 0U, 0U, 0U, 0U,
                path.size() + 1, 0U);
  Bytes out(header, header + 110);
  out.insert(out.end(), path.begin(), path.end());
  out.push_back(0);
  Pad(out);
  out.insert(out.end(), content.begin(), content.end());
  Pad(out);
  return out;
}

Bytes Archive(const std::vector<Bytes>& entries) {
  Bytes out;
  for (const Bytes& entry : entries)
    out.insert(out.end(), entry.begin(), entry.end());
  const Bytes trailer = Entry("TRAILER!!!");
  out.insert(out.end(), trailer.begin(), trailer.end());
  return out;
}

Bytes Compress(const Bytes& plain) {
  Bytes out(8 + static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(plain.size()))));
  const int size = LZ4_compress_default(
      reinterpret_cast<const char*>(plain.data()), reinterpret_cast<char*>(out.data() + 8),
      static_cast<int>(plain.size()), static_cast<int>(out.size() - 8));
  StoreLe<std::uint32_t>(out, 0, 0x184c2102);
  StoreLe<std::uint32_t>(out, 4, static_cast<std::uint32_t>(size));
  out.resize(8 + static_cast<std::size_t>(size));
  return out;
}

const Fields kDir{.mode = 040755, .links = 2};

TEST(InitrdTest, FilesAreListedPlainAndPacked) {
  const Bytes plain =
      Archive({Entry(".", "", kDir), Entry("./init", "agent"), Entry("usr", "", kDir)});
  for (const Bytes& initrd : {plain, Compress(plain)}) {
    const auto files = ReadInitrd(initrd);
    ASSERT_TRUE(files) << files.error().message();
    ASSERT_EQ(files->size(), 1U);
    EXPECT_EQ(files->at("/init").size, 5U);
    EXPECT_EQ(files->at("/init").sha256.size(), 64U);
  }
}

TEST(InitrdTest, NothingMayFollowTheArchive) {
  const Bytes first = Archive({Entry("init", "good")});
  const Bytes second = Archive({Entry("init", "evil")});
  Bytes both = first;
  both.resize((both.size() + 511) / 512 * 512);  // Zeros are padding ...
  EXPECT_TRUE(ReadInitrd(both));
  both.insert(both.end(), second.begin(), second.end());  // ... and this the kernel would unpack.
  EXPECT_FALSE(ReadInitrd(both));
  EXPECT_FALSE(ReadInitrd(Compress(both)));
  Bytes frames = Compress(first);
  const Bytes packed = Compress(second);
  frames.insert(frames.end(), packed.begin(), packed.end());
  EXPECT_FALSE(ReadInitrd(frames));
  frames = Compress(first);
  frames.insert(frames.end(), second.begin(), second.end());
  EXPECT_FALSE(ReadInitrd(frames));
}

TEST(InitrdTest, WhatAListWouldNotShowIsRefused) {
  const Bytes init = Entry("init", "x");
  for (const Bytes& entry :
       {init, Entry("l", "/init", {.mode = 0120777}), Entry("c", "", {.mode = 020600}),
        Entry("su", "x", {.mode = 0104755}), Entry("hl", "x", {.links = 2}),
        Entry("u", "x", {.uid = 1}), Entry("g", "x", {.gid = 1}), Entry("../x", "x"),
        Entry("/x", "x"), Entry("a//b", "x"), Entry("", "x"), Entry("d", "data", kDir)}) {
    EXPECT_FALSE(ReadInitrd(Archive({init, entry})));
  }
}

TEST(InitrdTest, EveryTruncationIsRefused) {
  const Bytes plain = Archive({Entry("init", "agent")});
  const Bytes packed = Compress(plain);
  for (std::size_t size = 0; size < plain.size(); ++size)
    EXPECT_FALSE(ReadInitrd(ByteView(plain).first(size))) << size;
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_FALSE(ReadInitrd(ByteView(packed).first(size))) << size;
}

}  // namespace
}  // namespace kata_cc::ctl
