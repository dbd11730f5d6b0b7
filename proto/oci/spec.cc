// SPDX-License-Identifier: Apache-2.0
#include "proto/oci/spec.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/retry.h"
#include "base/unique_fd.h"
#include "proto/oci/strict_json.h"

namespace kata_cc::oci {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSpecBytes = std::size_t{8} << 20;

// A JSON object being read. A missing or null key gives an empty value; the first wrong one is kept
// in the error that all nodes of a document share.
class Node {
 public:
  Node(const json* value, std::string path, std::optional<Error>* error)
      : value_(value), path_(std::move(path)), error_(error) {
    if (value_ != nullptr && !value_->is_object()) Fail("", "not an object");
  }

  bool present() const { return value_ != nullptr && value_->is_object(); }
  bool Has(const char* key) const { return Find(key) != nullptr; }

  Node Object(const char* key) const { return Node(Find(key), Path(key), error_); }

  std::string String(const char* key) const {
    const json* value = Find(key);
    return value == nullptr ? std::string() : AsString(*value, key);
  }

  bool Bool(const char* key) const {
    const json* value = Find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) Fail(key, "not a boolean");
    return value->is_boolean() && *value->get_ptr<const bool*>();
  }

  template <typename T>
  T Integer(const char* key) const {
    const json* value = Find(key);
    return value == nullptr ? T{} : AsInteger<T>(*value, key);
  }

  // Calls each with every element of an array of strings.
  template <typename Function>
  void Strings(const char* key, Function each) const {
    ForEach(key, [&](const json& item) { each(AsString(item, key)); });
  }

  template <typename T, typename Function>
  void Integers(const char* key, Function each) const {
    ForEach(key, [&](const json& item) { each(AsInteger<T>(item, key)); });
  }

  template <typename Function>
  void Objects(const char* key, Function each) const {
    ForEach(key, [&](const json& item) { each(Node(&item, Path(key), error_)); });
  }

  template <typename Map>
  void StringMap(const char* key, Map* out) const {
    const json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_object()) return Fail(key, "not an object");
    for (const auto& [name, item] : value->items())
      (*out)[name] = AsString(item, key);
  }

 private:
  const json* Find(const char* key) const {
    if (!present()) return nullptr;
    const auto found = value_->find(key);
    return found == value_->end() || found->is_null() ? nullptr : &*found;
  }

  std::string Path(const char* key) const { return path_.empty() ? key : path_ + "." + key; }

  void Fail(const char* key, const char* why) const {
    if (!error_->has_value())
      *error_ = Error(Code::kInvalidArgument, "spec: " + Path(key) + ": " + why);
  }

  template <typename Function>
  void ForEach(const char* key, Function each) const {
    const json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return Fail(key, "not an array");
    for (const json& item : *value)
      each(item);
  }

  std::string AsString(const json& value, const char* key) const {
    const auto* text = value.get_ptr<const std::string*>();
    if (text == nullptr) {
      Fail(key, "not a string");
      return {};
    }
    // No consumer of these strings (exec, mount, C libraries) can hold a NUL.
    if (text->find('\0') != std::string::npos) Fail(key, "holds a NUL byte");
    return *text;
  }

  template <typename T>
  T AsInteger(const json& value, const char* key) const {
    using Limits = std::numeric_limits<T>;
    if (value.is_number_unsigned()) {
      const std::uint64_t number = *value.get_ptr<const json::number_unsigned_t*>();
      if (number <= static_cast<std::uint64_t>(Limits::max())) return static_cast<T>(number);
    } else if (value.is_number_integer()) {
      const std::int64_t number = *value.get_ptr<const json::number_integer_t*>();
      if constexpr (std::is_signed_v<T>) {
        if (number >= Limits::min() && number <= Limits::max()) return static_cast<T>(number);
      }
    } else {
      Fail(key, "not an integer");
      return {};
    }
    Fail(key, "out of range");
    return {};
  }

  const json* value_;
  std::string path_;
  std::optional<Error>* error_;
};

