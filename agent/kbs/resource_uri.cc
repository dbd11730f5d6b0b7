// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/resource_uri.h"

#include <algorithm>

namespace kata_cc::agent {
namespace {

constexpr std::size_t kMaxBytes = 1024;
constexpr std::size_t kMaxSegments = 16;

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool AllOf(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return IsAlnum(c) || others.find(c) != std::string_view::npos;
  });
}

Error Bad(std::string_view why) {
  return {Code::kInvalidArgument, "kbs resource: " + std::string(why)};
}

}  // namespace

bool IsResourceSegment(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && AllOf(text, "._-");
}

Result<ResourceUri> ParseResourceUri(std::string_view text) {
  if (text.size() > kMaxBytes) return Bad("longer than 1 KiB");
  ResourceUri out;
  if (!text.starts_with("kbs")) return Bad("the scheme is not kbs");
  text.remove_prefix(3);
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return Bad("no ://");
  if (scheme != 0) {
    const std::string_view plugin = text.substr(1, scheme - 1);
    if (text[0] != '+' || plugin.empty() || !AllOf(plugin, "-_")) return Bad("no plugin's name");
    out.plugin = plugin;
  }
  text.remove_prefix(scheme + 3);
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return Bad("no path");
  out.host = text.substr(0, slash);
  if (!AllOf(out.host, ".-:[]")) return Bad("the host has characters that no host has");
  text.remove_prefix(slash + 1);
  const std::size_t mark = text.find('?');
  if (mark != std::string_view::npos) {
    out.query = text.substr(mark + 1);
    if (out.query.empty() || !AllOf(out.query, "._-=&%~+:")) return Bad("malformed query");
    text = text.substr(0, mark);
  }
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    const std::string_view segment = text.substr(at, end - at);
    if (!IsResourceSegment(segment)) return Bad("malformed path");
    if (out.path.size() == kMaxSegments) return Bad("too long a path");
    out.path.emplace_back(segment);
    at = end + 1;
  }
  return out;
}

std::string ResourceUri::HttpPath() const {
  std::string out = "/kbs/v0/" + plugin;
  for (const std::string& segment : path)
    out += "/" + segment;
  if (!query.empty()) out += "?" + query;
  return out;
}

}  // namespace kata_cc::agent
