// SPDX-License-Identifier: Apache-2.0
// Sandbox: creation of the UVM and of containers in it.
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>
#include <cerrno>
#include <filesystem>
#include <future>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/retry.h"
#include "proto/containerd/events.pb.h"
#include "proto/oci/spec.h"
#include "shim/guest/copy_files.h"
#include "shim/guest/rootfs_storages.h"
#include "shim/sandbox/launch_data.h"
#include "shim/sandbox/sandbox.h"

namespace kata_cc::shim {
namespace {

constexpr char kVolumeDisk[] = "disk.img";     // Kata's name.
constexpr std::size_t kMaxHostnameBytes = 64;  // The kernel's limit.

Result<void> WriteFile(const std::string& path, const std::string& bytes) {
  const UniqueFd fd = TRY(OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t n = RetryOnEintr(
        [&] { return ::write(fd.get(), bytes.data() + written, bytes.size() - written); });
    if (n < 0) return ErrnoError(errno, path);
    written += static_cast<std::size_t>(n);
  }
  return {};
}

// Times the stages of a creation for the log: the figures of each stage come from it.
class StageClock {
 public:
  explicit StageClock(std::string container_id) : container_id_(std::move(container_id)) {}
  void Done(const char* stage) {
    const auto now = std::chrono::steady_clock::now();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_).count();
    last_ = now;
    Log(LogLevel::kInfo, "stage of creation done",
        {{field::kContainerId, container_id_}, {field::kStage, stage}, {field::kDurationMs, ms}});
  }