void ReadUser(const Node& node, grpc::User* out) {
  out->set_uid(node.Integer<std::uint32_t>("uid"));
  out->set_gid(node.Integer<std::uint32_t>("gid"));
  node.Integers<std::uint32_t>("additionalGids",
                               [&](std::uint32_t gid) { out->add_additionalgids(gid); });
  out->set_username(node.String("username"));
}

void ReadCapabilities(const Node& node, grpc::LinuxCapabilities* out) {
  node.Strings("bounding", [&](std::string name) { out->add_bounding(std::move(name)); });
  node.Strings("effective", [&](std::string name) { out->add_effective(std::move(name)); });
  node.Strings("inheritable", [&](std::string name) { out->add_inheritable(std::move(name)); });
  node.Strings("permitted", [&](std::string name) { out->add_permitted(std::move(name)); });
  node.Strings("ambient", [&](std::string name) { out->add_ambient(std::move(name)); });
}

void ReadProcess(const Node& node, grpc::Process* out) {
  out->set_terminal(node.Bool("terminal"));
  if (const Node size = node.Object("consoleSize"); size.present()) {
    out->mutable_consolesize()->set_height(size.Integer<std::uint32_t>("height"));
    out->mutable_consolesize()->set_width(size.Integer<std::uint32_t>("width"));
  }
  ReadUser(node.Object("user"), out->mutable_user());
  node.Strings("args", [&](std::string text) { out->add_args(std::move(text)); });
  node.Strings("env", [&](std::string text) { out->add_env(std::move(text)); });
  out->set_cwd(node.String("cwd"));
  if (const Node capabilities = node.Object("capabilities"); capabilities.present())
    ReadCapabilities(capabilities, out->mutable_capabilities());
  node.Objects("rlimits", [&](const Node& limit) {
    grpc::POSIXRlimit* added = out->add_rlimits();
    added->set_type(limit.String("type"));
    added->set_hard(limit.Integer<std::uint64_t>("hard"));
    added->set_soft(limit.Integer<std::uint64_t>("soft"));
  });
  out->set_nonewprivileges(node.Bool("noNewPrivileges"));
  out->set_apparmorprofile(node.String("apparmorProfile"));
  out->set_oomscoreadj(node.Integer<std::int64_t>("oomScoreAdj"));
  out->set_selinuxlabel(node.String("selinuxLabel"));
}

void ReadHook(const Node& node, grpc::Hook* out) {
  out->set_path(node.String("path"));
  node.Strings("args", [&](std::string text) { out->add_args(std::move(text)); });
  node.Strings("env", [&](std::string text) { out->add_env(std::move(text)); });
  out->set_timeout(node.Integer<std::int64_t>("timeout"));
}

void ReadMemory(const Node& node, grpc::LinuxMemory* out) {
  out->set_limit(node.Integer<std::int64_t>("limit"));
  out->set_reservation(node.Integer<std::int64_t>("reservation"));
  out->set_swap(node.Integer<std::int64_t>("swap"));
  out->set_kernel(node.Integer<std::int64_t>("kernel"));
  out->set_kerneltcp(node.Integer<std::int64_t>("kernelTCP"));
  out->set_swappiness(node.Integer<std::uint64_t>("swappiness"));
  out->set_disableoomkiller(node.Bool("disableOOMKiller"));
}

void ReadCpu(const Node& node, grpc::LinuxCPU* out) {
  out->set_shares(node.Integer<std::uint64_t>("shares"));
  out->set_quota(node.Integer<std::int64_t>("quota"));
  out->set_period(node.Integer<std::uint64_t>("period"));
  out->set_realtimeruntime(node.Integer<std::int64_t>("realtimeRuntime"));
  out->set_realtimeperiod(node.Integer<std::uint64_t>("realtimePeriod"));
  out->set_cpus(node.String("cpus"));
  out->set_mems(node.String("mems"));
}

