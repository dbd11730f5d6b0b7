// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "policy/engine/builtins/go_template_ast.h"
#include "policy/engine/builtins/go_template_lexer.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy::go_template {
namespace {

constexpr std::array<std::string_view, 20> kFunctions = {
    "and", "call", "eq",  "ge", "gt",    "html",   "index",   "js",    "le",       "len",
    "lt",  "ne",   "not", "or", "print", "printf", "println", "slice", "urlquery", "nil"};

class TemplateParser {
 public:
  TemplateParser(BuiltinContext& context, std::string_view text) : context_(context), text_(text) {}

  Result<Template> Parse() {
    std::string end;
    auto body = TRY(List(false, &end));
    if (!end.empty()) return TemplateError("unexpected {{" + end + "}}");
    template_.bodies[""] = std::move(body);
    return std::move(template_);
  }

 private:
  // The next action's text, after the text before it has been added to `nodes`.
  Result<bool> NextAction(std::vector<Node>& nodes, std::string_view* action) {
    TRY(context_.Charge(4, sizeof(Node)));
    const std::size_t open = text_.find("{{");
    std::string_view before = text_.substr(0, open);
    if (open == std::string_view::npos) {
      AddText(nodes, before);
      text_ = {};
      return false;
    }
    text_.remove_prefix(open + 2);
    const bool trim_before = text_.size() > 1 && text_[0] == '-' && IsBlank(text_[1]);
    if (trim_before) {
      text_.remove_prefix(1);
      while (!before.empty() && IsBlank(before.back()))
        before.remove_suffix(1);
    }
    AddText(nodes, before);
    TRY(FindClose(action));
    if (action->size() > 1 && action->back() == '-' && IsBlank((*action)[action->size() - 2])) {
      action->remove_suffix(1);
      while (!text_.empty() && IsBlank(text_[0]))
        text_.remove_prefix(1);
    }
    return true;
  }

  static bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  // Up to the "}}" outside of quotes and comments.
  Result<void> FindClose(std::string_view* action) {
    std::size_t at = 0;
    const std::size_t start = std::min(text_.find_first_not_of(" \t\r\n"), text_.size());
    if (text_.substr(start, 2) == "/*") {
      at = text_.find("*/");
      if (at == std::string_view::npos) return TemplateError("unclosed comment");
    }
    char quote = '\0';
    for (; at < text_.size(); ++at) {
      const char c = text_[at];
      if (quote != '\0') {
        if (c == '\\' && quote != '`') {
          ++at;
        } else if (c == quote) {
          quote = '\0';
        }
      } else if (c == '"' || c == '`' || c == '\'') {
        quote = c;
      } else if (text_.substr(at, 2) == "}}") {
        *action = text_.substr(0, at);
        text_.remove_prefix(at + 2);
        return {};
      }
    }
    return TemplateError("unclosed action");
  }

  static void AddText(std::vector<Node>& nodes, std::string_view text) {
    if (text.empty()) return;
    Node node;
    node.text = text;
    nodes.push_back(std::move(node));
  }

  // Nodes up to {{end}} or {{else ...}}, which *end names (the words of the action).
  Result<std::vector<Node>> List(bool nested, std::string* end) {
    if (++depth_ > kMaxTemplateDepth) return TemplateError("nested too deep");
    std::vector<Node> nodes;
    while (true) {
      std::string_view action;
      const bool more = TRY(NextAction(nodes, &action));
      if (!more) {
        if (nested) return TemplateError("unexpected EOF");
        break;
      }
      const std::size_t start = std::min(action.find_first_not_of(" \t\r\n"), action.size());
      if (action.substr(start, 2) == "/*") continue;
      tokens_ = TRY(LexAction(action));
      at_ = 0;
      const std::string word = Peek().kind == Token::Kind::kWord ? Peek().text : "";
      if (word == "end" || word == "else") {
        *end = word;
        ++at_;
        SkipSpace();
        break;
      }
      TRY(Action(word, nodes));
    }
    --depth_;
    return nodes;
  }

  const Token& Peek() const {
    static const Token end;
    return at_ < tokens_.size() ? tokens_[at_] : end;
  }
  void SkipSpace() {
    if (Peek().kind == Token::Kind::kSpace) ++at_;
  }
  bool TakeSymbol(std::string_view symbol) {
    if (Peek().kind != Token::Kind::kSymbol || Peek().text != symbol) return false;
    ++at_;
    return true;
  }
  Result<void> ExpectEnd() {
    SkipSpace();
    if (at_ < tokens_.size()) return TemplateError("unexpected " + GoQuote(Peek().text));
    return {};
  }

  Result<void> Action(const std::string& word, std::vector<Node>& nodes) {
    Node node;
    if (word == "if" || word == "range" || word == "with") {
      ++at_;
      node.kind = word == "if"      ? Node::Kind::kIf
                  : word == "range" ? Node::Kind::kRange
                                    : Node::Kind::kWith;
      TRY(Branch(node));
    } else if (word == "break" || word == "continue") {
      ++at_;
      node.kind = word == "break" ? Node::Kind::kBreak : Node::Kind::kContinue;
      if (loops_ == 0) return TemplateError("{{" + word + "}} outside {{range}}");
      TRY(ExpectEnd());
    } else if (word == "template" || word == "define" || word == "block") {
      ++at_;
      return Named(word, nodes);
    } else {
      node.kind = Node::Kind::kAction;
      node.pipeline = TRY(ParsePipeline());
      TRY(ExpectEnd());
      if (node.pipeline.commands.empty()) return TemplateError("missing value for command");
    }
    nodes.push_back(std::move(node));
    return {};
  }

