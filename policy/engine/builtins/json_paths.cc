// SPDX-License-Identifier: Apache-2.0
// Parts of documents by path: json.filter, json.remove, json.patch (RFC 6902, also on sets).
// A path is "a/b" with ~0 and ~1 escapes, or an array of keys.
#include <algorithm>
#include <array>
#include <utility>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

using Path = std::vector<Value>;

std::string Unescape(std::string_view segment) {
  std::string out;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const bool escape = segment[i] == '~' && i + 1 < segment.size();
    if (escape && (segment[i + 1] == '0' || segment[i + 1] == '1')) {
      out += segment[++i] == '0' ? '~' : '/';
    } else {
      out += segment[i];
    }
  }
  return out;
}

Result<Path> ParsePath(BuiltinContext& context, const Value& text) {
  if (text.is_array()) return Path(text.items().begin(), text.items().end());
  if (!text.is_string()) {
    return OperandError(2,
                        "must be one of {set, array} containing string paths or array of path "
                        "segments but got " +
                            std::string(KindName(text.kind())));
  }
  std::string_view rest = text.string();
  TRY(ChargeScan(context, rest.size() * 4));
  while (!rest.empty() && rest[0] == '/')
    rest.remove_prefix(1);
  Path path;
  if (rest.empty()) return path;
  while (true) {
    const std::size_t end = rest.find('/');
    path.push_back(Value::String(Unescape(rest.substr(0, end))));
    if (end == std::string_view::npos) return path;
    rest.remove_prefix(end + 1);
  }
}

// The paths as a tree of objects; null is the end of a path, and covers what is below it.
Result<Value> InsertPath(BuiltinContext& context, const Value& tree, std::span<const Value> path) {
  if (path.empty() || tree.is_null()) return Value();
  TRY(context.Charge(1 + tree.size() / 4));
  const Value* child = tree.Find(path[0]);
  Value empty = Value::SortedObject({});
  Value inserted = TRY(InsertPath(context, child != nullptr ? *child : empty, path.subspan(1)));
  std::vector<Member> members(tree.members().begin(), tree.members().end());
  members.push_back({path[0], std::move(inserted)});
  return Value::Object(std::move(members));
}

Result<Value> PathsOperand(BuiltinContext& context, Operands x) {
  const auto paths = TRY(SetOrArrayOperand(x, 1));
  Value tree = Value::SortedObject({});
  for (const Value& text : paths) {
    const Path path = TRY(ParsePath(context, text));
    if (path.empty()) continue;
    if (path.size() > kMaxJsonDepth) return BuiltinError("path too long");
    tree = TRY(InsertPath(context, tree, path));
  }
  return tree;
}

const Value* TreeAt(const Value& tree, std::size_t index) {
  return tree.Find(std::string_view(std::to_string(index)));
}

Result<Value> Filter(BuiltinContext& context, const Value& value, const Value& tree) {
  if (tree.is_null()) return value;
  if (value.is_object()) {
    TRY(context.Charge(value.size(), value.size() * sizeof(Member)));
    std::vector<Member> members;
    for (const Member& member : value.members()) {
      const Value* below = tree.Find(member.key);
      if (below == nullptr) continue;
      Value kept = TRY(Filter(context, member.value, *below));
      members.push_back({member.key, std::move(kept)});
    }
    return Value::SortedObject(std::move(members));
  }
  if (!value.is_array() && !value.is_set()) return value;
  TRY(ChargeItems(context, value.size()));
  std::vector<Value> items;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const Value& item = value.items()[i];
    const Value* below = value.is_array() ? TreeAt(tree, i) : tree.Find(item);
    if (below == nullptr) continue;
    items.push_back(TRY(Filter(context, item, *below)));
  }
  return value.is_array() ? Value::Array(std::move(items)) : Value::Set(std::move(items));
}

