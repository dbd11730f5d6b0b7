// SPDX-License-Identifier: Apache-2.0
// The example of docs/policy-engine.md, which is this text between the marks.
#include <gtest/gtest.h>

// [example]
#include <cstdio>

#include "policy/engine/engine.h"

int Decide() {
  using namespace kata_cc::policy;
  const char* policy = R"(
    package door
    default open := false
    open if {
      some person in data.people
      person.name == input.name
      input.hour in numbers.range(person.from, person.to)
    })";
  nlohmann::json data = {{"people", {{{"name", "ada"}, {"from", 8}, {"to", 18}}}}};
  Options options;
  options.limits.steps = 100'000;  // A decision that takes more is an error, not an answer.
  auto engine = Engine::Load({{"door.rego", policy}}, data, options);
  if (!engine) return std::puts(engine.error().message().c_str()), 2;  // door.rego:4:7: ...
  const nlohmann::json input = {{"name", "ada"}, {"hour", 9}};
  auto answer = (*engine)->Query("door.open", input);
  if (!answer || !answer->value) return 2;  // An error, or undefined.
  if (*answer->value == true) return 0;
  const auto reasons = (*engine)->Explain("door.open", input);
  if (reasons) std::puts(reasons->front().c_str());
  return 1;
}
// [example]

TEST(Example, Decides) {
  EXPECT_EQ(Decide(), 0);
}
