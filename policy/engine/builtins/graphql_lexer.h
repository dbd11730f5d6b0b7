// SPDX-License-Identifier: Apache-2.0
// Tokens of GraphQL text.
#pragma once

#include <string>
#include <string_view>

namespace kata_cc::policy {

// The kind is its text in messages: "Name", "Int", "<EOF>", "{", "..."; lexical errors:
// "<Invalid>".
struct GraphqlToken {
  std::string_view kind;
  std::string value;
  int line = 1, column = 1;
};

class GraphqlLexer {
 public:
  explicit GraphqlLexer(std::string_view text) : text_(text) {}
  GraphqlToken Next();

 private:
  char at(std::size_t offset) const {
    return at_ + offset < text_.size() ? text_[at_ + offset] : '\0';
  }
  bool ends() const { return at_ >= text_.size(); }
  void Advance(std::size_t bytes);
  void SkipIgnored();
  GraphqlToken Make(std::string_view kind) const { return {kind, "", line_, column_}; }
  GraphqlToken Number();
  GraphqlToken String();
  GraphqlToken BlockString();
  bool Escape(std::string& out);
  bool Digits();

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1, column_ = 1;
};

}  // namespace kata_cc::policy
