// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/metrics.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace kata_cc::agent {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::uint64_t kKiB = 1024;

std::vector<std::string> Lines(const std::string& path) {
  std::vector<std::string> lines;
  const auto content = ReadFile(path, kMaxFileBytes);
  std::istringstream text(content ? AsString(*content) : std::string());
  for (std::string line; std::getline(text, line);)
    lines.push_back(std::move(line));
  return lines;
}

void Head(std::string& out, const char* name, const char* help) {
  out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " gauge\n";
}

void Sample(std::string& out, const char* name, const std::string& labels,
            const std::string& value) {
  out += name + (labels.empty() ? labels : "{" + labels + "}") + " " + value + "\n";
}

std::string Label(const char* key, const std::string& value) {
  return std::string(key) + "=\"" + value + "\"";
}

// The names and interfaces of /proc are plain; anything else would break a line.
bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '(' || c == ')';
  });
}

void AddLoad(std::string& out, const std::string& proc) {
  const auto lines = Lines(proc + "/loadavg");
  if (lines.empty()) return;
  Head(out, "kata_guest_load", "Guest system load.");
  std::istringstream words(lines.front());
  for (const char* item : {"load1", "load5", "load15"}) {
    double load = 0;
    if (words >> load) Sample(out, "kata_guest_load", Label("item", item), std::to_string(load));
  }
}

// `Name:   123 kB` lines; in bytes.
void AddSizes(std::string& out, const std::string& path, const char* name, const char* help,
              std::string_view prefix) {
  Head(out, name, help);
  for (const std::string& line : Lines(path)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !line.ends_with(" kB") || !line.starts_with(prefix)) continue;
    std::string item = line.substr(0, colon);
    std::transform(item.begin(), item.end(), item.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::size_t digit = line.find_first_of("0123456789", colon);
    if (digit == std::string::npos || !IsPlain(item)) continue;
    std::uint64_t value = 0;
    std::from_chars(line.data() + digit, line.data() + line.size(), value);
    Sample(out, name, Label("item", item), std::to_string(value * kKiB));
  }
}

void AddNetwork(std::string& out, const std::string& proc) {
  Head(out, "kata_guest_netdev_stat", "Guest net devices statistics.");
  for (const std::string& line : Lines(proc + "/net/dev")) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;  // A heading.
    const std::size_t start = line.find_first_not_of(' ');
    const std::string interface = line.substr(start, colon - start);
    if (!IsPlain(interface)) continue;
    std::istringstream words(line.substr(colon + 1));
    for (const char* item : {"recv_bytes", "recv_packets", "recv_errs", "recv_drop", "recv_fifo",
                             "recv_frame", "recv_compressed", "recv_multicast", "sent_bytes",
                             "sent_packets", "sent_errs", "sent_drop"}) {
      std::uint64_t value = 0;
      if (!(words >> value)) break;
      Sample(out, "kata_guest_netdev_stat",
             Label("interface", interface) + "," + Label("item", item), std::to_string(value));
    }
  }
}

}  // namespace

std::string GuestMetrics(const std::string& proc) {
  std::string out;
  AddLoad(out, proc);
  AddSizes(out, proc + "/meminfo", "kata_guest_meminfo", "Statistics about memory usage.", "");
  AddNetwork(out, proc);
  AddSizes(out, proc + "/self/status", "kata_agent_proc_status", "Agent process status.", "Vm");
  return out;
}

}  // namespace kata_cc::agent
