// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/jcs.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace kata_cc::agent {

using nlohmann::json;

namespace {

// UTF-16 code units, the order of which is that of the keys.
std::u16string Utf16(const std::string& utf8) {
  std::u16string out;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i++]);
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    std::uint32_t point = more == 0 ? lead : lead & (0x3fU >> more);
    for (int k = 0; k < more && i < utf8.size(); ++k)
      point = point << 6 | (static_cast<unsigned char>(utf8[i++]) & 0x3fU);
    if (point >= 0x10000) {
      point -= 0x10000;
      out.push_back(static_cast<char16_t>(0xd800 + (point >> 10)));
      point = 0xdc00 + (point & 0x3ff);
    }
    out.push_back(static_cast<char16_t>(point));
  }
  return out;
}

std::string Quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<void> Append(const json& value, std::string& out);

Result<void> AppendObject(const json& value, std::string& out) {
  std::vector<std::pair<std::u16string, std::string>> keys;
  for (const auto& [key, member] : value.items())
    keys.emplace_back(Utf16(key), key);
  std::sort(keys.begin(), keys.end());
  out += '{';
  const char* separator = "";
  for (const auto& [order, key] : keys) {
    out += std::exchange(separator, ",") + Quoted(key) + ':';
    TRY(Append(value.at(key), out));
  }
  out += '}';
  return {};
}

Result<void> AppendArray(const json& value, std::string& out) {
  out += '[';
  const char* separator = "";
  for (const json& element : value) {
    out += std::exchange(separator, ",");
    TRY(Append(element, out));
  }
  out += ']';
  return {};
}

Result<void> Append(const json& value, std::string& out) {
  constexpr std::int64_t kLargest = (std::int64_t{1} << 53) - 1;
  switch (value.type()) {
    case json::value_t::object:
      return AppendObject(value, out);
    case json::value_t::array:
      return AppendArray(value, out);
    case json::value_t::string:
      out += Quoted(value.get_ref<const std::string&>());
      return {};
    case json::value_t::boolean:
    case json::value_t::null:
      out += value.dump();
      return {};
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      if (value <= kLargest && value >= -kLargest) {
        out += value.dump();
        return {};
      }
      break;
    default:
      break;
  }
  return Error(Code::kInvalidArgument, "canonical JSON: not an integer of at most 53 bits");
}

}  // namespace

Result<std::string> CanonicalJson(const json& value) {
  std::string out;
  TRY(Append(value, out));
  return out;
}

}  // namespace kata_cc::agent
