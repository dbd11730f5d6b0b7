// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace kata_cc {
namespace {

Code CodeFromErrno(int error_number) {
  switch (error_number) {
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    case EPERM:
    case EACCES:
      return Code::kPermissionDenied;
    default:
      return Code::kInternal;
  }
}

}  // namespace

Error ErrnoError(int error_number, std::string_view what) {
  const std::string reason = std::system_category().message(error_number);
  return Error(CodeFromErrno(error_number), reason).With(what);
}

}  // namespace kata_cc