  // The pipeline, the body, and what follows {{else}}; up to the {{end}}.
  Result<void> Branch(Node& node) {
    const bool loop = node.kind == Node::Kind::kRange;
    node.pipeline = TRY(ParsePipeline());
    TRY(ExpectEnd());
    if (node.pipeline.commands.empty()) return TemplateError("missing value for a branch");
    std::string end;
    loops_ += loop ? 1 : 0;
    node.body = TRY(List(true, &end));
    loops_ -= loop ? 1 : 0;
    if (end == "end") return {};
    const std::string word = Peek().kind == Token::Kind::kWord ? Peek().text : "";
    if (word == "if" || word == "with") {
      Node inner;
      inner.kind = word == "if" ? Node::Kind::kIf : Node::Kind::kWith;
      ++at_;
      if (++depth_ > kMaxTemplateDepth) return TemplateError("nested too deep");
      TRY(Branch(inner));
      --depth_;
      node.otherwise.push_back(std::move(inner));
      return {};
    }
    TRY(ExpectEnd());
    node.otherwise = TRY(List(true, &end));
    if (end != "end") return TemplateError("expected end; found {{else}}");
    return {};
  }

  Result<void> Named(const std::string& word, std::vector<Node>& nodes) {
    SkipSpace();
    const Token name = Peek();
    if (name.kind != Token::Kind::kLiteral || !name.literal.is_string()) {
      return TemplateError("unexpected " + GoQuote(name.text) + " in " + word + " clause");
    }
    ++at_;
    SkipSpace();
    Node node;
    node.kind = Node::Kind::kTemplate;
    node.text = name.literal.string();
    if (word != "define") node.pipeline = TRY(ParsePipeline());
    TRY(ExpectEnd());
    if (word != "template") {
      std::string end;
      auto body = TRY(List(true, &end));
      if (end != "end") return TemplateError("unexpected {{else}} in " + word + " clause");
      template_.bodies[node.text] = std::move(body);
    }
    if (word != "define") nodes.push_back(std::move(node));
    return {};
  }

  Result<Pipeline> ParsePipeline() {
    Pipeline pipeline;
    SkipSpace();
    const std::size_t start = at_;
    while (Peek().kind == Token::Kind::kVariable) {
      pipeline.variables.push_back(Peek().text);
      ++at_;
      SkipSpace();
      if (!TakeSymbol(",")) break;
      SkipSpace();
    }
    if (!pipeline.variables.empty()) {
      pipeline.declares = TakeSymbol(":=");
      if (!pipeline.declares && !TakeSymbol("=")) {
        pipeline.variables.clear();
        at_ = start;
      }
    }
    while (true) {
      Command command = TRY(ParseCommand());
      if (command.operands.empty()) break;
      pipeline.commands.push_back(std::move(command));
      SkipSpace();
      if (!TakeSymbol("|")) break;
    }
    return pipeline;
  }

  Result<Command> ParseCommand() {
    Command command;
    while (true) {
      SkipSpace();
      const Token& token = Peek();
      if (token.kind == Token::Kind::kEnd || token.kind == Token::Kind::kSymbol) {
        if (token.kind == Token::Kind::kEnd || token.text != "(") return command;
      }
      command.operands.push_back(TRY(ParseOperand()));
    }
  }

  Result<Operand> ParseOperand() {
    Operand operand;
    const Token token = Peek();
    ++at_;
    switch (token.kind) {
      case Token::Kind::kLiteral:
        operand.kind = Operand::Kind::kLiteral;
        operand.literal = token.literal;
        break;
      case Token::Kind::kVariable:
        operand.kind = Operand::Kind::kVariable;
        operand.name = token.text;
        break;
      case Token::Kind::kField:
        if (!token.text.empty()) operand.fields.push_back(token.text);
        break;
      case Token::Kind::kWord:
        if (!IsTemplateFunction(token.text)) {
          return TemplateError("function " + GoQuote(token.text) + " not defined");
        }
        operand.kind = token.text == "nil" ? Operand::Kind::kNil : Operand::Kind::kFunction;
        operand.name = token.text;
        break;
      case Token::Kind::kSymbol: {
        if (++depth_ > kMaxTemplateDepth) return TemplateError("nested too deep");
        operand.kind = Operand::Kind::kPipeline;
        operand.pipeline = std::make_shared<Pipeline>(TRY(ParsePipeline()));
        SkipSpace();
        if (!TakeSymbol(")")) return TemplateError("unclosed left paren");
        --depth_;
        break;
      }
      default:
        return TemplateError("unexpected " + GoQuote(token.text));
    }
    while (Peek().kind == Token::Kind::kField && !Peek().text.empty()) {
      operand.fields.push_back(Peek().text);
      ++at_;
    }
    return operand;
  }

  BuiltinContext& context_;
  std::string_view text_;
  Template template_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  int loops_ = 0;
};

}  // namespace

bool IsTemplateFunction(std::string_view name) {
  return std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end();
}

Error TemplateError(const std::string& text) {
  return BuiltinError("template: template:1: " + text);
}

Result<Template> ParseTemplate(BuiltinContext& context, std::string_view text) {
  return TemplateParser(context, text).Parse();
}

}  // namespace kata_cc::policy::go_template
