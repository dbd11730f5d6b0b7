// SPDX-License-Identifier: Apache-2.0
#include "shim/entry.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "proto/oci/strict_json.h"

namespace kata_cc::shim {
namespace {

constexpr char kSocketDir[] = "/run/containerd/s/";
constexpr char kStateRoot[] = "/run/kata-cc/";
constexpr char kStateFile[] = "/sandbox.json";

std::string Sha256Hex(const std::string& bytes) {
  std::array<unsigned char, 32> digest = {};
  unsigned int length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace

Result<Arguments> ParseArguments(const std::vector<std::string>& words) {
  Arguments arguments;
  const std::map<std::string, std::string*> texts = {{"namespace", &arguments.containerd_namespace},
                                                     {"address", &arguments.address},
                                                     {"publish-binary", &arguments.publish_binary},
                                                     {"id", &arguments.id},
                                                     {"bundle", &arguments.bundle},
                                                     {"socket", &arguments.socket}};
  const std::map<std::string, bool*> switches = {{"debug", &arguments.debug},
                                                 {"info", &arguments.info},
                                                 {"v", &arguments.version},
                                                 {"version", &arguments.version}};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.empty() || word[0] != '-') {
      if (i + 1 != words.size() || (word != "start" && word != "delete"))
        return Error(Code::kInvalidArgument, "unknown action: " + word);
      arguments.action = word;
      break;
    }
    std::string name = word.substr(word.rfind("--", 0) == 0 ? 2 : 1);
    const std::size_t equals = name.find('=');
    const bool has_value = equals != name.npos;
    std::string value = has_value ? name.substr(equals + 1) : "";
    name = name.substr(0, equals);
    if (const auto flag = switches.find(name); flag != switches.end()) {
      *flag->second = !has_value || value == "true" || value == "1";
      continue;
    }
    const auto text = texts.find(name);
    if (text == texts.end()) return Error(Code::kInvalidArgument, "unknown flag: " + word);
    if (!has_value) {
      if (++i == words.size()) return Error(Code::kInvalidArgument, "flag needs a value: " + word);
      value = words[i];
    }
    *text->second = std::move(value);
  }
  return arguments;
}

SandboxPaths PathsOf(const Arguments& arguments, const std::string& sandbox_id) {
  const std::string& space = arguments.containerd_namespace;
  const std::string hash = Sha256Hex(arguments.address + "/" + space + "/" + sandbox_id);
  return {kSocketDir + hash, kStateRoot + hash.substr(0, 32),
          "kata-cc-" + sandbox_id + "-" + hash.substr(0, 8)};
}

Result<void> SaveState(const std::string& state_dir, const SavedState& state) {
  const nlohmann::json document = {{"libvirt_uri", state.libvirt_uri},
                                   {"image_dir", state.image_dir},
                                   {"netns", state.netns.path},
                                   {"netns_id", state.netns.id}};
  const std::string text = document.dump() + "\n";
  // Written in place: its inode carries the lock.
  const UniqueFd fd = TRY(OpenFile(state_dir + kStateFile, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return ErrnoError(errno, state_dir + kStateFile);
  return {};
}

Result<SavedState> LoadState(const std::string& state_dir) {
  const std::string path = state_dir + kStateFile;
  const UniqueFd fd = TRY(OpenFile(path, O_RDONLY));
  std::array<char, 16384> buffer = {};
  const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
  if (n < 0) return ErrnoError(errno, path);
  const nlohmann::json document =
      TRY_CONTEXT(oci::ParseStrictJson({buffer.data(), static_cast<std::size_t>(n)}), path);
  SavedState state;
  for (const auto& [key, out] :
       {std::pair{"libvirt_uri", &state.libvirt_uri}, std::pair{"image_dir", &state.image_dir},
        std::pair{"netns", &state.netns.path}, std::pair{"netns_id", &state.netns.id}}) {
    const auto found = document.is_object() ? document.find(key) : document.end();
    if (found == document.end() || !found->is_string())
      return Error(Code::kDataLoss, path + ": no " + key);
    *out = *found->get_ptr<const std::string*>();
  }
  return state;
}

Result<UniqueFd> LockState(const std::string& state_dir) {
  UniqueFd fd = TRY(OpenFile(state_dir + kStateFile, O_RDWR | O_CREAT, 0600));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return ErrnoError(errno, state_dir);
  return Error(Code::kFailedPrecondition, state_dir + ": a shim serves this sandbox");
}

Result<UniqueFd> ConnectSocket(const std::string& path) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path)
    return Error(Code::kInvalidArgument, "socket path too long: " + path);
  std::memcpy(name.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return ErrnoError(errno, path);
  return fd;
}

}  // namespace kata_cc::shim
