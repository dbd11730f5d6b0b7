// SPDX-License-Identifier: Apache-2.0
#include "agent/container/crun.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <string_view>

#include "base/file.h"
#include "base/process.h"
#include "base/retry.h"
#include "base/unique_fd.h"
#include "proto/oci/spec_writer.h"

namespace kata_cc::agent {
namespace {

constexpr int kTimeoutMs = 60'000;
constexpr std::size_t kMaxReasonBytes = 512;
constexpr std::size_t kMaxLogBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxProgramBytes = std::size_t{64} << 20;
constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

// Where a process of this machine finds a descriptor of this one.
std::string PathOfDescriptor(const UniqueFd& fd) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd.get());
}

// A file without a name, which the runtime reaches through this process: nothing to clean up.
class MemoryFile {
 public:
  static Result<MemoryFile> Create(const char* name, std::string_view content = {}) {
    UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
    if (!fd.valid()) return ErrnoError(errno, "memfd_create");
    MemoryFile file(std::move(fd));
    if (!content.empty()) TRY(WriteFile(file.path(), AsBytes(content)));
    return file;
  }
  std::string path() const { return PathOfDescriptor(fd_); }
  std::string Content() const {
    const auto bytes = ReadFile(path(), kMaxLogBytes);
    return bytes ? AsString(*bytes) : std::string();
  }

 private:
  explicit MemoryFile(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

Result<UniqueFd> SealedCopy(const std::string& program) {
  const Bytes content = TRY(ReadFile(program, kMaxProgramBytes));
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
#ifdef MFD_EXEC
  flags |= MFD_EXEC;
#endif
  UniqueFd fd(::memfd_create("crun", flags));
  // A kernel before 6.3 does not know MFD_EXEC, and needs none.
  if (!fd.valid()) fd.Reset(::memfd_create("crun", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoError(errno, "memfd_create");
  TRY(WriteFile(PathOfDescriptor(fd), content));
  // Not with the descriptor that could write: the kernel runs no file that is open for it.
  UniqueFd readable = TRY(OpenFile(PathOfDescriptor(fd), O_RDONLY));
  if (::fcntl(fd.get(), F_ADD_SEALS, kAllSeals) != 0) return ErrnoError(errno, "seal " + program);
  return readable;
}

// The last line, without what could forge one elsewhere.
std::string ReasonIn(std::string_view log) {
  while (!log.empty() && log.back() == '\n')
    log.remove_suffix(1);
  const std::size_t line = log.find_last_of('\n');
  if (line != std::string_view::npos) log.remove_prefix(line + 1);
  std::string reason(log.substr(0, kMaxReasonBytes));
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return reason.empty() ? "it says no reason" : reason;
}

Result<pid_t> ParsePid(const std::string& text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || pid <= 0) {
    return Error(Code::kInternal, "crun: it told no pid");
  }
  return pid;
}

void AddConsole(std::vector<std::string>& arguments, const Crun::Streams& streams) {
  if (streams.console != nullptr)
    arguments.push_back("--console-socket=" + streams.console->path());
}

}  // namespace

// crun runs from a copy of itself that a container cannot change (CVE-2019-5736). It makes one each
// time that it is run, and executes itself again, unless it finds itself in a sealed file: this one
// serves all.
Result<std::string> Crun::Program() const {
  auto sealed = sealed_.Lock();
  if (!sealed->valid()) *sealed = TRY_CONTEXT(SealedCopy(program_), "crun");
  return PathOfDescriptor(*sealed);
}

Result<void> Crun::Run(std::vector<std::string> arguments, const Streams& streams) const {
  const std::string command = arguments.front();
  const MemoryFile log = TRY(MemoryFile::Create("crun-log"));
  std::vector<std::string> argv = {TRY(Program()), "--root=" + root_, "--log=file:" + log.path(),
                                   "--cgroup-manager=cgroupfs"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const UniqueFd null = TRY(OpenFile("/dev/null", O_RDWR));
  SpawnOptions options;
  options.stdin_fd = streams.pipes != nullptr ? streams.pipes->input.get() : null.get();
  options.stdout_fd = streams.pipes != nullptr ? streams.pipes->output.get() : null.get();
  options.stderr_fd = streams.pipes != nullptr ? streams.pipes->error.get() : null.get();
  const Reaper::Hold hold(reaper_);
  ChildProcess child = TRY(ChildProcess::Spawn(argv, options));
  pollfd poll = {child.pidfd(), POLLIN, 0};
  if (RetryOnEintr([&] { return ::poll(&poll, 1, kTimeoutMs); }) != 1) {
    return Error(Code::kDeadlineExceeded, "crun " + command + ": it does not end");
  }
  if (TRY(child.Wait()) == 0) return {};
  return Error(Code::kInternal, "crun " + command + ": " + ReasonIn(log.Content()));
}

Result<pid_t> Crun::Create(const std::string& id, const std::string& bundle,
                           const Streams& streams) const {
  const MemoryFile pid = TRY(MemoryFile::Create("crun-pid"));
  std::vector<std::string> arguments = {"create", "--bundle=" + bundle, "--pid-file=" + pid.path()};
  AddConsole(arguments, streams);
  arguments.push_back(id);
  TRY(Run(std::move(arguments), streams));
  return ParsePid(pid.Content());
}

Result<pid_t> Crun::Exec(const std::string& id, const grpc::Process& process,
                         const Streams& streams) const {
  const MemoryFile pid = TRY(MemoryFile::Create("crun-pid"));
  const std::string json = TRY(oci::WriteProcess(process));
  const MemoryFile spec = TRY(MemoryFile::Create("crun-process", json));
  std::vector<std::string> arguments = {"exec", "--detach", "--process=" + spec.path(),
                                        "--pid-file=" + pid.path()};
  AddConsole(arguments, streams);
  arguments.push_back(id);
  TRY(Run(std::move(arguments), streams));
  return ParsePid(pid.Content());
}

Result<void> Crun::Start(const std::string& id) const {
  return Run({"start", id}, {});
}

Result<void> Crun::Update(const std::string& id, const grpc::LinuxResources& resources) const {
  const std::string json = TRY(oci::WriteLinuxResources(resources));
  const MemoryFile file = TRY(MemoryFile::Create("crun-resources", json));
  return Run({"update", "--resources=" + file.path(), id}, {});
}

Result<void> Crun::Delete(const std::string& id) const {
  if (::access((root_ + "/" + id).c_str(), F_OK) != 0) return {};
  return Run({"delete", "--force", id}, {});
}

}  // namespace kata_cc::agent
