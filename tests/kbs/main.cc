// SPDX-License-Identifier: Apache-2.0
// kata-cc-test-kbs: the key broker of the tests as a program, until it is terminated.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "agent/http/test_tls_server.h"
#include "base/encoding.h"
#include "base/file.h"
#include "tests/kbs/kbs.h"

namespace kata_cc::tests {
namespace {

constexpr std::size_t kMaxFile = std::size_t{16} << 20;

struct Flags {
  std::vector<std::string> arks, resources;
  std::string measurement, host_data, certificate, key, policy, address = "127.0.0.1";
  int port = 0;
};

template <std::size_t kSize>
Result<void> ReadHex(const std::string& hex, std::optional<snp::ByteArray<kSize>>& out) {
  if (hex.empty()) return {};
  const Bytes bytes = TRY(HexDecode(hex));
  if (bytes.size() != kSize) return Error(Code::kInvalidArgument, hex + ": of a wrong length");
  std::copy(bytes.begin(), bytes.end(), out.emplace().begin());
  return {};
}

Result<TestKbs::Options> MakeOptions(const Flags& flags) {
  TestKbs::Options out;
  for (const std::string& path : flags.arks) {
    const Bytes bytes = TRY(ReadFile(path, kMaxFile));
    out.trusted_arks.push_back(TRY(snp::Cert::Load(bytes)));
  }
  TRY(ReadHex(flags.measurement, out.reference.measurement));
  TRY(ReadHex(flags.host_data, out.reference.host_data));
  if (!flags.policy.empty()) out.reference.policy = std::stoull(flags.policy, nullptr, 0);
  out.reference.deny_debug = true;
  for (const std::string& each : flags.resources) {
    const std::size_t equals = each.find('=');
    if (equals == std::string::npos) return Error(Code::kInvalidArgument, each + ": no PATH=FILE");
    out.resources[each.substr(0, equals)] = TRY(ReadFile(each.substr(equals + 1), kMaxFile));
  }
  return out;
}

Result<void> Run(const Flags& flags) {
  TestKbs kbs(TRY(MakeOptions(flags)));
  agent::http::TestTlsServer::Options options;
  options.address = flags.address;
  options.port = flags.port;
  options.certificate = AsString(TRY(ReadFile(flags.certificate, kMaxFile)));
  options.key = AsString(TRY(ReadFile(flags.key, kMaxFile)));
  const auto server = TRY(agent::http::TestTlsServer::Start(
      [&](const agent::http::Request& request) {
        std::string answer = kbs.Handle(request);
        std::fprintf(stderr, "kbs: %s %s: %s", request.method.c_str(), request.path.c_str(),
                     answer.substr(9, 3).c_str());
        for (const std::string& name : kbs.last_failed())
          std::fprintf(stderr, " %s", name.c_str());
        std::fprintf(stderr, "\n");
        return answer;
      },
      options));
  std::printf("%s\n", server->url().c_str());
  std::fflush(stdout);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  int signal = 0;
  sigwait(&ends, &signal);
  return {};
}

}  // namespace
}  // namespace kata_cc::tests

int main(int argc, char** argv) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // In all threads: the main one waits for them.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("kata-cc-test-kbs: a key broker for tests");
  kata_cc::tests::Flags flags;
  app.add_option("--ark", flags.arks, "Trusted root certificate")->required();
  app.add_option("--expect-measurement", flags.measurement, "Launch digest in hex");
  app.add_option("--expect-host-data", flags.host_data, "Host data in hex");
  app.add_option("--expect-policy", flags.policy, "Guest policy");
  app.add_option("--resource", flags.resources, "PATH=FILE");
  app.add_option("--address", flags.address, "IPv4 address to listen on (default: loopback)");
  app.add_option("--port", flags.port, "TCP port (default: any)");
  app.add_option("--certificate", flags.certificate, "Its certificate, PEM")->required();
  app.add_option("--key", flags.key, "The certificate's key, PEM")->required();
  CLI11_PARSE(app, argc, argv);
  const kata_cc::Result<void> done = kata_cc::tests::Run(flags);
  if (done) return 0;
  std::fprintf(stderr, "kata-cc-test-kbs: %s\n", done.error().message().c_str());
  return 1;
}
