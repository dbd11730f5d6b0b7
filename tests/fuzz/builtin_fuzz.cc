// SPDX-License-Identifier: Apache-2.0
// One call of a builtin: its name on the first line, then the operands, each after a line "---". An
// operand is JSON (a set: {"$set": [...]}), or else a string as it is.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/crypto/families.h"
#include "policy/engine/builtins/builtin.h"
#include "policy/engine/engine.h"
#include "policy/yaml/yaml.h"

namespace {

using namespace kata_cc::policy;

const BuiltinFamily kExtra[] = {kata_cc::policy_crypto::Family(), kata_cc::policy_yaml::Family()};

const Builtin* Find(std::string_view name) {
  static const auto builtins = [] {
    std::map<std::string_view, const Builtin*> out;
    const auto add = [&out](const BuiltinFamily& family) {
      for (const Builtin& builtin : family.builtins) {
        if (builtin.function != nullptr) out.emplace(builtin.name, &builtin);
      }
    };
    for (const BuiltinFamily& family : DefaultFamilies())
      add(family);
    for (const BuiltinFamily& family : kExtra)
      add(family);
    return out;
  }();
  const auto found = builtins.find(name);
  return found != builtins.end() ? found->second : nullptr;
}

// An engine whose rule f.p calls the builtin with the elements of the input.
Engine* Caller(const Builtin& builtin) {
  static std::map<std::string_view, std::unique_ptr<Engine>> engines;
  auto& engine = engines[builtin.name];
  if (engine != nullptr) return engine.get();
  std::string operands;
  for (std::size_t i = 0; i < builtin.arity; ++i)
    operands += (i > 0 ? ", input[" : "input[") + std::to_string(i) + "]";
  Options options;
  options.dialect = Dialect::kV0;  // re_match and the like are of old policies.
  options.limits.steps = 200'000;
  options.limits.memory_bytes = 16U << 20;
  options.limits.regex_bytes = 256;
  options.families = {&kExtra[0], &kExtra[1]};
  auto loaded = Engine::Load({{"fuzz.rego", "package f\np = x { x = " + std::string(builtin.name) +
                                                "(" + operands + ") }"}},
                             nlohmann::json::object(), options);
  if (!loaded) return nullptr;  // What the language has as an operator.
  engine = *std::move(loaded);
  return engine.get();
}

Value WithSets(const Value& value) {
  if (value.is_array()) {
    std::vector<Value> items;
    for (const Value& item : value.items())
      items.push_back(WithSets(item));
    return Value::Array(std::move(items));
  }
  if (!value.is_object()) return value;
  const Value* set = value.Find("$set");
  if (set != nullptr && set->is_array()) {
    const Value items = WithSets(*set);
    return Value::Set({items.items().begin(), items.items().end()});
  }
  std::vector<Member> members;
  for (const Member& member : value.members())
    members.push_back({member.key, WithSets(member.value)});
  return Value::Object(std::move(members));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view kBetween = "\n---\n";
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const Builtin* builtin = Find(rest.substr(0, rest.find('\n')));
  if (builtin == nullptr) return 0;
  Engine* engine = Caller(*builtin);
  if (engine == nullptr) return 0;
  std::vector<Value> operands;
  while (operands.size() < builtin->arity) {
    const std::size_t start = rest.find(kBetween);
    if (start == std::string_view::npos) return 0;
    rest.remove_prefix(start + kBetween.size());
    // The last operand may contain what stands between others.
    const bool last = operands.size() + 1 == builtin->arity;
    const std::string_view text = last ? rest : rest.substr(0, rest.find(kBetween));
    const auto value = ParseJson(text);
    if (!value && !ParseJson(ToJsonText(Value::String(text)))) return 0;
    operands.push_back(value ? WithSets(*value) : Value::String(text));
  }
  const auto answer = engine->Evaluate({"f", "p"}, Value::Array(std::move(operands)));
  if (!answer || !*answer) return 0;
  // Whatever comes out can be written and read.
  const std::string text = ToJsonText(**answer);
  if (!ParseJson(text)) __builtin_trap();
  (void)ToTermText(**answer);
  return 0;
}
