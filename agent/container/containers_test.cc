// SPDX-License-Identifier: Apache-2.0
// The whole ContainerService on a real crun, kernel and cgroup v2. Needs root: it works in a mount
// namespace of its own, on a busybox image that it puts on a loop device.
#include "agent/container/containers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "proto/ttrpc/test_peer.h"

namespace kata_cc::agent {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

// A read-only block device with a busybox root file system.
class BusyboxDevice {
 public:
  explicit BusyboxDevice(const std::string& dir) {
    for (const char* sub : {"bin", "dev", "etc", "proc", "sys", "tmp"})
      fs::create_directories(dir + "/image/" + sub);
    fs::copy_file("/bin/busybox", dir + "/image/bin/busybox");
    for (const char* applet :
         {"cat",   "dd",    "echo", "head", "hostname", "id",    "kill", "ls",
          "mknod", "mount", "ps",   "seq",  "sh",       "sleep", "stty", "test",
          "true",  "tty",   "yes",  "grep", "readlink", "wc"})
      fs::create_symlink("busybox", dir + "/image/bin/" + applet);
    auto child = ChildProcess::Spawn(
        {"gensquashfs", "--quiet", "--pack-dir", dir + "/image", dir + "/image.squashfs"});
    EXPECT_TRUE(child);
    EXPECT_EQ(*child->Wait(), 0);
    const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    const UniqueFd image(::open((dir + "/image.squashfs").c_str(), O_RDONLY | O_CLOEXEC));
    for (int attempt = 0; attempt < 100 && !loop_.valid(); ++attempt) {
      const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
      path_ = "/dev/loop" + std::to_string(number);
      UniqueFd loop(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
      loop_config config = {};
      config.fd = static_cast<unsigned>(image.get());
      config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
      if (::ioctl(loop.get(), LOOP_CONFIGURE, &config) == 0) loop_ = std::move(loop);
    }
    EXPECT_TRUE(loop_.valid()) << std::strerror(errno);
  }
  const std::string& path() const { return path_; }

 private:
  UniqueFd loop_;
  std::string path_;
};

class ContainersTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    device_.emplace(dir_);
    paths_.run_dir = dir_ + "/run";
    paths_.crun_root = dir_ + "/crun";
    paths_.cgroup_parent = "/kata-cc-test-" + std::to_string(::getpid());
    paths_.resolv_conf = dir_ + "/resolv.conf";
    // What crun does before it loads a program for the group's devices (CAP_SYS_RESOURCE).
    const rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    paths_.restrict_devices = ::setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0;
    Open();
  }

  void Open() {
    thread_ = std::make_unique<ttrpc::ReactorThread>();
    thread_->Run([this] {
      auto made = Containers::Create(thread_->reactor(), paths_);
      ASSERT_TRUE(made) << made.error().message();
      containers_ = *std::move(made);
    });
  }

  void TearDown() override {
    if (containers_) {
      const auto gone = containers_->DestroySandbox();
      EXPECT_TRUE(gone) << gone.error().message();
    }
    Close();
    device_.reset();
    // Nothing is left: no mount, no group, no state of the runtime, no file.
    std::ifstream mounts("/proc/self/mounts");
    for (std::string line; std::getline(mounts, line);)
      EXPECT_EQ(line.find(paths_.run_dir), std::string::npos) << line;
    EXPECT_FALSE(HasEntries(paths_.crun_root, {}));
    EXPECT_FALSE(HasEntries(paths_.run_dir, {"console", "sandbox", "shared"}));
    EXPECT_FALSE(HasEntries(paths_.run_dir + "/console", {}));
    const std::string group = "/sys/fs/cgroup" + paths_.cgroup_parent;
    if (fs::exists(group)) {
      EXPECT_EQ(::rmdir(group.c_str()), 0) << std::strerror(errno);
    }
    fs::remove_all(dir_);
  }

  void Close() {
    thread_->Stop();
    containers_.reset();
    thread_.reset();
  }

