// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/vmsa.h"

#include "base/bytes.h"

namespace kata_cc::measure {
namespace {

// Offsets in the save area.
enum : std::size_t {
  kEs = 0x00,
  kCs = 0x10,
  kSs = 0x20,
  kDs = 0x30,
  kFs = 0x40,
  kGs = 0x50,
  kGdtr = 0x60,
  kLdtr = 0x70,
  kIdtr = 0x80,
  kTr = 0x90,
  kEfer = 0xd0,
  kCr4 = 0x148,
  kCr0 = 0x158,
  kDr7 = 0x160,
  kDr6 = 0x168,
  kRflags = 0x170,
  kRip = 0x178,
  kGuestPat = 0x268,
  kRdx = 0x310,
  kSevFeatures = 0x3b0,
  kXcr0 = 0x3e8,
  kMxcsr = 0x408,
  kX87ControlWord = 0x410,
};

constexpr std::uint64_t kDefaultPat = 0x0007040600070406;

struct Segment {
  std::uint16_t selector = 0;
  std::uint16_t attributes = 0;
  std::uint32_t limit = 0xffff;
  std::uint64_t base = 0;
};

void Put(Page& page, std::size_t offset, const Segment& segment) {
  StoreLe(page, offset, segment.selector);
  StoreLe(page, offset + 2, segment.attributes);
  StoreLe(page, offset + 4, segment.limit);
  StoreLe(page, offset + 8, segment.base);
}

void PutQuad(Page& page, std::size_t offset, std::uint64_t value) {
  StoreLe(page, offset, value);
}

// What every VMM sets alike.
Page CommonState(const VmsaConfig& config, std::uint16_t task_attributes) {
  Page page{};
  Put(page, kGdtr, {});
  Put(page, kLdtr, {.attributes = 0x82});
  Put(page, kIdtr, {});
  Put(page, kTr, {.attributes = task_attributes});
  PutQuad(page, kEfer, 0x1000);  // SVME
  PutQuad(page, kCr4, 0x40);     // MCE
  PutQuad(page, kDr7, 0x400);
  PutQuad(page, kDr6, 0xffff0ff0);
  PutQuad(page, kRflags, 2);
  PutQuad(page, kSevFeatures, config.guest_features);
  PutQuad(page, kXcr0, 1);
  return page;
}

}  // namespace

Page BuildVmsa(const VmsaConfig& config) {
  const bool ec2 = config.vmm == Vmm::kEc2;
  const bool qemu = config.vmm == Vmm::kQemu;
  Page page = CommonState(config, ec2 ? 0x83 : 0x8b);
  for (const std::size_t offset : {kEs, kDs, kFs, kGs})
    Put(page, offset, {.attributes = 0x93});
  const bool ec2_bsp = ec2 && config.eip == kBspEip;
  Put(page, kCs,
      {.selector = 0xf000,
       .attributes = static_cast<std::uint16_t>(ec2_bsp ? 0x9a : 0x9b),
       .base = config.eip & 0xffff0000});
  Put(page, kSs, {.attributes = static_cast<std::uint16_t>(ec2 ? 0x92 : 0x93)});
  PutQuad(page, kCr0, 0x10);
  PutQuad(page, kRip, config.eip & 0xffff);
  PutQuad(page, kGuestPat, config.vmm == Vmm::kGce ? 0x70106 : kDefaultPat);
  PutQuad(page, kRdx, qemu ? config.cpu_signature : 0x600);
  if (qemu) {
    StoreLe<std::uint32_t>(page, kMxcsr, 0x1f80);
    StoreLe<std::uint16_t>(page, kX87ControlWord, 0x37f);
  }
  return page;
}

Page BuildSvsmVmsa(const VmsaConfig& config) {
  Page page = CommonState(config, 0x8b);
  for (const std::size_t offset : {kEs, kSs, kDs, kFs}) {
    Put(page, offset, {.selector = 0x10, .attributes = 0xc93, .limit = 0xffffffff});
  }
  Put(page, kCs, {.selector = 8, .attributes = 0xc9b, .limit = 0xffffffff});
  Put(page, kGs, {.attributes = 0x93});
  PutQuad(page, kCr0, 0x11);
  PutQuad(page, kRip, config.eip);
  PutQuad(page, kGuestPat, kDefaultPat);
  PutQuad(page, kRdx, config.cpu_signature);
  StoreLe<std::uint32_t>(page, kMxcsr, 0x1f80);
  return page;
}

}  // namespace kata_cc::measure
