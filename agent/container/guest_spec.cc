// SPDX-License-Identifier: Apache-2.0
#include "agent/container/guest_spec.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "agent/storage/beneath.h"
#include "agent/storage/block_device.h"

namespace kata_cc::agent {
namespace {

constexpr std::chrono::milliseconds kHotplugPatience{3000};
constexpr std::uint32_t kDeviceMode = 0660;
constexpr char kRuntimeSpecVersion[] = "1.0.2";

Error Refused(const std::string& what) {
  return {Code::kInvalidArgument, "spec: " + what};
}

bool HasHooks(const grpc::Spec& spec) {
  const grpc::Hooks& hooks = spec.hooks();
  return hooks.prestart_size() + hooks.poststart_size() + hooks.poststop_size() > 0;
}

bool IsBind(const grpc::Mount& mount) {
  if (mount.type() == "bind") return true;
  return std::any_of(mount.options().begin(), mount.options().end(),
                     [](const std::string& one) { return one == "bind" || one == "rbind"; });
}

// What was checked is what is mounted: the host may exchange what is behind a name (CopyFile), but
// not what is mounted in the bundle. By descriptor alone it does not go, for the runtime mounts in
// another mount namespace.
Result<void> BindSource(grpc::Mount& mount, const GuestSpecContext& context, GuestSpec& out) {
  const std::string what = "mount " + mount.destination();
  const std::string relative = TRY_CONTEXT(RelativeTo(context.run_dir, mount.source()), what);
  const UniqueFd source = TRY_CONTEXT(OpenBeneath(*context.run_root, relative), what);
  std::string place = context.bundle + "/bind-" + std::to_string(out.binds.size());
  out.binds.push_back(TRY_CONTEXT(StagedBind::Create(source, std::move(place)), what));
  mount.set_source(out.binds.back().path());
  mount.set_type("bind");
  return {};
}

Result<void> CheckMounts(const GuestSpecContext& context, GuestSpec& out) {
  constexpr std::array<std::string_view, 6> kTypes = {"proc",   "sysfs",  "tmpfs",
                                                      "devpts", "mqueue", "cgroup"};
  for (grpc::Mount& mount : *out.spec.mutable_mounts()) {
    if (!mount.destination().starts_with('/')) {
      return Refused("mount " + mount.destination() + ": not an absolute path");
    }
    if (IsBind(mount)) {
      TRY(BindSource(mount, context, out));
    } else if (std::find(kTypes.begin(), kTypes.end(), mount.type()) == kTypes.end()) {
      return Refused("mount " + mount.destination() + ": no such type for a container");
    }
  }
  return {};
}

// sysctl(8)'s names: dots and slashes change places if a slash comes first.
Result<std::string> SysctlPath(std::string name) {
  const std::size_t separator = name.find_first_of("./");
  if (separator != std::string::npos && name[separator] == '.') {
    for (char& c : name) {
      if (c == '.' || c == '/') c = c == '.' ? '/' : '.';
    }
  }
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/';
  });
  if (!plain || !RelativeTo("/proc/sys", "/proc/sys/" + name)) {
    return Refused("sysctl: not a name");
  }
  return name;
}

Result<void> TakeNetworkSysctls(grpc::Linux& os_linux, GuestSpec& out) {
  auto& sysctls = *os_linux.mutable_sysctl();
  for (auto it = sysctls.begin(); it != sysctls.end();) {
    std::string path = TRY(SysctlPath(it->first));
    if (!path.starts_with("net/")) {
      ++it;
      continue;
    }
    out.network_sysctls.emplace(std::move(path), it->second);
    it = sysctls.erase(it);
  }
  return {};
}

void AddNamespace(grpc::Linux& os_linux, const char* type, const std::string& path) {
  grpc::LinuxNamespace& added = *os_linux.add_namespaces();
  added.set_type(type);
  added.set_path(path);
}

// Each container has these, and no others: without one of them it would share the agent's.
Result<void> SetNamespaces(const GuestSpecContext& context, grpc::Linux& os_linux) {
  for (const grpc::LinuxNamespace& one : os_linux.namespaces()) {
    if (one.type() == "user") return Refused("user namespaces are not supported");
    if (!one.path().empty()) return Refused("namespace " + one.type() + ": has a path");
  }
  if (os_linux.uidmappings_size() + os_linux.gidmappings_size() > 0) {
    return Refused("user namespaces are not supported");
  }
  os_linux.clear_namespaces();
  AddNamespace(os_linux, "mount", "");
  AddNamespace(os_linux, "cgroup", "");
  AddNamespace(os_linux, "pid", context.pid);
  AddNamespace(os_linux, "ipc", context.ipc);
  AddNamespace(os_linux, "uts", context.uts);
  return {};
}

struct AllowedDevice {
  const char* type;
  std::int64_t major;  // -1: any
  std::int64_t minor;
  const char* access;
};

// The devices of runtime-spec's config-linux.md, and making nodes of any other, which then opens
// nothing.
constexpr std::array kAllowedDevices = {
    AllowedDevice{"c", -1, -1, "m"}, AllowedDevice{"b", -1, -1, "m"},
    AllowedDevice{"c", 1, 3, "rwm"}, AllowedDevice{"c", 1, 5, "rwm"},
    AllowedDevice{"c", 1, 7, "rwm"}, AllowedDevice{"c", 1, 8, "rwm"},
    AllowedDevice{"c", 1, 9, "rwm"}, AllowedDevice{"c", 5, 0, "rwm"},
    AllowedDevice{"c", 5, 2, "rwm"}, AllowedDevice{"c", 136, -1, "rwm"},
    AllowedDevice{"c", 5, 1, "rwm"},
};

