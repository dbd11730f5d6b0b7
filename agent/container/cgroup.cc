// SPDX-License-Identifier: Apache-2.0
#include "agent/container/cgroup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <functional>
#include <limits>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "base/file.h"

namespace kata_cc::agent {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::uint64_t kNsPerUs = 1000;
constexpr std::chrono::milliseconds kPoll{2};

std::uint64_t ParseNumber(std::string_view text) {
  if (text.starts_with("max")) return std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string ReadText(const std::string& path) {
  const auto content = ReadFile(path, kMaxFileBytes);
  return content ? AsString(*content) : std::string();
}

std::uint64_t ReadNumber(const std::string& path) {
  return ParseNumber(ReadText(path));
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (end != 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

// Of a file of `key value` lines.
void ForEachPair(std::string_view text,
                 const std::function<void(std::string_view, std::uint64_t)>& each) {
  for (const std::string_view line : Split(text, '\n')) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    each(line.substr(0, space), ParseNumber(line.substr(space + 1)));
  }
}

void FillCpu(const std::string& dir, grpc::CpuStats& out) {
  grpc::CpuUsage& usage = *out.mutable_cpu_usage();
  grpc::ThrottlingData& throttling = *out.mutable_throttling_data();
  ForEachPair(ReadText(dir + "/cpu.stat"), [&](std::string_view key, std::uint64_t value) {
    if (key == "usage_usec") usage.set_total_usage(value * kNsPerUs);
    if (key == "user_usec") usage.set_usage_in_usermode(value * kNsPerUs);
    if (key == "system_usec") usage.set_usage_in_kernelmode(value * kNsPerUs);
    if (key == "nr_periods") throttling.set_periods(value);
    if (key == "nr_throttled") throttling.set_throttled_periods(value);
    if (key == "throttled_usec") throttling.set_throttled_time(value * kNsPerUs);
  });
}

void FillMemory(const std::string& dir, grpc::MemoryStats& out) {
  grpc::MemoryData& usage = *out.mutable_usage();
  usage.set_usage(ReadNumber(dir + "/memory.current"));
  usage.set_max_usage(ReadNumber(dir + "/memory.peak"));
  usage.set_limit(ReadNumber(dir + "/memory.max"));
  grpc::MemoryData& swap = *out.mutable_swap_usage();
  swap.set_usage(ReadNumber(dir + "/memory.swap.current"));
  swap.set_max_usage(ReadNumber(dir + "/memory.swap.peak"));
  swap.set_limit(ReadNumber(dir + "/memory.swap.max"));
  out.set_use_hierarchy(true);
  ForEachPair(ReadText(dir + "/memory.stat"), [&](std::string_view key, std::uint64_t value) {
    (*out.mutable_stats())[std::string(key)] = value;
    if (key == "file") out.set_cache(value);
    if (key == "kernel") out.mutable_kernel_usage()->set_usage(value);
  });
  ForEachPair(ReadText(dir + "/memory.events"), [&](std::string_view key, std::uint64_t value) {
    if (key == "max") usage.set_failcnt(value);
  });
}

void FillPids(const std::string& dir, grpc::PidsStats& out) {
  out.set_current(ReadNumber(dir + "/pids.current"));
  const std::uint64_t limit = ReadNumber(dir + "/pids.max");
  // As containerd's own: no limit is zero.
  out.set_limit(limit == std::numeric_limits<std::uint64_t>::max() ? 0 : limit);
}

void AddEntry(google::protobuf::RepeatedPtrField<grpc::BlkioStatsEntry>& entries,
              std::uint64_t major, std::uint64_t minor, const char* op, std::uint64_t value) {
  grpc::BlkioStatsEntry& entry = *entries.Add();
  entry.set_major(major);
  entry.set_minor(minor);
  entry.set_op(op);
  entry.set_value(value);
}

// Lines of `8:0 rbytes=1 wbytes=2 rios=3 ...`.
void FillIo(const std::string& dir, grpc::BlkioStats& out) {
  const std::string text = ReadText(dir + "/io.stat");
  for (const std::string_view line : Split(text, '\n')) {
    const auto parts = Split(line, ' ');
    const std::size_t colon = parts.empty() ? std::string_view::npos : parts[0].find(':');
    if (colon == std::string_view::npos) continue;
    const std::uint64_t major = ParseNumber(parts[0].substr(0, colon));
    const std::uint64_t minor = ParseNumber(parts[0].substr(colon + 1));
    for (const std::string_view part : parts) {
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view key = part.substr(0, equals);
      const std::uint64_t value = ParseNumber(part.substr(equals + 1));
      auto& bytes = *out.mutable_io_service_bytes_recursive();
      auto& operations = *out.mutable_io_serviced_recursive();
      if (key == "rbytes") AddEntry(bytes, major, minor, "read", value);
      if (key == "wbytes") AddEntry(bytes, major, minor, "write", value);
      if (key == "rios") AddEntry(operations, major, minor, "read", value);
      if (key == "wios") AddEntry(operations, major, minor, "write", value);
    }
  }
}

void FillHugetlb(const std::string& dir, grpc::CgroupStats& out) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename();
    constexpr std::string_view kPrefix = "hugetlb.";
    constexpr std::string_view kSuffix = ".current";
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.find(".rsvd.") != name.npos)
      continue;
    const std::string size =
        name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    grpc::HugetlbStats& stats = (*out.mutable_hugetlb_stats())[size];
    stats.set_usage(ReadNumber(dir + "/" + name));
    ForEachPair(ReadText(dir + "/hugetlb." + size + ".events"),
                [&](std::string_view key, std::uint64_t value) {
                  if (key == "max") stats.set_failcnt(value);
                });
  }
}

