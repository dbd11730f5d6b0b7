// SPDX-License-Identifier: Apache-2.0
// For tests: a ContainerService on a real crun, kernel and cgroup v2, with a busybox image on a
// block device. Needs root, and /sys/fs/cgroup to be cgroup v2.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/container/containers.h"
#include "base/file.h"
#include "proto/ttrpc/test_peer.h"

namespace kata_cc::agent {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

// Where the image is; the program that runs the tests says so.
const std::string& BusyboxDevice();

class ContainersTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
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
    layer.set_source(BusyboxDevice());
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
  ContainerPaths paths_;
  std::unique_ptr<ttrpc::ReactorThread> thread_;
  std::unique_ptr<Containers> containers_;
  int next_exec_ = 0;
};

}  // namespace kata_cc::agent