// Nothing: the whole value goes.
Result<std::optional<Value>> Remove(BuiltinContext& context, const Value& value,
                                    const Value* tree) {
  if (tree == nullptr) return std::optional<Value>(value);
  if (tree->is_null()) return std::optional<Value>();
  if (value.is_object()) {
    TRY(context.Charge(value.size(), value.size() * sizeof(Member)));
    std::vector<Member> members;
    for (const Member& member : value.members()) {
      auto kept = TRY(Remove(context, member.value, tree->Find(member.key)));
      if (kept) members.push_back({member.key, *std::move(kept)});
    }
    return std::optional<Value>(Value::SortedObject(std::move(members)));
  }
  if (!value.is_array() && !value.is_set()) return std::optional<Value>(value);
  TRY(ChargeItems(context, value.size()));
  std::vector<Value> items;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const Value& item = value.items()[i];
    const Value* below = value.is_array() ? TreeAt(*tree, i) : tree->Find(item);
    auto kept = TRY(Remove(context, item, below));
    if (kept) items.push_back(*std::move(kept));
  }
  return std::optional<Value>(value.is_array() ? Value::Array(std::move(items))
                                               : Value::Set(std::move(items)));
}

BuiltinResult JsonFilter(BuiltinContext& context, Operands x) {
  TRY(ObjectOperand(x, 0));
  const Value tree = TRY(PathsOperand(context, x));
  Value kept = TRY(Filter(context, x[0], tree));
  return kept;
}

BuiltinResult JsonRemove(BuiltinContext& context, Operands x) {
  TRY(ObjectOperand(x, 0));
  const Value tree = TRY(PathsOperand(context, x));
  return Remove(context, x[0], &tree);
}

// ---- json.patch ----

enum class Edit { kAdd, kRemove, kReplace };

// The index that a key names in an array; `end`: "-" and the size are allowed.
Result<std::size_t> ArrayIndex(const Value& array, const Value& key, bool end) {
  std::optional<std::int64_t> index;
  if (key.is_number()) index = key.ToInt64();
  if (key.is_string()) {
    const std::string_view text = key.string();
    if (text == "-" && end) return array.size();
    if (text.size() > 1 && text[0] == '0') {
      return BuiltinError("leading zeros are not allowed in JSON paths");
    }
    if (text != "-" && text.find_first_not_of("0123456789") == std::string_view::npos &&
        !text.empty() && text.size() < 10) {
      index = std::stoll(std::string(text));
    } else if (text == "-") {
      index = static_cast<std::int64_t>(array.size());
    }
  }
  if (!index || *index < 0) return BuiltinError("invalid index for an array in a JSON path");
  const auto limit = static_cast<std::int64_t>(array.size()) + (end ? 1 : 0);
  if (*index >= limit) {
    return BuiltinError(end ? "index for array insertion out of bounds"
                            : "index for array delete out of bounds");
  }
  return static_cast<std::size_t>(*index);
}

Error NoSuchKey(const Value& key) {
  return BuiltinError("cannot delete child key " + ToTermText(key) + " that does not exist");
}

Result<Value> EditHere(const Value& parent, const Value& key, Edit edit, const Value& value) {
  if (parent.is_object()) {
    if (edit != Edit::kAdd && parent.Find(key) == nullptr) return NoSuchKey(key);
    std::vector<Member> members;
    for (const Member& member : parent.members()) {
      if (edit != Edit::kRemove || member.key != key) members.push_back(member);
    }
    if (edit != Edit::kRemove) members.push_back({key, value});
    return Value::Object(std::move(members));
  }
  if (parent.is_array()) {
    const std::size_t index = TRY(ArrayIndex(parent, key, edit == Edit::kAdd));
    std::vector<Value> items(parent.items().begin(), parent.items().end());
    const auto at = items.begin() + static_cast<std::ptrdiff_t>(index);
    if (edit == Edit::kAdd) items.insert(at, value);
    if (edit == Edit::kRemove) items.erase(at);
    if (edit == Edit::kReplace) *at = value;
    return Value::Array(std::move(items));
  }
  if (edit != Edit::kAdd && !parent.Contains(key)) return NoSuchKey(key);
  if (edit != Edit::kRemove && key != value) {
    return BuiltinError("set key " + ToTermText(key) + " does not equal value to be inserted " +
                        ToTermText(value));
  }
  std::vector<Value> items;
  for (const Value& item : parent.items()) {
    if (item != key) items.push_back(item);
  }
  if (edit != Edit::kRemove) items.push_back(value);
  return Value::Set(std::move(items));
}

Result<void> CheckComposite(const Value& value, const Value& key) {
  if (value.is_object() || value.is_array() || value.is_set()) return {};
  return BuiltinError("expected composite type for path " + ToTermText(key) +
                      ", found value: " + ToTermText(value));
}

