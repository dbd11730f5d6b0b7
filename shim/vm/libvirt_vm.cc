// SPDX-License-Identifier: Apache-2.0
// The Vm that libvirt runs: a transient domain, found again by its random UUID.
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <map>

#include "base/file.h"
#include "shim/sim/simulator.h"
#include "shim/vm/accelerator.h"
#include "shim/vm/console.h"
#include "shim/vm/domain_xml.h"
#include "shim/vm/kernel_command_line.h"
#include "shim/vm/libvirt_client.h"
#include "shim/vm/snp_launch.h"
#include "shim/vm/vm.h"
#include "shim/vm/vmm_process.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot the extern "C".
}

namespace kata_cc::shim {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kConnectPoll{20};
constexpr std::chrono::milliseconds kDetachPoll{20};
constexpr std::chrono::seconds kDetachTimeout{10};
constexpr std::chrono::seconds kSimConnectTimeout{10};

Result<std::string> RandomUuid() {
  std::string text = AsString(TRY(ReadFile("/proc/sys/kernel/random/uuid", 64)));
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

// Connects without blocking longer than until deadline.
Result<UniqueFd> ConnectSocket(int family, const sockaddr* address, socklen_t length,
                               Clock::time_point deadline) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, "connect to the agent: socket");
  if (::connect(fd.get(), address, length) != 0) {
    if (errno != EINPROGRESS) return ErrnoError(errno, "connect to the agent");
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd wait = {fd.get(), POLLOUT, 0};
    int error = ETIMEDOUT;
    socklen_t size = sizeof(error);
    if (::poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) > 0)
      ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return ErrnoError(error, "connect to the agent");
  }
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) != 0)
    return ErrnoError(errno, "connect to the agent: fcntl");
  return fd;
}

Result<UniqueFd> ConnectUnix(const std::string& path, Clock::time_point deadline) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return Error(Code::kInvalidArgument, path + ": too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  return ConnectSocket(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address),
                       deadline);
}

SnpHost SnpHostOf(const VmConfig& config) {
  SnpHost host{.root = {},
               .qemu_path = config.qemu_path,
               .firmware = config.firmware,
               .kernel = config.kernel,
               .initrd = config.initrd,
               .vsock = config.transport == Transport::kVsock,
               .libvirt_version = {}};
  LibvirtClient libvirt(config.libvirt_uri);
  const Result<unsigned long> version = libvirt.Version();
  if (version) host.libvirt_version = *version;
  return host;
}

// The text between begin and end in libvirt's XML of the domain; empty if there is none. libvirt
// wrote that XML, from ours: the strings cannot be those of anything else.
std::string Between(const std::string& xml, const std::string& begin, const std::string& end) {
  const std::size_t from = xml.find(begin);
  if (from == std::string::npos) return "";
  const std::size_t to = xml.find(end, from + begin.size());
  return to == std::string::npos ? "" : xml.substr(from + begin.size(), to - from - begin.size());
}

class LibvirtVm final : public Vm {
 public:
  LibvirtVm(VmConfig config, Accelerator accelerator, std::string uuid)
      : config_(std::move(config)),
        accelerator_(accelerator),
        uuid_(std::move(uuid)),
        libvirt_(config_.libvirt_uri) {}
  ~LibvirtVm() override { (void)Stop(); }

  Result<void> Start() override;
  Result<void> Stop() override;
  Result<UniqueFd> ConnectAgent(Clock::time_point deadline) override;
  Result<void> AttachDisk(const VmDisk& disk) override;
  Result<void> DetachDisk(const std::string& id) override;
  Result<UniqueFd> OpenVmmPidfd() const override;
  pid_t vmm_pid() const override { return vmm_.pid; }
  std::string ConsoleTail() const override { return ReadConsoleTail(ConsolePath(config_)); }

 private:
  struct Attached {
    int slot;
    std::string xml;
  };

