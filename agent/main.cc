// SPDX-License-Identifier: Apache-2.0
// kata-cc-agent: PID 1 of the guest. Boots the machine, binds the policy to the launch, serves.
// Elsewhere it only serves: it mounts nothing, and its end is the process's.
#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/attest/attester.h"
#include "agent/attest/host_data.h"
#include "agent/attest/initdata.h"
#include "agent/boot/early_boot.h"
#include "agent/boot/kernel_command_line.h"
#include "agent/boot/kernel_modules.h"
#include "agent/boot/transport.h"
#include "agent/container/container_service.h"
#include "agent/options.h"
#include "agent/rpc/agent_service.h"
#include "agent/rpc/policy_gate.h"
#include "agent/secrets/secrets_process.h"
#include "agent/secrets/unseal.h"
#include "base/file.h"
#include "base/log.h"
#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/worker_pool.h"
#include "proto/ttrpc/server.h"
#include "proto/verity/geometry.h"

namespace kata_cc::agent {
namespace {

constexpr std::size_t kWorkers = 8;
constexpr const char* kPolicyOfInitdata = "policy.rego";
constexpr const char* kApiRule = "AttestationApiRequest";

Result<Options> BootMachine() {
  TRY(MountFileSystems());
  const std::string text = AsString(TRY(ReadFile("/proc/cmdline", 64U << 10)));
  const KernelCommandLine line = TRY(ParseKernelCommandLine(text));
  const std::shared_ptr<KernelModules> modules = TRY(KernelModules::Open("/lib/modules"));
  TRY(modules->Need(""));
  TRY_CONTEXT(BringLoopbackUp(), "boot");
  TRY(SetHostname("kata-cc"));
  Options options = OptionsOf(line);
  if (options.transport == Transport::kVsock) TRY(modules->Need("vsock"));
  if (options.tee == Tee::kSnp) {
    TRY(modules->Need("snp"));
    MountConfigfs();
  }
  options.paths.need_module = [modules](std::string_view name) { return modules->Need(name); };
  return options;
}

Result<std::optional<std::string>> InitdataDocument(const Options& options) {
  if (options.init) return FindInitdata("/sys/block", "/dev");
  if (options.initdata_file.empty()) return std::optional<std::string>();
  return std::optional<std::string>(TRY(ReadInitdataImage(options.initdata_file)));
}

// What the pod's owner gave to the launch.
struct Given {
  std::optional<std::string> document;  // The initdata as it came.
  Initdata initdata;
};

// Initdata counts only when the launch is bound to it.
Result<Given> ReadInitdata(const Options& options, HostDataSource& host_data) {
  Given out;
  out.document = TRY(InitdataDocument(options));
  if (!out.document) return out;
  out.initdata = TRY(ParseInitdata(*out.document));
  TRY(CheckHostData(host_data, out.initdata.digest, "initdata"));
  return out;
}

// The policy to begin with.
Result<std::string> FirstPolicy(const Options& options, const Given& given) {
  const auto it = given.initdata.data.find(kPolicyOfInitdata);
  if (it != given.initdata.data.end()) return it->second;
  if (!options.policy_file.empty())
    return AsString(TRY(ReadFile(options.policy_file, kMaxPolicyBytes)));
  return std::string(kDefaultPolicy);
}

// Sealed secrets in what containers are created with are the guest's to open.
ContainerPaths WithUnsealing(ContainerPaths paths, SecretsProcess& secrets) {
  const Unseal unseal = [&secrets](std::string_view sealed) { return secrets.Unseal(sealed); };
  paths.unseal_process = [unseal](grpc::Process& process) -> Result<void> {
    std::vector<std::string> environment(process.env().begin(), process.env().end());
    TRY(UnsealEnvironment(environment, unseal));
    process.mutable_env()->Assign(environment.begin(), environment.end());
    return {};
  };
  paths.unseal_files = [unseal](const std::string& dir) { return UnsealFiles(dir, unseal); };
  paths.unseal_file = [unseal](const std::string& file) -> Result<void> {
    TRY(UnsealFile(file, unseal));
    return {};
  };
  return paths;
}

// The process beside this one; its local API follows the policy in force.
Result<std::unique_ptr<SecretsProcess>> StartSecrets(const Options& options, Attester* attester,
                                                     const Given& given, PolicyGate& gate) {
  SecretsProcess::Options about;
  about.program = options.secrets_program;
  about.log_level = options.log_level;
  about.config = {attester != nullptr, given.document, given.initdata.data, options.api_port};
  auto secrets = SecretsProcess::Create(
      std::move(about), attester,
      [&gate](const nlohmann::json& input) { return gate.Allows(kApiRule, input); });
  // A broker that cannot be spoken to is an error now, and not when a container needs it.
  if (given.initdata.data.contains("aa.toml") || given.initdata.data.contains("cdh.toml")) {
    TRY(secrets->Start());
  }
  if (options.api_port == 0) return secrets;
  const auto follow = [process = secrets.get(), &gate] {
    const bool wanted = gate.Allows(kApiRule, {{"method", "GET"}, {"path", "/info"}});
    const Result<void> done = process->Listen(wanted);
    if (!done) Log(LogLevel::kError, "no local API", {{field::kError, done.error().message()}});
  };
  follow();
  gate.OnReplaced(follow);
  return secrets;
}

// What each container will want, while the host gets to it: the kernel checks a module's signature
// for as long as it takes to answer a request. It only has time that nothing else wants. What fails
// here fails again where it is needed, and there it is told.
void LoadAhead(WorkerPool& pool, const ContainerPaths& paths) {
  if (!paths.need_module) return;
  pool.Post([need = paths.need_module, verified = paths.verified_only] {
    constexpr int kIdle = 19;
    ::setpriority(PRIO_PROCESS, 0, kIdle);  // This thread's, by Linux.
    (void)need("overlay");
    if (verified) (void)need("verity");
    (void)need(verified ? verity::kFileSystem : "squashfs");
    ::setpriority(PRIO_PROCESS, 0, 0);
  });
}

std::int64_t UptimeMs() {
  timespec now = {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

Result<void> Serve(const Options& options, std::int64_t start_ms) {
  const std::unique_ptr<Attester> attester =
      TRY(OpenAttester(options.tee, {.root = "", .sim_socket = options.sim_socket}));
  const std::unique_ptr<HostDataSource> host_data =
      options.host_data ? FixedHostData(options.host_data) : ReportedHostData(attester.get());
  const Given given = TRY(ReadInitdata(options, *host_data));
  std::string policy = TRY(FirstPolicy(options, given));
  const auto gate = TRY(PolicyGate::Create(std::move(policy)));
  const auto secrets = TRY(StartSecrets(options, attester.get(), given, *gate));
  const std::unique_ptr<Reactor> reactor(TRY(Reactor::Create()));
  WorkerPool pool(kWorkers);
  const auto containers =
      TRY(ContainerService::Create(*reactor, pool, WithUnsealing(options.paths, *secrets)));
  AgentService service(*gate, *containers, *host_data, options.init);
  ttrpc::Server server(*reactor, pool);
  const auto registrar = [&server](std::string name, std::string method, ttrpc::Handler handler) {
    server.Register(std::move(name), std::move(method), std::move(handler));
  };
  if (options.paths.need_module)
    service.OnFirstInterface([&need = options.paths.need_module] { return need("net"); });
  service.Register(registrar);
  RegisterHealth(registrar);

  if (!options.listen.empty()) {
    UniqueFd listener = TRY(ListenOnUnixSocket(options.listen));
    TRY(server.Listen(std::move(listener), /*own_uid_only=*/true));
  } else if (options.transport == Transport::kVsock) {
    UniqueFd listener = TRY(ListenOnVsock());
    TRY(server.Listen(std::move(listener)));
  } else {
    const std::string path = TRY(FindVirtioPort("/sys/class/virtio-ports", kPortName));
    UniqueFd port = TRY(OpenFile(path, O_RDWR | O_NONBLOCK));
    TRY(server.Serve(std::move(port)));
  }
  LoadAhead(pool, options.paths);
  const std::int64_t now_ms = UptimeMs();
  Log(LogLevel::kInfo, "serving",
      {{field::kUptimeMs, now_ms}, {field::kDurationMs, now_ms - start_ms}});
  return reactor->Run();
}

Result<void> Run(bool init, int argc, char** argv) {
  const std::int64_t start_ms = UptimeMs();
  const Options options = init ? TRY(BootMachine()) : TRY(ParseOptions(argc, argv));
  LogToFd(STDERR_FILENO, options.log_level);
  return Serve(options, start_ms);
}

int Main(int argc, char** argv) {
  const bool init = ::getpid() == 1;
  std::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);  // An arena a thread is memory that the pod does not get.
  google::protobuf::SetLogHandler(nullptr);  // It would name fields of requests in the log.
  const auto result = Run(init, argc, argv);
  const std::string reason = result ? "the reactor stopped" : result.error().message();
  if (init) PowerOff(reason);
  std::fprintf(stderr, "kata-cc-agent: %s\n%s", reason.c_str(),
               !result && result.error().code() == Code::kInvalidArgument ? kUsage : "");
  return 1;
}

}  // namespace
}  // namespace kata_cc::agent

int main(int argc, char** argv) {
  return kata_cc::agent::Main(argc, argv);
}