// Block and network limits of the host's devices mean nothing in the guest and are not read.
void ReadResources(const Node& node, grpc::LinuxResources* out) {
  node.Objects("devices", [&](const Node& rule) {
    grpc::LinuxDeviceCgroup* added = out->add_devices();
    added->set_allow(rule.Bool("allow"));
    added->set_type(rule.String("type"));
    added->set_major(rule.Integer<std::int64_t>("major"));
    added->set_minor(rule.Integer<std::int64_t>("minor"));
    added->set_access(rule.String("access"));
  });
  if (const Node memory = node.Object("memory"); memory.present())
    ReadMemory(memory, out->mutable_memory());
  if (const Node cpu = node.Object("cpu"); cpu.present()) ReadCpu(cpu, out->mutable_cpu());
  if (const Node pids = node.Object("pids"); pids.present())
    out->mutable_pids()->set_limit(pids.Integer<std::int64_t>("limit"));
  node.Objects("hugepageLimits", [&](const Node& limit) {
    grpc::LinuxHugepageLimit* added = out->add_hugepagelimits();
    added->set_pagesize(limit.String("pageSize"));
    added->set_limit(limit.Integer<std::uint64_t>("limit"));
  });
}

void ReadSeccomp(const Node& node, grpc::LinuxSeccomp* out) {
  out->set_defaultaction(node.String("defaultAction"));
  node.Strings("architectures", [&](std::string name) { out->add_architectures(std::move(name)); });
  node.Strings("flags", [&](std::string name) { out->add_flags(std::move(name)); });
  node.Objects("syscalls", [&](const Node& rule) {
    grpc::LinuxSyscall* added = out->add_syscalls();
    rule.Strings("names", [&](std::string name) { added->add_names(std::move(name)); });
    added->set_action(rule.String("action"));
    if (rule.Has("errnoRet")) added->set_errnoret(rule.Integer<std::uint32_t>("errnoRet"));
    rule.Objects("args", [&](const Node& argument) {
      grpc::LinuxSeccompArg* arg = added->add_args();
      arg->set_index(argument.Integer<std::uint64_t>("index"));
      arg->set_value(argument.Integer<std::uint64_t>("value"));
      arg->set_valuetwo(argument.Integer<std::uint64_t>("valueTwo"));
      arg->set_op(argument.String("op"));
    });
  });
}

void ReadIdMapping(const Node& node, grpc::LinuxIDMapping* out) {
  out->set_hostid(node.Integer<std::uint32_t>("hostID"));
  out->set_containerid(node.Integer<std::uint32_t>("containerID"));
  out->set_size(node.Integer<std::uint32_t>("size"));
}

void ReadLinux(const Node& node, grpc::Linux* out) {
  node.Objects("uidMappings", [&](const Node& m) { ReadIdMapping(m, out->add_uidmappings()); });
  node.Objects("gidMappings", [&](const Node& m) { ReadIdMapping(m, out->add_gidmappings()); });
  node.StringMap("sysctl", out->mutable_sysctl());
  if (const Node resources = node.Object("resources"); resources.present())
    ReadResources(resources, out->mutable_resources());
  out->set_cgroupspath(node.String("cgroupsPath"));
  node.Objects("namespaces", [&](const Node& one) {
    grpc::LinuxNamespace* added = out->add_namespaces();
    added->set_type(one.String("type"));
    added->set_path(one.String("path"));
  });
  node.Objects("devices", [&](const Node& device) {
    grpc::LinuxDevice* added = out->add_devices();
    added->set_path(device.String("path"));
    added->set_type(device.String("type"));
    added->set_major(device.Integer<std::int64_t>("major"));
    added->set_minor(device.Integer<std::int64_t>("minor"));
    added->set_filemode(device.Integer<std::uint32_t>("fileMode"));
    added->set_uid(device.Integer<std::uint32_t>("uid"));
    added->set_gid(device.Integer<std::uint32_t>("gid"));
  });
  if (const Node seccomp = node.Object("seccomp"); seccomp.present())
    ReadSeccomp(seccomp, out->mutable_seccomp());
  out->set_rootfspropagation(node.String("rootfsPropagation"));
  node.Strings("maskedPaths", [&](std::string path) { out->add_maskedpaths(std::move(path)); });
  node.Strings("readonlyPaths", [&](std::string path) { out->add_readonlypaths(std::move(path)); });
  out->set_mountlabel(node.String("mountLabel"));
}