  static bool HasEntries(const std::string& path, const std::vector<std::string>& but) {
    if (!fs::exists(path)) return false;
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename();
      if (std::find(but.begin(), but.end(), name) == but.end()) {
        ADD_FAILURE() << "left: " << entry.path();
        return true;
      }
    }
    return false;
  }

  std::string RootfsOf(const std::string& id) const {
    return paths_.run_dir + "/" + id + "/rootfs";
  }

  grpc::CreateContainerRequest Request(const std::string& id,
                                       const std::vector<std::string>& args) const {
    grpc::CreateContainerRequest request;
    request.set_container_id(id);
    request.set_exec_id(id);
    grpc::Storage& layer = *request.add_storages();
    layer.set_driver("blk");
    layer.set_source(device_->path());
    layer.set_fstype("squashfs");
    layer.add_options("ro");
    layer.set_mount_point(paths_.run_dir + "/sandbox/layers/busybox");
    grpc::Storage& overlay = *request.add_storages();
    overlay.set_driver("overlayfs");
    overlay.set_source("none");
    overlay.set_fstype("overlay");
    overlay.add_options("lowerdir=" + layer.mount_point());
    overlay.set_mount_point(RootfsOf(id));
    grpc::Spec& spec = *request.mutable_oci();
    spec.set_version("1.0.2");
    spec.mutable_root()->set_path(RootfsOf(id));
    grpc::Process& process = *spec.mutable_process();
    for (const std::string& arg : args)
      process.add_args(arg);
    process.add_env("PATH=/bin");
    process.set_cwd("/");
    for (const char* name : {"CAP_KILL", "CAP_MKNOD", "CAP_CHOWN"}) {
      process.mutable_capabilities()->add_bounding(name);
      process.mutable_capabilities()->add_effective(name);
      process.mutable_capabilities()->add_permitted(name);
    }
    grpc::Mount& proc = *spec.add_mounts();
    proc.set_destination("/proc");
    proc.set_type("proc");
    proc.set_source("proc");
    grpc::Mount& dev = *spec.add_mounts();
    dev.set_destination("/dev");
    dev.set_type("tmpfs");
    dev.set_source("tmpfs");
    grpc::Mount& pts = *spec.add_mounts();
    pts.set_destination("/dev/pts");
    pts.set_type("devpts");
    pts.set_source("devpts");
    for (const char* option : {"newinstance", "ptmxmode=0666", "mode=0620"})
      pts.add_options(option);
    for (const char* type : {"pid", "ipc", "uts", "mount"})
      spec.mutable_linux()->add_namespaces()->set_type(type);
    return request;
  }

  void Create(const grpc::CreateContainerRequest& request) {
    const auto created = containers_->CreateContainer(request);
    ASSERT_TRUE(created) << created.error().message();
  }

  void Start(const std::string& id) {
    grpc::StartContainerRequest request;
    request.set_container_id(id);
    const auto started = containers_->StartContainer(request);
    ASSERT_TRUE(started) << started.error().message();
  }

  void Run(const std::string& id, const std::vector<std::string>& args) {
    Create(Request(id, args));
    Start(id);
  }

  Result<void> Remove(const std::string& id) {
    grpc::RemoveContainerRequest request;
    request.set_container_id(id);
    return containers_->RemoveContainer(request);
  }

  Result<void> Exec(const std::string& id, const std::string& exec_id,
                    const std::vector<std::string>& args, bool terminal = false) {
    grpc::ExecProcessRequest request;
    request.set_container_id(id);
    request.set_exec_id(exec_id);
    grpc::Process& process = *request.mutable_process();
    for (const std::string& arg : args)
      process.add_args(arg);
    process.add_env("PATH=/bin");
    process.set_cwd("/");
    process.set_terminal(terminal);
    return containers_->ExecProcess(request);
  }

  Result<void> Signal(const std::string& id, const std::string& exec_id, int signal) {
    grpc::SignalProcessRequest request;
    request.set_container_id(id);
    request.set_exec_id(exec_id);
    request.set_signal(static_cast<std::uint32_t>(signal));
    return containers_->SignalProcess(request);
  }

  // The answer to a request that may wait.
  template <typename Response, typename Request>
  std::future<Result<Response>> Ask(void (Containers::*method)(const Request&, Reply<Response>),
                                    const Request& request) {
    auto promise = std::make_shared<std::promise<Result<Response>>>();
    Reply<Response> reply;
    reply.done = [promise](Result<Response> result) { promise->set_value(std::move(result)); };
    (containers_.get()->*method)(request, std::move(reply));
    return promise->get_future();
  }

  template <typename Response>
  static Result<Response> Get(std::future<Result<Response>> future) {
    if (future.wait_for(kPatience) != std::future_status::ready) {
      return Error(Code::kDeadlineExceeded, "no answer");
    }
    return future.get();
  }

  Result<int> Wait(const std::string& id, const std::string& exec_id = "") {
    grpc::WaitProcessRequest request;
    request.set_container_id(id);
    request.set_exec_id(exec_id);
    return TRY(Get(Ask(&Containers::WaitProcess, request))).status();
  }

  Result<std::string> Read(const std::string& id, const std::string& exec_id = "",
                           bool is_stderr = false, std::uint32_t length = 32768) {
    grpc::ReadStreamRequest request;
    request.set_container_id(id);
    request.set_exec_id(exec_id);
    request.set_len(length);
    return TRY(Get(Ask(is_stderr ? &Containers::ReadStderr : &Containers::ReadStdout, request)))
        .data();
  }

  std::string ReadAll(const std::string& id, const std::string& exec_id = "",
                      bool is_stderr = false) {
    std::string all;
    while (true) {
      const auto part = Read(id, exec_id, is_stderr);
      EXPECT_TRUE(part) << part.error().message();
      if (!part || part->empty()) return all;
      all += *part;
    }
  }

  Result<std::uint32_t> Write(const std::string& id, const std::string& exec_id,
                              const std::string& data) {
    grpc::WriteStreamRequest request;
    request.set_container_id(id);
    request.set_exec_id(exec_id);
    request.set_data(data);
    return TRY(Get(Ask(&Containers::WriteStdin, request))).len();
  }

  Result<void> CloseStdin(const std::string& id, const std::string& exec_id) {
    grpc::CloseStdinRequest request;
    request.set_container_id(id);
    request.set_exec_id(exec_id);
    return containers_->CloseStdin(request);
  }

  // The output and exit code of a command run by exec.
  std::pair<std::string, int> Output(const std::string& id, const std::vector<std::string>& args) {
    const std::string exec_id = "out" + std::to_string(next_exec_++);
    const auto started = Exec(id, exec_id, args);
    EXPECT_TRUE(started) << started.error().message();
    if (!started) return {"", -1};
    std::string output = ReadAll(id, exec_id);
    const auto status = Wait(id, exec_id);
    EXPECT_TRUE(status);
    return {std::move(output), status ? *status : -1};
  }

  void CreateSandbox(const std::string& hostname, bool pid_namespace = false) {
    grpc::CreateSandboxRequest request;
    request.set_sandbox_id("pod");
    request.set_hostname(hostname);
    request.set_sandbox_pidns(pid_namespace);
    request.add_dns("nameserver 192.0.2.1");
    grpc::Storage& shm = *request.add_storages();
    shm.set_driver("ephemeral");
    shm.set_source("shm");
    shm.set_fstype("tmpfs");
    shm.set_mount_point(paths_.run_dir + "/sandbox/shm");
    for (const char* option : {"noexec", "nosuid", "nodev", "mode=1777", "size=1048576"})
      shm.add_options(option);
    const auto made = containers_->CreateSandbox(request);
    ASSERT_TRUE(made) << made.error().message();
  }

  std::string dir_ = testing::TempDir() + "containers-XXXXXX";
  std::optional<BusyboxDevice> device_;
  ContainerPaths paths_;
  std::unique_ptr<ttrpc::ReactorThread> thread_;
  std::unique_ptr<Containers> containers_;
  int next_exec_ = 0;
};