  Result<void> PrepareSimulator();
  Result<void> ConnectSimulator();
  Result<void> RunPaused();
  Result<UniqueFd> TryConnect(Clock::time_point deadline);
  Result<UniqueFd> TryConnectSerial(const std::string& xml, Clock::time_point deadline);
  Result<UniqueFd> TryConnectVsock(const std::string& xml, Clock::time_point deadline);
  Result<void> DetachFromDomain(const std::string& id, const std::string& xml);
  void Rest() override;
  bool VmmEnded(std::chrono::milliseconds wait) const;
  Result<int> FreeSlot() const;
  Error WithConsole(Code code, std::string message) const;

  const VmConfig config_;
  const Accelerator accelerator_;
  const std::string uuid_;
  LibvirtClient libvirt_;
  bool started_ = false;
  bool up_ = false;  // The agent's stream was connected: libvirt is needed rarely from here on.
  VmmProcess vmm_;
  std::unique_ptr<Simulator> simulator_;
  std::map<std::string, Attached> disks_;
};

Result<void> LibvirtVm::Start() {
  if (started_) return Error(Code::kFailedPrecondition, "vm: started already");
  const std::string xml = TRY(DomainXml(config_, accelerator_, uuid_));
  TRY(PrepareSimulator());
  // Paused: the guest must not send a frame before its taps are where they belong.
  const bool paused = !config_.nics.empty();
  Result<void> created = paused ? libvirt_.StartPaused(xml) : libvirt_.Start(xml);
  if (!created) {
    // After a call without an answer the domain may come yet.
    if (created.error().code() == Code::kDeadlineExceeded) (void)libvirt_.Destroy(config_.name);
    libvirt_.Close();
    return std::move(created).error().With("start " + config_.name);
  }
  started_ = true;
  Result<VmmProcess> vmm = FindVmmProcess(uuid_);
  if (!vmm) {
    const std::string tail = ConsoleTail();
    (void)Stop();
    return Error(Code::kUnavailable, "start " + config_.name + ": the VMM ended at once" +
                                         (tail.empty() ? "" : "; console: " + tail));
  }
  vmm_ = std::move(*vmm);
  Result<void> running = ConnectSimulator();
  if (running && paused) running = RunPaused();
  if (!running) (void)Stop();
  return running;
}

Result<void> LibvirtVm::RunPaused() {
  if (config_.before_run) TRY(config_.before_run());
  return libvirt_.Resume(config_.name);
}

// Before the VM starts: its files are measured as they are now.
Result<void> LibvirtVm::PrepareSimulator() {
  if (config_.tee != Tee::kSim) return {};
  SimLaunch launch;
  launch.firmware = config_.firmware;
  launch.kernel = config_.kernel;
  launch.initrd = config_.initrd;
  launch.command_line = config_.kernel_command_line;
  launch.vcpus = config_.vcpus;
  if (config_.host_data) launch.host_data = *config_.host_data;
  launch.policy = config_.snp_policy;
  const snp::sim::Launch measured = TRY(MeasureSimLaunch(launch));
  auto authority = TRY(snp::sim::Authority::LoadOrCreate(config_.sim_dir));
  simulator_ = std::make_unique<Simulator>(std::move(authority), measured);
  return {};
}

Result<void> LibvirtVm::ConnectSimulator() {
  if (!simulator_) return {};
  UniqueFd stream =
      TRY_CONTEXT(ConnectUnix(SimSocketPath(config_), Clock::now() + kSimConnectTimeout),
                  "the simulator's port");
  simulator_->Start(std::move(stream));
  return {};
}

// The VMM is killed here; libvirt only has to notice, and does not hang the shim if it does not.
Result<void> LibvirtVm::Stop() {
  if (vmm_.pidfd.valid()) ::pidfd_send_signal(vmm_.pidfd.get(), SIGKILL, nullptr, 0);
  simulator_.reset();
  disks_.clear();
  if (!started_) return {};
  started_ = false;
  Result<void> destroyed = libvirt_.Destroy(config_.name);
  libvirt_.Close();
  if (!destroyed) return std::move(destroyed).error().With("stop " + config_.name);
  return {};
}

