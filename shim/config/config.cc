// SPDX-License-Identifier: Apache-2.0
#define TOML_EXCEPTIONS 0
#include "shim/config/config.h"

#include <fcntl.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "base/encoding.h"
#include "base/retry.h"
#include "base/unique_fd.h"
#include "proto/snp/id_block.h"

namespace kata_cc::shim {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;

// One table of the file. Each key that is read is noted; Finish names the first that was not.
class Section {
 public:
  Section(const toml::table* table, std::string name, std::optional<Error>* error)
      : table_(table), name_(std::move(name)), error_(error) {}

  void String(const char* key, std::string* out) {
    const toml::node* node = Find(key);
    if (node == nullptr) return;
    if (!node->is_string()) return Fail(key, "not a string");
    *out = node->as_string()->get();
    if (out->find('\0') != std::string::npos) Fail(key, "holds a NUL byte");
  }

  void Path(const char* key, std::string* out) {
    String(key, out);
    if (Find(key) != nullptr && !out->empty() && out->front() != '/') Fail(key, "not absolute");
  }

  void Number(const char* key, std::uint32_t low, std::uint32_t high, std::uint32_t* out) {
    const toml::node* node = Find(key);
    if (node == nullptr) return;
    if (!node->is_integer()) return Fail(key, "not an integer");
    const std::int64_t number = node->as_integer()->get();
    if (number < low || number > high)
      return Fail(key, "not in " + std::to_string(low) + ".." + std::to_string(high));
    *out = static_cast<std::uint32_t>(number);
  }

  void Number64(const char* key, std::uint64_t* out) {
    const toml::node* node = Find(key);
    if (node == nullptr) return;
    if (!node->is_integer() || node->as_integer()->get() < 0)
      return Fail(key, "not an integer of 0 or more");
    *out = static_cast<std::uint64_t>(node->as_integer()->get());
  }

  void Seconds(const char* key, std::uint32_t low, std::uint32_t high, std::chrono::seconds* out) {
    auto number = static_cast<std::uint32_t>(out->count());
    Number(key, low, high, &number);
    *out = std::chrono::seconds(number);
  }

