// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/guest_spec.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "shim/sandbox/launch_data.h"

namespace kata_cc::shim {
namespace {

bool IsBind(const grpc::Mount& mount) {
  if (mount.type() == "bind") return true;
  return std::any_of(mount.options().begin(), mount.options().end(), [](const std::string& option) {
    return option == "bind" || option == "rbind";
  });
}

bool IsUnder(const std::string& path, const std::string& dir) {
  return path == dir || path.rfind(dir + "/", 0) == 0;
}

std::string RandomHex() {
  std::array<unsigned char, 8> bytes = {};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  std::string hex;
  for (const unsigned char byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

// The same name that Kata gives a copied file: <container id>-<16 hex digits>-<base name>.
std::string GuestCopyPath(const std::string& container_id, const std::string& destination) {
  const std::size_t slash = destination.find_last_of('/');
  const std::string base = slash == destination.npos ? destination : destination.substr(slash + 1);
  return kGuestSharedDir + container_id + "-" + RandomHex() + "-" + (base.empty() ? "root" : base);
}

Result<void> TranslateMounts(const GuestSpecOptions& options, GuestSpec* guest) {
  for (grpc::Mount& mount : *guest->spec.mutable_mounts()) {
    if (!IsBind(mount)) continue;
    if (mount.destination() == "/dev/shm") {
      mount.set_source(kGuestShm);
      continue;
    }
    const std::string& source = mount.source();
    const std::string what = "mount " + mount.destination() + ": ";
    if (source.empty() || source.front() != '/' || source.find("/../") != source.npos)
      return Error(Code::kInvalidArgument, what + "source is not an absolute path");
    for (const char* dir : {"/dev", "/proc", "/sys"}) {
      if (IsUnder(source, dir))
        return Error(Code::kInvalidArgument, what + "the host's " + dir + " is not shared");
    }
    const VolumeKind kind = KindOfVolume(source, mount.destination());
    if (kind == VolumeKind::kEmptyDir) {
      guest->storages.push_back(
          TRY_CONTEXT(EmptyDirStorage(source, options.sandbox_id, options.empty_dirs),
                      "mount " + mount.destination()));
      if (guest->storages.back().driver() == kBlockDriver)
        guest->disk_dirs[guest->storages.back().source()] = source;
      mount.set_source(guest->storages.back().mount_point());
      continue;
    }
    if (kind == VolumeKind::kHost && options.confidential)
      return Error(Code::kFailedPrecondition,
                   what +
                       "a confidential sandbox takes no hostPath, subPath or file system of the "
                       "host: " +
                       source);
    guest->copies.push_back({source, GuestCopyPath(options.container_id, mount.destination())});
    mount.set_source(guest->copies.back().guest_path);
  }
  return {};
}

}  // namespace

std::string GuestRootfs(const std::string& container_id) {
  return "/run/kata-containers/" + container_id + "/rootfs";
}

void ConstrainResources(grpc::LinuxResources* resources) {
  resources->clear_devices();
  resources->clear_pids();
  resources->clear_blockio();
  resources->clear_network();
  if (!resources->has_cpu()) return;
  resources->mutable_cpu()->clear_cpus();
  resources->mutable_cpu()->clear_mems();
}

Result<GuestSpec> MakeGuestSpec(grpc::Spec spec, const GuestSpecOptions& options) {
  GuestSpec guest;
  guest.spec = std::move(spec);
  grpc::Spec& out = guest.spec;
  out.clear_hooks();
  out.mutable_root()->set_path(GuestRootfs(options.container_id));
  out.mutable_annotations()->erase(kPolicyAnnotation);
  out.mutable_annotations()->erase(kInitdataAnnotation);
  grpc::Linux& os_linux = *out.mutable_linux();
  os_linux.clear_seccomp();
  guest.devices = TRY(DevicesOf(os_linux));  // Before their limits go.
  if (os_linux.has_resources()) ConstrainResources(os_linux.mutable_resources());
  google::protobuf::RepeatedPtrField<grpc::LinuxNamespace> namespaces;
  for (grpc::LinuxNamespace& one : *os_linux.mutable_namespaces()) {
    if (one.type() == "network" || one.type() == "cgroup" || one.type() == "time") continue;
    if (one.type() == "pid" && !one.path().empty()) {
      guest.sandbox_pidns = true;
      continue;
    }
    one.clear_path();
    namespaces.Add()->Swap(&one);
  }
  os_linux.mutable_namespaces()->Swap(&namespaces);
  (void)TRY(TranslateMounts(options, &guest));
  return guest;
}

grpc::Process MakeGuestExec(const grpc::Process& process, bool terminal) {
  grpc::Process out;
  out.set_terminal(terminal);
  *out.mutable_user() = process.user();
  *out.mutable_args() = process.args();
  *out.mutable_env() = process.env();
  out.set_cwd(process.cwd());
  return out;
}

std::vector<std::string> ReadDns(const grpc::Spec& spec) {
  constexpr std::size_t kMaxLines = 64;  // The resolver itself reads far fewer.
  std::vector<std::string> lines;
  for (const grpc::Mount& mount : spec.mounts()) {
    if (mount.destination() != "/etc/resolv.conf") continue;
    std::ifstream file(mount.source());
    for (std::string line; lines.size() < kMaxLines && std::getline(file, line);)
      lines.push_back(line.substr(0, 1024));
  }
  return lines;
}

}  // namespace kata_cc::shim
