// SPDX-License-Identifier: Apache-2.0
#include "agent/secrets/unseal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/bytes.h"
#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

Result<void> WriteAll(int fd, ByteView bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = RetryOnEintr([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (n < 0) return ErrnoError(errno, "write " + path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

// secret in place of the file at path, with the mode and owner that info has.
Result<void> Replace(const std::string& path, const struct stat& info, const Secret& secret) {
  std::string made = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(made.data(), O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, "mkostemp " + made);
  Result<void> done = WriteAll(fd.get(), secret.view(), made);
  if (done && (::fchown(fd.get(), info.st_uid, info.st_gid) != 0 ||
               ::fchmod(fd.get(), info.st_mode & 07777) != 0 ||
               ::rename(made.c_str(), path.c_str()) != 0)) {
    done = ErrnoError(errno, "replace " + path);
  }
  if (!done) ::unlink(made.c_str());
  return done;
}

}  // namespace

Result<void> UnsealEnvironment(std::vector<std::string>& environment, const Unseal& unseal) {
  for (std::string& entry : environment) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view value = std::string_view(entry).substr(equals + 1);
    if (!IsSealed(value)) continue;
    const std::string name = entry.substr(0, equals);
    const Secret secret = TRY_CONTEXT(unseal(value), "environment: " + name);
    if (secret.text().find('\0') != std::string_view::npos) {
      return Error(Code::kInvalidArgument, "environment: " + name + ": the secret has a NUL");
    }
    entry.replace(equals + 1, std::string::npos, secret.text());
  }
  return {};
}

Result<bool> UnsealFile(const std::string& path, const Unseal& unseal) {
  const UniqueFd fd = TRY(OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError(errno, "stat " + path);
  if (!S_ISREG(info.st_mode)) return Error(Code::kInvalidArgument, path + ": not a file");
  if (info.st_size > static_cast<off_t>(kMaxSealedBytes)) return false;
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  const ssize_t n = RetryOnEintr([&] { return ::read(fd.get(), text.data(), text.size()); });
  if (n < 0) return ErrnoError(errno, "read " + path);
  text.resize(static_cast<std::size_t>(n));
  while (text.ends_with('\n'))
    text.pop_back();
  if (!IsSealed(text)) return false;
  const Secret secret = TRY_CONTEXT(unseal(text), path);
  TRY(Replace(path, info, secret));
  return true;
}

Result<void> UnsealFiles(const std::string& path, const Unseal& unseal) {
  constexpr int kMaxFiles = 1000;
  std::vector<std::string> files;
  std::error_code error;
  if (std::filesystem::is_regular_file(std::filesystem::symlink_status(path, error))) {
    TRY(UnsealFile(path, unseal));
    return {};
  }
  // The whole list first: replacing a file makes another one.
  for (auto it = std::filesystem::recursive_directory_iterator(path, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (!it->is_regular_file(error) || it->is_symlink(error)) continue;
    if (files.size() == kMaxFiles) {
      return Error(Code::kResourceExhausted, "sealed files: " + path + ": too many");
    }
    files.push_back(it->path());
  }
  if (error) return ErrnoError(error.value(), "sealed files: " + path);
  for (const std::string& file : files)
    TRY(UnsealFile(file, unseal));
  return {};
}

}  // namespace kata_cc::agent
