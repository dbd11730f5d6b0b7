// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/ovmf.h"

#include <gtest/gtest.h>

#include "guest-image/measure/launch_digest.h"
#include "guest-image/measure/test_image.h"

namespace kata_cc::measure {
namespace {

bool Parses(const Bytes& image) {
  return Ovmf::Parse(image).has_value();
}

TEST(OvmfTest, TheTableAndTheMetadataAreRead) {
  const TestImage image;
  const Result<Ovmf> ovmf = Ovmf::Parse(image.bytes);
  ASSERT_TRUE(ovmf) << ovmf.error().message();
  EXPECT_EQ(*ovmf->ResetEip(), 0x80b004U);
  EXPECT_EQ(*ovmf->HashTableGpa(), 0x810c00U);
  EXPECT_EQ(ovmf->sections().size(), 4U);
  EXPECT_EQ(ovmf->gpa(), 0x100000000 - TestImage::kSize);
  EXPECT_EQ(ovmf->SvsmLaunchOffset().error().code(), Code::kNotFound);
}

TEST(OvmfTest, EveryTruncationIsRefusedOrHasNoTable) {
  const TestImage image;
  for (std::size_t size = 0; size < image.bytes.size(); ++size) {
    const Bytes head(image.bytes.begin(), image.bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const Result<Ovmf> ovmf = Ovmf::Parse(head);
    EXPECT_FALSE(ovmf && ovmf->ResetEip()) << size;
    if (size >= 1024) continue;  // A tail that holds table and metadata is a whole, smaller image.
    const Bytes tail(image.bytes.end() - static_cast<std::ptrdiff_t>(size), image.bytes.end());
    EXPECT_FALSE(Parses(tail)) << size;
  }
}

TEST(OvmfTest, AFooterThatLiesAboutItsSizeIsRefused) {
  for (const std::uint16_t size :
       std::initializer_list<std::uint16_t>{0, 17, 19, 41, 0x7fff, 0xffff}) {
    TestImage image;
    StoreLe<std::uint16_t>(image.bytes, TestImage::kFooter, size);
    EXPECT_FALSE(Parses(image.bytes)) << size;
  }
}

TEST(OvmfTest, AnEntryThatLiesAboutItsSizeIsRefused) {
  for (const std::uint16_t size : std::initializer_list<std::uint16_t>{0, 17, 200, 0xffff}) {
    TestImage image;
    StoreLe<std::uint16_t>(image.bytes, TestImage::kFooter - 18, size);
    EXPECT_FALSE(Parses(image.bytes)) << size;
  }
}

TEST(OvmfTest, MetadataThatLiesIsRefused) {
  struct Lie {
    std::size_t offset;
    std::uint32_t value;
  };
  for (const Lie& lie :
       {Lie{0, 0}, Lie{4, 0}, Lie{4, 15}, Lie{4, 0xffffffff}, Lie{8, 2}, Lie{12, 5},
        Lie{12, 0x15555555}, Lie{12, 0xffffffff}, Lie{24, 7}, Lie{24, 0xffffffff}}) {
    TestImage image;
    StoreLe(image.bytes, TestImage::kMetadata + lie.offset, lie.value);
    EXPECT_FALSE(Parses(image.bytes)) << lie.offset << " " << lie.value;
  }
}

TEST(OvmfTest, AMetadataOffsetOutsideTheImageIsRefused) {
  TestImage image;
  // The last entry of the table, so the first bytes of all.
  std::size_t at = TestImage::kFooter - 22 - 26 - 22;
  for (const std::uint32_t offset : {0U, 15U, 8193U, 0xffffffffU}) {
    StoreLe(image.bytes, at, offset);
    EXPECT_FALSE(Parses(image.bytes)) << offset;
  }
}

TEST(OvmfTest, ARepeatedEntryIsRefused) {
  TestImage image;
  const auto first = image.bytes.begin() + static_cast<std::ptrdiff_t>(TestImage::kFooter - 16);
  const auto second = first - 22;
  std::copy_n(first, 16, second);
  EXPECT_FALSE(Parses(image.bytes));
}

}  // namespace
}  // namespace kata_cc::measure
