// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/launch_digest.h"

#include <gtest/gtest.h>

#include "guest-image/measure/cpu.h"
#include "guest-image/measure/test_image.h"

namespace kata_cc::measure {
namespace {

LaunchInputs Inputs(const TestImage& image) {
  LaunchInputs inputs;
  inputs.ovmf = image.bytes;
  inputs.cpu_signature = *CpuSignature("EPYC-v4");
  return inputs;
}

TEST(LaunchDigestTest, EachInputChangesTheDigest) {
  const TestImage image;
  const LaunchInputs base = Inputs(image);
  const Bytes digest = *LaunchDigest(base);
  EXPECT_EQ(digest.size(), 48U);
  LaunchInputs changed = base;
  changed.vcpus = 2;
  EXPECT_NE(*LaunchDigest(changed), digest);
  changed = base;
  changed.guest_features = 0x21;
  EXPECT_NE(*LaunchDigest(changed), digest);
  changed = base;
  changed.cpu_signature = *CpuSignature("EPYC-Genoa");
  EXPECT_NE(*LaunchDigest(changed), digest);
  changed.kernel = HashKernel(AsBytes("kernel"), AsBytes("initrd"), "quiet");
  const Bytes with_kernel = *LaunchDigest(changed);
  changed.kernel = HashKernel(AsBytes("kernel"), AsBytes("initrd"), "quiet ");
  EXPECT_NE(*LaunchDigest(changed), with_kernel);
  changed.kernel = HashKernel(AsBytes("kernel"), AsBytes("initre"), "quiet");
  EXPECT_NE(*LaunchDigest(changed), with_kernel);
}

TEST(LaunchDigestTest, TheObserverSeesOnePageAVcpu) {
  const TestImage image;
  LaunchInputs inputs = Inputs(image);
  inputs.vcpus = 3;
  std::uint32_t seen = 0;
  ASSERT_TRUE(
      LaunchDigest(inputs, [&](std::uint32_t vcpu, const Page&) { EXPECT_EQ(vcpu, seen++); }));
  EXPECT_EQ(seen, 3U);
}

TEST(LaunchDigestTest, BadInputsAreRefused) {
  TestImage image;
  LaunchInputs inputs = Inputs(image);
  inputs.vcpus = 0;
  EXPECT_FALSE(LaunchDigest(inputs));
  inputs.vcpus = 1000000;
  EXPECT_FALSE(LaunchDigest(inputs));

  image.SetMetadata({{0x800000, 0x9001, 1}});
  EXPECT_FALSE(LaunchDigest(Inputs(image))) << "section of part of a page";
  image.SetMetadata({{0, 0xfffff000, 1}, {0, 0xfffff000, 1}});
  EXPECT_FALSE(LaunchDigest(Inputs(image))) << "sections of 8 GiB";
  image.SetMetadata({});
  EXPECT_FALSE(LaunchDigest(Inputs(image))) << "no sections";

  image.SetMetadata({{0x810000, 0x2000, 0x10}});
  inputs = Inputs(image);
  inputs.kernel = HashKernel({}, {}, "");
  EXPECT_FALSE(LaunchDigest(inputs)) << "two pages for kernel hashes";
}

TEST(LaunchDigestTest, AKernelNeedsOvmfToHaveAPlaceForItsHashes) {
  TestImage image;
  image.SetMetadata({{0x800000, 0x9000, 1}});
  LaunchInputs inputs = Inputs(image);
  EXPECT_TRUE(LaunchDigest(inputs));
  inputs.kernel = HashKernel({}, {}, "");
  EXPECT_FALSE(LaunchDigest(inputs));
}

TEST(LaunchDigestTest, TheTableOfHashesMayNotCrossItsPage) {
  TestImage image;
  LaunchInputs inputs = Inputs(image);
  inputs.kernel = HashKernel({}, {}, "");
  const std::size_t gpa_at = TestImage::kFooter - 22 - 26;
  StoreLe<std::uint32_t>(image.bytes, gpa_at, 0x810f50);
  EXPECT_TRUE(LaunchDigest(inputs));
  StoreLe<std::uint32_t>(image.bytes, gpa_at, 0x810f51);
  EXPECT_FALSE(LaunchDigest(inputs));
}

TEST(LaunchDigestTest, NumbersThatDoNotFitASignatureAreRefused) {
  EXPECT_EQ(*CpuSignature(26, 0, 0), 0xb00f00U);
  EXPECT_EQ(*CpuSignature(23, 1, 2), 0x800f12U);
  EXPECT_FALSE(CpuSignature(271, 0, 0));
  EXPECT_FALSE(CpuSignature(23, 256, 0));
  EXPECT_FALSE(CpuSignature(23, 1, 16));
  EXPECT_FALSE(CpuSignature("Skylake"));
}

// Pages of padding are hashed once: the digest must not show it.
TEST(LaunchDigestTest, PagesOfPaddingCountLikeAnyOther) {
  const TestImage tail;
  Bytes image;
  for (const int fill : {0x00, 0x00, 0xff, 0x00, 0xff, 0xff, 0x41})
    image.insert(image.end(), kPageSize, static_cast<std::uint8_t>(fill));
  image[3 * kPageSize + 4095] = 1;  // All but its last byte are alike.
  image.insert(image.end(), tail.bytes.begin(), tail.bytes.end());
  Sha384Digest expected{};
  for (std::size_t at = 0; at < image.size(); at += kPageSize) {
    Bytes info(0x70);
    std::copy(expected.begin(), expected.end(), info.begin());
    const Sha384Digest contents = Sha384({ByteView(image).subspan(at, kPageSize)});
    std::copy(contents.begin(), contents.end(), info.begin() + 0x30);
    info[0x60] = 0x70;
    info[0x62] = 1;
    StoreLe<std::uint64_t>(info, 0x68, (std::uint64_t{1} << 32) - image.size() + at);
    expected = Sha384({info});
  }
  LaunchInputs inputs;
  inputs.mode = Mode::kSnpOvmfHash;
  inputs.ovmf = image;
  EXPECT_EQ(*LaunchDigest(inputs), Bytes(expected.begin(), expected.end()));
}

}  // namespace
}  // namespace kata_cc::measure
