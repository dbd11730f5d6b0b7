// SPDX-License-Identifier: Apache-2.0
// The serving process: one a sandbox, started by `start` with the listening socket as descriptor 3
// and a pipe as descriptor 4, on which it says "ok", or why not.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "base/log.h"
#include "base/reactor.h"
#include "base/worker_pool.h"
#include "proto/containerd/runtime_options.pb.h"
#include "proto/ttrpc/server.h"
#include "shim/config/config.h"
#include "shim/entry.h"
#include "shim/events/publisher.h"
#include "shim/sandbox/sandbox.h"
#include "shim/service/task_service.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {
namespace {

constexpr int kListenerFd = 3;
constexpr int kReadyFd = 4;
constexpr std::size_t kQuickThreads = 2;
constexpr std::size_t kBlockingThreads = 8;
constexpr std::chrono::milliseconds kFlushTimeout{2000};
constexpr std::chrono::seconds kEndTimeout{15};
// A shim for which no Create ever comes (containerd died in between) does not stay.
constexpr std::chrono::minutes kIdleTimeout{10};
constexpr char kConfigAnnotation[] = "io.katacontainers.config_path";

// Log lines go to the bundle's FIFO. Both ends open: no signal, and no wait, without a reader.
void RedirectLog() {
  auto log = OpenFile("log", O_RDWR | O_NONBLOCK);
  if (!log) return;
  ::dup2(log->get(), STDERR_FILENO);
}

// Mounts of this process vanish with it, however it ends; those of the host still come in.
Result<void> PrivateMounts() {
  if (::unshare(CLONE_NEWNS) != 0) return ErrnoError(errno, "unshare the mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
    return ErrnoError(errno, "make the mounts private");
  return {};
}

Result<Config> ReadSandboxConfig(const google::protobuf::Any& options,
                                 const Annotations& annotations) {
  ConfigSources sources;
  runtimeoptions::v1::Options runtime;
  // Options of another runtime (containerd.runc.v1.Options is a default) are not ours to read.
  if (options.type_url().find("runtimeoptions.v1.Options") != std::string::npos) {
    if (!runtime.ParseFromString(options.value()))
      return Error(Code::kInvalidArgument, "create: malformed runtime options");
    sources.option = runtime.config_path();
  }
  if (const auto found = annotations.find(kConfigAnnotation); found != annotations.end())
    sources.annotation = found->second;
  if (const char* environment = std::getenv("KATA_CONF_FILE")) sources.environment = environment;
  return ReadConfig(TRY(ChooseConfigPath(sources)));
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

class Serving {
 public:
  explicit Serving(const Arguments& arguments)
      : arguments_(arguments), paths_(PathsOf(arguments, arguments.id)) {}

  Result<void> Prepare();
  Result<void> Run();

 private:
  SandboxOptions MakeSandboxOptions();
  Result<void> WatchSignals();
  void OnSignal();
  void End();

  const Arguments arguments_;
  const SandboxPaths paths_;
  UniqueFd lock_;
  UniqueFd signals_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<WorkerPool> quick_;
  std::unique_ptr<WorkerPool> blocking_;
  std::shared_ptr<EventPublisher> events_;
  std::shared_ptr<Sandbox> sandbox_;
  std::unique_ptr<TaskService> service_;
  std::unique_ptr<ttrpc::Server> server_;
  std::atomic<bool> ending_ = false;
};

// Everything that must be done while there is one thread.
Result<void> Serving::Prepare() {
  ::signal(SIGPIPE, SIG_IGN);
  (void)TRY(PrivateMounts());
  std::error_code error;
  std::filesystem::create_directories(paths_.state_dir, error);
  if (error) return ErrnoError(error.value(), paths_.state_dir);
  ::chmod(paths_.state_dir.c_str(), 0700);
  lock_ = TRY(LockState(paths_.state_dir));
  reactor_.reset(TRY(Reactor::Create()));
  return WatchSignals();
}

Result<void> Serving::WatchSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return ErrnoError(errno, "sigprocmask");
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return ErrnoError(errno, "signalfd");
  return reactor_->Watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { OnSignal(); });
}

// The first one ends the pod in order; a second does not wait for it.
void Serving::OnSignal() {
  signalfd_siginfo info = {};
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
  if (ending_) ::_exit(128 + static_cast<int>(info.ssi_signo));
  Log(LogLevel::kWarn, "told to end; stopping the VM");
  blocking_->Post([this] {
    sandbox_->Terminate();
    End();
  });
}

SandboxOptions Serving::MakeSandboxOptions() {
  SandboxOptions options;
  options.sandbox_id = arguments_.id;
  options.domain_name = paths_.domain_name;
  options.state_dir = paths_.state_dir;
  options.create_vm = Vm::Create;
  options.save_state = [dir = paths_.state_dir](const Config& config,
                                                const NetworkNamespace& netns) {
    return SaveState(dir, {config.libvirt_uri, config.image_dir, netns});
  };
  options.read_config = [debug = arguments_.debug](
                            const google::protobuf::Any& any,
                            const Annotations& annotations) -> Result<Config> {
    Config config = TRY(ReadSandboxConfig(any, annotations));
    SetLogLevel(debug ? LogLevel::kDebug : config.log_level);
    return config;
  };
  return options;
}

Result<void> Serving::Run() {
  quick_ = std::make_unique<WorkerPool>(kQuickThreads);
  blocking_ = std::make_unique<WorkerPool>(kBlockingThreads);
  PublisherOptions publisher;
  publisher.ttrpc_address = Environment("TTRPC_ADDRESS");
  publisher.grpc_address = arguments_.address;
  publisher.publish_binary = arguments_.publish_binary;
  publisher.containerd_namespace = arguments_.containerd_namespace;
  events_ = EventPublisher::Create(*reactor_, std::move(publisher));
  sandbox_ = Sandbox::Create(*reactor_, *blocking_, *events_, MakeSandboxOptions());
  service_ = std::make_unique<TaskService>(sandbox_, *blocking_, [this] { End(); });
  server_ = std::make_unique<ttrpc::Server>(*reactor_, *quick_);
  service_->Register(server_.get());
  (void)TRY(server_->Listen(UniqueFd(kListenerFd), /*own_uid_only=*/true));
  reactor_->After(kIdleTimeout, [this] {
    if (sandbox_->empty()) blocking_->Post([this] { End(); });
  });
  Log(LogLevel::kInfo, "serving", {{field::kSandboxId, arguments_.id}});
  if (::write(kReadyFd, "ok", 2) != 2) return ErrnoError(errno, "answer start");
  ::close(kReadyFd);
  Result<void> ran = reactor_->Run();
  // Threads first, for their tasks use the rest.
  quick_.reset();
  blocking_.reset();
  ::unlink(paths_.socket.c_str());
  std::error_code ignored;
  std::filesystem::remove_all(paths_.state_dir, ignored);
  return ran;
}

// Pool thread: waits for the VM's end and for the last events, then stops the reactor.
void Serving::End() {
  if (ending_.exchange(true)) return;
  (void)sandbox_->Shutdown(kEndTimeout);
  events_->Flush(kFlushTimeout);
  reactor_->Post([this] {
    server_->Close();
    reactor_->Stop();
  });
}

}  // namespace

int RunServe(const Arguments& arguments) {
  RedirectLog();
  LogToFd(STDERR_FILENO, arguments.debug ? LogLevel::kDebug : LogLevel::kInfo);
  for (const int fd : {kListenerFd, kReadyFd})  // They came by exec, but go no further.
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  Serving serving(arguments);
  Result<void> result = CheckId("id", arguments.id);
  if (result) result = serving.Prepare();
  if (result) result = serving.Run();
  if (result) return 0;
  const std::string& why = result.error().message();
  Log(LogLevel::kError, "the shim ends", {{field::kError, why}});
  if (::write(kReadyFd, why.data(), why.size()) < 0) return 1;
  return 1;
}

}  // namespace kata_cc::shim
