// SPDX-License-Identifier: Apache-2.0
// Requests a second and latency of ttrpc servers, measured with one client.
//
//   ttrpc_bench server SOCKET      our server, until its standard input ends
//   ttrpc_bench compare OURS GO    measures the servers at two sockets in turn, prints both
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/worker_pool.h"
#include "proto/ttrpc/client.h"
#include "proto/ttrpc/ttrpc.pb.h"
#include "tests/ttrpc/interop_service.h"

namespace kata_cc::ttrpc {
namespace {

using Clock = std::chrono::steady_clock;

struct Load {
  const char* name;
  std::size_t in_flight;
  std::size_t payload_bytes;
  std::size_t calls;
};

constexpr Load kLoads[] = {
    {"1 in flight, 64 B", 1, 64, 4'000},
    {"64 in flight, 64 B", 64, 64, 40'000},
    {"16 in flight, 64 KiB", 16, 64U << 10U, 4'000},
    {"2 in flight, 3 MiB", 2, 3U << 20U, 100},
};
constexpr int kRounds = 5;  // In turns, so that both servers see the machine's moods.

struct Figures {
  double seconds = 0;
  std::size_t calls = 0;
  std::vector<double> latency_us;

  double rate() const { return static_cast<double>(calls) / seconds; }
  double Percentile(double p) {
    std::sort(latency_us.begin(), latency_us.end());
    return latency_us.at(static_cast<std::size_t>(p * static_cast<double>(latency_us.size() - 1)));
  }
};

// Keeps in_flight calls going until all are answered. Each answer starts the next call, on the
// reactor's thread, so the client costs the same whichever server answers.
class Run {
 public:
  Run(Client& client, const Load& load) : client_(client), load_(load) {
    ::ttrpc::KeyValue message;
    message.set_value(std::string(load.payload_bytes, 'x'));
    payload_ = message.SerializeAsString();
  }

  bool Measure(Figures* figures) {
    const auto begin = Clock::now();
    // From the reactor's thread, where all of the state is touched.
    left_to_start_ = left_to_end_ = load_.calls;
    figures_ = figures;
    client_.CallAsync(kInteropService, "Echo", payload_, {}, [this](const Result<std::string>&) {
      for (std::size_t i = 0; i < load_.in_flight; ++i)
        StartOne();
    });
    done_.get_future().get();
    figures->seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    figures->calls += load_.calls;
    return !failed_;
  }

 private:
  void StartOne() {
    if (left_to_start_ == 0) return;
    --left_to_start_;
    client_.CallAsync(kInteropService, "Echo", payload_, {},
                      [this, begin = Clock::now()](const Result<std::string>& result) {
                        const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
                        figures_->latency_us.push_back(took.count());
                        failed_ = failed_ || !result || result->size() != payload_.size();
                        StartOne();
                        if (--left_to_end_ == 0) done_.set_value();
                      });
  }

  Client& client_;
  const Load& load_;
  std::string payload_;
  std::size_t left_to_start_ = 0;
  std::size_t left_to_end_ = 0;
  bool failed_ = false;
  Figures* figures_ = nullptr;
  std::promise<void> done_;
};

int Serve(const std::string& path) {
  const std::unique_ptr<Reactor> reactor(*Reactor::Create());
  WorkerPool pool(4);
  Server server(*reactor, pool);
  RegisterInterop(*reactor, server);
  auto listener = ListenUnix(path);
  if (!listener || !server.Listen(*std::move(listener))) return 1;
  const auto watched = reactor->Watch(STDIN_FILENO, EPOLLIN, [&](std::uint32_t) {
    char c = 0;
    if (::read(STDIN_FILENO, &c, 1) <= 0) reactor->Stop();
  });
  std::puts("serving");
  std::fflush(stdout);
  return watched && reactor->Run() ? 0 : 1;
}

int Compare(const std::string& ours, const std::string& go) {
  const std::unique_ptr<Reactor> reactor(*Reactor::Create());
  std::shared_ptr<Client> clients[2];
  for (int i = 0; i < 2; ++i) {
    auto stream = DialUnix(i == 0 ? ours : go);
    if (!stream) {
      std::fprintf(stderr, "ttrpc_bench: %s\n", stream.error().message().c_str());
      return 1;
    }
    clients[i] = *Client::Create(*reactor, *std::move(stream));
  }
  std::thread thread([&] { static_cast<void>(reactor->Run().has_value()); });
  bool failed = false;
  std::printf("%-22s %-7s %10s %10s %10s\n", "load", "server", "calls/s", "p50 us", "p99 us");
  for (const Load& load : kLoads) {
    Figures figures[2];
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < 2; ++i)
        failed = !Run(*clients[i], load).Measure(&figures[i]) || failed;
    }
    for (int i = 0; i < 2; ++i) {
      std::printf("%-22s %-7s %10.0f %10.1f %10.1f\n", load.name, i == 0 ? "kata-cc" : "go",
                  figures[i].rate(), figures[i].Percentile(0.5), figures[i].Percentile(0.99));
    }
    std::printf("%-22s %-7s %9.2fx %9.2fx %9.2fx\n", load.name, "ratio",
                figures[0].rate() / figures[1].rate(),
                figures[0].Percentile(0.5) / figures[1].Percentile(0.5),
                figures[0].Percentile(0.99) / figures[1].Percentile(0.99));
  }
  for (auto& client : clients)
    client.reset();
  reactor->Post([&] { reactor->Stop(); });
  thread.join();
  if (failed) std::fputs("ttrpc_bench: a call failed\n", stderr);
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace kata_cc::ttrpc

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 2 && args[0] == "server") return kata_cc::ttrpc::Serve(args[1]);
  if (args.size() == 3 && args[0] == "compare") return kata_cc::ttrpc::Compare(args[1], args[2]);
  std::fputs("usage: ttrpc_bench server SOCKET | compare OURS GO\n", stderr);
  return 2;
}