TEST_F(ContainersTest, OutputErrorAndExitCode) {
  Create(Request("web", {"sh", "-c", "echo out; echo err >&2; exit 3"}));
  Start("web");
  EXPECT_EQ(ReadAll("web"), "out\n");
  EXPECT_EQ(ReadAll("web", "web", true), "err\n");
  EXPECT_EQ(*Wait("web"), 3);
  EXPECT_EQ(*Wait("web", "web"), 3) << "by its exec id, and again";
  ASSERT_TRUE(Remove("web"));
  EXPECT_EQ(Wait("web").error().code(), Code::kNotFound);
}

TEST_F(ContainersTest, NothingRunsBeforeStart) {
  Create(Request("web", {"echo", "ran"}));
  grpc::ReadStreamRequest read;
  read.set_container_id("web");
  read.set_len(100);
  auto output = Ask(&Containers::ReadStdout, read);
  EXPECT_EQ(output.wait_for(300ms), std::future_status::timeout);
  EXPECT_EQ(Exec("web", "x", {"true"}).error().code(), Code::kFailedPrecondition);
  Start("web");
  EXPECT_EQ(Get(std::move(output))->data(), "ran\n");
  EXPECT_EQ(*Wait("web"), 0);
}

TEST_F(ContainersTest, AContainerThatNeverStartedIsRemoved) {
  Create(Request("web", {"true"}));
  grpc::WaitProcessRequest wait;
  wait.set_container_id("web");
  auto status = Ask(&Containers::WaitProcess, wait);
  ASSERT_TRUE(Remove("web"));
  EXPECT_EQ(Get(std::move(status))->status(), 137);
}

