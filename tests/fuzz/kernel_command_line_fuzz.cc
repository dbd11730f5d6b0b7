// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/boot/kernel_command_line.h"
#include "agent/boot/module_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(kata_cc::agent::ParseKernelCommandLine(text));
  const auto modules = kata_cc::agent::ParseModuleList(text);
  if (!modules) return 0;
  for (const auto& module : *modules) {
    if (module.path.empty() || module.path.find("..") != std::string::npos) __builtin_trap();
  }
  return 0;
}
