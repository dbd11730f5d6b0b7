// SPDX-License-Identifier: Apache-2.0
#include "shim/network/network_namespace.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <thread>

namespace kata_cc::shim {
namespace {

constexpr char kOwn[] = "/proc/thread-self/ns/net";

Result<std::string> IdOf(const UniqueFd& netns, const std::string& path) {
  // On a file of another file system the request means something else, or nothing.
  if (::ioctl(netns.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return Error(Code::kInvalidArgument, path + ": no network namespace");
  struct stat info = {};
  if (::fstat(netns.get(), &info) != 0) return ErrnoError(errno, path);
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

}  // namespace

Result<NetworkNamespace> FindNetworkNamespace(const std::string& path) {
  // A FIFO at the path must not hold the shim.
  const UniqueFd netns = TRY(OpenFile(path, O_RDONLY | O_NONBLOCK));
  return NetworkNamespace{path, TRY(IdOf(netns, path))};
}

Result<UniqueFd> OpenNetworkNamespace(const NetworkNamespace& wanted) {
  UniqueFd netns = TRY(OpenFile(wanted.path, O_RDONLY | O_NONBLOCK));
  const Result<std::string> id = IdOf(netns, wanted.path);
  // Of `ip netns del` an empty file may stay for a moment.
  if (!id || *id != wanted.id) return Error(Code::kNotFound, wanted.path + ": it is gone");
  return netns;
}

Result<NetworkNamespace> OwnNetworkNamespace() {
  return FindNetworkNamespace(kOwn);
}

Result<void> InNetworkNamespace(const UniqueFd& netns,
                                const std::function<Result<void>()>& function) {
  std::optional<Result<void>> done;
  std::thread worker([&] {
    if (::setns(netns.get(), CLONE_NEWNET) != 0)
      done.emplace(ErrnoError(errno, "enter the network namespace"));
    else
      done.emplace(function());
  });
  worker.join();
  return *std::move(done);
}

}  // namespace kata_cc::shim
