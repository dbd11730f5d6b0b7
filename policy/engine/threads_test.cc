// SPDX-License-Identifier: Apache-2.0
// What engine.h says of threads, for the thread sanitizer: engines share nothing, and one engine
// serves any thread, one at a time.
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "policy/engine/engine.h"

namespace kata_cc::policy {
namespace {

constexpr std::string_view kPolicy = R"(package t

p := [
	sprintf("%v %d", [input.name, count(input.list)]),
	regex.replace(input.name, "a+", "b"),
	time.format(0),
	json.match_schema(input, {"properties": {"name": {"pattern": "^n"}}})[0],
	graphql.is_valid("{a}", "type Query {a: Int}"),
	strings.render_template("{{range .l}}{{.}}{{end}}", {"l": input.list}),
	upper(input.name),
	sort(input.list),
	sum([x | some x in input.list]),
	glob.match("n*", [], input.name),
	semver.compare("1.0.0", "1.0.1"),
	object.get(data.d, ["a", "b"], null),
]
)";

std::unique_ptr<Engine> Load() {
  auto engine = Engine::Load({{"t.rego", std::string(kPolicy)}}, {{"d", {{"a", {{"b", 1}}}}}});
  EXPECT_TRUE(engine) << engine.error().message();
  return engine ? *std::move(engine) : nullptr;
}

std::string Ask(Engine& engine) {
  const auto answer =
      engine.Query("t.p", {{"name", "naan"}, {"list", {3, 1, 2}}, {"big", {1e300, -1, "x"}}});
  return answer && answer->value ? answer->value->dump() : "nothing";
}

constexpr std::string_view kWant =
    R"(["naan 3","nbn","1970-01-01T00:00:00Z",true,true,"312","NAAN",[1,2,3],6,true,-1,1])";

constexpr int kThreads = 4, kRounds = 20;

template <typename Work>
void InThreads(Work work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back(work);
  for (std::thread& thread : threads)
    thread.join();
}

TEST(Threads, EnginesShareNothing) {
  InThreads([] {
    for (int i = 0; i < kRounds; ++i) {
      const auto engine = Load();
      ASSERT_NE(engine, nullptr);
      EXPECT_EQ(Ask(*engine), kWant);
      EXPECT_TRUE(engine->Explain("t.p", nullptr));
    }
  });
}

TEST(Threads, OneEngineServesAnyThreadInTurn) {
  const auto engine = Load();
  ASSERT_NE(engine, nullptr);
  std::mutex turn;
  InThreads([&] {
    for (int i = 0; i < kRounds; ++i) {
      std::string answer;
      {
        const std::lock_guard lock(turn);
        answer = Ask(*engine);
      }
      EXPECT_EQ(answer, kWant);
    }
  });
}

// Loaded by one thread, used and dropped by another.
TEST(Threads, AnEngineMovesBetweenThreads) {
  std::unique_ptr<Engine> engine;
  std::thread([&engine] { engine = Load(); }).join();
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(Ask(*engine), kWant);
  std::thread([&engine] {
    EXPECT_EQ(Ask(*engine), kWant);
    engine.reset();
  }).join();
}

}  // namespace
}  // namespace kata_cc::policy