 private:
  std::string container_id_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

Result<void> MakeDirectories(const std::string& outer, const std::string& inner) {
  for (const std::string& path : {outer, inner})
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoError(errno, path);
  return {};
}

StreamPaths StreamsOf(const containerd::task::v2::CreateTaskRequest& request) {
  return {request.stdin(), request.stdout(), request.stderr(), request.terminal()};
}

}  // namespace

struct Sandbox::Creation {
  const containerd::task::v2::CreateTaskRequest& request;
  grpc::Spec spec;
  PodIdentity identity;
  std::shared_ptr<Container> container;
  std::shared_ptr<Uvm> uvm;
  Config config;
  LaunchData launch;
  std::shared_ptr<const PodNetwork> network;  // Of a creation that boots.
  std::vector<LayerFile> layers;              // Top first; empty: rootfs becomes an image.
  RootfsRequest rootfs;
  std::string disk_source;  // Of that image.
  StageClock clock;
  bool boots = false;  // This creation brings up the UVM, and takes it down if it fails.
};

Result<std::uint32_t> Sandbox::CreateTask(const containerd::task::v2::CreateTaskRequest& request) {
  const std::string& id = request.id();
  (void)TRY(CheckId("container id", id));
  if (!request.checkpoint().empty())
    return Error(Code::kUnimplemented, "create: restore from a checkpoint");
  Creation creation{request, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, StageClock(id), false};
  creation.spec = TRY(oci::ReadBundleSpec(request.bundle()));
  creation.identity = TRY(ReadPodIdentity(creation.spec.annotations(), id));
  if (creation.identity.sandbox_id != options_.sandbox_id)
    return Error(Code::kInvalidArgument, "create: container " + id + " belongs to sandbox " +
                                             creation.identity.sandbox_id + ", not to " +
                                             options_.sandbox_id);
  auto container = std::make_shared<Container>();
  container->id = id;
  container->bundle = request.bundle();
  container->type = creation.identity.type;
  container->init = std::make_shared<Process>();
  container->init->container_id = id;
  container->init->streams = StreamsOf(request);
  creation.container = container;
  {
    auto table = table_.Lock();
    if (table->containers.contains(id))
      return Error(Code::kAlreadyExists, "container " + id + ": already exists");
    creation.boots = creation.identity.type != ContainerType::kInPod;
    if (creation.boots && table->stage != Stage::kNone)
      return Error(Code::kFailedPrecondition, "sandbox " + id + ": was already created");
    if (!creation.boots && table->stage != Stage::kUp)
      return Error(Code::kFailedPrecondition,
                   "sandbox " + options_.sandbox_id + ": is not running");
    if (creation.boots) table->stage = Stage::kBooting;
    creation.uvm = table->uvm;
    if (table->config) creation.config = *table->config;
    table->containers[id] = container;
  }
  Result<void> created = Boot(&creation);
  if (created) created = CreateInGuest(&creation);
  if (!created) {
    UndoCreate(&creation);
    return std::move(created).error();
  }
  std::uint32_t task_pid = 0;
  {
    auto table = table_.Lock();
    task_pid = pid(table);
    if (auto done = container->init->Transition(ProcessState::kCreated); !done) {
      table->containers.erase(id);
      return std::move(done).error();
    }
  }
  containerd::events::TaskCreate event;
  event.set_container_id(id);
  event.set_bundle(request.bundle());
  *event.mutable_rootfs() = request.rootfs();
  event.mutable_io()->set_stdin(request.stdin());
  event.mutable_io()->set_stdout(request.stdout());
  event.mutable_io()->set_stderr(request.stderr());
  event.mutable_io()->set_terminal(request.terminal());
  event.set_pid(task_pid);
  events_.Publish("/tasks/create", event);
  return task_pid;
}

// The UVM of a sandbox is started while the root file system's image is built: neither needs the
// other, and the boot takes longest.
Result<void> Sandbox::Boot(Creation* creation) {
  creation->container->init->io = TRY(
      ProcessIo::Open(reactor_, creation->container->init->streams, creation->container->id, ""));
  if (creation->boots) (void)TRY(PrepareUvm(creation));
  (void)TRY(ChooseRootfs(creation));
  if (creation->layers.empty()) {
    creation->rootfs.image = DiskDir(creation->config) + "/" + creation->container->id;
    creation->container->files.push_back(creation->rootfs.image);
  }
  if (!creation->boots) {
    (void)TRY(BuildRootfs(*creation));
    creation->clock.Done("rootfs");
    return AttachRootfs(creation);
  }
  auto rootfs_built = std::async(std::launch::async, [&] { return BuildRootfs(*creation); });
  Result<void> started = creation->uvm->Start();
  creation->clock.Done("vm start");
  Result<void> built = rootfs_built.get();
  creation->clock.Done("rootfs");
  if (!started) return std::move(started).error().With("start the VM");
  if (!built) return built;
  (void)TRY(AttachRootfs(creation));
  return ConnectUvm(creation);
}

// Verified layers when containerd's mount names them; else, and never for a confidential sandbox,
// an image of what the mounts show.
Result<void> Sandbox::ChooseRootfs(Creation* creation) {
  std::string why = "its snapshotter is not kata-cc-snapshotter";
  const auto& mounts = creation->request.rootfs();
  if (mounts.size() == 1 && mounts[0].source().starts_with(kLayerListSource)) {
    LayerList list =
        TRY_CONTEXT(ReadLayerList(mounts[0].source().substr(kLayerListSource.size())), "rootfs");
    creation->layers = std::move(list.layers);
    if (!creation->layers.empty()) return {};
    why = list.problem.empty() ? "the image has no layers" : list.problem;
  }
  if (creation->config.tee != Tee::kNone)
    return Error(Code::kFailedPrecondition,
                 "rootfs: a confidential sandbox needs verified layers: " + why);
  RootfsRequest& rootfs = creation->rootfs;
  rootfs.compressor = creation->config.squashfs_compressor;
  rootfs.directory = creation->request.bundle() + "/rootfs";
  for (const auto& mount : mounts)
    rootfs.mounts.push_back(
        {mount.type(), mount.source(), {mount.options().begin(), mount.options().end()}});
  if (rootfs.mounts.empty()) {  // The bundle's own root file system (ctr run --rootfs).
    const std::string& root = creation->spec.root().path();
    rootfs.directory = root.rfind('/', 0) == 0 ? root : creation->request.bundle() + "/" + root;
  }
  return {};
}

Result<void> Sandbox::PrepareUvm(Creation* creation) {
  creation->config =
      TRY(options_.read_config(creation->request.options(), creation->spec.annotations()));
  const Config& config = creation->config;
  const VmSize size = TRY(SizeVm(config.sizing, creation->spec));
  creation->launch = TRY(ReadLaunchData(creation->spec.annotations()));
  VmConfig vm;
  vm.name = options_.domain_name;
  vm.libvirt_uri = config.libvirt_uri;
  vm.qemu_path = config.qemu_path;
  vm.kernel = config.kernel;
  vm.initrd = config.initrd;
  vm.kernel_command_line = config.kernel_params;
  vm.firmware = config.firmware;
  vm.sim_dir = config.sim_dir;
  vm.state_dir = options_.state_dir;
  vm.vcpus = size.vcpus;
  vm.memory_mib = size.memory_mib;
  vm.accelerator = config.accelerator;
  vm.tee = config.tee;
  vm.transport = config.transport;
  vm.host_data = creation->launch.host_data;
  vm.snp_policy = config.snp_guest_policy;
  vm.snp_id_block = config.snp_id_block;
  vm.snp_id_auth = config.snp_id_auth;
  vm.snp_author_key = config.snp_author_key;
  if (!creation->launch.initdata_image.empty()) {
    vm.initdata_image = options_.state_dir + "/initdata.img";
    (void)TRY(WriteFile(vm.initdata_image, creation->launch.initdata_image));
  }
  creation->network = std::make_shared<const PodNetwork>(TRY(ReadPodNetwork(*creation)));
  for (const PodNetwork::Nic& nic : creation->network->nics())
    vm.nics.push_back({nic.tap, nic.link.interface.hwaddr(),
                       static_cast<std::uint32_t>(nic.link.interface.mtu())});
  vm.before_run = [network = creation->network]() -> Result<void> {
    TRY_CONTEXT(network->Connect(), "pod network");
    return {};
  };
  (void)TRY(options_.save_state(config, creation->network->netns()));
  creation->uvm =
      TRY(Uvm::Create(reactor_, options_.create_vm, std::move(vm),
                      {config.dial_timeout, config.request_timeout, config.health_check_interval}));
  auto table = table_.Lock();
  table->uvm = creation->uvm;
  table->config = config;
  table->netns = creation->network->netns();
  return {};
}

// A pod that shares the host's network cannot be in a VM, and its author must not think it were.
Result<PodNetwork> Sandbox::ReadPodNetwork(const Creation& creation) const {
  Result<NetworkNamespace> netns = PodNetwork::NamespaceOf(creation.spec);
  if (!netns && netns.error().code() == Code::kFailedPrecondition &&
      creation.config.tee == Tee::kNone) {
    Log(LogLevel::kWarn, "the pod has no network interface",
        {{field::kSandboxId, options_.sandbox_id}, {field::kError, netns.error().message()}});
    netns = NetworkNamespace();
  }
  if (!netns) return std::move(netns).error().With("pod network");
  return TRY_CONTEXT(PodNetwork::Read(*std::move(netns)), "pod network");
}

Result<void> Sandbox::ConfigureNetwork(const PodNetwork& network, Agent& agent) {
  for (const PodNetwork::Nic& nic : network.nics())
    (void)TRY_CONTEXT(agent.UpdateInterface(nic.link.interface),
                      "interface " + nic.link.interface.name());
  if (!network.routes().routes().empty())
    (void)TRY_CONTEXT(agent.UpdateRoutes(network.routes()), "routes");
  if (!network.neighbors().arpneighbors().empty())
    (void)TRY_CONTEXT(agent.AddNeighbors(network.neighbors()), "neighbours");
  return {};
}

Result<void> Sandbox::ConnectUvm(Creation* creation) {
  const std::shared_ptr<Uvm>& uvm = creation->uvm;
  (void)TRY_CONTEXT(uvm->Connect(cancel_create_), "connect to the agent");
  creation->clock.Done("agent up");
  const std::shared_ptr<Agent> agent = uvm->agent();
  if (!creation->launch.policy.empty())
    (void)TRY_CONTEXT(agent->SetPolicy(creation->launch.policy), "set the policy");
  (void)TRY_CONTEXT(ConfigureNetwork(*creation->network, *agent), "pod network");
  grpc::CreateSandboxRequest request;
  request.set_hostname(creation->spec.hostname().substr(0, kMaxHostnameBytes));
  for (std::string& line : ReadDns(creation->spec))
    request.add_dns(std::move(line));
  for (const auto& one : creation->spec.linux().namespaces())
    if (one.type() == "pid" && !one.path().empty()) request.set_sandbox_pidns(true);
  request.set_sandbox_id(options_.sandbox_id);
  grpc::Storage* shm = request.add_storages();
  shm->set_driver("ephemeral");
  shm->set_source("shm");
  shm->set_fstype("tmpfs");
  shm->set_mount_point(kGuestShm);
  for (const char* option : {"noexec", "nosuid", "nodev", "mode=1777", "size=67108864"})
    shm->add_options(option);
  (void)TRY_CONTEXT(agent->CreateSandbox(request), "create the sandbox");
  creation->clock.Done("sandbox");
  {
    auto table = table_.Lock();
    if (cancel_create_) return Error(Code::kCancelled, "create: deleted meanwhile");
    table->stage = Stage::kUp;
  }
  uvm->Monitor([weak = weak_from_this()](const std::string& why) {
    if (const auto sandbox = weak.lock()) sandbox->OnVmLost(why);
  });
  return {};
}

Result<void> Sandbox::BuildRootfs(const Creation& creation) {
  if (!creation.layers.empty()) return {};
  (void)TRY(MakeDirectories(creation.config.image_dir, DiskDir(creation.config)));
  return options_.build_rootfs(creation.rootfs);
}

Result<void> Sandbox::AttachRootfs(Creation* creation) {
  std::vector<VmDisk> disks;
  for (const LayerFile& layer : creation->layers)
    disks.push_back({.id = LayerSerial(layer.root_hash), .path = layer.path});
  if (disks.empty()) {
    auto table = table_.Lock();
    creation->disk_source = "rootfs" + std::to_string(table->next_disk++);
    disks.push_back({.id = creation->disk_source, .path = creation->rootfs.image});
  }
  (void)TRY(AttachDisks(creation, disks));
  creation->clock.Done("attach");
  return {};
}

Result<void> Sandbox::AttachDisks(Creation* creation, const std::vector<VmDisk>& disks) {
  (void)TRY(pod_disks_.Attach(*creation->uvm, disks));
  auto table = table_.Lock();
  std::vector<VmDisk>& own = creation->container->disks;
  own.insert(own.end(), disks.begin(), disks.end());
  return {};
}

Result<VmDisk> Sandbox::EncryptedDisk(const Config& config, const std::string& serial) {
  (void)TRY(MakeDirectories(config.image_dir, DiskDir(config)));
  VmDisk disk{.id = serial, .path = DiskDir(config) + "/" + serial, .read_only = false};
  (void)TRY(MakeEmptyDisk(disk.path, std::uint64_t{config.scratch_size_mib} << 20));
  return disk;
}

// An emptyDir's disk stays until the VM's end: the next container finds its files there. It lies in
// the emptyDir, where kubelet measures what a pod uses.
Result<void> Sandbox::AttachVolumes(Creation* creation, const GuestSpec& guest) {
  const Config& config = creation->config;
  if (HasEncryptedScratch(*creation)) {
    const VmDisk scratch = TRY(EncryptedDisk(config, ScratchSerial(creation->container->id)));
    creation->container->files.push_back(scratch.path);
    (void)TRY(AttachDisks(creation, {scratch}));
  }
  for (const grpc::Storage& volume : guest.storages) {
    if (volume.driver() != kBlockDriver) continue;
    const VmDisk disk{.id = volume.source(),
                      .path = guest.disk_dirs.at(volume.source()) + "/" + kVolumeDisk,
                      .read_only = false};
    volume_disks_.Lock()->insert(disk.path);
    (void)TRY(MakeEmptyDisk(disk.path, std::uint64_t{config.scratch_size_mib} << 20));
    (void)TRY(pod_disks_.Attach(*creation->uvm, {disk}));
  }
  std::vector<VmDisk> devices;
  for (const HostDevice& device : guest.devices)
    devices.push_back({.id = device.serial, .path = device.path, .read_only = device.read_only});
  (void)TRY(AttachDisks(creation, devices));
  if (!creation->container->disks.empty()) creation->clock.Done("volumes");
  return {};
}

// The pause container writes nothing worth a disk.
bool Sandbox::HasEncryptedScratch(const Creation& creation) {
  return creation.config.scratch == StorageMode::kBlockEncrypted &&
         creation.container->type != ContainerType::kSandbox;
}

Result<void> Sandbox::CreateInGuest(Creation* creation) {
  const std::string& id = creation->container->id;
  const std::shared_ptr<Agent> agent = creation->uvm->agent();
  GuestSpec guest = TRY(MakeGuestSpec(std::move(creation->spec),
                                      {.container_id = id,
                                       .sandbox_id = options_.sandbox_id,
                                       .empty_dirs = creation->config.emptydir_mode,
                                       .confidential = creation->config.tee != Tee::kNone}));
  guest.spec.mutable_process()->set_terminal(creation->request.terminal());
  for (const GuestCopy& copy : guest.copies)
    (void)TRY_CONTEXT(CopyToGuest(copy, [&](const auto& part) { return agent->CopyFile(part); }),
                      "copy into the guest");
  (void)TRY(AttachVolumes(creation, guest));
  grpc::CreateContainerRequest request;
  request.set_container_id(id);
  request.set_exec_id(id);
  request.set_sandbox_pidns(guest.sandbox_pidns);
  *request.mutable_oci() = std::move(guest.spec);
  if (creation->layers.empty())
    AddImageStorages(creation->disk_source, id, &request);
  else
    AddLayerStorages(creation->layers, id, &request);
  if (HasEncryptedScratch(*creation)) AddScratchStorage(id, &request);
  for (grpc::Storage& volume : guest.storages)
    *request.add_storages() = std::move(volume);
  for (const HostDevice& device : guest.devices) {
    grpc::Device& added = *request.add_devices();
    added.set_id(device.serial);
    added.set_type(kBlockDriver);
    added.set_container_path(device.container_path);
  }
  (void)TRY_CONTEXT(agent->CreateContainer(request, creation->config.create_container_timeout),
                    "create container " + id);
  creation->clock.Done("container");
  volume_watch_->Add(id, guest.copies);
  auto table = table_.Lock();
  creation->container->in_guest = true;
  if (cancel_create_) return Error(Code::kCancelled, "create: deleted meanwhile");
  if (table->stage != Stage::kUp) return Error(Code::kUnavailable, "create: the VM is gone");
  return {};
}

void Sandbox::UndoCreate(Creation* creation) {
  const std::shared_ptr<Container>& container = creation->container;
  if (container->init->io) container->init->io->Cancel();
  if (creation->boots) {
    if (creation->uvm) creation->uvm->Stop();
    if (creation->network) Disconnect(creation->network->netns());
    if (creation->uvm) RemoveDisks(creation->config);
    auto table = table_.Lock();
    table->stage = Stage::kGone;
    table->uvm = nullptr;
    table->containers.erase(container->id);
    return;
  }
  RemoveFromGuest(container);
  table_.Lock()->containers.erase(container->id);
}

}  // namespace kata_cc::shim
