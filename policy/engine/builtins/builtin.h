// SPDX-License-Identifier: Apache-2.0
// Builtin: a function that policies may call, how families of them are registered, and what the
// engine lends a call (BuiltinContext).
// Names and meanings: https://www.openpolicyagent.org/docs/policy-reference#built-in-functions.
#pragma once

#include <re2/re2.h>

#include <any>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/engine/value.h"

namespace kata_cc::policy {

// Lent for one call, by the engine. Not thread-safe.
class BuiltinContext {
 public:
  virtual ~BuiltinContext() = default;

  // Every call costs one step. What does more work than its operands are large says so beforehand:
  // steps (about one an element or 16 bytes), and the bytes that it is about to allocate (those of
  // one call add up).
  // ResourceExhausted: return it.
  virtual Result<void> Charge(std::uint64_t steps, std::uint64_t bytes = 0) = 0;

  // The compiled pattern, from the engine's cache; it lives until the call returns. The error's
  // text is RE2's. Patterns are bounded in length and memory.
  virtual Result<const RE2*> Regex(std::string_view pattern) = 0;

  // The same for every call in one query.
  virtual std::int64_t now_ns() const = 0;
  // From the operating system's source, or from the seed that the options give.
  virtual std::uint64_t Random() = 0;

  // A slot of the engine's life for what a family wants to keep between calls (compiled schemas,
  // globs). The key is the family's name and what is kept; the slot starts empty. The engine bounds
  // their number by dropping all.
  virtual std::any& Kept(std::string_view key) = 0;
};

// The value; nothing when the call is undefined for these operands without being an error (for
// instance object.get never, sprintf never; to_number of junk is an error, not undefined).
// Errors (the engine prefixes the builtin's name, and makes them "undefined" unless strict):
// InvalidArgument: an operand is of the wrong type (OPA's eval_type_error; see OperandError);
// ResourceExhausted: a limit, always fatal; any other: the builtin failed (eval_builtin_error).
using BuiltinResult = Result<std::optional<Value>>;
using BuiltinFunction = BuiltinResult (*)(BuiltinContext& context, std::span<const Value> operands);

struct Builtin {
  std::string_view name;  // As called: "array.concat".
  std::size_t arity = 0;
  BuiltinFunction function = nullptr;  // Null: refused on purpose.
  // Not the same for the same operands: time.now_ns, rand.intn, uuid.rfc4122. Within one query the
  // engine keeps the result for equal operands; it is never folded at compile time.
  bool nondeterministic = false;
  // The result is a sequence of results, given as an array: each is one solution (walk).
  bool relation = false;
  // For function == nullptr: the reason that loading a policy with a call of it gives:
  // "http.send is not available: the engine opens no connections".
  std::string_view refusal = {};
};

// A family can be switched off by name, and an embedder may bring families of its own.
struct BuiltinFamily {
  std::string_view name;  // "strings", "crypto".
  std::span<const Builtin> builtins;
};

// "operand 2 must be one of {string, set} but got number"; position counts from 1.
Error OperandError(std::size_t position, std::string_view expected, const Value& got);
// The same from a text: "operand 1 must be a non-negative integer".
Error OperandError(std::size_t position, std::string_view rest);
// The builtin failed (eval_builtin_error).
inline Error BuiltinError(std::string text) {
  return {Code::kFailedPrecondition, std::move(text)};
}

// Operand i (from 0) as its type, or OperandError.
Result<std::string_view> StringOperand(std::span<const Value> operands, std::size_t i);
Result<const Value*> NumberOperand(std::span<const Value> operands, std::size_t i);
Result<std::int64_t> IntegerOperand(std::span<const Value> operands, std::size_t i);  // 64 bits.
Result<bool> BooleanOperand(std::span<const Value> operands, std::size_t i);
Result<std::span<const Value>> ArrayOperand(std::span<const Value> operands, std::size_t i);
Result<std::span<const Value>> SetOperand(std::span<const Value> operands, std::size_t i);
Result<std::span<const Value>> CollectionOperand(std::span<const Value> operands,
                                                 std::size_t i);  // Array or set.
Result<const Value*> ObjectOperand(std::span<const Value> operands, std::size_t i);

// The families of policy/engine/builtins, one a file; DefaultFamilies lists them all.
std::span<const BuiltinFamily> DefaultFamilies();

}  // namespace kata_cc::policy
