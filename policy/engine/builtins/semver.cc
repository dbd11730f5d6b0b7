// SPDX-License-Identifier: Apache-2.0
// Versions by https://semver.org 2.0.0, with an optional leading "v": semver.compare, .is_valid.
#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

struct Version {
  std::array<std::int64_t, 3> core{};
  std::vector<std::string_view> prerelease;
};

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::vector<std::string_view> SplitDots(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t dot = text.find('.');
    parts.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    text.remove_prefix(dot + 1);
  }
}

bool ValidIdentifiers(const std::vector<std::string_view>& parts, bool leading_zeros) {
  return std::all_of(parts.begin(), parts.end(), [leading_zeros](std::string_view part) {
    const bool word = !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    });
    return word && (leading_zeros || !IsNumber(part) || part.size() == 1 || part[0] != '0');
  });
}

std::optional<Version> ParseVersion(std::string_view text) {
  if (!text.empty() && text[0] == 'v') text.remove_prefix(1);
  Version version;
  if (const std::size_t plus = text.find('+'); plus != std::string_view::npos) {
    if (!ValidIdentifiers(SplitDots(text.substr(plus + 1)), true)) return std::nullopt;
    text = text.substr(0, plus);
  }
  if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    version.prerelease = SplitDots(text.substr(dash + 1));
    if (!ValidIdentifiers(version.prerelease, false)) return std::nullopt;
    text = text.substr(0, dash);
  }
  const auto parts = SplitDots(text);
  if (parts.size() != 3) return std::nullopt;
  for (std::size_t i = 0; i < 3; ++i) {
    if (!IsNumber(parts[i]) || (parts[i].size() > 1 && parts[i][0] == '0')) return std::nullopt;
    const auto number = BigInt::Parse(parts[i]);
    const auto small = number ? number->ToInt64() : std::nullopt;
    if (!small) return std::nullopt;
    version.core[i] = *small;
  }
  return version;
}

int Sign(int order) {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

int CompareIdentifiers(std::string_view a, std::string_view b) {
  const bool a_number = IsNumber(a);
  const bool b_number = IsNumber(b);
  if (a_number != b_number) return a_number ? -1 : 1;
  // Numbers have no leading zeros: the longer one is larger.
  if (a_number && a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return Sign(a.compare(b));
}

int CompareVersions(const Version& a, const Version& b) {
  if (a.core != b.core) return a.core < b.core ? -1 : 1;
  if (a.prerelease.empty() || b.prerelease.empty()) {
    return static_cast<int>(a.prerelease.empty()) - static_cast<int>(b.prerelease.empty());
  }
  for (std::size_t i = 0; i < a.prerelease.size() && i < b.prerelease.size(); ++i) {
    const int order = CompareIdentifiers(a.prerelease[i], b.prerelease[i]);
    if (order != 0) return order;
  }
  return a.prerelease.size() < b.prerelease.size()   ? -1
         : a.prerelease.size() > b.prerelease.size() ? 1
                                                     : 0;
}

Result<Version> VersionOperand(Operands x, std::size_t i) {
  const std::string_view text = TRY(StringOperand(x, i));
  auto version = ParseVersion(text);
  if (!version) {
    return BuiltinError("operand " + std::to_string(i + 1) + ": string \"" + std::string(text) +
                        "\" is not a valid SemVer");
  }
  return *std::move(version);
}

BuiltinResult Compare(BuiltinContext& context, Operands x) {
  const Version a = TRY(VersionOperand(x, 0));
  const Version b = TRY(VersionOperand(x, 1));
  TRY(ChargeScan(context, x[0].size() + x[1].size()));
  return Value::Int(CompareVersions(a, b));
}

BuiltinResult IsValid(BuiltinContext&, Operands x) {
  return Value::Bool(x[0].is_string() && ParseVersion(x[0].string()).has_value());
}

}  // namespace

std::span<const Builtin> SemverBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"semver.compare", 2, Compare},
      Builtin{"semver.is_valid", 1, IsValid},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