// The child of value at key, or an error.
Result<const Value*> ChildAt(const Value& value, const Value& key) {
  TRY(CheckComposite(value, key));
  const Value* child = nullptr;
  if (value.is_array()) {
    child = &value.items()[TRY(ArrayIndex(value, key, false))];
  } else {
    child = value.Find(key);
  }
  if (child == nullptr) {
    return BuiltinError("path " + ToTermText(key) + " does not exist");
  }
  return child;
}

Result<Value> Patched(BuiltinContext& context, const Value& value, std::span<const Value> path,
                      Edit edit, const Value& operand) {
  TRY(CheckComposite(value, path[0]));
  TRY(ChargeItems(context, 1 + value.size() * 2));
  if (path.size() == 1) return EditHere(value, path[0], edit, operand);
  const Value* child = TRY(ChildAt(value, path[0]));
  const Value changed = TRY(Patched(context, *child, path.subspan(1), edit, operand));
  if (!value.is_set()) return EditHere(value, path[0], Edit::kReplace, changed);
  const Value without = TRY(EditHere(value, path[0], Edit::kRemove, Value()));
  return EditHere(without, changed, Edit::kAdd, changed);
}

Result<Value> Edited(BuiltinContext& context, const Value& value, const Path& path, Edit edit,
                     const Value& operand) {
  if (path.size() > kMaxJsonDepth) return BuiltinError("path too long");
  if (!path.empty()) return Patched(context, value, path, edit, operand);
  if (edit == Edit::kRemove) return BuiltinError("the whole document cannot be removed");
  return operand;
}

Result<Value> Lookup(const Value& value, const Path& path) {
  const Value* at = &value;
  for (const Value& key : path)
    at = TRY(ChildAt(*at, key));
  return *at;
}

Result<const Value*> Attribute(const Value& operation, std::string_view name) {
  const Value* value = operation.Find(name);
  if (value == nullptr) {
    return BuiltinError("missing required attribute '" + std::string(name) + "'");
  }
  return value;
}

Result<Value> ApplyOperation(BuiltinContext& context, const Value& document,
                             const Value& operation) {
  const Value* op = TRY(Attribute(operation, "op"));
  if (!op->is_string()) return BuiltinError("attribute 'op' must be a string");
  const std::string_view name = op->string();
  const Value* path_text = TRY(Attribute(operation, "path"));
  const Path path = TRY(ParsePath(context, *path_text));
  if (name == "remove") return Edited(context, document, path, Edit::kRemove, Value());
  if (name == "add" || name == "replace") {
    const Value* value = TRY(Attribute(operation, "value"));
    return Edited(context, document, path, name == "add" ? Edit::kAdd : Edit::kReplace, *value);
  }
  if (name == "move" || name == "copy") {
    const Value* from_text = TRY(Attribute(operation, "from"));
    const Path from = TRY(ParsePath(context, *from_text));
    const Value moved = TRY(Lookup(document, from));
    if (name == "copy") return Edited(context, document, path, Edit::kAdd, moved);
    const Value without = TRY(Edited(context, document, from, Edit::kRemove, Value()));
    return Edited(context, without, path, Edit::kAdd, moved);
  }
  if (name == "test") {
    const Value* value = TRY(Attribute(operation, "value"));
    const Value found = TRY(Lookup(document, path));
    TRY(context.Charge(std::min(found.weight(), value->weight()) / 16));
    if (found == *value) return document;
    return BuiltinError("value from EditTree != patch value.\n\nExpected: " + ToTermText(*value) +
                        "\n\nFound: " + ToTermText(found));
  }
  return BuiltinError("unrecognized op: '" + std::string(name) + "'");
}

BuiltinResult JsonPatch(BuiltinContext& context, Operands x) {
  const auto operations = TRY(ArrayOperand(x, 1));
  Value document = x[0];
  for (const Value& operation : operations) {
    if (!operation.is_object()) {
      return OperandError(2, "must be array of objects but got array containing " +
                                 std::string(KindName(operation.kind())));
    }
    document = TRY(ApplyOperation(context, document, operation));
    if (document.is_too_large()) return Error(Code::kResourceExhausted, "document too large");
  }
  return document;
}

}  // namespace

std::span<const Builtin> JsonPathBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"json.filter", 2, JsonFilter},
      Builtin{"json.remove", 2, JsonRemove},
      Builtin{"json.patch", 2, JsonPatch},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
