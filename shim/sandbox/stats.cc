// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox/stats.h"

#include <map>
#include <string>
#include <utility>

namespace kata_cc::shim {
namespace {

using io::containerd::cgroups::v2::Metrics;

constexpr std::uint64_t kNsPerUs = 1000;  // The agent API counts in nanoseconds.

void FillMemory(const grpc::MemoryStats& from, Metrics* to) {
  auto& memory = *to->mutable_memory();
  memory.set_usage(from.usage().usage());
  memory.set_usage_limit(from.usage().limit());
  memory.set_max_usage(from.usage().max_usage());
  memory.set_swap_usage(from.swap_usage().usage());
  memory.set_swap_limit(from.swap_usage().limit());
  const auto stat = [&](const char* key) {
    const auto found = from.stats().find(key);
    return found == from.stats().end() ? 0 : found->second;
  };
  memory.set_anon(stat("anon"));
  memory.set_file(stat("file"));
  memory.set_kernel_stack(stat("kernel_stack"));
  memory.set_slab(stat("slab"));
  memory.set_sock(stat("sock"));
  memory.set_shmem(stat("shmem"));
  memory.set_file_mapped(stat("file_mapped"));
  memory.set_file_dirty(stat("file_dirty"));
  memory.set_file_writeback(stat("file_writeback"));
  memory.set_anon_thp(stat("anon_thp"));
  memory.set_inactive_anon(stat("inactive_anon"));
  memory.set_active_anon(stat("active_anon"));
  memory.set_inactive_file(stat("inactive_file"));
  memory.set_active_file(stat("active_file"));
  memory.set_unevictable(stat("unevictable"));
  memory.set_slab_reclaimable(stat("slab_reclaimable"));
  memory.set_slab_unreclaimable(stat("slab_unreclaimable"));
  memory.set_pgfault(stat("pgfault"));
  memory.set_pgmajfault(stat("pgmajfault"));
  to->mutable_memory_events();
}

// One entry a device: the agent API has a list a measure, and an entry an operation.
void FillIo(const grpc::BlkioStats& from, Metrics* to) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, io::containerd::cgroups::v2::IOEntry> devices;
  for (const auto& one : from.io_service_bytes_recursive()) {
    auto& entry = devices[{one.major(), one.minor()}];
    if (one.op() == "read" || one.op() == "Read") entry.set_rbytes(one.value());
    if (one.op() == "write" || one.op() == "Write") entry.set_wbytes(one.value());
  }
  for (const auto& one : from.io_serviced_recursive()) {
    auto& entry = devices[{one.major(), one.minor()}];
    if (one.op() == "read" || one.op() == "Read") entry.set_rios(one.value());
    if (one.op() == "write" || one.op() == "Write") entry.set_wios(one.value());
  }
  auto& usage = *to->mutable_io();
  for (auto& [device, entry] : devices) {
    entry.set_major(device.first);
    entry.set_minor(device.second);
    *usage.add_usage() = std::move(entry);
  }
}

}  // namespace

Metrics ToMetrics(const grpc::StatsContainerResponse& stats) {
  Metrics metrics;
  const grpc::CgroupStats& cgroup = stats.cgroup_stats();
  metrics.mutable_pids()->set_current(cgroup.pids_stats().current());
  metrics.mutable_pids()->set_limit(cgroup.pids_stats().limit());
  auto& cpu = *metrics.mutable_cpu();
  const grpc::CpuUsage& usage = cgroup.cpu_stats().cpu_usage();
  cpu.set_usage_usec(usage.total_usage() / kNsPerUs);
  cpu.set_user_usec(usage.usage_in_usermode() / kNsPerUs);
  cpu.set_system_usec(usage.usage_in_kernelmode() / kNsPerUs);
  const grpc::ThrottlingData& throttling = cgroup.cpu_stats().throttling_data();
  cpu.set_nr_periods(throttling.periods());
  cpu.set_nr_throttled(throttling.throttled_periods());
  cpu.set_throttled_usec(throttling.throttled_time() / kNsPerUs);
  FillMemory(cgroup.memory_stats(), &metrics);
  FillIo(cgroup.blkio_stats(), &metrics);
  for (const grpc::NetworkStats& from : stats.network_stats()) {
    auto& to = *metrics.add_network();
    to.set_name(from.name());
    to.set_rx_bytes(from.rx_bytes());
    to.set_rx_packets(from.rx_packets());
    to.set_rx_errors(from.rx_errors());
    to.set_rx_dropped(from.rx_dropped());
    to.set_tx_bytes(from.tx_bytes());
    to.set_tx_packets(from.tx_packets());
    to.set_tx_errors(from.tx_errors());
    to.set_tx_dropped(from.tx_dropped());
  }
  return metrics;
}

}  // namespace kata_cc::shim
