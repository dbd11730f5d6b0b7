// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/input_document.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proto/agent.pb.h"

namespace kata_cc::agent {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using nlohmann::json;

json Bytes(const std::string& bytes) {
  json out = json::array();
  for (const char c : bytes)
    out.push_back(static_cast<unsigned char>(c));
  return out;
}

json MessageValue(const Message& message);

// The value of a field that is there; index is not used for one that is not repeated.
json Value(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool many = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return many ? reflection.GetRepeatedInt32(message, &field, index)
                  : reflection.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return many ? reflection.GetRepeatedInt64(message, &field, index)
                  : reflection.GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return many ? reflection.GetRepeatedUInt32(message, &field, index)
                  : reflection.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return many ? reflection.GetRepeatedUInt64(message, &field, index)
                  : reflection.GetUInt64(message, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return many ? reflection.GetRepeatedDouble(message, &field, index)
                  : reflection.GetDouble(message, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return many ? reflection.GetRepeatedFloat(message, &field, index)
                  : reflection.GetFloat(message, &field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return many ? reflection.GetRepeatedBool(message, &field, index)
                  : reflection.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return many ? reflection.GetRepeatedEnumValue(message, &field, index)
                  : reflection.GetEnumValue(message, &field);
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text =
          many ? reflection.GetRepeatedStringReference(message, &field, index, &scratch)
               : reflection.GetStringReference(message, &field, &scratch);
      return field.type() == FieldDescriptor::TYPE_BYTES ? Bytes(text) : json(text);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageValue(many ? reflection.GetRepeatedMessage(message, &field, index)
                               : reflection.GetMessage(message, &field));
  }
  return nullptr;
}

json MapValue(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  json out = json::object();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    const json key = Value(entry, *field.message_type()->map_key(), 0);
    out[key.is_string() ? key.get<std::string>() : key.dump()] =
        Value(entry, *field.message_type()->map_value(), 0);
  }
  return out;
}

json FieldValue(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  if (field.is_map()) return MapValue(message, field);
  if (field.is_repeated()) {
    json out = json::array();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i)
      out.push_back(Value(message, field, i));
    return out;
  }
  if (field.has_presence() && !reflection.HasField(message, &field)) return nullptr;
  return Value(message, field, 0);
}

// `type` is a word of Rust's, so its structs, and with them the document, say `type_`.
std::string Key(const std::string& name) {
  return name == "type" ? "type_" : name;
}

json MessageValue(const Message& message) {
  json out = json::object();
  const Descriptor& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    if (field.real_containing_oneof() == nullptr) {
      out[Key(field.name())] = FieldValue(message, field);
    }
  }
  // A oneof is an enum in Rust: null, or an object of the one member that is set.
  for (int i = 0; i < descriptor.real_oneof_decl_count(); ++i) {
    const OneofDescriptor& oneof = *descriptor.oneof_decl(i);
    const FieldDescriptor* set = message.GetReflection()->GetOneofFieldDescriptor(message, &oneof);
    json value = nullptr;
    if (set != nullptr) value = {{set->name(), Value(message, *set, 0)}};
    out[Key(oneof.name())] = std::move(value);
  }
  return out;
}

const char* FileType(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "Regular";
    case S_IFDIR:
      return "Directory";
    case S_IFLNK:
      return "Symlink";
    default:
      return "Unknown";
  }
}

// Protobuf checks the fields of text; this one is bytes on the wire.
bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4) return false;
    char32_t point = lead & (0x3fU >> more);
    for (int k = 0; k < more; ++k) {
      if (i == text.size()) return false;
      const auto byte = static_cast<unsigned char>(text[i++]);
      if ((byte & 0xc0) != 0x80) return false;
      point = point << 6 | (byte & 0x3fU);
    }
    constexpr std::array<char32_t, 4> kSmallest = {0, 0x80, 0x800, 0x10000};
    if (point < kSmallest.at(static_cast<std::size_t>(more)) || point > 0x10ffff) return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
  }
  return true;
}

// Newer policies read file_type and symlink_target, older ones symlink_src ("" for no link).
Result<json> CopyFile(const grpc::CopyFileRequest& request) {
  const bool link = (request.file_mode() & S_IFMT) == S_IFLNK;
  if (link && !IsUtf8(request.data())) {
    return Error(Code::kInvalidArgument, "CopyFileRequest: the link's target is not UTF-8");
  }
  return json{{"path", request.path()},
              {"file_type", FileType(request.file_mode())},
              {"symlink_target", link ? json(request.data()) : json(nullptr)},
              {"symlink_src", link ? request.data() : std::string()},
              {"file_size", request.file_size()},
              {"file_mode", request.file_mode()},
              {"dir_mode", request.dir_mode()},
              {"uid", request.uid()},
              {"gid", request.gid()},
              {"offset", request.offset()}};
}

Result<void> CheckMessage(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (!reflection.GetUnknownFields(message).empty()) {
    return Error(Code::kInvalidArgument,
                 message.GetDescriptor()->name() + ": field " +
                     std::to_string(reflection.GetUnknownFields(message).field(0).number()) +
                     " is not known to this agent");
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      TRY(CheckMessage(reflection.GetMessage(message, field)));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      TRY(CheckMessage(reflection.GetRepeatedMessage(message, field, i)));
  }
  return {};
}

}  // namespace

Result<json> InputDocument(const Message& request) {
  if (request.GetDescriptor() == grpc::CopyFileRequest::descriptor()) {
    return CopyFile(static_cast<const grpc::CopyFileRequest&>(request));
  }
  return MessageValue(request);
}

Result<void> RefuseUnknownFields(const Message& request) {
  return CheckMessage(request);
}

}  // namespace kata_cc::agent
