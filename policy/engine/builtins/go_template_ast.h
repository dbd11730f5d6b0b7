// SPDX-License-Identifier: Apache-2.0
// The parsed form of a template.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy::go_template {

struct Pipeline;

// One operand: a literal, a field path of something, or a function's name.
struct Operand {
  enum class Kind { kLiteral, kNil, kDot, kVariable, kFunction, kPipeline } kind = Kind::kDot;
  Value literal;
  std::string name;                    // Of a variable ("$x", "$") or function.
  std::shared_ptr<Pipeline> pipeline;  // In parentheses.
  std::vector<std::string> fields;     // .a.b after it.
};

struct Command {
  std::vector<Operand> operands;
};

struct Pipeline {
  std::vector<std::string> variables;  // Declared or assigned: $i, $x
  bool declares = false;
  std::vector<Command> commands;
};

struct Node {
  enum class Kind {
    kText,
    kAction,
    kIf,
    kRange,
    kWith,
    kTemplate,
    kBreak,
    kContinue
  } kind = Kind::kText;
  std::string text;  // Text, or the template's name.
  Pipeline pipeline;
  std::vector<Node> body, otherwise;
};

struct Template {
  std::map<std::string, std::vector<Node>, std::less<>> bodies;  // "" is the main one.
};

constexpr std::size_t kMaxTemplateDepth = 100;

Result<Template> ParseTemplate(BuiltinContext& context, std::string_view text);
bool IsTemplateFunction(std::string_view name);
Error TemplateError(const std::string& text);

}  // namespace kata_cc::policy::go_template
