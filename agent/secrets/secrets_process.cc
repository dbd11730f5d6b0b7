// SPDX-License-Identifier: Apache-2.0
#include "agent/secrets/secrets_process.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "agent/secrets/channel.h"
#include "base/encoding.h"
#include "base/process.h"
#include "base/unique_fd.h"
#include "proto/oci/strict_json.h"
#include "proto/snp/cert_table.h"

namespace kata_cc::agent {

using nlohmann::json;

namespace {

constexpr std::chrono::seconds kPause(1);  // Before it is started again.

struct Sockets {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<Sockets> MakeSockets() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return ErrnoError(errno, "secrets: socketpair");
  }
  return Sockets{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

const char* NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

class Process : public SecretsProcess {
 public:
  Process(Options options, Attester* attester, Allowed allowed)
      : options_(std::move(options)), attester_(attester), allowed_(std::move(allowed)) {}

  ~Process() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      if (calls_) calls_->Close();
      if (questions_ >= 0) ::shutdown(questions_, SHUT_RDWR);
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  Result<void> Start() override {
    TRY(Running());
    return {};
  }

  Result<void> Listen(bool wanted) override {
    {
      const std::lock_guard lock(mutex_);
      listen_ = wanted;
      if (!wanted && !calls_) return {};
    }
    const std::shared_ptr<CallChannel> calls = TRY(Running());
    TRY(calls->Call(Ask::kListen, AsBytes(wanted ? "1" : "0")));
    return {};
  }

  Result<Secret> Unseal(std::string_view sealed) override {
    const std::shared_ptr<CallChannel> calls = TRY(Running());
    return calls->Call(Ask::kUnseal, AsBytes(sealed));
  }

 private:
  // Its calls; starts it if it does not run.
  Result<std::shared_ptr<CallChannel>> Running() {
    std::unique_lock lock(mutex_);
    while (!calls_) {
      if (ending_) return Error(Code::kUnavailable, "secrets: the agent ends");
      if (!kept_) {
        if (thread_.joinable()) thread_.join();
        failure_.reset();
        kept_ = true;
        thread_ = std::thread([this] { Keep(); });
      }
      changed_.wait(lock);
      if (!calls_ && failure_) return *failure_;
    }
    return calls_;
  }

  // On a thread of its own, whose child the process is: the reaper leaves those alone.
  void Keep() {
    while (true) {
      const Result<void> done = RunOnce();
      std::unique_lock lock(mutex_);
      failure_ = done ? Error(Code::kUnavailable, "secrets: the process for them has ended")
                      : Error(done.error());
      changed_.notify_all();
      if (!ending_) Log(LogLevel::kError, "no secrets", {{field::kError, failure_->message()}});
      if (!ending_ && listen_) changed_.wait_for(lock, kPause, [this] { return ending_; });
      if (ending_ || !listen_) {
        kept_ = false;
        changed_.notify_all();
        return;
      }
    }
  }

  // From its start to its end.
  Result<void> RunOnce() {
    Sockets calls = TRY(MakeSockets());
    Sockets questions = TRY(MakeSockets());
    SpawnOptions spawn;
    spawn.stdin_fd = calls.theirs.get();
    spawn.stdout_fd = questions.theirs.get();
    const ChildProcess child = TRY_CONTEXT(
        ChildProcess::Spawn({options_.program, NameOf(options_.log_level)}, spawn), "secrets");
    calls.theirs.Reset();
    questions.theirs.Reset();
    const auto channel = std::make_shared<CallChannel>(std::move(calls.ours));
    TRY(channel->Call(Ask::kConfigure, AsBytes(EncodeSecretsConfig(options_.config))));
    if (!Publish(channel, questions.ours.get())) return {};
    AnswerCalls(questions.ours.get(),
                [this](Ask what, const Secret& bytes) { return AnswerOne(what, bytes); });
    channel->Close();
    const std::lock_guard lock(mutex_);
    calls_.reset();
    questions_ = -1;
    return {};
  }

  // False: it is not wanted any more.
  bool Publish(const std::shared_ptr<CallChannel>& channel, int questions) {
    const std::lock_guard lock(mutex_);
    if (ending_) return false;
    if (listen_) {
      const Result<Secret> done = channel->Call(Ask::kListen, AsBytes("1"));
      if (!done) Log(LogLevel::kError, "no local API", {{field::kError, done.error().message()}});
    }
    calls_ = channel;
    questions_ = questions;
    changed_.notify_all();
    return true;
  }

  Result<Secret> AnswerOne(Ask what, const Secret& bytes) {
    if (what == Ask::kAllowed) {
      const json input = TRY(oci::ParseStrictJson(bytes.text(), {std::size_t{64} << 10, 8}));
      return Secret::Copy(AsBytes(allowed_(input) ? "1" : "0"));
    }
    ReportData report_data{};
    if (what != Ask::kReport || bytes.size() != report_data.size()) {
      return Error(Code::kInvalidArgument, "secrets: no question to the agent");
    }
    if (attester_ == nullptr) return Error(Code::kFailedPrecondition, "this guest has no TEE");
    std::copy_n(bytes.view().begin(), report_data.size(), report_data.begin());
    const GuestReport report = TRY(attester_->GetReport(report_data));
    Bytes out(report.report.begin(), report.report.end());
    const Bytes certs = snp::EncodeCertTable(report.certs);
    out.insert(out.end(), certs.begin(), certs.end());
    return Secret::Copy(out);
  }

  const Options options_;
  Attester* const attester_;
  const Allowed allowed_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  bool listen_ = false;
  bool kept_ = false;                   // The thread has work.
  std::optional<Error> failure_;        // Why it does not run.
  std::shared_ptr<CallChannel> calls_;  // Null: it does not run.
  int questions_ = -1;
  std::thread thread_;
};

}  // namespace

std::string EncodeSecretsConfig(const SecretsConfig& config) {
  json out = {{"tee", config.tee}, {"api_port", config.api_port}, {"data", config.data}};
  if (config.initdata) out["initdata"] = Base64Encode(AsBytes(*config.initdata));
  return out.dump();
}

Result<SecretsConfig> ParseSecretsConfig(std::string_view text) {
  const json in = TRY(oci::ParseStrictJson(text, {kMaxCallBytes, 8}));
  const Error bad(Code::kInvalidArgument, "secrets: no configuration");
  if (!in.is_object() || !in.contains("tee") || !in["tee"].is_boolean() ||
      !in.contains("api_port") || !in["api_port"].is_number_integer() || !in.contains("data") ||
      !in["data"].is_object()) {
    return bad;
  }
  SecretsConfig out;
  out.tee = in["tee"].get<bool>();
  out.api_port = in["api_port"].get<int>();
  for (const auto& [name, value] : in["data"].items()) {
    if (!value.is_string()) return bad;
    out.data[name] = value.get<std::string>();
  }
  if (const auto it = in.find("initdata"); it != in.end()) {
    if (!it->is_string()) return bad;
    out.initdata = AsString(TRY_CONTEXT(Base64Decode(it->get<std::string>()), "secrets"));
  }
  return out;
}

std::unique_ptr<SecretsProcess> SecretsProcess::Create(Options options, Attester* attester,
                                                       Allowed allowed) {
  return std::make_unique<Process>(std::move(options), attester, std::move(allowed));
}

}  // namespace kata_cc::agent
