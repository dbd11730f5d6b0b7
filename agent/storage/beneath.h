// SPDX-License-Identifier: Apache-2.0
// Paths that the host chose, below one directory of the guest: no symbolic link on the way, no
// `..`, no other mount's magic; and descriptors in place of paths, so that nothing changes between
// a check and a use.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

// The part of an absolute path below root, without a leading slash. InvalidArgument when it is not
// below it, or holds an empty component, `.`, `..` or a NUL byte.
Result<std::string> RelativeTo(std::string_view root, std::string_view path);

// O_PATH of an existing file (root itself when relative is empty), whatever it is. NotFound, or
// InvalidArgument when a symbolic link is on the way or at its end.
Result<UniqueFd> OpenBeneath(const UniqueFd& root, const std::string& relative, int flags = 0);

// Makes the directories that are missing, and opens the last one (O_PATH).
Result<UniqueFd> MakeDirectoriesBeneath(const UniqueFd& root, const std::string& relative,
                                        mode_t mode);

// Removes a file, or a directory with all that is in it, through no link; what does not go (too
// deep, in use) stays.
void RemoveBeneath(const UniqueFd& parent, const std::string& name);

// The names in a directory, in no order.
Result<std::vector<std::string>> NamesIn(const UniqueFd& directory);

// A name for what fd is open on, good while fd is open, in this process and its children.
std::string PathOf(const UniqueFd& fd);

}  // namespace kata_cc::agent
