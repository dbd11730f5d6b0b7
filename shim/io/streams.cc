// SPDX-License-Identifier: Apache-2.0
#include "shim/io/streams.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>

namespace kata_cc::shim {
namespace {

struct Target {
  std::string path;
  bool is_file = false;
};

Result<Target> ParseUri(const std::string& uri) {
  const std::size_t scheme = uri.find("://");
  if (scheme == uri.npos) return Target{uri};
  const std::string path = uri.substr(scheme + 3);
  if (uri.compare(0, scheme, "fifo") == 0) return Target{path};
  if (uri.compare(0, scheme, "file") == 0) return Target{path, true};
  return Error(Code::kUnimplemented, "stdio: " + uri.substr(0, scheme) + "://: not supported");
}

Result<UniqueFd> OpenOutput(const std::string& uri) {
  if (uri.empty()) return UniqueFd();
  const Target target = TRY(ParseUri(uri));
  if (target.is_file)
    return TRY_CONTEXT(OpenFile(target.path, O_WRONLY | O_APPEND | O_CREAT, 0644), "stdio");
  struct stat status = {};
  if (::stat(target.path.c_str(), &status) != 0) return ErrnoError(errno, "stdio: " + target.path);
  // Read-write on a FIFO is both ends at once, and never blocks (fifo(7)).
  const int mode = S_ISFIFO(status.st_mode) ? O_RDWR | O_NONBLOCK : O_WRONLY | O_NONBLOCK;
  return TRY_CONTEXT(OpenFile(target.path, mode), "stdio");
}

}  // namespace

Result<Streams> OpenStreams(const StreamPaths& paths) {
  Streams streams;
  if (!paths.in.empty()) {
    const Target target = TRY(ParseUri(paths.in));
    streams.in = TRY_CONTEXT(OpenFile(target.path, O_RDONLY | O_NONBLOCK), "stdio");
    streams.in_keeper = TRY_CONTEXT(OpenFile(target.path, O_WRONLY | O_NONBLOCK), "stdio");
  }
  streams.out = TRY(OpenOutput(paths.out));
  if (!paths.terminal) streams.err = TRY(OpenOutput(paths.err));
  return streams;
}

}  // namespace kata_cc::shim
