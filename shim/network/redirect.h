// SPDX-License-Identifier: Apache-2.0
// Joins two interfaces by traffic control, as Kata's tcfilter model does: each frame that comes in
// on one goes out on the other, before the host's own network stack sees it.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {

// Puts the interface of the calling thread's namespace into another, under another name.
Result<void> MoveLink(const std::string& name, const UniqueFd& netns, const std::string& new_name);

// In the calling thread's namespace. AlreadyExists when one of the interfaces has an ingress queue
// of somebody else's.
Result<void> JoinLinks(int link, const std::string& tap);

// Takes away the ingress queues that JoinLinks made, of all interfaces of the namespace.
Result<void> RemoveJoins();

}  // namespace kata_cc::shim
