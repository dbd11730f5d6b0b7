// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/layer_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/retry.h"
#include "base/unique_fd.h"
#include "proto/verity/data_store.h"
#include "proto/verity/erofs_writer.h"
#include "proto/verity/layer_tree.h"

namespace kata_cc::verity {
namespace {

// A file beside path that takes path's name once it is complete, and is removed otherwise.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() { Discard(); }

  Result<UniqueFd> Make() {
    Discard();
    std::string name = path_ + ".new-XXXXXX";
    UniqueFd file(mkostemp(name.data(), O_CLOEXEC));
    if (!file.valid()) return ErrnoError(errno, "create " + name);
    name_ = std::move(name);
    return file;
  }

  Result<void> Publish(const UniqueFd& file) {
    if (fchmod(file.get(), 0600) != 0 || fsync(file.get()) != 0)
      return ErrnoError(errno, "sync " + name_);
    if (rename(name_.c_str(), path_.c_str()) != 0) return ErrnoError(errno, "rename to " + path_);
    name_.clear();
    const std::size_t slash = path_.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const UniqueFd parent = TRY(OpenFile(directory, O_RDONLY | O_DIRECTORY));
    if (fsync(parent.get()) != 0) return ErrnoError(errno, "sync " + directory);
    return {};
  }

 private:
  void Discard() {
    if (!name_.empty()) unlink(name_.c_str());
    name_.clear();
  }

  std::string path_;
  std::string name_;
};

struct Built {
  LayerImage image;
  UniqueFd file;
};

Result<Built> Build(const ReadBytes& read, const MakeFile& make_file, const LayerOptions& options) {
  UniqueFd tails = TRY(OpenFile(options.scratch_directory, O_TMPFILE | O_RDWR, 0600));
  DataStore store(make_file, std::move(tails));
  TRY(store.Open());
  LayerTree tree;
  Built built;
  {
    TarStream stream(read, options.limits.tar_bytes);
    TRY(ReadTar(stream, options.limits, tree, store));
    built.image.diff_id = TRY(stream.Finish());
    built.image.tar_bytes = stream.bytes();
  }
  if (options.expected_diff_id && *options.expected_diff_id != built.image.diff_id)
    return Error(Code::kDataLoss, "layer: its diff id is " + built.image.diff_id + ", not " +
                                      *options.expected_diff_id);
  TRY(WriteErofs(tree, store));
  DataStore::Sealed sealed = TRY(store.Seal());
  built.image.root_hash = sealed.root_hash;
  built.image.geometry = sealed.geometry;
  built.image.entries = tree.nodes();
  built.file = std::move(sealed.file);
  return built;
}

}  // namespace

Result<LayerImage> WriteLayerImage(const ReadBytes& read, const std::string& path,
                                   const LayerOptions& options) {
  NewFile file(path);
  std::optional<NewFile> second;  // Arrange makes a second file; the first stays for a while.
  bool made = false;
  const auto make = [&]() -> Result<UniqueFd> {
    if (!std::exchange(made, true)) return file.Make();
    second.emplace(path);
    return second->Make();
  };
  Built built = TRY(Build(read, make, options));
  TRY((second ? *second : file).Publish(built.file));
  return built.image;
}

Result<LayerImage> HashLayer(const ReadBytes& read, const LayerOptions& options) {
  return TRY(Build(
                 read, [] { return Result<UniqueFd>(UniqueFd()); }, options))
      .image;
}

ReadBytes ReadFrom(int fd) {
  return [fd](std::span<std::byte> buffer) -> Result<std::size_t> {
    const ssize_t count = RetryOnEintr([&] { return read(fd, buffer.data(), buffer.size()); });
    if (count < 0) return ErrnoError(errno, "read layer");
    return static_cast<std::size_t>(count);
  };
}

Result<TrailerFields> ReadTrailer(const std::string& path) {
  const UniqueFd file = TRY(OpenFile(path, O_RDONLY));
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return ErrnoError(errno, "stat " + path);
  if (!S_ISREG(status.st_mode) || status.st_size < kBlockSize)
    return Error(Code::kInvalidArgument, "layer image: " + path + ": too short");
  Trailer block;
  TRY_CONTEXT(ReadAt(file, block, static_cast<uint64_t>(status.st_size) - kBlockSize), path);
  const TrailerFields fields = TRY_CONTEXT(ParseTrailer(block), path);
  if (fields.geometry.TotalBytes() != static_cast<uint64_t>(status.st_size))
    return Error(Code::kInvalidArgument, "layer image: " + path + ": wrong size");
  return fields;
}

}  // namespace kata_cc::verity
