// SPDX-License-Identifier: Apache-2.0
#include "agent/http/message.h"

#include <algorithm>
#include <charconv>

namespace kata_cc::agent::http {
namespace {

constexpr std::size_t kMaxTarget = 8192;

Error Bad(std::string_view why) {
  return {Code::kInvalidArgument, "http: " + std::string(why)};
}
Error TooLarge(std::string_view what) {
  return {Code::kResourceExhausted, "http: " + std::string(what) + ": too large"};
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar);
}
bool IsVisible(char c) {
  return c > ' ' && c < 0x7f;
}
char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string ToLower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), Lower);
  return out;
}

template <typename T>
bool ParseNumber(std::string_view text, T& out, int base = 10) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

struct Head {
  std::string_view start_line;
  Headers headers;
  std::size_t size = 0;  // With the empty line.
};

Result<void> AddHeader(std::string_view line, const Limits& limits, Headers& out) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return Bad("malformed header");  // A folded line is one, too.
  }
  std::string_view value = line.substr(colon + 1);
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!value.empty() && is_space(value.front()))
    value.remove_prefix(1);
  while (!value.empty() && is_space(value.back()))
    value.remove_suffix(1);
  const bool clean = std::all_of(value.begin(), value.end(), [&](char c) {
    return is_space(c) || (static_cast<unsigned char>(c) > ' ' && c != 0x7f);
  });
  if (!clean) return Bad("a control character in a header");
  if (out.size() == limits.headers) return TooLarge("headers");
  out.emplace_back(ToLower(line.substr(0, colon)), std::string(value));
  return {};
}

// None: the empty line has not come yet.
Result<std::optional<Head>> ParseHead(std::string_view bytes, const Limits& limits) {
  const std::size_t end = bytes.substr(0, limits.head_bytes).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() >= limits.head_bytes) return TooLarge("head");
    return std::optional<Head>();
  }
  Head out;
  out.size = end + 4;
  std::string_view lines = bytes.substr(0, end + 2);
  for (bool first = true; !lines.empty(); first = false) {
    const std::size_t line_end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, line_end);
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
      return Bad("a stray line end");
    }
    if (first) {
      out.start_line = line;
    } else {
      TRY(AddHeader(line, limits, out.headers));
    }
    lines.remove_prefix(line_end + 2);
  }
  return std::optional<Head>(std::move(out));
}

std::size_t Count(const Headers& headers, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(
      headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; }));
}

enum class Framing { kNone, kLength, kChunked };

struct BodyRule {
  Framing framing = Framing::kNone;
  std::size_t length = 0;
};

// One way to know where a body ends, or none: two of them are how requests are smuggled.
Result<BodyRule> FindFraming(const Headers& headers, const Limits& limits) {
  BodyRule out;
  const std::size_t lengths = Count(headers, "content-length");
  const std::size_t encodings = Count(headers, "transfer-encoding");
  if (lengths + encodings == 0) return out;
  if (lengths + encodings > 1) return Bad("an ambiguous length");
  if (encodings == 1) {
    if (ToLower(Find(headers, "transfer-encoding")) != "chunked") {
      return Bad("an unknown transfer encoding");
    }
    out.framing = Framing::kChunked;
    return out;
  }
  out.framing = Framing::kLength;
  const std::string_view text = Find(headers, "content-length");
  if (!std::all_of(text.begin(), text.end(), IsDigit) || !ParseNumber(text, out.length)) {
    return Bad("a malformed length");
  }
  if (out.length > limits.body_bytes) return TooLarge("body");
  return out;
}

// The body of a chunked message; none: it is not all there.
Result<std::optional<std::string>> Unchunk(std::string_view bytes, const Limits& limits) {
  std::string out;
  while (true) {
    const std::size_t end = bytes.find("\r\n");
    if (end == std::string_view::npos) {
      if (bytes.size() > 64) return Bad("a malformed chunk");
      return std::optional<std::string>();
    }
    std::size_t size = 0;
    if (end > 8 || !ParseNumber(bytes.substr(0, end), size, 16)) return Bad("a malformed chunk");
    if (size > limits.body_bytes - out.size()) return TooLarge("body");
    bytes.remove_prefix(end + 2);
    if (bytes.size() < size + 2) return std::optional<std::string>();
    if (bytes.substr(size, 2) != "\r\n") return Bad("a malformed chunk");
    if (size == 0) {
      if (bytes.size() > 2) return Bad("bytes after the message");
      return std::optional<std::string>(std::move(out));
    }
    out += bytes.substr(0, size);
    bytes.remove_prefix(size + 2);
  }
}

