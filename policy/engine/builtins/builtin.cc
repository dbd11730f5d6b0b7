// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

Error OperandError(std::size_t position, std::string_view rest) {
  return {Code::kInvalidArgument, "operand " + std::to_string(position) + " " + std::string(rest)};
}

Error OperandError(std::size_t position, std::string_view expected, const Value& got) {
  const bool several = expected.find(',') != std::string_view::npos;
  return OperandError(
      position, "must be " +
                    (several ? "one of {" + std::string(expected) + "}" : std::string(expected)) +
                    " but got " + std::string(KindName(got.kind())));
}

Result<std::string_view> StringOperand(std::span<const Value> operands, std::size_t i) {
  if (!operands[i].is_string()) return OperandError(i + 1, "string", operands[i]);
  return operands[i].string();
}

Result<const Value*> NumberOperand(std::span<const Value> operands, std::size_t i) {
  if (!operands[i].is_number()) return OperandError(i + 1, "number", operands[i]);
  return &operands[i];
}

Result<std::int64_t> IntegerOperand(std::span<const Value> operands, std::size_t i) {
  if (!operands[i].is_number()) return OperandError(i + 1, "number", operands[i]);
  const auto value = operands[i].ToInt64();
  if (!value) return OperandError(i + 1, "must be integer number but got floating-point number");
  return *value;
}

Result<bool> BooleanOperand(std::span<const Value> operands, std::size_t i) {
  if (!operands[i].is_boolean()) return OperandError(i + 1, "boolean", operands[i]);
  return operands[i].boolean();
}

Result<std::span<const Value>> ArrayOperand(std::span<const Value> operands, std::size_t i) {
  if (!operands[i].is_array()) return OperandError(i + 1, "array", operands[i]);
  return operands[i].items();
}

Result<std::span<const Value>> SetOperand(std::span<const Value> operands, std::size_t i) {
  if (!operands[i].is_set()) return OperandError(i + 1, "set", operands[i]);
  return operands[i].items();
}

Result<std::span<const Value>> CollectionOperand(std::span<const Value> operands, std::size_t i) {
  if (!operands[i].is_array() && !operands[i].is_set()) {
    return OperandError(i + 1, "array, set", operands[i]);
  }
  return operands[i].items();
}

Result<const Value*> ObjectOperand(std::span<const Value> operands, std::size_t i) {
  if (!operands[i].is_object()) return OperandError(i + 1, "object", operands[i]);
  return &operands[i];
}

}  // namespace kata_cc::policy
