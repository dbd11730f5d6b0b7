// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/block_device.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "base/synced.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::chrono::milliseconds kLookAgain{50};

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

// pattern: `x` stands for a hexadecimal digit.
bool Matches(std::string_view text, std::string_view pattern) {
  if (text.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (pattern[i] == 'x' ? !hex : text[i] != pattern[i]) return false;
  }
  return true;
}

std::string ReadLine(const std::string& path) {
  const auto content = ReadFile(path, 4096);
  if (!content) return {};
  const std::string text = AsString(*content);
  return text.substr(0, text.find('\n'));
}

std::vector<std::string> Names(const std::string& dir) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// The disk of a PCI device: .../virtioN/block/NAME.
std::string DiskOfPciDevice(const std::string& device) {
  for (const std::string& name : Names(device)) {
    if (!name.starts_with("virtio")) continue;
    for (const std::string& disk : Names(device + "/" + name + "/block"))
      return disk;
  }
  return {};
}

std::string ReadSerial(const std::string& dir) {
  std::string serial = ReadLine(dir + "/serial");
  if (!serial.empty()) return serial;
  // SCSI: vital product data page 0x80, 4 bytes of header.
  const auto page = ReadFile(dir + "/device/vpd_pg80", 4096);
  return page && page->size() > 4 ? AsString(ByteView(*page).subspan(4)) : std::string();
}

// Each read of a virtio disk's serial is a request to the disk, so it is asked once: the kernel
// gives no two disks the same diskseq.
std::string SerialOf(const std::string& dir) {
  static Synced<std::map<std::string, std::string>> known;
  constexpr std::size_t kMaxKnown = 1024;
  const std::string sequence = ReadLine(dir + "/diskseq");
  if (sequence.empty()) return ReadSerial(dir);
  const std::string key = dir + " " + sequence;
  {
    auto serials = known.Lock();
    if (const auto it = serials->find(key); it != serials->end()) return it->second;
  }
  std::string serial = ReadSerial(dir);
  auto serials = known.Lock();
  if (serials->size() >= kMaxKnown) serials->clear();
  if (!serial.empty()) serials->emplace(key, serial);
  return serial;
}

std::string DiskBySerial(const std::string& sys, const std::string& serial) {
  for (const std::string& name : Names(sys + "/block"))
    if (SerialOf(sys + "/block/" + name) == serial) return name;
  return {};
}

// Slots from the root bus on: a device at "02/01" is behind the bridge at slot 2, in slot 1.
std::string DiskByPciPath(const std::string& sys, std::string_view path) {
  std::string dir = sys + "/devices/pci0000:00";
  std::string bus = "0000:00";
  while (!path.empty()) {
    const std::string slot(path.substr(0, 2));
    path.remove_prefix(std::min<std::size_t>(path.size(), 3));
    const std::string device = dir + "/" + bus + ":" + slot + ".0";
    if (path.empty()) return DiskOfPciDevice(device);
    const auto buses = Names(device + "/pci_bus");
    if (buses.empty()) return {};
    bus = buses.front();
    dir = device;
  }
  return {};
}

bool IsPciPath(std::string_view text) {
  if (text.size() < 2 || text.size() > 47 || (text.size() + 1) % 3 != 0) return false;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    if (!Matches(text.substr(at, 2), "xx")) return false;
    if (at + 2 < text.size() && text[at + 2] != '/') return false;
  }
  return true;
}

using Finder = std::function<std::string()>;

Result<Finder> FinderOf(const std::string& source, const DeviceRoots& roots) {
  const std::string sys = roots.sys;
  constexpr std::string_view kDev = "/dev/";
  if (source.starts_with(kDev) && IsName(source.substr(kDev.size()))) {
    return Finder([name = source.substr(kDev.size())] { return name; });
  }
  if (Matches(source, "xxxx:xx:xx.x")) {
    return Finder([=] { return DiskOfPciDevice(sys + "/bus/pci/devices/" + source); });
  }
  if (IsPciPath(source) && source.find('/') != std::string::npos) {
    return Finder([=] { return DiskByPciPath(sys, source); });
  }
  if (IsName(source)) return Finder([=] { return DiskBySerial(sys, source); });
  return Error(Code::kInvalidArgument, "block device: neither a path, a PCI address nor a serial");
}

std::optional<BlockDevice> Describe(const std::string& name, const DeviceRoots& roots) {
  if (name.empty()) return std::nullopt;
  BlockDevice device;
  device.path = roots.dev + "/" + name;
  // One that comes or goes is listed, but cannot be opened (ENXIO).
  if (!OpenFile(device.path, O_RDONLY | O_NONBLOCK)) return std::nullopt;
  const std::string dir = roots.sys + "/class/block/" + name;
  const std::string numbers = ReadLine(dir + "/dev");
  const std::size_t colon = numbers.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const char* const end = numbers.data() + numbers.size();
  std::from_chars(numbers.data(), numbers.data() + colon, device.major);
  std::from_chars(numbers.data() + colon + 1, end, device.minor);
  const std::string sectors = ReadLine(dir + "/size");
  std::from_chars(sectors.data(), sectors.data() + sectors.size(), device.size_bytes);
  device.size_bytes *= kSectorBytes;
  return device;
}

// Wakes up when the kernel says that any device changed; what it says is not read for meaning.
UniqueFd OpenUevents() {
  UniqueFd socket(
      ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;
  if (socket.valid() &&
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    socket.Reset();
  }
  return socket;
}

}  // namespace

Result<BlockDevice> FindBlockDevice(const std::string& source, std::chrono::milliseconds patience,
                                    const DeviceRoots& roots) {
  const Finder find = TRY(FinderOf(source, roots));
  if (const auto device = Describe(find(), roots)) return *device;
  const UniqueFd uevents = OpenUevents();  // Before the next look, so that none is missed.
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    if (const auto device = Describe(find(), roots)) return *device;
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error(Code::kNotFound, "block device " + source + ": the machine has none");
    }
    // Also without an event now and then: the attributes appear a little later than the device.
    pollfd poll = {uevents.get(), POLLIN, 0};
    ::poll(&poll, 1, static_cast<int>(kLookAgain.count()));
    char dropped[8192];
    while (uevents.valid() && ::recv(uevents.get(), dropped, sizeof(dropped), 0) > 0) {
    }
  }
}

}  // namespace kata_cc::agent
