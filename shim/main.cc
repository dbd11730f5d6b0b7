// SPDX-License-Identifier: Apache-2.0
// containerd-shim-kata-cc-v2: containerd's runtime v2 entry points.
#include <cstdio>
#include <string>
#include <vector>

#include "proto/containerd/runtime_info.pb.h"
#include "shim/entry.h"

namespace kata_cc::shim {

int RunInfo() {
  containerd::types::RuntimeInfo info;
  info.set_name("io.containerd.kata-cc.v2");
  info.mutable_version()->set_version(KATA_CC_VERSION);
  const std::string bytes = info.SerializeAsString();
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  return 0;
}

namespace {

int Main(const std::vector<std::string>& words) {
  const Result<Arguments> arguments = ParseArguments(words);
  if (!arguments) {
    std::fprintf(stderr, "kata-cc: %s\n", arguments.error().message().c_str());
    return 2;
  }
  if (arguments->version) {
    std::printf("containerd-shim-kata-cc-v2 %s\n", KATA_CC_VERSION);
    return 0;
  }
  if (arguments->info) return RunInfo();
  if (arguments->containerd_namespace.empty() || arguments->id.empty()) {
    std::fprintf(stderr, "kata-cc: -namespace and -id are needed; containerd gives them\n");
    return 2;
  }
  if (arguments->action == "start") return RunStart(*arguments);
  if (arguments->action == "delete") return RunDelete(*arguments);
  if (arguments->socket.empty()) {
    std::fprintf(stderr, "kata-cc: to be started by containerd, with the action start\n");
    return 2;
  }
  return RunServe(*arguments);
}

}  // namespace
}  // namespace kata_cc::shim

int main(int argc, char** argv) {
  return kata_cc::shim::Main(std::vector<std::string>(argv + 1, argv + argc));
}
