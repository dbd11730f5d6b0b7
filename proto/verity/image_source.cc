// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/image_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "proto/verity/layer_image.h"

namespace kata_cc::verity {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxTextBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxLayers = 512;
constexpr std::string_view kSchema1 =
    "Docker schema 1 image: its layers have no diff ids; push it again as schema 2 or OCI";

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;

Error Bad(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

std::string Normal(std::string_view name) {
  while (name.starts_with("./"))
    name.remove_prefix(2);
  return std::string(name);
}

// The member that a link in member's folder means.
std::string Beside(const std::string& member, const std::string& link) {
  return (std::filesystem::path(member).parent_path() / link).lexically_normal().string();
}

Result<Archive> OpenArchive(const std::string& path) {
  Archive reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_filename(reader.get(), path.c_str(), 1 << 20) != ARCHIVE_OK)
    return Bad(path + ": not a tar");
  return reader;
}

// Nesting is limited by reading into nlohmann's own parser with a callback that counts.
Result<Json> ParseJson(const std::string& text, std::string_view what) {
  bool too_deep = false;
  Json json = Json::parse(
      text,
      [&](int depth, Json::parse_event_t, Json&) {
        too_deep |= depth > 32;
        return !too_deep;
      },
      false);
  if (too_deep || (!json.is_object() && !json.is_array()))
    return Bad(std::string(what) + ": not the JSON it should be");
  return json;
}

std::string Text(const Json& json, const char* key) {
  if (!json.is_object()) return "";
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<std::string> DigestHex(const std::string& digest) {
  if (!digest.starts_with("sha256:")) return Bad("digest is not sha256: " + digest);
  std::string hex = digest.substr(7);
  TRY_CONTEXT(ParseDigest(hex), digest);
  return hex;
}

Result<std::vector<std::string>> DiffIds(const Json& config) {
  std::vector<std::string> ids;
  const Json* list = nullptr;
  if (config.is_object() && config.contains("rootfs") && config["rootfs"].is_object() &&
      config["rootfs"].contains("diff_ids"))
    list = &config["rootfs"]["diff_ids"];
  if (list == nullptr || !list->is_array() || list->size() > kMaxLayers)
    return Bad("image configuration: no rootfs.diff_ids");
  for (const Json& id : *list) {
    const std::string text = id.is_string() ? id.get<std::string>() : "";
    ids.push_back(TRY(DigestHex(text)));
  }
  return ids;
}

bool IsSchema1(const Json& manifest) {
  const bool version1 = manifest.is_object() && manifest.contains("schemaVersion") &&
                        manifest["schemaVersion"].is_number() && manifest["schemaVersion"] == 1;
  return version1 || Text(manifest, "mediaType").find("manifest.v1+") != std::string::npos;
}

}  // namespace

Result<void> ImageSource::WithMember(
    const std::string& member, const std::function<Result<void>(const ReadBytes&, uint64_t)>& use,
    int links_left) const {
  if (kind_ != Kind::kArchive) {
    const std::string path = kind_ == Kind::kLayer ? path_ : path_ + "/" + member;
    const UniqueFd file = TRY(OpenFile(path, O_RDONLY));
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return ErrnoError(errno, "stat " + path);
    return use(ReadFrom(file.get()), static_cast<uint64_t>(status.st_size));
  }
  const Archive reader = TRY(OpenArchive(path_));
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  while ((status = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK) {
    const char* const name = archive_entry_pathname(entry);
    if (name == nullptr || Normal(name) != member) continue;
    const char* const link = archive_entry_symlink(entry);
    if (link != nullptr && links_left > 0)  // `docker save` links to a layer it has already.
      return WithMember(Beside(member, link), use, links_left - 1);
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    const ReadBytes read = [&reader](std::span<std::byte> buffer) -> Result<std::size_t> {
      const la_ssize_t count = archive_read_data(reader.get(), buffer.data(), buffer.size());
      if (count < 0) return Bad("image archive cannot be read");
      return static_cast<std::size_t>(count);
    };
    return use(read, static_cast<uint64_t>(archive_entry_size(entry)));
  }
  if (status != ARCHIVE_EOF) return Bad(path_ + ": archive cannot be read");
  return Error(Code::kNotFound, path_ + ": has no " + member);
}

Result<std::string> ImageSource::ReadText(const std::string& member) const {
  std::string text;
  const auto fill = [&](const ReadBytes& read, uint64_t size) -> Result<void> {
    if (size > kMaxTextBytes) return Bad(member + ": too large");
    text.resize(size);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t count =
          TRY(read({reinterpret_cast<std::byte*>(text.data()) + at, text.size() - at}));
      if (count == 0) return Bad(member + ": ends early");
      at += count;
    }
    return {};
  };
  TRY(WithMember(member, fill));
  return text;
}

Result<void> ImageSource::LoadOciManifest(const std::string& text) {
  const Json manifest = TRY(ParseJson(text, "image manifest"));
  if (IsSchema1(manifest)) return Error(Code::kUnimplemented, std::string(kSchema1));
  if (!manifest.contains("config") || !manifest.contains("layers") ||
      !manifest["layers"].is_array() || manifest["layers"].size() > kMaxLayers)
    return Bad("image manifest: no config or layers");
  const std::string config_digest = TRY(DigestHex(Text(manifest["config"], "digest")));
  const std::string config_text = TRY(ReadText("blobs/sha256/" + config_digest));
  const Json config = TRY(ParseJson(config_text, "image configuration"));
  const std::vector<std::string> ids = TRY(DiffIds(config));
  if (ids.size() != manifest["layers"].size())
    return Bad("image manifest: not as many layers as diff ids");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Json& layer = manifest["layers"][i];
    LayerSource source;
    source.diff_id = ids[i];
    source.name = "blobs/sha256/" + TRY(DigestHex(Text(layer, "digest")));
    if (layer.contains("size") && layer["size"].is_number_unsigned())
      source.bytes = layer["size"].get<uint64_t>();
    layers_.push_back(std::move(source));
  }
  return {};
}

