// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/stand_in.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "guest-image/measure/cpu.h"
#include "guest-image/measure/launch_digest.h"
#include "guest-image/measure/ovmf.h"

namespace kata_cc::measure {
namespace {

TEST(StandIn, HasWhatALaunchDigestTakesFromAFirmware) {
  const Bytes image = StandInFirmware();
  const auto ovmf = Ovmf::Parse(image);
  ASSERT_TRUE(ovmf) << ovmf.error().message();
  EXPECT_EQ(*ovmf->ResetEip(), 0x0080b004U);
  EXPECT_EQ(*ovmf->HashTableGpa(), 0x00810c00U);
  EXPECT_EQ(ovmf->sections().size(), 7U);
  LaunchInputs inputs;
  inputs.ovmf = image;
  inputs.vcpus = 2;
  inputs.cpu_signature = *CpuSignature("EPYC-v4");
  inputs.kernel = HashKernel(AsBytes("kernel"), AsBytes("initrd"), "quiet");
  const auto digest = LaunchDigest(inputs);
  ASSERT_TRUE(digest) << digest.error().message();
}

// Reference values of simulated launches hold for as long as these bytes do.
TEST(StandIn, IsFixed) {
  EXPECT_EQ(HexEncode(Sha256({StandInFirmware()})),
            "557073d3689177c4803214d62659673981b90d531d3144722f060b616208cacc");
}

}  // namespace
}  // namespace kata_cc::measure
