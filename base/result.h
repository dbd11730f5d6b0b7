// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value, or an Error that says what failed and how the caller may react.
// Standard library only, so every part of the tree may include it.
#pragma once

#include <cassert>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace kata_cc {

// The gRPC canonical codes in use here; values match grpc::StatusCode and ttrpc's Status.code.
enum class Code : int {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
};

class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // Puts "context: " before the message.
  Error With(std::string_view context) && {
    message_.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }

 private:
  Code code_;
  std::string message_;
};

// Method names follow std::expected (C++23), which takes its place when the compilers allow.
template <typename T>
class [[nodiscard]] Result {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

 public:
  Result() requires std::is_void_v<T>
  = default;
  // NOLINTBEGIN(google-explicit-constructor,bugprone-forwarding-reference-overload)
  template <typename U = Value>
  requires(!std::is_void_v<T> && std::is_constructible_v<Value, U> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error> &&
           !std::is_same_v<std::remove_cvref_t<U>, Result>)
      Result(
          U&& value)  // NOLINT(google-explicit-constructor,bugprone-forwarding-reference-overload)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  // NOLINTEND(google-explicit-constructor,bugprone-forwarding-reference-overload)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  Value& operator*() & { return Checked<0>(); }
  const Value& operator*() const& { return const_cast<Result*>(this)->template Checked<0>(); }
  Value&& operator*() && { return std::move(Checked<0>()); }
  Value* operator->() { return &Checked<0>(); }
  const Value* operator->() const { return &**this; }
  Error& error() & { return Checked<1>(); }
  const Error& error() const& { return const_cast<Result*>(this)->template Checked<1>(); }
  Error&& error() && { return std::move(Checked<1>()); }

 private:
  template <std::size_t kIndex>
  auto& Checked() {
    assert(state_.index() == kIndex);
    return *std::get_if<kIndex>(&state_);
  }

  std::variant<Value, Error> state_;
};

// errno as an Error whose message is "what: strerror".
Error ErrnoError(int error_number, std::string_view what);

}  // namespace kata_cc

// Yields the value, or returns the error from the enclosing function.
#define TRY(expression)                                                  \
  __extension__({                                                        \
    auto try_result_ = (expression);                                     \
    if (!try_result_.has_value()) return std::move(try_result_).error(); \
    *std::move(try_result_);                                             \
  })

// As TRY, with "context: " before the message; context is evaluated only on failure.
#define TRY_CONTEXT(expression, context)                                                 \
  __extension__({                                                                        \
    auto try_result_ = (expression);                                                     \
    if (!try_result_.has_value()) return std::move(try_result_).error().With((context)); \
    *std::move(try_result_);                                                             \
  })
