// SPDX-License-Identifier: Apache-2.0
// PID 1 of the raw boot that pod_start.sh compares with: prints a line, and does nothing else.
#include <unistd.h>

#include <string_view>

int main() {
  constexpr std::string_view kLine = "KATA-CC-RAW-BOOT\n";
  if (::write(STDOUT_FILENO, kLine.data(), kLine.size()) < 0) return 1;
  for (;;)
    ::pause();
}