TEST_F(ContainersTest, ExecRunsInTheContainer) {
  Run("web", {"sleep", "1000"});
  EXPECT_EQ(Output("web", {"echo", "hello"}), std::pair(std::string("hello\n"), 0));
  EXPECT_EQ(Output("web", {"sh", "-c", "exit 7"}).second, 7);
  EXPECT_EQ(Output("web", {"readlink", "/proc/1/exe"}).first, "/bin/busybox\n");
  // The status goes with the first who hears it, once the output is read.
  ASSERT_TRUE(Exec("web", "once", {"true"}));
  EXPECT_EQ(*Wait("web", "once"), 0);
  ReadAll("web", "once");
  ReadAll("web", "once", true);
  for (int i = 0; i < 1000 && Wait("web", "once"); ++i)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(Wait("web", "once").error().code(), Code::kNotFound);
  ASSERT_TRUE(Exec("web", "once", {"true"})) << "the id is free again";
}

TEST_F(ContainersTest, ExecOfAMissingProgramSaysSo) {
  Run("web", {"sleep", "1000"});
  const auto missing = Exec("web", "x", {"no-such-program"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("no-such-program"), std::string::npos)
      << missing.error().message();
  EXPECT_EQ(Wait("web", "x").error().code(), Code::kNotFound);
}

TEST_F(ContainersTest, ASignalIsAnExitCodeOf128PlusItsNumber) {
  Run("web", {"sleep", "1000"});
  ASSERT_TRUE(Exec("web", "x", {"sleep", "1000"}));
  ASSERT_TRUE(Signal("web", "x", SIGTERM));
  EXPECT_EQ(*Wait("web", "x"), 143);
  EXPECT_TRUE(Signal("web", "", SIGTERM)) << "it handles none, and ends all the same";
  EXPECT_EQ(*Wait("web"), 137);
  EXPECT_TRUE(Signal("web", "", SIGTERM)) << "of what has ended";
  EXPECT_EQ(Signal("web", "", 0).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Signal("web", "", 1000).error().code(), Code::kInvalidArgument);
}

TEST_F(ContainersTest, AHandledSigtermIsDelivered) {
  Run("web",
      {"sh", "-c", "trap 'echo bye; exit 5' TERM; echo ready; while true; do sleep 0.05; done"});
  EXPECT_EQ(*Read("web"), "ready\n");
  ASSERT_TRUE(Signal("web", "", SIGTERM));
  EXPECT_EQ(*Wait("web"), 5);
  EXPECT_EQ(ReadAll("web"), "bye\n");
}

TEST_F(ContainersTest, KillEndsEachProcessOfTheContainer) {
  Run("web", {"sh", "-c", "sleep 1000 & sleep 1000"});
  ASSERT_TRUE(Exec("web", "x", {"sleep", "1000"}));
  ASSERT_TRUE(Signal("web", "", SIGKILL));
  EXPECT_EQ(*Wait("web"), 137);
  EXPECT_EQ(*Wait("web", "x"), 137);
}

TEST_F(ContainersTest, StdinReachesTheProcessAndItsEndEndsIt) {
  Run("web", {"cat"});
  EXPECT_EQ(*Write("web", "", "one\n"), 4U);
  EXPECT_EQ(*Read("web"), "one\n");
  EXPECT_EQ(*Write("web", "web", "two\n"), 4U);
  ASSERT_TRUE(CloseStdin("web", ""));
  EXPECT_EQ(ReadAll("web"), "two\n");
  EXPECT_EQ(*Wait("web"), 0);
  EXPECT_EQ(Write("web", "", "three").error().code(), Code::kFailedPrecondition);
}

TEST_F(ContainersTest, AWriteWithoutDataIsTheEndOfTheInput) {
  Run("web", {"cat"});
  EXPECT_EQ(*Write("web", "", ""), 0U);
  EXPECT_EQ(*Wait("web"), 0);
}

TEST_F(ContainersTest, AMegabyteComesBackUnchanged) {
  Run("web", {"cat"});
  std::string data(1 << 20, '\0');
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<char>(i * 7 + i / 4096);
  std::thread writer([&] {
    EXPECT_EQ(*Write("web", "", data), data.size());
    EXPECT_TRUE(CloseStdin("web", ""));
  });
  const std::string back = ReadAll("web");
  writer.join();
  EXPECT_TRUE(back == data) << back.size();
}

TEST_F(ContainersTest, AProcessThatIsNotReadWaitsAndNoMemoryGrows) {
  Run("web", {"sh", "-c", "yes | head -c 10000000; echo done >&2"});
  grpc::ReadStreamRequest read;
  read.set_container_id("web");
  read.set_len(100);
  auto done = Ask(&Containers::ReadStderr, read);
  EXPECT_EQ(done.wait_for(500ms), std::future_status::timeout);
  EXPECT_EQ(ReadAll("web").size(), 10'000'000U);
  EXPECT_EQ(Get(std::move(done))->data(), "done\n");
}

TEST_F(ContainersTest, DiscardedOutputLetsTheProcessGoOn) {
  Run("web", {"sh", "-c", "yes | head -c 10000000; exit 4"});
  grpc::ReadStreamRequest request;
  request.set_container_id("web");
  containers_->DiscardOutput(request, false);
  EXPECT_EQ(*Wait("web"), 4);
  request.set_container_id("absent");
  containers_->DiscardOutput(request, true);
}

TEST_F(ContainersTest, AChildThatHoldsThePipeDoesNotKeepTheStreamOpen) {
  Run("web", {"sleep", "1000"});
  ASSERT_TRUE(Exec("web", "x", {"sh", "-c", "echo last; sleep 1000 & exit 0"}));
  EXPECT_EQ(*Wait("web", "x"), 0);
  EXPECT_EQ(ReadAll("web", "x"), "last\n");
}

TEST_F(ContainersTest, ATerminalHasASizeAndOneOutput) {
  auto request = Request("web", {"sh", "-c", "tty; echo err >&2; read go; stty size"});
  request.mutable_oci()->mutable_process()->set_terminal(true);
  Create(request);
  Start("web");
  std::string output;
  while (output.find("err") == std::string::npos) {
    const auto part = Read("web");
    ASSERT_TRUE(part && !part->empty());
    output += *part;
  }
  EXPECT_NE(output.find("/dev/"), std::string::npos) << output;
  EXPECT_EQ(*Read("web", "", true), "") << "stderr is at its end";
  grpc::TtyWinResizeRequest resize;
  resize.set_container_id("web");
  resize.set_row(33);
  resize.set_column(101);
  ASSERT_TRUE(containers_->TtyWinResize(resize));
  ASSERT_TRUE(Write("web", "", "go\n"));
  EXPECT_NE(ReadAll("web").find("33 101"), std::string::npos);
  EXPECT_EQ(*Wait("web"), 0);
  resize.set_row(1 << 20);
  EXPECT_EQ(containers_->TtyWinResize(resize).error().code(), Code::kInvalidArgument);
}

TEST_F(ContainersTest, AnExecMayHaveATerminalToo) {
  Run("web", {"sleep", "1000"});
  ASSERT_TRUE(Exec("web", "x", {"sh", "-c", "test -t 0 && echo yes"}, true));
  EXPECT_EQ(ReadAll("web", "x"), "yes\r\n");
  EXPECT_EQ(*Wait("web", "x"), 0);
  grpc::TtyWinResizeRequest resize;
  resize.set_container_id("web");
  EXPECT_EQ(containers_->TtyWinResize(resize).error().code(), Code::kFailedPrecondition);
}

TEST_F(ContainersTest, PauseStopsItAndResumeLetsItGoOn) {
  Run("web", {"sh", "-c", "while true; do echo tick; sleep 0.02; done"});
  EXPECT_NE(*Read("web"), "");
  ASSERT_TRUE(containers_->PauseContainer("web"));
  EXPECT_EQ(containers_->PauseContainer("web").error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(Exec("web", "x", {"true"}).error().code(), Code::kFailedPrecondition);
  grpc::ReadStreamRequest read;
  read.set_container_id("web");
  read.set_len(1 << 20);
  static_cast<void>(Read("web", "", false, 1 << 20));  // What it wrote before.
  auto next = Ask(&Containers::ReadStdout, read);
  EXPECT_EQ(next.wait_for(300ms), std::future_status::timeout);
  ASSERT_TRUE(containers_->ResumeContainer("web"));
  EXPECT_TRUE(Get(std::move(next)));
  EXPECT_EQ(containers_->ResumeContainer("web").error().code(), Code::kFailedPrecondition);
}

TEST_F(ContainersTest, APausedContainerIsRemovedAllTheSame) {
  Run("web", {"sleep", "1000"});
  ASSERT_TRUE(containers_->PauseContainer("web"));
  ASSERT_TRUE(Remove("web"));
}

TEST_F(ContainersTest, StatisticsComeFromItsGroup) {
  Run("web", {"sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo; sleep 1000"});
  EXPECT_EQ(*Read("web"), "\n");
  const auto stats = containers_->StatsContainer("web");
  ASSERT_TRUE(stats);
  EXPECT_GT(stats->cgroup_stats().cpu_stats().cpu_usage().total_usage(), 1'000'000U);
  EXPECT_EQ(containers_->StatsContainer("absent").error().code(), Code::kNotFound);
}

TEST_F(ContainersTest, TheRootFileSystemIsWritableAndStartsAnewEachTime) {
  Run("one", {"sh", "-c", "echo data > /file && cat /file"});
  EXPECT_EQ(ReadAll("one"), "data\n");
  EXPECT_EQ(*Wait("one"), 0);
  Run("two", {"cat", "/file"});  // Of the same layer.
  EXPECT_EQ(*Wait("two"), 1);
  ASSERT_TRUE(Remove("one"));
  Run("one", {"test", "-e", "/bin/sh"});
  EXPECT_EQ(*Wait("one"), 0) << "the layer stays mounted while somebody uses it";
}

TEST_F(ContainersTest, AFullFileSystemIsEnospc) {
  auto request = Request("web", {"sh", "-c", "dd if=/dev/zero of=/big bs=64k 2>&1; echo alive"});
  request.mutable_oci()->mutable_annotations()->insert(
      {"io.kubernetes.cri.container-type", "sandbox"});  // Has the smallest of all.
  Create(request);
  Start("web");
  const std::string output = ReadAll("web");
  EXPECT_NE(output.find("No space left on device"), std::string::npos) << output;
  EXPECT_NE(output.find("alive"), std::string::npos) << output;
}

TEST_F(ContainersTest, ContainersOfAPodShareTheirNamespaces) {
  CreateSandbox("a-pod");
  Run("one", {"sleep", "1000"});
  Run("two", {"sleep", "1000"});
  EXPECT_EQ(Output("one", {"hostname"}).first, "a-pod\n");
  for (const char* kind : {"ipc", "uts"}) {
    const std::string link = std::string("/proc/self/ns/") + kind;
    EXPECT_EQ(Output("one", {"readlink", link}), Output("two", {"readlink", link}));
    std::string own = fs::read_symlink(link).string() + "\n";
    EXPECT_NE(Output("one", {"readlink", link}).first, own) << "not the agent's";
  }
  for (const char* kind : {"pid", "mnt", "cgroup"}) {
    const std::string link = std::string("/proc/self/ns/") + kind;
    EXPECT_NE(Output("one", {"readlink", link}), Output("two", {"readlink", link}));
    EXPECT_NE(Output("one", {"readlink", link}).first, fs::read_symlink(link).string() + "\n");
  }
  EXPECT_EQ(AsString(*ReadFile(paths_.resolv_conf, 1000)), "nameserver 192.0.2.1\n");
}

TEST_F(ContainersTest, APodMayShareOnePidNamespace) {
  CreateSandbox("a-pod", true);
  Run("pause", {"sleep", "1000"});
  auto request = Request("app", {"readlink", "/proc/self/ns/pid"});
  request.set_sandbox_pidns(true);
  Create(request);
  Start("app");
  EXPECT_EQ(ReadAll("app"), Output("pause", {"readlink", "/proc/self/ns/pid"}).first);
}

TEST_F(ContainersTest, ASharedPidNamespaceNeedsASandbox) {
  auto request = Request("app", {"true"});
  request.set_sandbox_pidns(true);
  EXPECT_EQ(containers_->CreateContainer(request).error().code(), Code::kFailedPrecondition);
}

TEST_F(ContainersTest, TheSandboxsShmIsMountedWithItsSize) {
  CreateSandbox("a-pod");
  auto request = Request("web", {"grep", " /dev/shm ", "/proc/mounts"});
  grpc::Mount& mount = *request.mutable_oci()->add_mounts();
  mount.set_destination("/dev/shm");
  mount.set_type("bind");
  mount.set_source(paths_.run_dir + "/sandbox/shm");
  mount.add_options("rbind");
  Create(request);
  Start("web");
  EXPECT_NE(ReadAll("web").find("size=1024k"), std::string::npos);
}

TEST_F(ContainersTest, ACopiedFileIsMountedIntoTheContainer) {
  grpc::CopyFileRequest copy;
  copy.set_path(paths_.run_dir + "/shared/containers/web-0123-hosts");
  copy.set_file_mode(S_IFREG | 0644);
  copy.set_file_size(5);
  copy.set_data("text\n");
  ASSERT_TRUE(containers_->CopyFile(copy));
  auto request = Request("web", {"sh", "-c", "cat /etc/hosts; echo x > /etc/hosts"});
  grpc::Mount& mount = *request.mutable_oci()->add_mounts();
  mount.set_destination("/etc/hosts");
  mount.set_type("bind");
  mount.set_source(copy.path());
  mount.add_options("rbind");
  mount.add_options("ro");
  Create(request);
  Start("web");
  EXPECT_EQ(ReadAll("web"), "text\n");
  EXPECT_EQ(*Wait("web"), 1) << "it is read-only";
}

TEST_F(ContainersTest, SigpipeIsNotIgnoredInAContainer) {
  Run("web", {"sh", "-c", "yes | true; yes | head -n 1 >/dev/null; grep SigIgn /proc/self/status"});
  const std::string output = ReadAll("web");
  ASSERT_TRUE(output.starts_with("SigIgn:\t")) << output;
  EXPECT_EQ(std::stoull(output.substr(8), nullptr, 16) >> (SIGPIPE - 1) & 1U, 0U) << output;
}

TEST_F(ContainersTest, ADeviceThatIsNotTheContainersDoesNotOpen) {
  if (!paths_.restrict_devices) GTEST_SKIP() << "this machine's root has no CAP_SYS_RESOURCE";
  Run("web", {"sh", "-c",
              "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem; echo $?; head -c 1 /dev/zero | wc -c"});
  EXPECT_EQ(ReadAll("web"), "1\n1\n");
  EXPECT_NE(ReadAll("web", "", true).find("not permitted"), std::string::npos);
}

TEST_F(ContainersTest, RequestsInTheWrongOrderAreRefused) {
  EXPECT_EQ(Wait("absent").error().code(), Code::kNotFound);
  EXPECT_EQ(Read("absent").error().code(), Code::kNotFound);
  EXPECT_EQ(Write("absent", "", "x").error().code(), Code::kNotFound);
  EXPECT_EQ(Exec("absent", "x", {"true"}).error().code(), Code::kNotFound);
  EXPECT_EQ(Signal("absent", "", SIGKILL).error().code(), Code::kNotFound);
  EXPECT_EQ(Remove("absent").error().code(), Code::kNotFound);
  EXPECT_EQ(containers_->PauseContainer("absent").error().code(), Code::kNotFound);
  EXPECT_EQ(containers_->ResumeContainer("absent").error().code(), Code::kNotFound);
  grpc::StartContainerRequest start;
  start.set_container_id("absent");
  EXPECT_EQ(containers_->StartContainer(start).error().code(), Code::kNotFound);
  Run("web", {"sleep", "1000"});
  start.set_container_id("web");
  EXPECT_EQ(containers_->StartContainer(start).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(containers_->CreateContainer(Request("web", {"true"})).error().code(),
            Code::kAlreadyExists);
  EXPECT_EQ(Exec("web", "web", {"true"}).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(Exec("web", "", {"true"}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Exec("web", "x", {}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Wait("web", "x").error().code(), Code::kNotFound);
  ASSERT_TRUE(Exec("web", "x", {"sleep", "1000"}));
  EXPECT_EQ(Exec("web", "x", {"true"}).error().code(), Code::kAlreadyExists);
}

TEST_F(ContainersTest, WhatCannotBecomeAContainerLeavesNothing) {
  const auto code = [&](const grpc::CreateContainerRequest& request) {
    const auto result = containers_->CreateContainer(request);
    EXPECT_FALSE(result);
    return result ? Code::kUnknown : result.error().code();
  };
  const auto with = [&](const std::function<void(grpc::CreateContainerRequest&)>& change) {
    auto request = Request("web", {"true"});
    change(request);
    return code(request);
  };
  EXPECT_EQ(code(Request("sandbox", {"true"})), Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.clear_oci(); }), Code::kNotFound);
  EXPECT_EQ(with([](auto& r) { r.clear_storages(); }), Code::kNotFound);
  EXPECT_EQ(with([](auto& r) { r.mutable_oci()->mutable_root()->set_path("/"); }), Code::kNotFound);
  EXPECT_EQ(with([](auto& r) { r.mutable_oci()->mutable_process()->clear_args(); }),
            Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.mutable_storages(0)->set_source("/dev/no-such-device"); }),
            Code::kNotFound);
  EXPECT_EQ(with([](auto& r) { r.mutable_storages(0)->set_mount_point("/etc"); }),
            Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.mutable_storages(0)->set_driver("virtio-fs"); }),
            Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.mutable_storages(1)->set_options(0, "lowerdir=/etc"); }),
            Code::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.mutable_storages(1)->add_options("metacopy=on"); }),
            Code::kInvalidArgument);
  EXPECT_EQ(
      with([](auto& r) { r.mutable_oci()->mutable_process()->set_args(0, "no-such-program"); }),
      Code::kInternal);
  EXPECT_FALSE(HasEntries(paths_.run_dir, {"console", "sandbox", "shared"}));
  Run("web", {"true"});
  EXPECT_EQ(*Wait("web"), 0) << "the id is free";
}

