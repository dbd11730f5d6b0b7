// SPDX-License-Identifier: Apache-2.0
// The shim's configuration: TOML, keys after Kata's where they mean the same
// (docs/configuration.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "proto/snp/guest_policy.h"
#include "shim/config/sizing.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {

constexpr char kDefaultConfigPath[] = "/etc/kata-cc/configuration.toml";

// Where what a container writes is kept: the guest's memory, or a disk of the host's that the guest
// encrypts.
enum class StorageMode { kMemory, kBlockEncrypted };

struct Config {
  // [hypervisor.qemu]
  std::string qemu_path = "/usr/bin/qemu-system-x86_64";
  std::string kernel = "/usr/share/kata-cc/vmlinuz";
  std::string initrd = "/usr/share/kata-cc/initrd.img";
  std::string firmware;
  std::string kernel_params;
  std::string sim_dir = "/var/lib/kata-cc/sim";
  std::string libvirt_uri = "qemu:///system";
  Accelerator accelerator = Accelerator::kAuto;
  Tee tee = Tee::kSnp;
  Transport transport = Transport::kVsock;
  SizingPolicy sizing;
  // Kata's names. id_block and id_auth in base64 (kata-ccctl id-block create): both or neither.
  std::uint64_t snp_guest_policy = snp::GuestPolicy::kDefault;
  std::string snp_id_block;
  std::string snp_id_auth;
  bool snp_author_key = false;  // Of snp_id_auth: it has one, which the firmware then checks.

  // [agent.kata]
  std::chrono::seconds dial_timeout{60};
  std::chrono::seconds request_timeout{60};
  std::chrono::seconds health_check_interval{5};

  // [runtime]
  std::chrono::seconds create_container_timeout{60};
  std::string image_dir = "/var/lib/kata-cc";
  std::string squashfs_compressor = "lz4";
  StorageMode scratch = StorageMode::kMemory;
  StorageMode emptydir_mode = StorageMode::kMemory;  // Kata's name.
  std::uint32_t scratch_size_mib = 10240;            // Of each encrypted disk.
  LogLevel log_level = LogLevel::kInfo;
};

// Strict: an unknown key, a wrong type or a value out of range is InvalidArgument and names the
// key, for a misspelt security setting must not turn into a default.
Result<Config> ParseConfig(std::string_view toml_text, const std::string& origin);
Result<Config> ReadConfig(const std::string& path);

// Where the configuration is, first that is set: the pod's annotation (only under one of the
// directories in annotation_dirs), the runtime options' ConfigPath, $KATA_CONF_FILE, the default.
struct ConfigSources {
  std::string annotation;
  std::string option;
  std::string environment;
  std::vector<std::string> annotation_dirs = {"/etc/kata-cc/", "/usr/share/kata-cc/"};
};
Result<std::string> ChooseConfigPath(const ConfigSources& sources);

}  // namespace kata_cc::shim
