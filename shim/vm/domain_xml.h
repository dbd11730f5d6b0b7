// SPDX-License-Identifier: Apache-2.0
// libvirt's XML for a UVM: pure functions of the configuration, valid against libvirt's schema.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {

constexpr std::string_view kAgentPort = "org.kata-cc.agent.0";
constexpr int kVsockPort = 1024;
// Conventional PCI bridges take the hot-plugged disks: a slot is far cheaper to boot with than a
// PCIe root port a disk, each of which is a bridge that the guest's kernel has to set up. None is
// inside another: at each disk the kernel looks through its bridge and all below.
constexpr int kHotplugBridges = 3;
constexpr int kBridgeSlots = 31;
constexpr int kHotplugSlots = kHotplugBridges * kBridgeSlots;
// A vCPU has some 200 interrupt vectors, and a disk takes two of them, an interface three.
constexpr int kSlotsLostToNic = 2;
constexpr std::size_t kMaxNics = 8;
constexpr std::uint32_t kMaxNicQueues = 8;

std::string AgentSocketPath(const VmConfig& config);
std::string SimSocketPath(const VmConfig& config);
std::string ConsolePath(const VmConfig& config);

// The domain, with uuid; accelerator is kKvm or kTcg. InvalidArgument names the field that cannot
// be put into a domain; FailedPrecondition is an SNP VM without what SNP needs.
Result<std::string> DomainXml(const VmConfig& config, Accelerator accelerator,
                              const std::string& uuid);

// The disk element of a disk in slot 1..kHotplugSlots, for hot-plug and unplug. is_block: path is
// a block device.
Result<std::string> DiskXml(const VmConfig& config, const VmDisk& disk, bool is_block, int slot);

}  // namespace kata_cc::shim
