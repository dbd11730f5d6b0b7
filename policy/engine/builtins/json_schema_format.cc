// SPDX-License-Identifier: Apache-2.0
// The formats of JSON Schema, as OPA checks them.
#include <algorithm>
#include <string>

#include "policy/engine/builtins/go_regex.h"
#include "policy/engine/builtins/ip_network.h"
#include "policy/engine/builtins/json_schema.h"
#include "policy/engine/builtins/time_layout.h"
#include "policy/engine/builtins/url.h"

namespace kata_cc::policy {
namespace {

bool ParsesAs(std::string_view text, std::initializer_list<std::string_view> layouts) {
  return std::any_of(layouts.begin(), layouts.end(), [text](std::string_view layout) {
    return ParseTime(layout, text).has_value();
  });
}

bool IsHostname(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    const bool good = !label.empty() && label.size() <= 63 && label.front() != '-' &&
                      label.back() != '-' &&
                      std::all_of(label.begin(), label.end(), [](unsigned char c) {
                        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                               (c >= 'A' && c <= 'Z') || c == '-';
                      });
    if (!good) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool IsEmail(std::string_view text) {
  const std::size_t at = text.rfind('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
         text.find_first_of(" \t\r\n<>") == std::string_view::npos;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex =
        std::string_view("0123456789abcdefABCDEF").find(text[i]) != std::string_view::npos;
    if (dash ? text[i] != '-' : !hex) return false;
  }
  return true;
}

bool IsJsonPointer(std::string_view text) {
  if (text.empty()) return true;
  if (text[0] != '/') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))) {
      return false;
    }
  }
  return true;
}

bool IsUri(std::string_view text, bool absolute) {
  const auto url = ParseUrl(text);
  return url.has_value() && text.find('\\') == std::string_view::npos &&
         (!absolute || !url->scheme.empty());
}

bool IsUriTemplate(std::string_view text) {
  if (!IsUri(text, false)) return false;
  bool open = false;
  for (char c : text) {
    if ((c == '{' && open) || (c == '}' && !open)) return false;
    if (c == '{' || c == '}') open = c == '{';
  }
  return !open;
}

}  // namespace

bool MatchesFormat(BuiltinContext& context, std::string_view format, std::string_view text) {
  if (format == "date") return ParsesAs(text, {"2006-01-02"});
  if (format == "time") return ParsesAs(text, {"15:04:05", "15:04:05Z07:00"});
  if (format == "date-time") {
    return ParsesAs(text,
                    {"15:04:05", "15:04:05Z07:00", "2006-01-02", "2006-01-02T15:04:05Z07:00"});
  }
  if (format == "hostname") return IsHostname(text);
  if (format == "email" || format == "idn-email") return IsEmail(text);
  if (format == "ipv4") {
    return ParseIp(text).has_value() && text.find(':') == std::string_view::npos;
  }
  if (format == "ipv6") {
    return ParseIp(text).has_value() && text.find(':') != std::string_view::npos;
  }
  if (format == "uri" || format == "iri") return IsUri(text, true);
  if (format == "uri-reference" || format == "iri-reference") return IsUri(text, false);
  if (format == "uri-template") return IsUriTemplate(text);
  if (format == "uuid") return IsUuid(text);
  if (format == "regex") return GoRegex(context, text).has_value();
  if (format == "json-pointer") return IsJsonPointer(text);
  if (format == "relative-json-pointer") {
    const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    if (end == 0 || (end > 1 && text[0] == '0')) return false;
    return text.substr(end) == "#" || IsJsonPointer(text.substr(end));
  }
  return true;
}

}  // namespace kata_cc::policy
