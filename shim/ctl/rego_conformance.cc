// SPDX-License-Identifier: Apache-2.0
// kata-ccctl rego conformance: case files of the form {"category", "cases": [...]}. A case passes
// when its query gives the rows that are wanted, or fails with the error that is. One that needs a
// builtin that the engine refuses on purpose is counted apart.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <regex>

#include "policy/engine/parser.h"
#include "shim/ctl/commands.h"
#include "shim/ctl/rego.h"

namespace kata_cc::ctl {
namespace {

using policy::Member;
using policy::Value;

std::string Text(const Value& object, std::string_view key) {
  const Value* member = object.Find(key);
  return member != nullptr && member->is_string() ? std::string(member->string()) : "";
}

bool IsTrue(const Value& object, std::string_view key) {
  const Value* member = object.Find(key);
  return member != nullptr && member->is_true();
}

Result<std::optional<Value>> InputOf(const Value& test) {
  const std::string term = Text(test, "input_term");
  if (!term.empty()) {
    return std::optional<Value>(TRY(policy::ParseGroundTerm(term, policy::ParseOptions())));
  }
  const Value* input = test.Find("input");
  return input == nullptr ? std::optional<Value>() : std::optional<Value>(*input);
}

Result<std::vector<Value>> Rows(const Value& test) {
  std::vector<policy::Module> modules;
  if (const Value* list = test.Find("modules"); list != nullptr && list->is_array()) {
    for (const Value& text : list->items()) {
      modules.push_back(
          {"test-" + std::to_string(modules.size()) + ".rego", std::string(text.string())});
    }
  }
  nlohmann::json data = nlohmann::json::object();
  if (const Value* given = test.Find("data"); given != nullptr && given->is_object()) {
    data = policy::ToJson(*given);
  }
  policy::Options options = RegoOptions({.v0 = false, .v1 = true});
  options.strict_builtin_errors = IsTrue(test, "strict_error");
  const auto engine = TRY(policy::Engine::Load(std::move(modules), std::move(data), options));
  auto input = TRY(InputOf(test));
  const policy::Solutions solutions = TRY(engine->Ask(Text(test, "query"), std::move(input)));
  std::vector<Value> rows;
  for (const policy::Solution& solution : solutions.rows) {
    std::vector<Member> bindings;
    for (const auto& [name, value] : solution.bindings) {
      Value json = AsJson(value);
      if (IsTrue(test, "sort_bindings") && json.is_array()) {
        std::vector<Value> items(json.items().begin(), json.items().end());
        std::sort(items.begin(), items.end());
        json = Value::Array(std::move(items));
      }
      bindings.push_back({Value::String(name), std::move(json)});
    }
    rows.push_back(Value::Object(std::move(bindings)));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

// "a.rego:4:2: text" as "a.rego:4: text".
std::string WithoutColumns(const std::string& text) {
  static const std::regex kColumn(R"((\.rego:[0-9]+):[0-9]+: )");
  return std::regex_replace(text, kColumn, "$1: ");
}

// Nothing, or what went wrong.
std::optional<std::string> Judge(const Value& test, const Result<std::vector<Value>>& rows) {
  const std::string want_error = Text(test, "want_error");
  const std::string want_code = Text(test, "want_error_code");
  const Value* want = test.Find("want_result");
  if (!want_error.empty() || !want_code.empty()) {
    if (rows) return "wanted the error " + want_code + " " + want_error + ", got a result";
    const std::string got = " " + WithoutColumns(rows.error().message());
    const bool fits =
        got.find(want_error) != std::string::npos && got.find(want_code) != std::string::npos;
    if (fits) return std::nullopt;
    return "wanted the error " + want_code + " " + want_error + ", got: " + got;
  }
  if (!rows) return "error: " + rows.error().message();
  if (want == nullptr || !want->is_array()) {
    return rows->empty() ? std::nullopt : std::optional<std::string>("wanted no result");
  }
  std::vector<Value> wanted(want->items().begin(), want->items().end());
  std::sort(wanted.begin(), wanted.end());
  if (wanted == *rows) return std::nullopt;  // Numbers exactly, by value.
  const std::string wanted_text = ToJsonText(Value::Array(wanted));
  const std::string got_text = ToJsonText(Value::Array(*rows));
  return "wanted " + wanted_text + "\n     got    " + got_text;
}

bool IsRefusal(const Result<std::vector<Value>>& rows) {
  return !rows && rows.error().message().find("is not available") != std::string::npos;
}

}  // namespace

int RunRegoConformance(const std::string& folder, bool verbose) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  if (error || files.empty()) {
    std::fprintf(stderr, "%s: no case files\n", folder.c_str());
    return kExitUsage;
  }
  std::sort(files.begin(), files.end());
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t refused = 0;
  for (const auto& path : files) {
    const auto file = ReadJson(path.string());
    const Value* cases = file ? file->Find("cases") : nullptr;
    if (cases == nullptr || !cases->is_array()) {
      std::fprintf(stderr, "%s: %s\n", path.c_str(),
                   file ? "no cases" : file.error().message().c_str());
      return kExitUsage;
    }
    for (const Value& test : cases->items()) {
      const auto rows = Rows(test);
      const auto wrong = Judge(test, rows);
      if (!wrong) {
        ++passed;
      } else if (IsRefusal(rows)) {
        ++refused;
        std::printf("refused %s: %s\n", Text(test, "id").c_str(), rows.error().message().c_str());
      } else {
        ++failed;
        std::printf("failed %s (%s)\n", Text(test, "id").c_str(), Text(test, "note").c_str());
        if (verbose) std::printf("     %s\n", wrong->c_str());
      }
    }
  }
  if (refused > 0) std::printf("%zu refused on purpose\n", refused);
  std::printf("%zu passed, %zu failed\n", passed, failed);
  return failed == 0 ? 0 : kExitNo;
}

}  // namespace kata_cc::ctl
