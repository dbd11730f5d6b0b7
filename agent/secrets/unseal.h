// SPDX-License-Identifier: Apache-2.0
// Sealed secrets ("sealed." and a JWS; agent/kbs/sealed_secret.h) in what a container is created
// with: a pod's environment and files hold them in the clear, and only the guest can unseal them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/secrets/secret.h"
#include "base/result.h"

namespace kata_cc::agent {

inline constexpr std::string_view kSealedPrefix = "sealed.";
inline constexpr std::size_t kMaxSealedBytes = std::size_t{64} << 10;

inline bool IsSealed(std::string_view text) {
  return text.starts_with(kSealedPrefix);
}

// Verifies a sealed secret and fetches what it stands for; blocks.
using Unseal = std::function<Result<Secret>(std::string_view sealed)>;

// Unseals the values of NAME=sealed.... entries in place. The first that fails is an error that
// names the variable.
Result<void> UnsealEnvironment(std::vector<std::string>& environment, const Unseal& unseal);

// Unseals the file (no symlink) if its content is a sealed secret: it is replaced in one step,
// and keeps mode and owner. Gives whether it was one.
Result<bool> UnsealFile(const std::string& path, const Unseal& unseal);

// A file, or the files below a directory that holds no more than a volume of secrets does. Links
// are not followed.
Result<void> UnsealFiles(const std::string& path, const Unseal& unseal);

}  // namespace kata_cc::agent
