// SPDX-License-Identifier: Apache-2.0
// CopyFile: files that the host sends piece by piece (ConfigMaps, Secrets, resolv.conf: Kata's form
// for sandboxes without a shared file system), below one directory, where nothing that is already
// there leads elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/synced.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

// Any thread. A file is invisible until its last piece is there, and then takes its name at once.
class FileCopier {
 public:
  static constexpr std::size_t kMaxPending = 64;
  static constexpr std::int64_t kMaxFileBytes = std::int64_t{256} << 20;

  // Files go below directory, which is made if missing; nothing else may be.
  static Result<std::unique_ptr<FileCopier>> Create(std::string directory);

  // Regular files, directories and symbolic links, by file_mode's type as the policy saw it. A link
  // `..data` that replaces another ends what kubelet's older generations have left beside it.
  // InvalidArgument for other kinds, for a path outside or through a link, and for sizes and
  // offsets that contradict each other: the pieces come in order, without gaps, and add up to
  // file_size.
  Result<void> Copy(const grpc::CopyFileRequest& request);

  // From now on each file that is copied to path, or below it, is given to open before it takes its
  // name; when that fails, so does the copy, and what had the name keeps it.
  using Open = std::function<Result<void>(const std::string& file)>;
  Result<void> OpenBelow(const std::string& path, Open open);

 private:
  struct Pending {
    UniqueFd file;  // Without a name as yet.
    std::int64_t written = 0;
    std::int64_t size = 0;
  };

  FileCopier(std::string directory, UniqueFd root)
      : directory_(std::move(directory)), root_(std::move(root)) {}
  Result<UniqueFd> Parent(const grpc::CopyFileRequest& request, const std::string& relative) const;
  Result<void> CopyRegular(const grpc::CopyFileRequest& request, const std::string& relative);
  Result<Pending> Take(const std::string& relative, const grpc::CopyFileRequest& request,
                       const UniqueFd& parent);
  Result<void> Publish(const grpc::CopyFileRequest& request, const Pending& pending,
                       const UniqueFd& parent, const std::string& relative);
  Result<void> OpenIfCovered(const std::string& relative, const std::string& temporary);
  Result<void> MakeDirectory(const grpc::CopyFileRequest& request, const UniqueFd& parent,
                             const std::string& name) const;
  Result<void> MakeLink(const grpc::CopyFileRequest& request, const UniqueFd& parent,
                        const std::string& name);
  std::string TemporaryName();

  const std::string directory_;
  const UniqueFd root_;
  Synced<std::map<std::string, Pending>> pending_;
  Synced<std::uint64_t> next_name_;
  Synced<std::map<std::string, Open>> open_below_;  // By relative path.
};

}  // namespace kata_cc::agent
