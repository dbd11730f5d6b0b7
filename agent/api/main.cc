// SPDX-License-Identifier: Apache-2.0
// kata-cc-secrets: the local API, the key broker's client and the unsealing of secrets, as a
// process of its own (agent/secrets/secrets_process.h). The agent starts it: calls come on
// descriptor 0, its own questions go out on 1. The one argument is the log's level.
#include <grp.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "agent/api/guest_secrets.h"
#include "agent/api/handler.h"
#include "agent/api/server.h"
#include "agent/boot/kernel_command_line.h"
#include "agent/secrets/channel.h"
#include "agent/secrets/secrets_process.h"
#include "base/log.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

constexpr uid_t kNobody = 65534;

// Nothing that it has the right to do is needed here, beyond keeping secrets out of swap.
Result<void> DropPrivileges() {
  const rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
  const rlimit none = {0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return ErrnoError(errno, "core limit");
  if (::geteuid() == 0) {
    ::setrlimit(RLIMIT_MEMLOCK,
                &all);  // Where it stays low, a secret that does not fit is refused.
    if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
        ::setresuid(kNobody, kNobody, kNobody) != 0) {
      return ErrnoError(errno, "drop of privileges");
    }
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return ErrnoError(errno, "prctl");
  }
  return {};
}

class AgentsAttester : public Attester {
 public:
  explicit AgentsAttester(CallChannel& questions) : questions_(questions) {}
  std::string_view name() const override { return "the agent"; }

 protected:
  Result<Raw> Fetch(const ReportData& report_data) override {
    const Secret answer = TRY(questions_.Call(Ask::kReport, report_data));
    if (answer.size() < snp::kReportSize) return Error(Code::kDataLoss, "a report cut short");
    const ByteView bytes = answer.view();
    Raw out;
    out.report.assign(bytes.begin(), bytes.begin() + snp::kReportSize);
    out.certs.assign(bytes.begin() + snp::kReportSize, bytes.end());
    return out;
  }

 private:
  CallChannel& questions_;
};

class Service {
 public:
  explicit Service(UniqueFd questions) : questions_(std::move(questions)) {}

  Result<Secret> Answer(Ask what, const Secret& bytes) {
    if (what == Ask::kConfigure && !secrets_) {
      TRY(Configure(bytes.text()));
      return Secret();
    }
    if (!secrets_) return Error(Code::kFailedPrecondition, "secrets: not configured");
    if (what == Ask::kUnseal) return secrets_->Unseal(bytes.text());
    if (what == Ask::kListen) {
      if (api_) TRY(api_->Listen(bytes.text() == "1"));
      return Secret();
    }
    return Error(Code::kUnimplemented, "secrets: an unknown call");
  }

 private:
  Result<void> Configure(std::string_view json) {
    const SecretsConfig config = TRY(ParseSecretsConfig(json));
    if (config.tee) attester_.emplace(questions_);
    secrets_ =
        TRY(GuestSecrets::Create(attester_ ? &*attester_ : nullptr, config.initdata, config.data));
    handler_ = std::make_unique<ApiHandler>(
        *secrets_, secrets_->features(),
        [this](const nlohmann::json& input) { return Allowed(input); });
    if (config.api_port == 0) return {};
    ApiServer::Options options;
    options.port = config.api_port;
    api_ = TRY(ApiServer::Create(*handler_, options));
    return {};
  }

  bool Allowed(const nlohmann::json& input) {
    std::string text;
    try {
      text = input.dump();
    } catch (const nlohmann::json::type_error&) {
      return false;  // Not UTF-8: no policy could judge it.
    }
    const Result<Secret> answer = questions_.Call(Ask::kAllowed, AsBytes(text));
    return answer && answer->text() == "1";
  }

  CallChannel questions_;
  std::optional<AgentsAttester> attester_;
  std::unique_ptr<GuestSecrets> secrets_;
  std::unique_ptr<ApiHandler> handler_;
  std::unique_ptr<ApiServer> api_;
};

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);
  const auto level = ParseLogLevel(argc == 2 ? argv[1] : "");
  if (!level) {
    std::fprintf(stderr, "kata-cc-secrets: the agent starts it, with a log level\n");
    return 2;
  }
  LogToFd(STDERR_FILENO, *level);
  if (const Result<void> dropped = DropPrivileges(); !dropped) {
    std::fprintf(stderr, "kata-cc-secrets: %s\n", dropped.error().message().c_str());
    return 1;
  }
  Service service{UniqueFd(STDOUT_FILENO)};
  AnswerCalls(STDIN_FILENO,
              [&service](Ask what, const Secret& bytes) { return service.Answer(what, bytes); });
  ::_exit(0);  // A request to the broker may still run: it is not worth waiting for.
}

}  // namespace
}  // namespace kata_cc::agent

int main(int argc, char** argv) {
  return kata_cc::agent::Main(argc, argv);
}
