// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/copy_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {
namespace {

constexpr std::uint32_t kParentMode = 0750;  // Of directories that the agent must make; as Kata.
constexpr std::string_view kDataLink = "/..data";
constexpr int kAttempts = 4;

class Copier {
 public:
  Copier(const std::function<Result<void>(const grpc::CopyFileRequest&)>& send, CopyLimits limits)
      : send_(send), limits_(limits) {}

  // follow: the path itself may be a link (kubelet's volumes are); those inside are copied as such.
  Result<void> Copy(const std::string& host, const std::string& guest, bool follow) {
    if (++entries_ > limits_.max_entries)
      return Error(Code::kResourceExhausted, host + ": too many files");
    struct stat status = {};
    if ((follow ? ::stat : ::lstat)(host.c_str(), &status) != 0) return ErrnoError(errno, host);
    grpc::CopyFileRequest request;
    request.set_path(guest);
    request.set_file_mode(status.st_mode);
    request.set_dir_mode(kParentMode);
    request.set_uid(static_cast<std::int32_t>(status.st_uid));
    request.set_gid(static_cast<std::int32_t>(status.st_gid));
    if (S_ISREG(status.st_mode)) return CopyRegular(host, &request);
    if (S_ISDIR(status.st_mode)) {
      (void)TRY(send_(request));
      directories_.insert(guest);
      return CopyEntries(host, guest);
    }
    if (S_ISLNK(status.st_mode)) {
      std::string target(PATH_MAX, '\0');
      const ssize_t n = ::readlink(host.c_str(), target.data(), target.size());
      if (n < 0) return ErrnoError(errno, host);
      target.resize(static_cast<std::size_t>(n));
      // kubelet may have made a new generation after the names were read. A link to it would lead
      // nowhere in the guest until that is copied.
      if (guest.ends_with(kDataLink) && target.find('/') == std::string::npos &&
          !directories_.contains(guest.substr(0, guest.size() - kDataLink.size() + 1) + target))
        return Error(Code::kAborted, host + ": was replaced while it was copied");
      request.set_data(target);
      return send_(request);
    }
    return {};  // Sockets, FIFOs and devices mean nothing in another machine.
  }

 private:
  Result<void> CopyRegular(const std::string& host, grpc::CopyFileRequest* request) {
    const UniqueFd fd = TRY(OpenFile(host, O_RDONLY));
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0) return ErrnoError(errno, host);
    std::int64_t left = status.st_size;
    bytes_ += static_cast<std::size_t>(left);
    if (bytes_ > limits_.max_bytes)
      return Error(Code::kResourceExhausted, host + ": more than " +
                                                 std::to_string(limits_.max_bytes >> 20) +
                                                 " MiB to copy into the guest");
    request->set_file_size(left);
    do {
      std::string data(std::min<std::size_t>(limits_.chunk_bytes, static_cast<std::size_t>(left)),
                       '\0');
      std::size_t filled = 0;
      while (filled < data.size()) {
        const ssize_t n = RetryOnEintr(
            [&] { return ::read(fd.get(), data.data() + filled, data.size() - filled); });
        if (n < 0) return ErrnoError(errno, host);
        if (n == 0) return Error(Code::kAborted, host + ": became shorter while it was copied");
        filled += static_cast<std::size_t>(n);
      }
      request->set_data(std::move(data));
      (void)TRY(send_(*request));
      request->set_offset(request->offset() + static_cast<std::int64_t>(filled));
      left -= static_cast<std::int64_t>(filled);
    } while (left > 0);
    return {};
  }

  Result<void> CopyEntries(const std::string& host, const std::string& guest) {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(host, error), end; !error && it != end;
         it.increment(error))
      names.push_back(it->path().filename());
    if (error) return ErrnoError(error.value(), host);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names)
      (void)TRY(Copy(host + "/" + name, guest + "/" + name, false));
    return {};
  }

  const std::function<Result<void>(const grpc::CopyFileRequest&)>& send_;
  const CopyLimits limits_;
  std::size_t bytes_ = 0;
  std::size_t entries_ = 0;
  std::set<std::string> directories_;  // In the guest.
};

}  // namespace

Result<void> CopyToGuest(const GuestCopy& copy,
                         const std::function<Result<void>(const grpc::CopyFileRequest&)>& send,
                         CopyLimits limits) {
  Result<void> copied;
  for (int i = 0; i < kAttempts; ++i) {
    copied = Copier(send, limits).Copy(copy.host_path, copy.guest_path, true);
    // Again for what changed meanwhile only.
    if (copied || copied.error().code() != Code::kAborted) break;
  }
  return copied;
}

}  // namespace kata_cc::shim