bool EventIs(const std::string& dir, std::string_view wanted, std::uint64_t state) {
  bool is = false;
  ForEachPair(ReadText(dir + "/cgroup.events"), [&](std::string_view key, std::uint64_t value) {
    if (key == wanted) is = value == state;
  });
  return is;
}

bool PollUntil(std::chrono::milliseconds patience, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

bool Exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<void> RemoveTree(const std::string& dir) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_directory(error)) TRY(RemoveTree(it->path()));
  }
  if (::rmdir(dir.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "remove " + dir);
  return {};
}

}  // namespace

Result<grpc::CgroupStats> Cgroup::Stats() const {
  if (!Exists(path_)) return Error(Code::kNotFound, "statistics: the container's group is gone");
  grpc::CgroupStats stats;
  FillCpu(path_, *stats.mutable_cpu_stats());
  FillMemory(path_, *stats.mutable_memory_stats());
  FillPids(path_, *stats.mutable_pids_stats());
  FillIo(path_, *stats.mutable_blkio_stats());
  FillHugetlb(path_, stats);
  return stats;
}

Result<void> Cgroup::Freeze(std::chrono::milliseconds patience) const {
  TRY(WriteFile(path_ + "/cgroup.freeze", AsBytes("1")));
  if (PollUntil(patience, [this] { return EventIs(path_, "frozen", 1); })) return {};
  TRY(Thaw());
  return Error(Code::kDeadlineExceeded, "pause: some processes do not stop");
}

Result<void> Cgroup::Thaw() const {
  return WriteFile(path_ + "/cgroup.freeze", AsBytes("0"));
}

Result<void> Cgroup::Kill() const {
  const auto killed = WriteFile(path_ + "/cgroup.kill", AsBytes("1"));
  // O_CREAT in a directory that is gone, or on a file system that makes no files.
  if (!killed && Exists(path_)) return killed;
  return {};
}

bool Cgroup::WaitUntilEmpty(std::chrono::milliseconds patience) const {
  return PollUntil(patience, [this] { return !Exists(path_) || EventIs(path_, "populated", 0); });
}

Result<void> Cgroup::Remove() const {
  if (!Exists(path_)) return {};
  return RemoveTree(path_);
}

std::uint64_t Cgroup::OomKills() const {
  std::uint64_t kills = 0;
  ForEachPair(ReadText(MemoryEventsPath()), [&](std::string_view key, std::uint64_t value) {
    if (key == "oom_kill") kills = value;
  });
  return kills;
}

}  // namespace kata_cc::agent
