// SPDX-License-Identifier: Apache-2.0
#include "agent/container/containers_fixture.h"

namespace kata_cc::agent {
namespace {

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

TEST_F(ContainersTest, AVolumesSizeIsToldByItsMountPoint) {
  CreateSandbox("a-pod");
  const auto stats = containers_->VolumeStats(paths_.run_dir + "/sandbox/shm");
  ASSERT_TRUE(stats) << stats.error().message();
  EXPECT_EQ(stats->usage(0).total(), 1U << 20);
  EXPECT_EQ(stats->usage(1).unit(), grpc::VolumeUsage::INODES);
  EXPECT_EQ(containers_->VolumeStats("/etc").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(containers_->VolumeStats(paths_.run_dir + "/absent").error().code(), Code::kNotFound);
}

TEST_F(ContainersTest, AnExecThatRunsIsReapedWithItsContainer) {
  Run("web", {"sleep", "1000"});
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(Exec("web", "x" + std::to_string(i), {"sleep", "1000"}));
  ASSERT_TRUE(Remove("web"));
  std::string children = "?";
  const std::string path = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
  for (int i = 0; i < 1000 && !children.empty(); ++i) {
    std::this_thread::sleep_for(5ms);
    children = AsString(*ReadFile(path, 4096));
  }
  EXPECT_EQ(children, "") << "zombies";
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

TEST_F(ContainersTest, SealedValuesAndFilesAreOpenedBeforeAnythingRuns) {
  Close();
  paths_.unseal_process = [](grpc::Process& process) -> Result<void> {
    for (std::string& entry : *process.mutable_env()) {
      if (entry == "A=sealed.bad") return Error(Code::kPermissionDenied, "not sealed by the owner");
      if (entry == "A=sealed.good") entry = "A=opened";
    }
    return {};
  };
  paths_.unseal_files = [](const std::string& path) {
    return WriteFile(path + "/password", AsBytes("opened\n"));
  };
  bool forged = false;
  paths_.unseal_file = [&forged](const std::string& file) -> Result<void> {
    if (forged) return Error(Code::kPermissionDenied, "not sealed by the owner");
    return WriteFile(file, AsBytes("opened again\n"));
  };
  Open();
  grpc::CopyFileRequest copy;
  copy.set_path(paths_.run_dir + "/shared/containers/web-volume/password");
  copy.set_file_mode(S_IFREG | 0644);
  copy.set_dir_mode(0755);
  copy.set_file_size(7);
  copy.set_data("sealed\n");
  ASSERT_TRUE(containers_->CopyFile(copy));
  auto request = Request("web", {"sh", "-c", "echo $A; cat /sealed/password; sleep 1000"});
  request.mutable_oci()->mutable_process()->add_env("A=sealed.good");
  grpc::Mount& mount = *request.mutable_oci()->add_mounts();
  mount.set_destination("/sealed");
  mount.set_type("bind");
  mount.set_source(paths_.run_dir + "/shared/containers/web-volume");
  mount.add_options("rbind");
  mount.add_options("ro");
  Create(request);
  Start("web");
  std::string output;
  while (output.size() < 14)
    output += *Read("web");
  EXPECT_EQ(output, "opened\nopened\n");
  // One that comes later is opened before it takes its name, or does not come.
  ASSERT_TRUE(containers_->CopyFile(copy));
  EXPECT_EQ(AsString(*ReadFile(copy.path(), 100)), "opened again\n");
  forged = true;
  EXPECT_EQ(containers_->CopyFile(copy).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(AsString(*ReadFile(copy.path(), 100)), "opened again\n");
  copy.set_path(paths_.run_dir + "/shared/containers/web-volume-2");
  EXPECT_TRUE(containers_->CopyFile(copy)) << "of another volume";

  auto bad = Request("bad", {"true"});
  bad.mutable_oci()->mutable_process()->add_env("A=sealed.bad");
  const auto refused = containers_->CreateContainer(bad);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
  EXPECT_FALSE(fs::exists(paths_.run_dir + "/bad"));
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
