// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/request_ids.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <string>

namespace kata_cc::agent {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A singular field of text by this name, or nothing.
const std::string* TextField(const Message& request, const char* name) {
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || field->is_repeated() ||
      field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return nullptr;
  }
  return &request.GetReflection()->GetStringReference(request, field, nullptr);
}

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct IdField {
  const char* name;
  bool may_be_empty;
};

constexpr std::array kIdFields = {
    IdField{"container_id", false},
    IdField{"exec_id", true},
    IdField{"sandbox_id", true},
};

}  // namespace

bool IsValidId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes && IsAlphanumeric(id.front()) &&
         std::all_of(id.begin(), id.end(),
                     [](char c) { return IsAlphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

Result<void> CheckRequestIds(const Message& request) {
  for (const IdField& field : kIdFields) {
    const std::string* id = TextField(request, field.name);
    if (id == nullptr || (id->empty() && field.may_be_empty) || IsValidId(*id)) continue;
    return Error(Code::kInvalidArgument,
                 request.GetDescriptor()->name() + ": " + field.name + " is not an id of at most " +
                     std::to_string(kMaxIdBytes) + " letters, digits, '.', '-' and '_'");
  }
  return {};
}

std::string_view ContainerIdOf(const Message& request) {
  const std::string* id = TextField(request, "container_id");
  return id == nullptr ? std::string_view() : *id;
}

}  // namespace kata_cc::agent
