// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/record.h"

#include <nlohmann/json.hpp>

#include "proto/oci/strict_json.h"
#include "proto/verity/geometry.h"

namespace kata_cc::snapshotter {
namespace {

using nlohmann::json;

constexpr std::string_view kFormat = "kata-cc snapshot 1";
constexpr std::size_t kMaxRecordBytes = 4 << 20;

Error Damaged(const std::string& why) {
  return {Code::kDataLoss, "snapshot record: " + why};
}

const char* KindName(Kind kind) {
  switch (kind) {
    case Kind::kView:
      return "view";
    case Kind::kActive:
      return "active";
    case Kind::kCommitted:
      return "committed";
  }
  return "";
}

Result<std::string> Text(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_string())
    return Damaged(std::string(field) + ": no text");
  return found->get<std::string>();
}

Result<std::int64_t> Number(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_number_integer())
    return Damaged(std::string(field) + ": no number");
  return found->get<std::int64_t>();
}

Result<Kind> ParseKind(const std::string& name) {
  for (const Kind kind : {Kind::kView, Kind::kActive, Kind::kCommitted})
    if (name == KindName(kind)) return kind;
  return Damaged("kind: unknown");
}

}  // namespace

std::string EncodeRecord(const Record& record) {
  json object = {{"format", kFormat},
                 {"id", record.id},
                 {"name", record.name},
                 {"parent", record.parent},
                 {"kind", KindName(record.kind)},
                 {"created_ns", record.created_ns},
                 {"updated_ns", record.updated_ns},
                 {"labels", record.labels},
                 {"namespace", record.content_namespace},
                 {"chain_id", record.chain_id},
                 {"diff_id", record.diff_id}};
  if (record.use) object["use"] = {{"bytes", record.use->bytes}, {"inodes", record.use->inodes}};
  // All text came through protobuf, which takes valid UTF-8 only; replace keeps dump from throwing.
  return object.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<Record> ParseRecord(std::string_view text) {
  auto parsed = oci::ParseStrictJson(text, {.max_bytes = kMaxRecordBytes, .max_depth = 4});
  if (!parsed) return Damaged(parsed.error().message());
  const json& object = *parsed;
  if (!object.is_object()) return Damaged("no object");
  if (TRY(Text(object, "format")) != kFormat) return Damaged("another format");
  Record record;
  record.id = static_cast<std::uint64_t>(TRY(Number(object, "id")));
  record.name = TRY(Text(object, "name"));
  record.parent = TRY(Text(object, "parent"));
  const std::string kind = TRY(Text(object, "kind"));
  record.kind = TRY(ParseKind(kind));
  record.created_ns = TRY(Number(object, "created_ns"));
  record.updated_ns = TRY(Number(object, "updated_ns"));
  record.content_namespace = TRY(Text(object, "namespace"));
  record.chain_id = TRY(Text(object, "chain_id"));
  record.diff_id = TRY(Text(object, "diff_id"));
  if (record.name.empty()) return Damaged("name: empty");
  if (!record.diff_id.empty() && !verity::ParseDigest(record.diff_id))
    return Damaged("diff_id: no digest");  // It becomes a file name.
  const auto labels = object.find("labels");
  if (labels == object.end() || !labels->is_object()) return Damaged("labels: no object");
  for (const auto& [name, value] : labels->items()) {
    if (!value.is_string()) return Damaged("labels: " + name + ": no text");
    record.labels[name] = value.get<std::string>();
  }
  if (const auto use = object.find("use"); use != object.end()) {
    if (!use->is_object()) return Damaged("use: no object");
    record.use = DiskUse{TRY(Number(*use, "bytes")), TRY(Number(*use, "inodes"))};
  }
  return record;
}

}  // namespace kata_cc::snapshotter