Result<std::string> Decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      unsigned value = 0;
      if (i + 2 >= text.size() || !ParseNumber(text.substr(i + 1, 2), value, 16)) {
        return Bad("malformed percent-encoding");
      }
      out += static_cast<char>(value);
      i += 2;
    }
  }
  return out;
}

Result<void> ParseQuery(std::string_view text, std::map<std::string, std::string>& out) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::string name = TRY(Decode(pair.substr(0, equals)));
    std::string value = TRY(Decode(pair.substr(std::min(equals + 1, pair.size()))));
    if (name.empty()) return Bad("a parameter without a name");
    if (!out.emplace(std::move(name), std::move(value)).second) return Bad("a parameter twice");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

Result<Request> ParseRequestLine(std::string_view line) {
  Request out;
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Bad("malformed request line");
  out.method = line.substr(0, first);
  if (!IsToken(out.method) || out.method.size() > 16) return Bad("malformed method");
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return Bad("not HTTP/1.1");
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.size() > kMaxTarget) return TooLarge("target");
  if (!target.starts_with('/') || !std::all_of(target.begin(), target.end(), IsVisible) ||
      target.find('#') != std::string_view::npos) {
    return Bad("malformed target");
  }
  const std::size_t mark = target.find('?');
  if (mark != std::string_view::npos) TRY(ParseQuery(target.substr(mark + 1), out.query));
  out.path = target.substr(0, mark);
  return out;
}

}  // namespace

std::string_view Find(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Result<std::optional<Request>> ParseRequest(std::string_view bytes, const Limits& limits) {
  std::optional<Head> head = TRY(ParseHead(bytes, limits));
  if (!head) return std::optional<Request>();
  Request out = TRY(ParseRequestLine(head->start_line));
  out.headers = std::move(head->headers);
  const BodyRule rule = TRY(FindFraming(out.headers, limits));
  bytes.remove_prefix(head->size);
  if (rule.framing == Framing::kChunked) return Bad("a chunked request");
  if (bytes.size() < rule.length) return std::optional<Request>();
  if (bytes.size() > rule.length) return Bad("bytes after the request");
  out.body = bytes;
  return std::optional<Request>(std::move(out));
}

Result<std::optional<Response>> ParseResponse(std::string_view bytes, bool at_end,
                                              const Limits& limits) {
  const std::optional<Response> incomplete;
  const Error cut(Code::kDataLoss, "http: the response broke off");
  std::optional<Head> head = TRY(ParseHead(bytes, limits));
  if (!head && at_end) return cut;
  if (!head) return incomplete;
  Response out;
  const std::string_view line = head->start_line;
  const bool versioned = line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ");
  if (!versioned || line.size() < 12 || !std::all_of(&line[9], &line[9] + 3, IsDigit) ||
      (line.size() > 12 && line[12] != ' ') || !ParseNumber(line.substr(9, 3), out.status)) {
    return Bad("malformed status line");
  }
  if (out.status < 200) return Bad("an interim response");
  out.headers = std::move(head->headers);
  const BodyRule rule = TRY(FindFraming(out.headers, limits));
  bytes.remove_prefix(head->size);
  if (rule.framing == Framing::kChunked) {
    std::optional<std::string> body = TRY(Unchunk(bytes, limits));
    if (!body && at_end) return cut;
    if (!body) return incomplete;
    out.body = *std::move(body);
    return std::optional<Response>(std::move(out));
  }
  if (rule.framing == Framing::kLength) {
    if (bytes.size() < rule.length && at_end) return cut;
    if (bytes.size() < rule.length) return incomplete;
    if (bytes.size() > rule.length) return Bad("bytes after the message");
  } else {
    if (bytes.size() > limits.body_bytes) return TooLarge("body");
    if (!at_end) return incomplete;
  }
  out.body = bytes;
  return std::optional<Response>(std::move(out));
}

}  // namespace kata_cc::agent::http