bool LibvirtVm::VmmEnded(std::chrono::milliseconds wait) const {
  pollfd watched = {vmm_.pidfd.get(), POLLIN, 0};
  return ::poll(&watched, 1, static_cast<int>(wait.count())) > 0;
}

Error LibvirtVm::WithConsole(Code code, std::string message) const {
  const std::string tail = ConsoleTail();
  if (!tail.empty()) message += "; console: " + tail;
  return Error(code, config_.name + ": " + message);
}

Result<UniqueFd> LibvirtVm::TryConnectSerial(const std::string& xml, Clock::time_point deadline) {
  // QEMU takes connections before the guest is there; libvirt knows when the guest opens the port.
  const std::string target = Between(xml, "name='" + std::string(kAgentPort) + "'", "/>");
  if (target.find("state='connected'") == std::string::npos)
    return Error(Code::kUnavailable, "the guest has not opened its port");
  return ConnectUnix(AgentSocketPath(config_), deadline);
}

Result<UniqueFd> LibvirtVm::TryConnectVsock(const std::string& xml, Clock::time_point deadline) {
  const std::string cid = Between(xml, "<cid auto='yes' address='", "'");
  sockaddr_vm address = {};
  address.svm_family = AF_VSOCK;
  address.svm_port = kVsockPort;
  const auto parsed = std::from_chars(cid.data(), cid.data() + cid.size(), address.svm_cid);
  if (cid.empty() || parsed.ec != std::errc())
    return Error(Code::kInternal, "libvirt has given the VM no vsock address");
  return ConnectSocket(AF_VSOCK, reinterpret_cast<const sockaddr*>(&address), sizeof(address),
                       std::min(deadline, Clock::now() + std::chrono::milliseconds(500)));
}

Result<UniqueFd> LibvirtVm::TryConnect(Clock::time_point deadline) {
  const std::string xml = TRY(libvirt_.Describe(config_.name));
  return config_.transport == Transport::kVsock ? TryConnectVsock(xml, deadline)
                                                : TryConnectSerial(xml, deadline);
}

Result<UniqueFd> LibvirtVm::ConnectAgent(Clock::time_point deadline) {
  if (!started_) return Error(Code::kFailedPrecondition, "vm: not started");
  for (;;) {
    if (VmmEnded(std::chrono::milliseconds(0)))
      return WithConsole(Code::kUnavailable, "the VM ended before its agent came up");
    Result<UniqueFd> stream = TryConnect(deadline);
    if (stream) {
      up_ = true;
      libvirt_.Close();
      return stream;
    }
    if (Clock::now() >= deadline)
      return WithConsole(Code::kDeadlineExceeded,
                         "the agent did not come up in time: " + stream.error().message());
    (void)VmmEnded(kConnectPoll);  // Waits no longer than the VMM lives.
  }
}

Result<int> LibvirtVm::FreeSlot() const {
  std::bitset<kHotplugSlots + 1> used;
  for (const auto& [id, disk] : disks_)
    used.set(static_cast<std::size_t>(disk.slot));
  const int slots = kHotplugSlots - kSlotsLostToNic * static_cast<int>(config_.nics.size());
  for (int slot = 1; slot <= slots; ++slot)
    if (!used[static_cast<std::size_t>(slot)]) return slot;
  return Error(Code::kResourceExhausted,
               "vm: no free slot: " + std::to_string(slots) + " disks are attached");
}

