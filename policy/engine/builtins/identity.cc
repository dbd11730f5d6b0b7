// SPDX-License-Identifier: Apache-2.0
// Identifiers: uuid.* (RFC 9562) and uri.*.
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/engine/builtins/url.h"

namespace kata_cc::policy {
namespace {

constexpr std::size_t kUuidBytes = 16;

std::string UuidText(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < kUuidBytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += EncodeHex(bytes.substr(i, 1));
  }
  return out;
}

// The forms: with dashes, in braces, with urn:uuid:, or 32 digits.
std::optional<std::string> ParseUuid(std::string_view text) {
  if (text.size() == 38 && text.front() == '{' && text.back() == '}') text = text.substr(1, 36);
  if (text.size() == 45 && ToLower(text.substr(0, 9)) == "urn:uuid:") text = text.substr(9);
  std::string digits(text);
  if (text.size() == 36) {
    for (std::size_t dash : {23U, 18U, 13U, 8U}) {
      if (digits[dash] != '-') return std::nullopt;
      digits.erase(dash, 1);
    }
  }
  if (digits.size() != 2 * kUuidBytes) return std::nullopt;
  auto bytes = DecodeHex(digits);
  if (!bytes) return std::nullopt;
  return *std::move(bytes);
}

std::uint64_t Number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t out = 0;
  for (char c : bytes.substr(at, size))
    out = out << 8U | static_cast<unsigned char>(c);
  return out;
}

std::string_view Variant(unsigned byte) {
  if ((byte & 0xc0U) == 0x80) return "RFC4122";
  if ((byte & 0xe0U) == 0xc0) return "Microsoft";
  return (byte & 0xe0U) == 0xe0 ? "Future" : "Reserved";
}

// What versions 1 and 2 tell of time and machine.
void AddTimeAndNode(std::string_view bytes, std::uint64_t version, std::vector<Member>& members) {
  const auto add = [&members](std::string_view key, Value value) {
    members.push_back({Value::String(key), std::move(value)});
  };
  constexpr std::uint64_t kTicksTo1970 = 0x01b21dd213814000;
  const std::uint64_t ticks =
      Number(bytes, 0, 4) | Number(bytes, 4, 2) << 32U | (Number(bytes, 6, 2) & 0x0fffU) << 48U;
  add("time", Value::Int(static_cast<std::int64_t>((ticks - kTicksTo1970) * 100)));
  std::string node;
  for (std::size_t i = 10; i < kUuidBytes; ++i) {
    node += (i > 10 ? "-" : "") + EncodeHex(bytes.substr(i, 1));
  }
  add("nodeid", Value::String(node));
  const std::uint64_t flags = Number(bytes, 10, 1);
  add("macvariables", Value::String(std::string((flags & 2U) != 0 ? "local" : "global") +
                                    ((flags & 1U) != 0 ? ":multicast" : ":unicast")));
  add("clocksequence", Value::Int(static_cast<std::int64_t>(Number(bytes, 8, 2) & 0x3fffU)));
  if (version != 2) return;
  const std::uint64_t domain = Number(bytes, 9, 1);
  constexpr std::array<std::string_view, 3> kDomains = {"Person", "Group", "Org"};
  add("domain", Value::String(domain < 3 ? std::string(kDomains[domain])
                                         : "Domain" + std::to_string(domain)));
  add("id", Value::Int(static_cast<std::int64_t>(Number(bytes, 0, 4))));
}

BuiltinResult UuidParse(BuiltinContext&, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const auto bytes = ParseUuid(text);
  if (!bytes) return std::nullopt;
  const std::uint64_t version = Number(*bytes, 6, 1) >> 4U;
  std::vector<Member> members;
  members.push_back({Value::String("version"), Value::Int(static_cast<std::int64_t>(version))});
  members.push_back(
      {Value::String("variant"), Value::String(Variant(static_cast<unsigned char>((*bytes)[8])))});
  if (version == 1 || version == 2) AddTimeAndNode(*bytes, version, members);
  return Value::Object(std::move(members));
}

BuiltinResult UuidRandom(BuiltinContext& context, Operands x) {
  TRY(StringOperand(x, 0));
  std::string bytes;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t random = context.Random();
    for (int i = 0; i < 8; ++i, random >>= 8U)
      bytes += static_cast<char>(random & 0xffU);
  }
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  return Value::String(UuidText(bytes));
}

BuiltinResult UriParse(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size() * 2));
  const Url url = TRY(ParseUrl(text));
  std::vector<Member> members;
  const auto add = [&members](std::string_view key, std::string_view value) {
    if (!value.empty()) members.push_back({Value::String(key), Value::String(ValidUtf8(value))});
  };
  add("scheme", url.scheme);
  add("hostname", url.host);
  add("port", url.port);
  add("path", url.path);
  add("raw_path", url.raw_path);
  add("raw_query", url.raw_query);
  add("fragment", url.fragment);
  return Value::Object(std::move(members));
}

BuiltinResult UriIsValid(BuiltinContext& context, Operands x) {
  if (!x[0].is_string()) return Value::Bool(false);
  TRY(ChargeBytes(context, x[0].size() * 2));
  return Value::Bool(ParseUrl(x[0].string()).has_value());
}

}  // namespace

std::span<const Builtin> IdentityBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"uuid.parse", 1, UuidParse},
      Builtin{"uuid.rfc4122", 1, UuidRandom, true},
      Builtin{"uri.parse", 1, UriParse},
      Builtin{"uri.is_valid", 1, UriIsValid},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
