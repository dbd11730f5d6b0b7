// SPDX-License-Identifier: Apache-2.0
#include "proto/oci/spec_writer.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace kata_cc::oci {
namespace {

using nlohmann::json;

// Puts a value under key unless it is empty.
void Put(json& out, const char* key, json value) {
  if (value.is_null() || ((value.is_array() || value.is_object()) && value.empty())) return;
  if (value.is_string() && value.get_ref<const std::string&>().empty()) return;
  out[key] = std::move(value);
}

template <typename T>
void PutNumber(json& out, const char* key, T value) {
  if (value != 0) out[key] = value;
}

template <typename Repeated>
json Array(const Repeated& values) {
  json out = json::array();
  for (const auto& value : values)
    out.push_back(value);
  return out;
}

template <typename Repeated, typename Writer>
json Array(const Repeated& values, Writer write) {
  json out = json::array();
  for (const auto& value : values)
    out.push_back(write(value));
  return out;
}

template <typename Map>
json Object(const Map& map) {
  json out = json::object();
  for (const auto& [key, value] : map)
    out[key] = value;
  return out;
}

json User(const grpc::User& user) {
  json out = {{"uid", user.uid()}, {"gid", user.gid()}};
  Put(out, "additionalGids", Array(user.additionalgids()));
  Put(out, "username", user.username());
  return out;
}

json Capabilities(const grpc::LinuxCapabilities& in) {
  json out = json::object();
  // An empty list is a statement here: no capability.
  out["bounding"] = Array(in.bounding());
  out["effective"] = Array(in.effective());
  out["inheritable"] = Array(in.inheritable());
  out["permitted"] = Array(in.permitted());
  out["ambient"] = Array(in.ambient());
  return out;
}

json Process(const grpc::Process& in) {
  json out = json::object();
  if (in.terminal()) out["terminal"] = true;
  if (in.has_consolesize()) {
    out["consoleSize"] = {{"height", in.consolesize().height()},
                          {"width", in.consolesize().width()}};
  }
  out["user"] = User(in.user());
  Put(out, "args", Array(in.args()));
  Put(out, "env", Array(in.env()));
  Put(out, "cwd", in.cwd());
  if (in.has_capabilities()) out["capabilities"] = Capabilities(in.capabilities());
  Put(out, "rlimits", Array(in.rlimits(), [](const grpc::POSIXRlimit& limit) {
        return json{{"type", limit.type()}, {"hard", limit.hard()}, {"soft", limit.soft()}};
      }));
  if (in.nonewprivileges()) out["noNewPrivileges"] = true;
  Put(out, "apparmorProfile", in.apparmorprofile());
  PutNumber(out, "oomScoreAdj", in.oomscoreadj());
  Put(out, "selinuxLabel", in.selinuxlabel());
  return out;
}

json Hook(const grpc::Hook& in) {
  json out = {{"path", in.path()}};
  Put(out, "args", Array(in.args()));
  Put(out, "env", Array(in.env()));
  PutNumber(out, "timeout", in.timeout());
  return out;
}

json Memory(const grpc::LinuxMemory& in) {
  json out = json::object();
  PutNumber(out, "limit", in.limit());
  PutNumber(out, "reservation", in.reservation());
  PutNumber(out, "swap", in.swap());
  PutNumber(out, "kernel", in.kernel());
  PutNumber(out, "kernelTCP", in.kerneltcp());
  PutNumber(out, "swappiness", in.swappiness());
  if (in.disableoomkiller()) out["disableOOMKiller"] = true;
  return out;
}

json Cpu(const grpc::LinuxCPU& in) {
  json out = json::object();
  PutNumber(out, "shares", in.shares());
  PutNumber(out, "quota", in.quota());
  PutNumber(out, "period", in.period());
  PutNumber(out, "realtimeRuntime", in.realtimeruntime());
  PutNumber(out, "realtimePeriod", in.realtimeperiod());
  Put(out, "cpus", in.cpus());
  Put(out, "mems", in.mems());
  return out;
}

json DeviceRule(const grpc::LinuxDeviceCgroup& in) {
  json out = {{"allow", in.allow()}};
  Put(out, "type", in.type());
  // Zero is a number like any other; below it: any.
  if (in.major() >= 0 && !in.type().empty()) out["major"] = in.major();
  if (in.minor() >= 0 && !in.type().empty()) out["minor"] = in.minor();
  Put(out, "access", in.access());
  return out;
}

json Resources(const grpc::LinuxResources& in) {
  json out = json::object();
  Put(out, "devices", Array(in.devices(), DeviceRule));
  if (in.has_memory()) Put(out, "memory", Memory(in.memory()));
  if (in.has_cpu()) Put(out, "cpu", Cpu(in.cpu()));
  if (in.has_pids()) out["pids"] = {{"limit", in.pids().limit()}};
  Put(out, "hugepageLimits", Array(in.hugepagelimits(), [](const grpc::LinuxHugepageLimit& limit) {
        return json{{"pageSize", limit.pagesize()}, {"limit", limit.limit()}};
      }));
  return out;
}

json Seccomp(const grpc::LinuxSeccomp& in) {
  json out = {{"defaultAction", in.defaultaction()}};
  Put(out, "architectures", Array(in.architectures()));
  Put(out, "flags", Array(in.flags()));
  Put(out, "syscalls", Array(in.syscalls(), [](const grpc::LinuxSyscall& rule) {
        json one = {{"names", Array(rule.names())}, {"action", rule.action()}};
        if (rule.ErrnoRet_case() == grpc::LinuxSyscall::kErrnoret) {
          one["errnoRet"] = rule.errnoret();
        }
        Put(one, "args", Array(rule.args(), [](const grpc::LinuxSeccompArg& arg) {
              return json{{"index", arg.index()},
                          {"value", arg.value()},
                          {"valueTwo", arg.valuetwo()},
                          {"op", arg.op()}};
            }));
        return one;
      }));
  return out;
}

json IdMapping(const grpc::LinuxIDMapping& in) {
  return {{"hostID", in.hostid()}, {"containerID", in.containerid()}, {"size", in.size()}};
}

json Device(const grpc::LinuxDevice& in) {
  json out = {{"path", in.path()},   {"type", in.type()}, {"major", in.major()},
              {"minor", in.minor()}, {"uid", in.uid()},   {"gid", in.gid()}};
  PutNumber(out, "fileMode", in.filemode());
  return out;
}

json LinuxPart(const grpc::Linux& in) {
  json out = json::object();
  Put(out, "uidMappings", Array(in.uidmappings(), IdMapping));
  Put(out, "gidMappings", Array(in.gidmappings(), IdMapping));
  Put(out, "sysctl", Object(in.sysctl()));
  if (in.has_resources()) Put(out, "resources", Resources(in.resources()));
  Put(out, "cgroupsPath", in.cgroupspath());
  Put(out, "namespaces", Array(in.namespaces(), [](const grpc::LinuxNamespace& one) {
        json ns = {{"type", one.type()}};
        Put(ns, "path", one.path());
        return ns;
      }));
  Put(out, "devices", Array(in.devices(), Device));
  if (in.has_seccomp()) out["seccomp"] = Seccomp(in.seccomp());
  Put(out, "rootfsPropagation", in.rootfspropagation());
  Put(out, "maskedPaths", Array(in.maskedpaths()));
  Put(out, "readonlyPaths", Array(in.readonlypaths()));
  Put(out, "mountLabel", in.mountlabel());
  return out;
}

json SpecPart(const grpc::Spec& in) {
  json out = {{"ociVersion", in.version()}};
  if (in.has_process()) out["process"] = Process(in.process());
  if (in.has_root()) {
    out["root"] = {{"path", in.root().path()}, {"readonly", in.root().readonly()}};
  }
  Put(out, "hostname", in.hostname());
  Put(out, "mounts", Array(in.mounts(), [](const grpc::Mount& mount) {
        json one = {{"destination", mount.destination()}};
        Put(one, "type", mount.type());
        Put(one, "source", mount.source());
        Put(one, "options", Array(mount.options()));
        return one;
      }));
  if (in.has_hooks()) {
    json hooks = json::object();
    Put(hooks, "prestart", Array(in.hooks().prestart(), Hook));
    Put(hooks, "poststart", Array(in.hooks().poststart(), Hook));
    Put(hooks, "poststop", Array(in.hooks().poststop(), Hook));
    Put(out, "hooks", std::move(hooks));
  }
  Put(out, "annotations", Object(in.annotations()));
  if (in.has_linux()) out["linux"] = LinuxPart(in.linux());
  return out;
}

bool HoldsNul(const json& value) {
  if (value.is_string()) {
    return value.get_ref<const std::string&>().find('\0') != std::string::npos;
  }
  if (!value.is_structured()) return false;
  for (const auto& [key, item] : value.items()) {
    if (HoldsNul(item) || (value.is_object() && key.find('\0') != std::string::npos)) return true;
  }
  return false;
}

Result<std::string> Dump(const json& document) {
  if (HoldsNul(document)) return Error(Code::kInvalidArgument, "spec: holds a NUL byte");
  std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() != document.dump(-1, ' ', false, json::error_handler_t::ignore).size()) {
    return Error(Code::kInvalidArgument, "spec: holds text that is not UTF-8");
  }
  return text;
}

}  // namespace

Result<std::string> WriteSpec(const grpc::Spec& spec) {
  return Dump(SpecPart(spec));
}

Result<std::string> WriteProcess(const grpc::Process& process) {
  return Dump(Process(process));
}

Result<std::string> WriteLinuxResources(const grpc::LinuxResources& resources) {
  return Dump(Resources(resources));
}

}  // namespace kata_cc::oci