Result<void> LibvirtVm::AttachDisk(const VmDisk& disk) {
  if (!started_) return Error(Code::kFailedPrecondition, "vm: not started");
  if (disks_.contains(disk.id))
    return Error(Code::kAlreadyExists, "vm: disk " + disk.id + ": attached already");
  struct stat info = {};
  if (::stat(disk.path.c_str(), &info) != 0) return ErrnoError(errno, "disk " + disk.path);
  if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
    return Error(Code::kInvalidArgument, "disk " + disk.path + ": no file or block device");
  const int slot = TRY(FreeSlot());
  std::string xml = TRY(DiskXml(config_, disk, S_ISBLK(info.st_mode), slot));
  Result<void> attached = libvirt_.Attach(config_.name, xml);
  if (!attached) return std::move(attached).error().With("attach disk " + disk.id);
  disks_.emplace(disk.id, Attached{slot, std::move(xml)});
  return {};
}

Result<void> LibvirtVm::DetachDisk(const std::string& id) {
  if (!started_) return Error(Code::kFailedPrecondition, "vm: not started");
  const auto disk = disks_.find(id);
  if (disk == disks_.end()) return Error(Code::kNotFound, "vm: disk " + id + ": not attached");
  Result<void> detached = DetachFromDomain(id, disk->second.xml);
  if (!detached) return std::move(detached).error().With("detach disk " + id);
  disks_.erase(disk);
  return {};
}

// The guest lets go of a device when it gets to it; libvirt waits only some of that time.
Result<void> LibvirtVm::DetachFromDomain(const std::string& id, const std::string& xml) {
  const auto deadline = Clock::now() + kDetachTimeout;
  const std::string serial = "<serial>" + id + "</serial>";
  TRY(libvirt_.Detach(config_.name, xml));
  while (TRY(libvirt_.Describe(config_.name)).find(serial) != std::string::npos) {
    if (Clock::now() >= deadline)
      return Error(Code::kDeadlineExceeded, "the guest does not let it go");
    if (VmmEnded(kDetachPoll)) return Error(Code::kUnavailable, "the VM ended");
  }
  return {};
}

void LibvirtVm::Rest() {
  if (up_) libvirt_.Close();
}

Result<UniqueFd> LibvirtVm::OpenVmmPidfd() const {
  if (!vmm_.pidfd.valid()) return Error(Code::kFailedPrecondition, "vm: not started");
  UniqueFd copy(::fcntl(vmm_.pidfd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return ErrnoError(errno, "dup of the VMM's pidfd");
  return copy;
}

}  // namespace

Result<std::unique_ptr<Vm>> Vm::Create(VmConfig config) {
  const Accelerator accelerator =
      config.accelerator == Accelerator::kAuto ? ProbeAccelerator() : config.accelerator;
  config.kernel_command_line = TRY(KernelCommandLine(config, accelerator));
  if (config.tee == Tee::kSnp) TRY(RequireSnpHost(SnpHostOf(config)));
  struct stat info = {};
  for (const std::string* path : {&config.qemu_path, &config.kernel, &config.initrd})
    if (::stat(path->c_str(), &info) != 0) return ErrnoError(errno, "vm: " + *path);
  if (::stat(config.state_dir.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return Error(Code::kFailedPrecondition, "vm: state directory: " + config.state_dir + ": none");
  const std::string uuid = TRY(RandomUuid());
  TRY(DomainXml(config, accelerator, uuid));  // What is wrong with it is said before any start.
  return std::unique_ptr<Vm>(std::make_unique<LibvirtVm>(std::move(config), accelerator, uuid));
}

Result<void> DestroyVmByName(const std::string& libvirt_uri, const std::string& name) {
  LibvirtClient libvirt(libvirt_uri);
  const Result<std::string> xml = libvirt.Describe(name);
  if (!xml && xml.error().code() == Code::kNotFound) return {};
  if (!xml) return Error(xml.error()).With("destroy " + name);
  const Result<VmmProcess> vmm = FindVmmProcess(Between(*xml, "<uuid>", "</uuid>"));
  if (vmm) ::pidfd_send_signal(vmm->pidfd.get(), SIGKILL, nullptr, 0);
  Result<void> destroyed = libvirt.Destroy(name);
  if (!destroyed) return std::move(destroyed).error().With("destroy " + name);
  return {};
}

}  // namespace kata_cc::shim
