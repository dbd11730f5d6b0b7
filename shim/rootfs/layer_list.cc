// SPDX-License-Identifier: Apache-2.0
#include "shim/rootfs/layer_list.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "proto/oci/strict_json.h"

namespace kata_cc::shim {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 1 << 20;

Error Wrong(const std::string& why) {
  return {Code::kInvalidArgument, "layer list: " + why};
}

Result<LayerFile> ParseLayer(const json& item) {
  LayerFile layer;
  if (!item.is_object() || !item.contains("path") || !item["path"].is_string() ||
      !item.contains("root_hash") || !item["root_hash"].is_string() ||
      !item.contains("data_blocks") || !item["data_blocks"].is_number_unsigned())
    return Wrong("a layer needs path, root_hash and data_blocks");
  layer.path = item["path"].get<std::string>();
  if (!layer.path.starts_with('/')) return Wrong("path: not absolute");
  layer.root_hash = TRY(verity::ParseDigest(item["root_hash"].get<std::string>()));
  layer.geometry.data_blocks = item["data_blocks"].get<std::uint64_t>();
  if (layer.geometry.data_blocks < 2 || layer.geometry.data_blocks > verity::kMaxDataBlocks)
    return Wrong("data_blocks: out of bounds");
  return layer;
}

}  // namespace

std::string EncodeLayerList(const LayerList& list) {
  json layers = json::array();
  for (const LayerFile& layer : list.layers)
    layers.push_back({{"path", layer.path},
                      {"root_hash", verity::ToHex(layer.root_hash)},
                      {"data_blocks", layer.geometry.data_blocks}});
  const json object = {{"layers", layers}, {"problem", list.problem}};
  return object.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<LayerList> ParseLayerList(std::string_view text) {
  const json object = TRY_CONTEXT(
      oci::ParseStrictJson(text, {.max_bytes = kMaxBytes, .max_depth = 4}), "layer list");
  if (!object.is_object() || !object.contains("layers") || !object["layers"].is_array() ||
      !object.contains("problem") || !object["problem"].is_string())
    return Wrong("needs layers and problem");
  LayerList list;
  for (const json& item : object["layers"])
    list.layers.push_back(TRY(ParseLayer(item)));
  list.problem = object["problem"].get<std::string>();
  return list;
}

Result<LayerList> ReadLayerList(const std::string& path) {
  const Bytes bytes = TRY(ReadFile(path, kMaxBytes));
  return TRY_CONTEXT(ParseLayerList(AsString(bytes)), path);
}

void DropRepeatedLayers(std::vector<LayerFile>* layers) {
  std::set<verity::Digest> seen;
  std::erase_if(*layers,
                [&](const LayerFile& layer) { return !seen.insert(layer.root_hash).second; });
}

}  // namespace kata_cc::shim