Result<void> ImageSource::LoadOciIndex() {
  std::string text = TRY(ReadText("index.json"));
  for (int depth = 0; depth < 4; ++depth) {
    const Json json = TRY(ParseJson(text, "image index"));
    if (IsSchema1(json)) return Error(Code::kUnimplemented, std::string(kSchema1));
    if (!json.contains("manifests")) return LoadOciManifest(text);
    if (!json["manifests"].is_array()) return Bad("image index: manifests is no list");
    const Json* chosen = nullptr;
    for (const Json& entry : json["manifests"]) {
      if (Text(entry, "mediaType").find("manifest.v1+pretty") != std::string::npos)
        return Error(Code::kUnimplemented, std::string(kSchema1));
      const Json platform =
          entry.is_object() && entry.contains("platform") ? entry["platform"] : Json::object();
      const std::string os = Text(platform, "os");
      const std::string architecture = Text(platform, "architecture");
      if ((!os.empty() && os != "linux") || (!architecture.empty() && architecture != "amd64"))
        continue;
      if (chosen != nullptr) return Bad("image index: more than one image for linux/amd64");
      chosen = &entry;
    }
    if (chosen == nullptr) return Bad("image index: no image for linux/amd64");
    const std::string digest = TRY(DigestHex(Text(*chosen, "digest")));
    text = TRY(ReadText("blobs/sha256/" + digest));
  }
  return Bad("image index: nested too deep");
}

Result<void> ImageSource::LoadDockerManifest(const std::string& text) {
  const Json list = TRY(ParseJson(text, "manifest.json"));
  if (!list.is_array() || list.size() != 1)
    return Bad("manifest.json: does not describe exactly one image");
  const std::string config_text = TRY(ReadText(Text(list[0], "Config")));
  const Json config = TRY(ParseJson(config_text, "image configuration"));
  const std::vector<std::string> ids = TRY(DiffIds(config));
  if (!list[0].contains("Layers") || !list[0]["Layers"].is_array() ||
      list[0]["Layers"].size() != ids.size())
    return Bad("manifest.json: not as many layers as diff ids");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Json& name = list[0]["Layers"][i];
    if (!name.is_string()) return Bad("manifest.json: a layer has no name");
    layers_.push_back({ids[i], Normal(name.get<std::string>()), 0});
  }
  return {};
}

Result<ImageSource> ImageSource::Open(const std::string& path) {
  ImageSource source;
  source.path_ = path;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return ErrnoError(errno, path);
  if (S_ISDIR(status.st_mode)) {
    source.kind_ = Kind::kDirectory;
    TRY_CONTEXT(source.LoadOciIndex(), path);
    return source;
  }
  // Archives and layers are both tars; what is at the top says which.
  std::set<std::string> top;
  const auto reader = OpenArchive(path);
  archive_entry* entry = nullptr;
  while (reader && archive_read_next_header(reader->get(), &entry) == ARCHIVE_OK) {
    const char* const name = archive_entry_pathname(entry);
    if (name == nullptr) continue;
    const std::string normal = Normal(name);
    if (normal.find('/') == std::string::npos) top.insert(normal);
    if (top.size() > 4096) break;
  }
  source.kind_ = Kind::kArchive;
  if (top.contains("manifest.json")) {
    const std::string text = TRY(source.ReadText("manifest.json"));
    TRY_CONTEXT(source.LoadDockerManifest(text), path);
  } else if (top.contains("oci-layout") && top.contains("index.json")) {
    TRY_CONTEXT(source.LoadOciIndex(), path);
  } else if (top.contains("repositories")) {
    return Error(Code::kUnimplemented, path + ": " + std::string(kSchema1));
  } else {
    source.kind_ = Kind::kLayer;
    source.layers_.push_back({"", path, static_cast<uint64_t>(status.st_size)});
  }
  return source;
}

Result<void> ImageSource::ReadLayer(
    const LayerSource& layer, const std::function<Result<void>(const ReadBytes&)>& use) const {
  return WithMember(layer.name, [&](const ReadBytes& read, uint64_t) { return use(read); });
}

}  // namespace kata_cc::verity
