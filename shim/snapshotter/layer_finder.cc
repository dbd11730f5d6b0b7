// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/layer_finder.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "proto/oci/strict_json.h"
#include "proto/verity/geometry.h"

namespace kata_cc::snapshotter {
namespace {

using nlohmann::json;

constexpr std::string_view kSha256 = "sha256:";
constexpr std::size_t kMaxDocumentBytes = 8 << 20;
constexpr std::size_t kMaxManifests = 65536;  // Then everything is learnt anew.
constexpr char kSchema1Refusal[] =
    "the image was converted from Docker schema 1, which kata-cc does not run: push it again in "
    "the OCI or Docker schema 2 format";

bool IsDigest(const std::string& text) {
  return text.starts_with(kSha256) &&
         verity::ParseDigest(std::string_view(text).substr(kSha256.size())).has_value();
}

std::string TextAt(const json& object, const char* field) {
  if (!object.is_object()) return "";
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const json* ArrayAt(const json& object, const char* field) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(field);
  return found != object.end() && found->is_array() ? &*found : nullptr;
}

}  // namespace

std::string ChainId(const std::string& parent_chain, const std::string& diff_id) {
  if (parent_chain.empty()) return std::string(kSha256) + diff_id;
  const std::string text = parent_chain + " " + std::string(kSha256) + diff_id;
  std::array<unsigned char, verity::kDigestSize> digest{};
  unsigned size = digest.size();
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return std::string(kSha256) + verity::ToHex(digest);
}

std::string ChainIdOfKey(const std::string& key) {
  const std::size_t slash = key.rfind('/');
  const std::string last = slash == std::string::npos ? key : key.substr(slash + 1);
  const std::size_t space = last.find(' ');
  if (!last.starts_with("extract-") || space == std::string::npos) return "";
  std::string chain_id = last.substr(space + 1);
  return IsDigest(chain_id) ? chain_id : "";
}

// Takes in the layers of one image. NotFound when its configuration is not there (yet, or because
// it is for another platform).
Result<void> LayerFinder::Learn(const std::string& content_namespace, const Blob& manifest) {
  const std::string text =
      TRY(ReadText(content_, content_namespace, manifest.digest, kMaxDocumentBytes));
  const json document = TRY(oci::ParseStrictJson(text));
  const json* const layers = ArrayAt(document, "layers");
  const std::string config =
      document.contains("config") ? TextAt(document["config"], "digest") : "";
  if (layers == nullptr || config.empty()) return {};  // An index; or no image.
  const std::string image_text =
      TRY(ReadText(content_, content_namespace, config, kMaxDocumentBytes));
  const json image = TRY(oci::ParseStrictJson(image_text));
  const json* const diff_ids = image.is_object() && image.contains("rootfs")
                                   ? ArrayAt(image["rootfs"], "diff_ids")
                                   : nullptr;
  if (diff_ids == nullptr || diff_ids->size() != layers->size()) return {};
  const bool schema1 =
      manifest.labels.contains(kSchema1Reference) && !manifest.labels.contains(kConfigReference);
  auto table = table_.Lock();
  std::string chain_id;
  for (std::size_t i = 0; i < layers->size(); ++i) {
    const std::string diff_id = (*diff_ids)[i].is_string() ? (*diff_ids)[i].get<std::string>() : "";
    const std::string blob = TextAt((*layers)[i], "digest");
    if (!IsDigest(diff_id) || blob.empty()) return {};
    chain_id = ChainId(chain_id, diff_id.substr(kSha256.size()));
    Known& known = table->layers[{content_namespace, chain_id}];
    known.diff_id = diff_id.substr(kSha256.size());
    if (schema1)
      known.refusal = kSchema1Refusal;
    else if (TextAt((*layers)[i], "mediaType").ends_with("+encrypted"))
      known.refusal = "the layer is encrypted, which kata-cc does not run";
    else
      known.blobs.insert(blob);
  }
  return {};
}

Result<FoundLayer> LayerFinder::Look(const std::string& content_namespace,
                                     const std::string& chain_id) {
  auto table = table_.Lock();
  const auto found = table->layers.find({content_namespace, chain_id});
  if (found == table->layers.end())
    return Error(Code::kNotFound,
                 "layer " + chain_id + ": no image in containerd's content has it");
  const Known& known = found->second;
  if (known.blobs.empty()) return Error(Code::kFailedPrecondition, known.refusal);
  return FoundLayer{known.diff_id, {known.blobs.begin(), known.blobs.end()}};
}

Result<FoundLayer> LayerFinder::Find(const std::string& content_namespace,
                                     const std::string& chain_id, bool refresh) {
  if (!refresh)
    if (auto known = Look(content_namespace, chain_id)) return known;
  auto listed = content_.Manifests(content_namespace);
  if (!listed) return Error(Code::kUnavailable, std::move(listed).error().message());
  const std::vector<Blob> manifests = *std::move(listed);
  for (const Blob& manifest : manifests) {
    const auto key = std::pair(content_namespace, manifest.digest);
    {
      auto table = table_.Lock();
      if (table->manifests.size() > kMaxManifests) *table = Table();
      if (table->manifests.contains(key)) continue;
    }
    Result<void> learnt = Learn(content_namespace, manifest);
    if (!learnt && learnt.error().code() == Code::kUnavailable) return std::move(learnt).error();
    // Its configuration may be on its way.
    if (!learnt && learnt.error().code() == Code::kNotFound) continue;
    if (!learnt)
      Log(LogLevel::kWarn, "image manifest passed over",
          {{field::kPath, manifest.digest}, {field::kError, learnt.error().message()}});
    table_.Lock()->manifests.insert(key);
  }
  return Look(content_namespace, chain_id);
}

}  // namespace kata_cc::snapshotter
