// SPDX-License-Identifier: Apache-2.0
// Mounts of the guest, with an owner each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

// mount(8)'s option names as mount(2) takes them: flags, and the file system's own in data.
// InvalidArgument for options that would make a new kind of mount (bind, remount, propagation) or
// hold a comma.
struct MountOptions {
  unsigned long flags = 0;
  std::string data;
};
Result<MountOptions> ParseMountOptions(const std::vector<std::string>& options);

// A mount, until it is dropped; then it goes at once, or (EBUSY) as soon as its last user lets go.
class ScopedMount {
 public:
  // On top of the directory or file that target is open on.
  static Result<ScopedMount> Mount(const std::string& source, const UniqueFd& target,
                                   const std::string& type, const MountOptions& options);
  // `path` names the mount for its end; it must lead there without the caller's help.
  ScopedMount(ScopedMount&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScopedMount& operator=(ScopedMount&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~ScopedMount();

 private:
  explicit ScopedMount(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// What a descriptor is open on (and what is mounted below it), under a name that is made for it and
// goes with it.
class StagedBind {
 public:
  static Result<StagedBind> Create(const UniqueFd& source, std::string path);
  StagedBind(StagedBind&& other) noexcept
      : path_(std::exchange(other.path_, {})), is_directory_(other.is_directory_) {}
  StagedBind& operator=(StagedBind&&) = delete;
  ~StagedBind();
  const std::string& path() const { return path_; }

 private:
  StagedBind(std::string path, bool is_directory)
      : path_(std::move(path)), is_directory_(is_directory) {}
  std::string path_;
  bool is_directory_;
};

}  // namespace kata_cc::agent
