// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/url.h"

#include <algorithm>
#include <cctype>

#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

bool IsHex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

Error BadEscape(std::string_view escape) {
  return {Code::kFailedPrecondition, "invalid URL escape " + GoQuote(escape)};
}

Result<std::string> Unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size() || !IsHex(text[i + 1]) || !IsHex(text[i + 2])) {
      return BadEscape(text.substr(i, 3));
    }
    out += TRY(DecodeHex(text.substr(i + 1, 2)));
    i += 2;
  }
  return out;
}

class UrlParser {
 public:
  explicit UrlParser(std::string_view text) : whole_(text), rest_(text) {}

  Result<Url> Parse() {
    for (char c : rest_) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        return Fail("net/url: invalid control character in URL");
      }
    }
    if (rest_.empty()) return Fail("empty url");
    if (const std::size_t hash = rest_.find('#'); hash != std::string_view::npos) {
      url_.fragment = TRY(Part(rest_.substr(hash + 1)));
      rest_ = rest_.substr(0, hash);
    }
    TRY(TakeScheme());
    if (const std::size_t query = rest_.find('?'); query != std::string_view::npos) {
      url_.raw_query = rest_.substr(query + 1);
      rest_ = rest_.substr(0, query);
    }
    if (rest_.empty() || rest_[0] != '/') {
      if (!url_.scheme.empty()) {
        url_.opaque = rest_;
        return std::move(url_);
      }
      if (rest_.substr(0, rest_.find('/')).find(':') != std::string_view::npos) {
        return Fail("first path segment in URL cannot contain colon");
      }
    }
    if (rest_.substr(0, 2) == "//" && (!url_.scheme.empty() || rest_.substr(0, 3) != "///")) {
      rest_.remove_prefix(2);
      const std::string_view authority = rest_.substr(0, rest_.find('/'));
      rest_.remove_prefix(authority.size());
      TRY(TakeAuthority(authority));
    }
    url_.raw_path = rest_;
    url_.path = TRY(Part(rest_));
    return std::move(url_);
  }

 private:
  Error Fail(std::string_view why) const {
    return {Code::kFailedPrecondition, "parse " + GoQuote(whole_) + ": " + std::string(why)};
  }

  Result<std::string> Part(std::string_view text) const {
    auto out = Unescape(text, false);
    if (!out) return Fail(out.error().message());
    return *std::move(out);
  }

  Result<void> TakeScheme() {
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (std::isalpha(static_cast<unsigned char>(c)) != 0) continue;
      const bool later =
          std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
      if (later && i > 0) continue;
      if (c != ':') return {};
      if (i == 0) return Fail("missing protocol scheme");
      url_.scheme = ToLower(rest_.substr(0, i));
      rest_.remove_prefix(i + 1);
      return {};
    }
    return {};
  }

  Result<void> TakeAuthority(std::string_view authority) {
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
      authority.remove_prefix(at + 1);
    }
    std::string_view port;
    if (!authority.empty() && authority[0] == '[') {
      const std::size_t close = authority.rfind(']');
      if (close == std::string_view::npos) return Fail("missing ']' in host");
      port = authority.substr(close + 1);
      authority = authority.substr(1, close - 1);
    } else if (const std::size_t colon = authority.rfind(':'); colon != std::string_view::npos) {
      port = authority.substr(colon);
      authority = authority.substr(0, colon);
    }
    const bool good_port =
        port.empty() ||
        (port[0] == ':' && port.find_first_not_of("0123456789", 1) == std::string_view::npos);
    if (!good_port) return Fail("invalid port " + GoQuote(port) + " after host");
    for (char c : authority) {
      if (std::string_view(" \"<>\\^`{}|").find(c) != std::string_view::npos) {
        return Fail("invalid character " + GoQuote(std::string(1, c)) + " in host name");
      }
    }
    url_.host = TRY(Part(authority));
    url_.port = port.empty() ? port : port.substr(1);
    return {};
  }

  std::string_view whole_, rest_;
  Url url_;
};

}  // namespace

std::string EscapeQuery(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
        std::string_view("-_.~").find(c) != std::string_view::npos) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += "0123456789ABCDEF"[byte >> 4U];
      out += "0123456789ABCDEF"[byte & 15U];
    }
  }
  return out;
}

Result<std::string> UnescapeQuery(std::string_view text) {
  return Unescape(text, true);
}

Result<Url> ParseUrl(std::string_view text) {
  return UrlParser(text).Parse();
}

}  // namespace kata_cc::policy
