// SPDX-License-Identifier: Apache-2.0
#include "proto/oci/strict_json.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace kata_cc::oci {
namespace {

using nlohmann::json;

// Builds the document from the parser's events; returning false stops the parser, so a document
// that is too deep is never held.
class Builder : public json::json_sax_t {
 public:
  explicit Builder(std::size_t max_depth) : max_depth_(max_depth) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t&) override { return Add(value); }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return Fail("binary value"); }
  bool start_object(std::size_t) override { return Open(json::object()); }
  bool start_array(std::size_t) override { return Open(json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& value) override {
    if (open_.back()->contains(value)) return Fail("key twice: " + value.substr(0, 64));
    key_ = std::move(value);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& exception) override {
    // Keeps only what follows the library's own prefix, and no more than a line.
    const std::string_view text = exception.what();
    const std::size_t colon = text.find(": ");
    return Fail("byte " + std::to_string(position) + ": " +
                std::string(text.substr(colon == text.npos ? 0 : colon + 2).substr(0, 160)));
  }

  json root;
  std::string error;

 private:
  bool Fail(std::string what) {
    if (error.empty()) error = std::move(what);
    return false;
  }

  json* Place(json value) {
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }

  bool Add(json value) {
    Place(std::move(value));
    return true;
  }

  bool Open(json container) {
    if (open_.size() >= max_depth_) return Fail("nested too deeply");
    open_.push_back(Place(std::move(container)));  // Stays put: its parent grows after it closed.
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  std::size_t max_depth_;
  std::vector<json*> open_;
  std::string key_;
};

}  // namespace

Result<json> ParseStrictJson(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_bytes)
    return Error(Code::kInvalidArgument,
                 "json: larger than " + std::to_string(limits.max_bytes) + " bytes");
  Builder builder(limits.max_depth);
  if (!json::sax_parse(text.begin(), text.end(), &builder))
    return Error(Code::kInvalidArgument, "json: " + builder.error);
  return std::move(builder.root);
}

}  // namespace kata_cc::oci
