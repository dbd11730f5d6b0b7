// SPDX-License-Identifier: Apache-2.0
// The end of the guest's console log, fit to be put into an error message.
#pragma once

#include <string>

namespace kata_cc::shim {

// The last lines of the file, at most 20 and at most 2,000 bytes. The guest wrote them: whatever is
// not printable ASCII becomes '?', so that it can neither drive a terminal nor forge a log line.
// Empty if there is no such file. Any thread.
std::string ReadConsoleTail(const std::string& path);

}  // namespace kata_cc::shim
