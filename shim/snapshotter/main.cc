// SPDX-License-Identifier: Apache-2.0
// kata-cc-snapshotter: containerd's proxy snapshotter that makes verified layer images
// (docs/snapshotter.md).
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/unique_fd.h"
#include "shim/snapshotter/content.h"
#include "shim/snapshotter/service.h"
#include "shim/snapshotter/snapshotter.h"

namespace kata_cc::snapshotter {
namespace {

struct Options {
  std::string root = "/var/lib/containerd/io.containerd.snapshotter.v1.kata-cc";
  std::string socket = "/run/kata-cc-snapshotter/snapshotter.sock";
  std::string containerd = "/run/containerd/containerd.sock";
  LogLevel log_level = LogLevel::kInfo;
  unsigned conversions = 2;
};

// Tells systemd that the socket answers (sd_notify's protocol); nothing without systemd.
void NotifyReady() {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof(address.sun_path)) return;
  std::copy_n(path, length, address.sun_path);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  constexpr char kReady[] = "READY=1";
  ::sendto(fd.get(), kReady, sizeof(kReady) - 1, MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

Result<void> Serve(const Options& options, const sigset_t& ends) {
  const auto snapshots = TRY(SnapshotStore::Open(options.root));
  LayerStore layers = TRY(LayerStore::Open(options.root));
  const std::unique_ptr<Content> content = ConnectContent(options.containerd);
  LayerFinder finder(*content);
  LayerMaker maker(*snapshots, layers, *content, finder, options.conversions);
  Snapshotter snapshotter(*snapshots, layers, finder, maker);
  const auto service = MakeService(snapshotter);

  const std::string directory = options.socket.substr(0, options.socket.rfind('/'));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoError(errno, directory);
  ::unlink(options.socket.c_str());  // The root's lock says that nobody serves there.
  ::umask(0177);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + options.socket, grpc::InsecureServerCredentials());
  builder.RegisterService(service.get());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ::umask(0022);
  if (!server) return Error(Code::kUnavailable, "cannot listen on " + options.socket);
  Log(LogLevel::kInfo, "serving", {{field::kPath, options.socket}});
  NotifyReady();
  int signal = 0;
  while (::sigwait(&ends, &signal) != 0) {
  }
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
  ::unlink(options.socket.c_str());
  return {};
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("containerd's proxy snapshotter of kata-cc");
  app.add_option("--root", options.root, "where snapshots and layer images are kept")
      ->capture_default_str();
  app.add_option("--socket", options.socket, "unix socket to serve on")->capture_default_str();
  app.add_option("--containerd", options.containerd, "containerd's socket")->capture_default_str();
  app.add_option("--conversions", options.conversions, "layers converted at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  const std::map<std::string, LogLevel> levels = {{"debug", LogLevel::kDebug},
                                                  {"info", LogLevel::kInfo},
                                                  {"warn", LogLevel::kWarn},
                                                  {"error", LogLevel::kError}};
  app.add_option("--log", options.log_level, "debug, info, warn or error")
      ->transform(CLI::CheckedTransformer(levels));
  CLI11_PARSE(app, argc, argv);
  LogToFd(STDERR_FILENO, options.log_level);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // Before the first thread.
  if (auto served = Serve(options, ends); !served) {
    std::fprintf(stderr, "kata-cc-snapshotter: %s\n", served.error().message().c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace kata_cc::snapshotter

int main(int argc, char** argv) {
  return kata_cc::snapshotter::Main(argc, argv);
}
