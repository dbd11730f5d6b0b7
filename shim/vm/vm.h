// SPDX-License-Identifier: Apache-2.0
// Vm: one utility VM (UVM), the way the shim sees it. libvirt stands behind it, nowhere else.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {

enum class Accelerator { kAuto, kKvm, kTcg };  // kAuto: by a probe of the CPU flags and /dev/kvm.
enum class Tee { kNone, kSim, kSnp };          // kSnp never falls back to another.
enum class Transport { kVirtioSerial, kVsock };

// A network interface on a tap that libvirt makes in its own network namespace.
struct VmNic {
  std::string tap;  // The tap's name, [A-Za-z0-9._]{1,15}.
  std::string mac;  // Of the guest's interface, "02:00:00:00:00:01".
  std::uint32_t mtu = 1500;
};

struct VmConfig {
  std::string name;  // Domain name, unique on the host: "kata-cc-" + sandbox id.
  std::string libvirt_uri = "qemu:///system";
  std::string qemu_path = "/usr/bin/qemu-system-x86_64";
  std::string kernel;
  std::string initrd;
  std::string kernel_command_line;
  std::string firmware;  // OVMF with the SNP metadata. The simulator measures it, if it is given.
  std::string
      state_dir;  // Exists; holds the VM's sockets and its console log. The caller removes it.
  std::uint32_t vcpus = 1;
  std::uint32_t memory_mib = 2048;
  Accelerator accelerator = Accelerator::kAuto;
  Tee tee = Tee::kNone;
  Transport transport = Transport::kVirtioSerial;
  std::optional<std::array<std::uint8_t, 32>>
      host_data;               // SNP HOST_DATA: policy or initdata digest.
  std::string initdata_image;  // Path of a read-only initdata block image; empty: none.

  std::vector<VmNic> nics;  // At most kMaxNics.
  // With nics: called once their taps exist, while the guest does not run yet.
  std::function<Result<void>()> before_run;

  std::string sim_dir = "/var/lib/kata-cc/sim";  // Of the simulator's keys.

  // SNP and simulator only. policy: debug and migration off, SMT allowed. id_block and id_auth in
  // base64: both or neither.
  std::uint64_t snp_policy = 0x30000;
  std::string snp_id_block;
  std::string snp_id_auth;
  bool snp_author_key = false;
};

struct VmDisk {
  std::string id;    // Unique in the VM, [a-z0-9]{1,20}: the guest sees it as the disk's serial.
  std::string path;  // Raw image or block device on the host.
  bool read_only = true;
};

class Vm {
 public:
  // Nothing runs until Start. A Vm that is dropped stops its domain.
  static Result<std::unique_ptr<Vm>> Create(VmConfig config);
  virtual ~Vm() = default;

  // Blocking calls, one at a time (the caller serializes), from any thread but the reactor's.
  // Start defines and starts the transient domain; Stop destroys it, and is repeatable. Both undo
  // what they began when they fail.
  virtual Result<void> Start() = 0;
  virtual Result<void> Stop() = 0;

  // The stream to the agent (ttrpc), once the guest has its end open; tries until deadline, then
  // fails with the boot console's last lines in the message.
  virtual Result<UniqueFd> ConnectAgent(std::chrono::steady_clock::time_point deadline) = 0;

  // Hot-plugs a disk, which the agent finds by its id, the serial. Detach by id.
  virtual Result<void> AttachDisk(const VmDisk& disk) = 0;
  virtual Result<void> DetachDisk(const std::string& id) = 0;
  // After disks: nothing is asked for a while, so what attaching needs may go.
  virtual void Rest() {}

  // VMM process; valid while it runs. Becomes readable (poll) when it ends.
  virtual Result<UniqueFd> OpenVmmPidfd() const = 0;
  virtual pid_t vmm_pid() const = 0;

  virtual std::string ConsoleTail() const = 0;  // Last lines of the guest's console; may be empty.
};

// Destroys the domain with that name if it exists: for `delete` after a crash of the shim.
Result<void> DestroyVmByName(const std::string& libvirt_uri, const std::string& name);

}  // namespace kata_cc::shim