void ReadSpec(const Node& node, grpc::Spec* out) {
  out->set_version(node.String("ociVersion"));
  if (const Node process = node.Object("process"); process.present())
    ReadProcess(process, out->mutable_process());
  if (const Node root = node.Object("root"); root.present()) {
    out->mutable_root()->set_path(root.String("path"));
    out->mutable_root()->set_readonly(root.Bool("readonly"));
  }
  out->set_hostname(node.String("hostname"));
  node.Objects("mounts", [&](const Node& mount) {
    grpc::Mount* added = out->add_mounts();
    added->set_destination(mount.String("destination"));
    added->set_source(mount.String("source"));
    added->set_type(mount.String("type"));
    mount.Strings("options", [&](std::string option) { added->add_options(std::move(option)); });
  });
  if (const Node hooks = node.Object("hooks"); hooks.present()) {
    grpc::Hooks* out_hooks = out->mutable_hooks();
    hooks.Objects("prestart", [&](const Node& h) { ReadHook(h, out_hooks->add_prestart()); });
    hooks.Objects("poststart", [&](const Node& h) { ReadHook(h, out_hooks->add_poststart()); });
    hooks.Objects("poststop", [&](const Node& h) { ReadHook(h, out_hooks->add_poststop()); });
  }
  node.StringMap("annotations", out->mutable_annotations());
  if (const Node os_linux = node.Object("linux"); os_linux.present())
    ReadLinux(os_linux, out->mutable_linux());
}

template <typename Message, typename Reader>
Result<Message> Parse(std::string_view text, Reader read) {
  const json document = TRY_CONTEXT(ParseStrictJson(text, {.max_bytes = kMaxSpecBytes}), "spec");
  std::optional<Error> error;
  Message message;
  read(Node(&document, "", &error), &message);
  if (error) return *std::move(error);
  return message;
}

Result<std::string> ReadLimited(const std::string& path) {
  const UniqueFd fd = TRY(OpenFile(path, O_RDONLY));
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = RetryOnEintr([&] { return ::read(fd.get(), buffer, sizeof buffer); });
    if (n < 0) return ErrnoError(errno, path);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > kMaxSpecBytes)
      return Error(Code::kInvalidArgument, path + ": larger than 8 MiB");
  }
}

}  // namespace

Result<grpc::Spec> ParseSpec(std::string_view config_json) {
  grpc::Spec spec = TRY((Parse<grpc::Spec>(config_json, ReadSpec)));
  if (spec.version().empty()) return Error(Code::kInvalidArgument, "spec: ociVersion: missing");
  return spec;
}

Result<grpc::Process> ParseProcess(std::string_view process_json) {
  return Parse<grpc::Process>(process_json, ReadProcess);
}

Result<grpc::LinuxResources> ParseLinuxResources(std::string_view resources_json) {
  return Parse<grpc::LinuxResources>(resources_json, ReadResources);
}

Result<grpc::Spec> ReadBundleSpec(const std::string& bundle) {
  const std::string path = bundle + "/config.json";
  const std::string text = TRY_CONTEXT(ReadLimited(path), "read the bundle");
  return TRY_CONTEXT(ParseSpec(text), path);
}

}  // namespace kata_cc::oci