void Allow(grpc::LinuxResources& resources, const AllowedDevice& device) {
  grpc::LinuxDeviceCgroup& rule = *resources.add_devices();
  rule.set_allow(true);
  rule.set_type(device.type);
  rule.set_major(device.major);
  rule.set_minor(device.minor);
  rule.set_access(device.access);
}

// CAP_MKNOD is a capability that containers usually have, so the group decides what opens.
Result<void> SetDevices(const grpc::CreateContainerRequest& request, grpc::Linux& os_linux) {
  grpc::LinuxResources& resources = *os_linux.mutable_resources();
  resources.clear_devices();
  resources.add_devices()->set_access("rwm");  // Nothing, but for what follows.
  for (const AllowedDevice& device : kAllowedDevices)
    Allow(resources, device);
  const auto wanted = std::exchange(*os_linux.mutable_devices(), {});
  for (const grpc::LinuxDevice& device : wanted) {
    const bool known =
        std::any_of(request.devices().begin(), request.devices().end(),
                    [&](const grpc::Device& one) { return one.container_path() == device.path(); });
    if (!known) return Refused("device " + device.path() + ": not one of the request's devices");
  }
  for (const grpc::Device& device : request.devices()) {
    if (device.type() != "blk" && device.type() != "scsi") {
      return Refused("device " + device.container_path() + ": no such type");
    }
    const std::string& source = device.id().empty() ? device.vm_path() : device.id();
    const BlockDevice found = TRY(FindBlockDevice(source, kHotplugPatience));
    grpc::LinuxDevice& added = *os_linux.add_devices();
    for (const grpc::LinuxDevice& one : wanted)  // Its owner and mode, of a spec that says them.
      if (one.path() == device.container_path()) added = one;
    if (added.filemode() == 0) added.set_filemode(kDeviceMode);
    added.set_path(device.container_path());
    added.set_type("b");
    added.set_major(found.major);
    added.set_minor(found.minor);
    Allow(resources, {"b", found.major, found.minor, "rw"});
  }
  return {};
}

}  // namespace

std::uint64_t MemoryLimit(const grpc::Spec& spec) {
  const std::int64_t limit = spec.linux().resources().memory().limit();
  return limit > 0 ? static_cast<std::uint64_t>(limit) : 0;
}

bool IsSandboxContainer(const grpc::Spec& spec) {
  for (const char* key :
       {"io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"}) {
    const auto it = spec.annotations().find(key);
    if (it != spec.annotations().end() && it->second == "sandbox") return true;
  }
  return false;
}

Result<GuestSpec> MakeGuestSpec(const grpc::CreateContainerRequest& request,
                                const GuestSpecContext& context) {
  if (!request.has_oci()) return Refused("missing");
  GuestSpec out;
  out.spec = request.oci();
  grpc::Spec& spec = out.spec;
  if (spec.version().empty()) return Refused("Version: missing");
  if (!spec.version().starts_with("1.")) return Refused("Version: not 1.x");
  // containerd 2 says 1.2, which Debian's crun refuses; what is new in it is no field of ours.
  spec.set_version(kRuntimeSpecVersion);
  if (!spec.has_process()) return Refused("Process: missing");
  if (spec.process().args().empty()) return Refused("Process.Args: empty");
  if (!spec.process().cwd().starts_with('/')) return Refused("Process.Cwd: not an absolute path");
  if (HasHooks(spec)) return Refused("Hooks: not in this guest");
  if (spec.has_solaris() || spec.has_windows()) return Refused("not of Linux");
  if (request.has_string_user()) return Refused("users by name are not supported");
  if (request.shared_mounts_size() > 0) return Refused("shared mounts are not supported");
  spec.mutable_root()->set_path(context.rootfs);
  spec.clear_annotations();
  spec.clear_hostname();
  spec.mutable_process()->clear_apparmorprofile();
  spec.mutable_process()->clear_selinuxlabel();
  grpc::Linux& os_linux = *spec.mutable_linux();
  os_linux.clear_mountlabel();
  os_linux.clear_intelrdt();
  os_linux.set_cgroupspath(context.cgroup_path);
  TRY(CheckMounts(context, out));
  TRY(SetNamespaces(context, os_linux));
  TRY(TakeNetworkSysctls(os_linux, out));
  TRY(SetDevices(request, os_linux));
  if (!context.restrict_devices) os_linux.mutable_resources()->clear_devices();
  return out;
}

Result<grpc::Process> MakeGuestExec(const grpc::Process& exec, const grpc::Process& init) {
  if (exec.args().empty()) return Refused("Process.Args: empty");
  grpc::Process out = exec;
  if (!out.cwd().starts_with('/')) out.set_cwd("/");
  if (!out.has_capabilities() && init.has_capabilities()) {
    *out.mutable_capabilities() = init.capabilities();
  }
  if (out.rlimits().empty()) *out.mutable_rlimits() = init.rlimits();
  if (init.nonewprivileges()) out.set_nonewprivileges(true);
  if (out.oomscoreadj() == 0) out.set_oomscoreadj(init.oomscoreadj());
  out.clear_apparmorprofile();
  out.clear_selinuxlabel();
  return out;
}

}  // namespace kata_cc::agent
