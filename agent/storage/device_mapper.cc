// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/device_mapper.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "base/log.h"
#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

constexpr const char* kControl = "/dev/mapper/control";
constexpr std::size_t kHeaderBytes = sizeof(dm_ioctl);

// A request with its payload behind the header, as the interface has it; wiped at its end.
class Request {
 public:
  Request(const std::string& name, std::uint32_t flags, std::size_t payload_bytes = 0)
      : bytes_(kHeaderBytes + payload_bytes) {
    dm_ioctl header = {};
    header.version[0] = DM_VERSION_MAJOR;
    header.data_size = static_cast<std::uint32_t>(bytes_.size());
    header.data_start = kHeaderBytes;
    header.flags = flags | DM_SECURE_DATA_FLAG;  // The kernel wipes its copy too.
    name.copy(header.name, sizeof(header.name) - 1);
    SetHeader(header);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() { ::explicit_bzero(bytes_.data(), bytes_.size()); }

  dm_ioctl header() const {
    dm_ioctl header = {};
    std::memcpy(&header, bytes_.data(), sizeof(header));
    return header;
  }
  void SetHeader(const dm_ioctl& header) { std::memcpy(bytes_.data(), &header, sizeof(header)); }
  char* payload() { return bytes_.data() + kHeaderBytes; }

  Result<void> Send(unsigned long command, const char* what) {
    const UniqueFd control = TRY_CONTEXT(OpenFile(kControl, O_RDWR), "device mapper");
    if (RetryOnEintr([&] { return ::ioctl(control.get(), command, bytes_.data()); }) != 0) {
      return ErrnoError(errno, std::string("device mapper: ") + what);
    }
    return {};
  }

 private:
  std::vector<char> bytes_;
};

Result<void> LoadTable(const std::string& name, const DmTable& table) {
  const std::size_t payload = sizeof(dm_target_spec) + table.parameters.size() + 1;
  const std::size_t aligned = (payload + 7) / 8 * 8;
  Request request(name, table.read_only ? DM_READONLY_FLAG : 0, aligned);
  dm_ioctl header = request.header();
  header.target_count = 1;
  request.SetHeader(header);
  dm_target_spec spec = {};
  spec.length = table.sectors;
  spec.next = static_cast<std::uint32_t>(aligned);
  table.target.copy(spec.target_type, sizeof(spec.target_type) - 1);
  std::memcpy(request.payload(), &spec, sizeof(spec));
  table.parameters.copy(request.payload() + sizeof(spec), table.parameters.size());
  return request.Send(DM_TABLE_LOAD, "load the table");
}

}  // namespace

Result<DmDevice> DmDevice::Create(const std::string& name, const DmTable& table) {
  if (name.empty() || name.size() >= DM_NAME_LEN || name.find('/') != std::string::npos) {
    return Error(Code::kInvalidArgument, "device mapper: not a device's name");
  }
  const std::uint32_t flags = table.read_only ? DM_READONLY_FLAG : 0;
  Request create(name, flags);
  TRY(create.Send(DM_DEV_CREATE, "create"));
  DmDevice device(name);  // From here on its end removes it.
  const std::uint64_t number = create.header().dev;
  device.path_ = "/dev/dm-" + std::to_string(minor(static_cast<dev_t>(number)));
  TRY(LoadTable(name, table));
  Request resume(name, flags);
  TRY(resume.Send(DM_DEV_SUSPEND, "resume"));
  return device;
}

DmDevice::~DmDevice() {
  if (name_.empty()) return;
  constexpr int kAttempts = 20;  // Its last user may take a moment to let go.
  for (int i = 0; i < kAttempts; ++i) {
    Request remove(name_, 0);
    if (remove.Send(DM_DEV_REMOVE, "remove")) return;
    ::usleep(5'000);
  }
  Request deferred(name_, DM_DEFERRED_REMOVE);
  const auto removed = deferred.Send(DM_DEV_REMOVE, "remove");
  Log(LogLevel::kWarn, "device is removed later",
      {{field::kPath, path_}, {field::kError, removed ? "in use" : removed.error().message()}});
}

}  // namespace kata_cc::agent
