// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/layer_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "proto/verity/layer_image.h"

namespace kata_cc::snapshotter {
namespace {

constexpr std::string_view kSuffix = ".img";

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error))
    names.push_back(it->path().filename());
  return names;
}

}  // namespace

Result<LayerStore> LayerStore::Open(const std::string& root) {
  LayerStore store(root + "/layers");
  if (::mkdir(store.directory_.c_str(), 0711) != 0 && errno != EEXIST)
    return ErrnoError(errno, store.directory_);
  for (const std::string& name : NamesIn(store.directory_))
    if (!name.ends_with(kSuffix)) ::unlink((store.directory_ + "/" + name).c_str());
  return store;
}

std::optional<shim::LayerFile> LayerStore::Find(const std::string& diff_id) {
  if (!verity::ParseDigest(diff_id)) return std::nullopt;
  const std::string path = Path(diff_id);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (::access(path.c_str(), F_OK) != 0) return std::nullopt;
  auto trailer = verity::ReadTrailer(path);
  if (trailer) return shim::LayerFile{path, trailer->root_hash, trailer->geometry};
  Log(LogLevel::kError, "damaged layer image removed",
      {{field::kPath, path}, {field::kError, trailer.error().message()}});
  ::unlink(path.c_str());
  return std::nullopt;
}

Result<shim::LayerFile> LayerStore::Make(const std::string& diff_id,
                                         const verity::ReadBytes& read) {
  if (!verity::ParseDigest(diff_id))
    return Error(Code::kInvalidArgument, "layer " + diff_id + ": no diff id");
  verity::LayerOptions options;
  options.expected_diff_id = diff_id;
  options.scratch_directory = directory_;
  const std::string path = Path(diff_id);
  const verity::LayerImage image = TRY(verity::WriteLayerImage(read, path, options));
  return shim::LayerFile{path, image.root_hash, image.geometry};
}

void LayerStore::Collect(const std::function<std::set<std::string>()>& in_use) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::set<std::string> kept = in_use();
  for (const std::string& name : NamesIn(directory_)) {
    if (!name.ends_with(kSuffix)) continue;
    if (kept.contains(name.substr(0, name.size() - kSuffix.size()))) continue;
    if (::unlink((directory_ + "/" + name).c_str()) != 0 && errno != ENOENT)
      Log(LogLevel::kWarn, "layer image stays", {{field::kPath, name}});
  }
}

std::int64_t LayerStore::BytesOf(const std::string& diff_id) const {
  struct stat status = {};
  if (diff_id.empty() || ::stat(Path(diff_id).c_str(), &status) != 0) return 0;
  return std::int64_t{status.st_blocks} * 512;
}

}  // namespace kata_cc::snapshotter
