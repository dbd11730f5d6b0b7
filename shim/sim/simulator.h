// SPDX-License-Identifier: Apache-2.0
// Simulator: the host side of tee = "sim". It answers one guest's requests for reports on a socket,
// on a thread of its own, and ends with the socket: nothing of it outlives the VM or the process.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/snp/sim/authority.h"

namespace kata_cc::shim {

// The files and values that a VM is launched with: what real firmware would measure.
struct SimLaunch {
  std::string firmware;  // Empty: the stand-in (guest-image/measure/stand_in.h).
  std::string kernel;
  std::string initrd;
  std::string command_line;
  std::uint32_t vcpus = 1;
  std::array<std::uint8_t, 32> host_data{};
  std::uint64_t policy = snp::GuestPolicy::kDefault;
};

// Reads the files now: what they become later is not what was launched.
Result<snp::sim::Launch> MeasureSimLaunch(const SimLaunch& launch);

class Simulator {
 public:
  Simulator(snp::sim::Authority authority, const snp::sim::Launch& launch);
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;
  ~Simulator();  // Ends the stream and joins.

  void Start(UniqueFd stream);  // Once.

  // Answers until the stream ends; blocks. Garbage ends it, too.
  Result<void> Serve(int fd) const;

 private:
  const snp::sim::Authority authority_;
  const snp::sim::Launch launch_;
  UniqueFd stream_;
  std::thread thread_;
};

}  // namespace kata_cc::shim
