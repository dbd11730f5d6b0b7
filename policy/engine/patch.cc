// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/patch.h"

#include <string>
#include <vector>

namespace kata_cc::policy {
namespace {

constexpr std::size_t kMostParts = 64;

Error Bad(std::string what) {
  return {Code::kInvalidArgument, "patch: " + std::move(what)};
}

Result<std::vector<std::string>> Pointer(const Value* text) {
  if (text == nullptr || !text->is_string()) return Bad("path is no string");
  std::string_view rest = text->string();
  std::vector<std::string> out;
  if (rest.empty()) return out;
  if (rest[0] != '/') return Bad("path does not begin with /");
  std::string part;
  for (std::size_t i = 1; i <= rest.size(); ++i) {
    if (i == rest.size() || rest[i] == '/') {
      out.push_back(std::move(part));
      part.clear();
    } else if (rest[i] == '~') {
      ++i;
      if (i == rest.size() || (rest[i] != '0' && rest[i] != '1')) return Bad("bad ~ in path");
      part.push_back(rest[i] == '0' ? '~' : '/');
    } else {
      part.push_back(rest[i]);
    }
  }
  if (out.size() > kMostParts) return Bad("path too long");
  return out;
}

// An index of an array of that size; size itself where one is added.
std::optional<std::size_t> Index(const std::string& part, std::size_t size) {
  if (part.empty() || part.size() > 9 || (part.size() > 1 && part[0] == '0')) return std::nullopt;
  std::size_t out = 0;
  for (const char c : part) {
    if (c < '0' || c > '9') return std::nullopt;
    out = out * 10 + static_cast<std::size_t>(c - '0');
  }
  if (out > size) return std::nullopt;
  return out;
}

Error Missing(const std::string& part) {
  return {Code::kNotFound, "patch: no such member: " + part};
}

Result<Value> Get(const Value& document, std::span<const std::string> path) {
  const Value* at = &document;
  for (const std::string& part : path) {
    const Value* next = nullptr;
    if (at->is_object()) {
      next = at->Find(part);
    } else if (at->is_array()) {
      const auto index = Index(part, at->size());
      if (index && *index < at->size()) next = &at->items()[*index];
    }
    if (next == nullptr) return Missing(part);
    at = next;
  }
  return *at;
}

enum class Change { kAdd, kReplace, kRemove };

Result<Value> Edit(const Value& target, std::span<const std::string> path, Change change,
                   const Value& value) {
  if (path.empty()) {
    if (change == Change::kRemove) return Value();
    return value;
  }
  const std::string& part = path[0];
  const bool last = path.size() == 1;
  if (target.is_object()) {
    const Value* old = target.Find(part);
    if (old == nullptr && (!last || change != Change::kAdd)) return Missing(part);
    std::vector<Member> members(target.members().begin(), target.members().end());
    if (last && change == Change::kRemove) {
      std::erase_if(members, [&](const Member& member) {
        return member.key.is_string() && member.key.string() == part;
      });
    } else {
      Value inner = last ? value : TRY(Edit(*old, path.subspan(1), change, value));
      members.push_back({Value::String(part), std::move(inner)});
    }
    return Value::Object(std::move(members));
  }
  if (target.is_array()) {
    std::vector<Value> items(target.items().begin(), target.items().end());
    const bool append = last && change == Change::kAdd && part == "-";
    const auto index = append ? std::optional(items.size()) : Index(part, items.size());
    if (!index || (*index == items.size() && (!last || change != Change::kAdd))) {
      return Missing(part);
    }
    const auto at = items.begin() + static_cast<std::ptrdiff_t>(*index);
    if (!last) {
      *at = TRY(Edit(*at, path.subspan(1), change, value));
    } else if (change == Change::kAdd) {
      items.insert(at, value);
    } else if (change == Change::kReplace) {
      *at = value;
    } else {
      items.erase(at);
    }
    return Value::Array(std::move(items));
  }
  return Missing(part);
}

Result<Value> ApplyOne(const Value& document, const Value& operation) {
  if (!operation.is_object()) return Bad("an operation is no object");
  const Value* op = operation.Find("op");
  if (op == nullptr || !op->is_string()) return Bad("an operation without op");
  const auto path = TRY(Pointer(operation.Find("path")));
  const Value* value = operation.Find("value");
  const std::string_view name = op->string();
  if (name == "remove") return Edit(document, path, Change::kRemove, Value());
  if (name == "add" || name == "replace" || name == "test") {
    if (value == nullptr) return Bad(std::string(name) + " without a value");
    if (name == "add") return Edit(document, path, Change::kAdd, *value);
    const Value old = TRY(Get(document, path));
    if (name == "replace") return Edit(document, path, Change::kReplace, *value);
    if (old != *value) return Error(Code::kFailedPrecondition, "patch: test failed");
    return document;
  }
  if (name != "move" && name != "copy") return Bad("unknown op " + std::string(name));
  const auto from = TRY(Pointer(operation.Find("from")));
  const Value moved = TRY(Get(document, from));
  if (name == "copy") return Edit(document, path, Change::kAdd, moved);
  if (from.size() < path.size() && std::equal(from.begin(), from.end(), path.begin())) {
    return Bad("move into itself");
  }
  const Value rest = TRY(Edit(document, from, Change::kRemove, Value()));
  return Edit(rest, path, Change::kAdd, moved);
}

}  // namespace

Result<Value> ApplyPatch(Value document, const Value& operations) {
  if (!operations.is_array()) return Bad("operations are no array");
  for (const Value& operation : operations.items())
    document = TRY(ApplyOne(document, operation));
  if (document.depth() > kMaxJsonDepth) return Bad("the document would be nested too deep");
  return document;
}

}  // namespace kata_cc::policy