TEST_F(ContainersTest, AVerifiedOnlySandboxRefusesAPlainDevice) {
  Close();
  paths_.verified_only = true;
  Open();
  EXPECT_EQ(containers_->CreateContainer(Request("web", {"true"})).error().code(),
            Code::kPermissionDenied);
}

TEST_F(ContainersTest, ASandboxIsMadeOnce) {
  CreateSandbox("a-pod");
  grpc::CreateSandboxRequest request;
  EXPECT_EQ(containers_->CreateSandbox(request).error().code(), Code::kAlreadyExists);
  ASSERT_TRUE(containers_->DestroySandbox());
  request.set_hostname(std::string(65, 'a'));
  EXPECT_EQ(containers_->CreateSandbox(request).error().code(), Code::kInvalidArgument);
  request.set_hostname("a-pod");
  request.set_guest_hook_path("/usr/share/oci/hooks");
  EXPECT_EQ(containers_->CreateSandbox(request).error().code(), Code::kInvalidArgument);
  request.clear_guest_hook_path();
  request.add_kernel_modules()->set_name("nbd");
  EXPECT_EQ(containers_->CreateSandbox(request).error().code(), Code::kInvalidArgument);
  request.clear_kernel_modules();
  request.add_dns("nameserver 1.2.3.4\nsearch evil");
  EXPECT_EQ(containers_->CreateSandbox(request).error().code(), Code::kInvalidArgument);
}

