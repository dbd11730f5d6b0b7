// SPDX-License-Identifier: Apache-2.0
// `delete`: removes what a dead shim left. containerd runs it after a normal deletion too, for
// every container of a pod, so it does nothing to a sandbox whose shim lives.
#include <google/protobuf/util/time_util.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "base/reactor.h"
#include "proto/containerd/task.pb.h"
#include "proto/oci/spec.h"
#include "proto/ttrpc/client.h"
#include "shim/entry.h"
#include "shim/network/pod_network.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {
namespace {

// containerd gives delete five seconds; destroying a domain takes two of them.
constexpr std::chrono::milliseconds kShimEndTimeout{2500};
constexpr std::chrono::milliseconds kAskTimeout{1500};
constexpr std::uint32_t kExitKilled = 128 + SIGKILL;

void Warn(const std::string& what) {
  std::fprintf(stderr, "kata-cc: delete: %s\n", what.c_str());
}

// Whether the shim behind the socket answers at all.
bool ShimAnswers(const std::string& socket, const std::string& id) {
  auto fd = ConnectSocket(socket);
  if (!fd) return false;
  const std::unique_ptr<Reactor> reactor(*Reactor::Create());
  auto client = ttrpc::Client::Create(*reactor, *std::move(fd));
  if (!client) return false;
  bool answered = false;
  containerd::task::v2::ConnectRequest request;
  request.set_id(id);
  (*client)->CallAsync("containerd.task.v2.Task", "Connect", request.SerializeAsString(),
                       {.timeout = kAskTimeout, .metadata = {}},
                       [&](const Result<std::string>& answer) {
                         answered = answer.has_value();
                         reactor->Stop();
                       });
  (void)reactor->Run();
  (*client)->Close();
  return answered;
}

// The process at the other end of the socket, by the kernel's word.
pid_t ShimPid(const std::string& socket) {
  const auto fd = ConnectSocket(socket);
  if (!fd) return 0;
  ucred peer = {};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd->get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return 0;
  return peer.pid;
}

Result<UniqueFd> WaitForLock(const std::string& state_dir) {
  const auto deadline = std::chrono::steady_clock::now() + kShimEndTimeout;
  for (;;) {
    Result<UniqueFd> lock = LockState(state_dir);
    if (lock || lock.error().code() != Code::kFailedPrecondition ||
        std::chrono::steady_clock::now() >= deadline)
      return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// With the lock held: no shim lives.
void CleanUp(const SandboxPaths& paths) {
  if (const auto state = LoadState(paths.state_dir)) {
    if (auto destroyed = DestroyVmByName(state->libvirt_uri, paths.domain_name); !destroyed)
      Warn(destroyed.error().message());
    if (auto gone = DisconnectPodNetwork(state->netns); !gone) Warn(gone.error().message());
    std::error_code ignored;
    std::filesystem::remove_all(state->image_dir + "/" + paths.domain_name, ignored);
  }
  std::error_code error;
  std::filesystem::remove_all(paths.state_dir, error);
  if (error) Warn(paths.state_dir + ": " + error.message());
  ::unlink(paths.socket.c_str());
}

void DeleteSandbox(const Arguments& arguments, const SandboxPaths& paths) {
  if (!std::filesystem::exists(paths.state_dir)) {
    // Nothing was made, or all is gone; a socket without an owner may still lie there.
    if (!ConnectSocket(paths.socket)) ::unlink(paths.socket.c_str());
    return;
  }
  Result<UniqueFd> lock = WaitForLock(paths.state_dir);
  if (!lock && lock.error().code() == Code::kNotFound) return;  // It just went.
  if (!lock) {
    if (ShimAnswers(paths.socket, arguments.id)) return;  // It still serves others.
    const pid_t pid = ShimPid(paths.socket);
    Warn("the shim does not answer; killing it");
    if (pid > 1) ::kill(pid, SIGKILL);
    lock = WaitForLock(paths.state_dir);
    if (!lock) return Warn(lock.error().message());
  }
  CleanUp(paths);
}

}  // namespace

int RunDelete(const Arguments& arguments) {
  if (auto valid = CheckId("id", arguments.id); !valid) {
    Warn(valid.error().message());
    return 1;
  }
  const std::string bundle = arguments.bundle.empty() ? "." : arguments.bundle;
  PodIdentity identity{ContainerType::kSingle, arguments.id};
  // Without a readable bundle the id may be a sandbox's: what its name leads to is looked at.
  if (const auto spec = oci::ReadBundleSpec(bundle)) {
    if (auto read = ReadPodIdentity(spec->annotations(), arguments.id)) identity = *read;
  }
  if (identity.type != ContainerType::kInPod)
    DeleteSandbox(arguments, PathsOf(arguments, identity.sandbox_id));
  const std::string rootfs = bundle + "/rootfs";
  while (::umount2(rootfs.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  containerd::task::v2::DeleteResponse response;
  response.set_exit_status(kExitKilled);
  *response.mutable_exited_at() = google::protobuf::util::TimeUtil::GetCurrentTime();
  const std::string bytes = response.SerializeAsString();
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  return 0;
}

}  // namespace kata_cc::shim
