// SPDX-License-Identifier: Apache-2.0
// The policy engine over recorded Kata policies.
//   rego_bench peers FOLDER...   medians and answers in the form that the peers print
//   rego_bench [flags]           Google Benchmark: growth with the number of containers
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/engine/engine.h"

namespace kata_cc {
namespace {

constexpr int kRounds = 9;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<nlohmann::json> ReadLines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    lines.push_back(nlohmann::json::parse(line));
  return lines;
}

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "rego_bench: %s\n", what.c_str());
  std::exit(1);
}

std::unique_ptr<policy::Engine> LoadPolicy(const std::string& text) {
  policy::Options options;
  options.dialect = policy::Dialect::kV0;
  auto engine = policy::Engine::Load({{"policy.rego", text}},
                                     {{"pstate", nlohmann::json::object()}}, options);
  if (!engine) Die(engine.error().message());
  return *std::move(engine);
}

bool Allowed(const Result<policy::Answer>& answer) {
  if (!answer || !answer->value) return false;
  if (answer->value->is_boolean()) return answer->value->get<bool>();
  return answer->value->is_object() && answer->value->value("allowed", false);
}

double Median(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <typename Work>
double Microseconds(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

// This thread's, which others on the machine do not lengthen.
double CpuMicroseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// Evaluation steps a microsecond, without the conversions of input and answer.
double StepRate(policy::Engine& engine, const std::string& kind, const nlohmann::json& request) {
  const auto input = policy::FromJson(request);
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    rounds.push_back(Microseconds([&] { (void)engine.Evaluate({"agent_policy", kind}, *input); }));
  }
  return static_cast<double>(engine.steps()) / Median(rounds);
}

// The recordings hold none of these; their policies answer them. As the agent asks: a shell's reads
// and writes.
std::map<std::string, nlohmann::json> StreamRequests() {
  const nlohmann::json of_process = {{"container_id", std::string(64, 'c')}, {"exec_id", "exec1"}};
  std::map<std::string, nlohmann::json> out = {{"ReadStreamRequest", of_process},
                                               {"WriteStreamRequest", of_process},
                                               {"CloseStdinRequest", of_process}};
  out["ReadStreamRequest"]["len"] = 32768;
  out["WriteStreamRequest"]["data"] = std::vector<int>(64, 'x');
  return out;
}

int RunPeers(const std::vector<std::string>& folders) {
  std::map<std::string, std::vector<double>> streams;
  std::map<std::string, std::vector<double>> times;
  std::vector<double> loads;
  std::vector<double> rates;
  std::size_t largest = 0;
  double largest_load = 0;
  for (const std::string& folder : folders) {
    const std::string text = ReadAll(folder + "/policy.rego");
    if (text.empty()) Die("no policy.rego in " + folder);
    const std::string name =
        std::filesystem::path(folder + "/").lexically_normal().parent_path().filename().string();
    std::unique_ptr<policy::Engine> engine;
    std::vector<double> own_loads;
    for (int round = 0; round < kRounds; ++round) {
      engine.reset();
      const double start = CpuMicroseconds();
      loads.push_back(Microseconds([&] { engine = LoadPolicy(text); }));
      own_loads.push_back(CpuMicroseconds() - start);
    }
    if (text.size() > largest) {
      largest = text.size();
      largest_load = Median(own_loads);
    }
    for (const auto& [kind, request] : StreamRequests()) {
      for (int round = 0; round < kRounds; ++round) {
        streams[kind].push_back(Microseconds([&, &kind = kind, &request = request] {
          (void)engine->Query("agent_policy." + kind, request);
        }));
      }
    }
    const auto lines = ReadLines(folder + "/requests.jsonl");
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string kind = lines[i].at("kind");
      const nlohmann::json& request = lines[i].at("request");
      std::vector<double> rounds;
      bool allowed = false;
      for (int round = 0; round < kRounds; ++round) {
        rounds.push_back(Microseconds(
            [&] { allowed = Allowed(engine->Query("agent_policy." + kind, request)); }));
      }
      std::printf("answer %s %zu %s\n", name.c_str(), i, allowed ? "true" : "false");
      if (kind == "CreateContainerRequest") rates.push_back(StepRate(*engine, kind, request));
      times[allowed ? kind + ".allowed" : kind].push_back(Median(rounds));
    }
  }
  std::printf("note largest_policy_bytes %zu\nnote largest_load_us %.1f\n", largest, largest_load);
  if (!rates.empty()) std::printf("note steps_per_us %.2f\n", Median(rates));
  for (auto& [name, values] : streams)
    std::printf("note %s %.1f\n", name.c_str(), Median(values));
  std::printf("figure load %.1f\n", Median(loads));
  for (auto& [name, values] : times)
    std::printf("figure %s %.1f\n", name.c_str(), Median(values));
  return 0;
}

// A policy of n containers: the one asked for is the last.
std::string GrownPolicy(std::int64_t containers) {
  std::string text = R"(package agent_policy
import rego.v1
default CreateContainerRequest := false
CreateContainerRequest if {
  some c in policy_data.containers
  c.args == input.OCI.Process.Args
  every i, e in input.OCI.Process.Env { regex.match(c.env[i], e) }
  input.OCI.Root.Readonly == c.readonly
}
policy_data := {"containers": [)";
  for (std::int64_t i = 0; i < containers; ++i) {
    const std::string number = std::to_string(i);
    text += (i > 0 ? "," : "") + std::string(R"({"args": ["run", ")") + number +
            R"("], "env": ["^PATH=[a-z/:]+$", "^HOME=/home/u)" + number +
            R"($"], "readonly": true})";
  }
  return text + "]}\n";
}

void BM_CreateContainer(benchmark::State& state) {
  policy::Options options;
  options.dialect = policy::Dialect::kV1;
  auto engine = policy::Engine::Load({{"policy.rego", GrownPolicy(state.range(0))}},
                                     nlohmann::json::object(), options);
  if (!engine) return state.SkipWithError(engine.error().message().c_str());
  const std::string last = std::to_string(state.range(0) - 1);
  const nlohmann::json input = {
      {"OCI",
       {{"Process",
         {{"Args", {"run", last}}, {"Env", {"PATH=/usr/bin:/bin", "HOME=/home/u" + last}}}},
        {"Root", {{"Readonly", true}}}}}};
  for (auto _ : state) {
    const auto answer = (*engine)->Query("agent_policy.CreateContainerRequest", input);
    if (!Allowed(answer)) return state.SkipWithError("denied");
  }
  state.SetComplexityN(state.range(0));
}
BENCHMARK(BM_CreateContainer)->RangeMultiplier(10)->Range(1, 1000)->Complexity();

}  // namespace
}  // namespace kata_cc

int main(int argc, char** argv) {
  if (argc > 2 && std::string(argv[1]) == "peers") {
    return kata_cc::RunPeers({argv + 2, argv + argc});
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