  template <typename T>
  void Choice(const char* key, std::initializer_list<std::pair<const char*, T>> choices, T* out) {
    std::string text;
    String(key, &text);
    if (Find(key) == nullptr) return;
    std::string names;
    for (const auto& [name, value] : choices) {
      if (text == name) {
        *out = value;
        return;
      }
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    Fail(key, "none of " + names);
  }

  Section Table(const char* key) {
    const toml::node* node = Find(key);
    if (node != nullptr && !node->is_table()) Fail(key, "not a table");
    return Section(node == nullptr ? nullptr : node->as_table(), Name(key), error_);
  }

  void Fail(const char* key, const std::string& why) {
    if (!error_->has_value()) *error_ = Error(Code::kInvalidArgument, Name(key) + ": " + why);
  }

  void Finish() {
    if (table_ == nullptr) return;
    for (const auto& [key, value] : *table_) {
      if (!known_.contains(std::string(key.str())))
        return Fail(std::string(key.str()).c_str(), "unknown key");
    }
  }

 private:
  const toml::node* Find(const char* key) {
    known_.insert(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }
  std::string Name(const char* key) const { return name_.empty() ? key : name_ + "." + key; }

  const toml::table* table_;
  std::string name_;
  std::optional<Error>* error_;
  std::set<std::string> known_;
};

// What the firmware would refuse at each launch is refused here, once.
void ReadSnp(Section& qemu, Config* config) {
  qemu.Number64("snp_guest_policy", &config->snp_guest_policy);
  if (!snp::GuestPolicy{config->snp_guest_policy}.reserved_bit17())
    qemu.Fail("snp_guest_policy", "bit 17 must be one");
  qemu.String("snp_id_block", &config->snp_id_block);
  qemu.String("snp_id_auth", &config->snp_id_auth);
  if (config->snp_id_block.empty() && config->snp_id_auth.empty()) return;
  const Result<Bytes> block_bytes = Base64Decode(config->snp_id_block);
  const Result<Bytes> auth_bytes = Base64Decode(config->snp_id_auth);
  if (!block_bytes || block_bytes->size() != snp::kIdBlockSize)
    return qemu.Fail("snp_id_block", "not 96 bytes in base64");
  if (!auth_bytes || auth_bytes->size() != snp::kIdAuthSize)
    return qemu.Fail("snp_id_auth", "not 4096 bytes in base64");
  if (snp::ParseIdBlock(*block_bytes)->policy.bits != config->snp_guest_policy)
    return qemu.Fail("snp_id_block", "its policy is not snp_guest_policy");
  config->snp_author_key = snp::ParseIdAuth(*auth_bytes)->author_key_algorithm != 0;
}

void ReadHypervisor(Section qemu, Config* config) {
  qemu.Path("path", &config->qemu_path);
  qemu.Path("kernel", &config->kernel);
  qemu.Path("initrd", &config->initrd);
  qemu.Path("firmware", &config->firmware);
  qemu.Path("sim_dir", &config->sim_dir);
  qemu.String("kernel_params", &config->kernel_params);
  qemu.String("libvirt_uri", &config->libvirt_uri);
  qemu.Choice<Accelerator>(
      "accelerator",
      {{"auto", Accelerator::kAuto}, {"kvm", Accelerator::kKvm}, {"tcg", Accelerator::kTcg}},
      &config->accelerator);
  qemu.Choice<Tee>("tee", {{"snp", Tee::kSnp}, {"sim", Tee::kSim}, {"none", Tee::kNone}},
                   &config->tee);
  qemu.Choice<Transport>(
      "transport", {{"vsock", Transport::kVsock}, {"virtio-serial", Transport::kVirtioSerial}},
      &config->transport);
  qemu.Number("default_vcpus", 1, 1024, &config->sizing.default_vcpus);
  qemu.Number("default_memory", 128, 16U << 20, &config->sizing.default_memory_mib);
  qemu.Number("static_sandbox_default_workload_mem", 0, 16U << 20,
              &config->sizing.default_workload_memory_mib);
  ReadSnp(qemu, config);
  qemu.Finish();
}

void ReadAgent(Section agent, Config* config) {
  agent.Seconds("dial_timeout", 1, 3600, &config->dial_timeout);
  agent.Seconds("request_timeout", 1, 3600, &config->request_timeout);
  agent.Seconds("health_check_interval", 1, 3600, &config->health_check_interval);
  agent.Finish();
}

void ReadRuntime(Section runtime, Config* config) {
  runtime.Seconds("create_container_timeout", 1, 3600, &config->create_container_timeout);
  runtime.Path("image_dir", &config->image_dir);
  runtime.Choice<std::string>("squashfs_compressor",
                              {{"lz4", "lz4"}, {"zstd", "zstd"}, {"gzip", "gzip"}, {"xz", "xz"}},
                              &config->squashfs_compressor);
  for (const auto& [key, mode] :
       {std::pair{"scratch", &config->scratch}, {"emptydir_mode", &config->emptydir_mode}})
    runtime.Choice<StorageMode>(
        key, {{"memory", StorageMode::kMemory}, {"block-encrypted", StorageMode::kBlockEncrypted}},
        mode);
  runtime.Number("scratch_size", 64, 16U << 20, &config->scratch_size_mib);
  runtime.Choice<LogLevel>("log_level",
                           {{"debug", LogLevel::kDebug},
                            {"info", LogLevel::kInfo},
                            {"warn", LogLevel::kWarn},
                            {"error", LogLevel::kError}},
                           &config->log_level);
  runtime.Finish();
}

}  // namespace

Result<Config> ParseConfig(std::string_view toml_text, const std::string& origin) {
  const toml::parse_result document = toml::parse(toml_text);
  if (!document) {
    const toml::source_position at = document.error().source().begin;
    return Error(Code::kInvalidArgument, origin + ": line " + std::to_string(at.line) + ": " +
                                             std::string(document.error().description()));
  }
  std::optional<Error> error;
  Config config;
  Section root(&document.table(), "", &error);
  Section hypervisor = root.Table("hypervisor");
  ReadHypervisor(hypervisor.Table("qemu"), &config);
  hypervisor.Finish();
  Section agent = root.Table("agent");
  ReadAgent(agent.Table("kata"), &config);
  agent.Finish();
  ReadRuntime(root.Table("runtime"), &config);
  root.Finish();
  if (error) return std::move(*error).With(origin);
  if (config.tee == Tee::kSnp && config.firmware.empty())
    return Error(Code::kInvalidArgument,
                 origin + ": hypervisor.qemu.firmware: needed when tee is \"snp\"");
  return config;
}

Result<Config> ReadConfig(const std::string& path) {
  const UniqueFd fd = TRY_CONTEXT(OpenFile(path, O_RDONLY), "configuration");
  std::string text;
  for (;;) {
    char buffer[8192];
    const ssize_t n = RetryOnEintr([&] { return ::read(fd.get(), buffer, sizeof buffer); });
    if (n < 0) return ErrnoError(errno, "configuration: " + path);
    if (n == 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > kMaxConfigBytes)
      return Error(Code::kInvalidArgument, "configuration: " + path + ": larger than 1 MiB");
  }
  return TRY_CONTEXT(ParseConfig(text, path), "configuration");
}

Result<std::string> ChooseConfigPath(const ConfigSources& sources) {
  if (!sources.annotation.empty()) {
    const std::string& path = sources.annotation;
    bool allowed = false;
    for (const std::string& dir : sources.annotation_dirs)
      allowed = allowed || path.rfind(dir, 0) == 0;
    // A pod's author must not point the shim at a file of their own.
    if (!allowed || path.find("/../") != std::string::npos)
      return Error(Code::kInvalidArgument,
                   "io.katacontainers.config_path: not in a configuration directory");
    return path;
  }
  if (!sources.option.empty()) return sources.option;
  if (!sources.environment.empty()) return sources.environment;
  return std::string(kDefaultConfigPath);
}

}  // namespace kata_cc::shim