TEST_F(ContainersTest, DestroyEndsAllThatRuns) {
  CreateSandbox("a-pod");
  for (const char* id : {"one", "two", "three"})
    Run(id, {"sleep", "1000"});
  grpc::WaitProcessRequest wait;
  wait.set_container_id("two");
  auto status = Ask(&Containers::WaitProcess, wait);
  ASSERT_TRUE(containers_->DestroySandbox());
  EXPECT_EQ(Get(std::move(status))->status(), 137);
  EXPECT_EQ(Wait("one").error().code(), Code::kNotFound);
}

TEST_F(ContainersTest, TheServicesEndLeavesNothingBehind) {
  CreateSandbox("a-pod");
  Run("web", {"sleep", "1000"});
  Close();
  Open();
}

TEST_F(ContainersTest, ManyAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      const std::string id = "c" + std::to_string(i);
      Run(id, {"sh", "-c", "echo " + id + "; exit " + std::to_string(i)});
      EXPECT_EQ(ReadAll(id), id + "\n");
      EXPECT_EQ(*Wait(id), i);
      EXPECT_TRUE(Remove(id));
    });
  }
  for (std::thread& thread : threads)
    thread.join();
}

}  // namespace
}  // namespace kata_cc::agent

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  if (!testing::GTEST_FLAG(list_tests)) {
    // This process's own view: cgroup v2 alone where the OCI runtime looks for it.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr) != 0) {
      std::perror("needs root: mount namespace and cgroup2");
      return 1;
    }
  }
  return RUN_ALL_TESTS();
}
