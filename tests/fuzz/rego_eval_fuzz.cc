// SPDX-License-Identifier: Apache-2.0
// Rules evaluated under small limits: the text is the body of a package, up to a line "---", and
// after it the input. Every answer is a value or an error, and explaining it is too.
#include <cstddef>
#include <cstdint>
#include <string>

#include "policy/engine/engine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kata_cc::policy;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find("\n---\n");
  Options options;
  options.limits.steps = 20'000;
  options.limits.memory_bytes = 8U << 20;
  options.limits.regex_bytes = 256;
  const auto engine = Engine::Load({{"fuzz.rego", "package f\n" + text.substr(0, cut)}},
                                   {{"d", {1, "a", {{"k", {2, 3}}}}}}, options);
  if (!engine) return 0;
  nlohmann::json input = {{"x", 1}, {"list", {1, 2, 3}}, {"name", "abc"}};
  if (cut != std::string::npos) {
    const auto given = ParseJson(std::string_view(text).substr(cut + 5));
    if (given) input = ToJson(*given);
  }
  (void)(*engine)->Query("f", input);
  (void)(*engine)->Explain("f", input);
  return 0;
}
