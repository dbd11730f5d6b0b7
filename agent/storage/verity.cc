// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/verity.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

constexpr std::string_view kOptionPrefix = "io.katacontainers.fs-opt.";
constexpr std::uint64_t kSectorsPerBlock = verity::kBlockSize / 512;

Error Refused(const char* why) {
  return {Code::kInvalidArgument, std::string("layer: ") + why};
}

// The value of `name=value`, or nothing for another option.
std::optional<std::string_view> ValueOf(std::string_view option, std::string_view name) {
  if (!option.starts_with(name) || option.size() <= name.size() || option[name.size()] != '=') {
    return std::nullopt;
  }
  return option.substr(name.size() + 1);
}

Result<std::uint64_t> ParseBlocks(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || text.starts_with('0')) {
    return Refused("data-blocks is not a number");
  }
  return value;
}

}  // namespace

bool IsLayer(const grpc::Storage& storage) {
  return std::any_of(storage.options().begin(), storage.options().end(),
                     [](const std::string& option) { return option.starts_with(kOptionPrefix); });
}

Result<LayerRequest> ParseLayer(const grpc::Storage& storage, std::string_view layers_dir) {
  constexpr int kOptions = 5;
  if (storage.fstype() != verity::kFileSystem) return Refused("its file system is not erofs");
  if (storage.driver_options_size() > 0 || storage.has_fs_group() || storage.shared()) {
    return Refused("has fields that no layer has");
  }
  if (storage.options_size() != kOptions || storage.options(0) != "ro" ||
      storage.options(1) != verity::kBlockDeviceOption ||
      storage.options(2) != verity::kIsLayerOption) {
    return Refused("its options are not a layer's");
  }
  const auto root_hash = ValueOf(storage.options(3), verity::kRootHashOption);
  const auto blocks = ValueOf(storage.options(4), verity::kDataBlocksOption);
  if (!root_hash || !blocks) return Refused("its options are not a layer's");
  LayerRequest layer;
  layer.root_hash = TRY(verity::ParseDigest(*root_hash));
  layer.geometry.data_blocks = TRY(ParseBlocks(*blocks));
  if (storage.mount_point() != std::string(layers_dir) + std::string(*root_hash)) {
    return Refused("its mount point is not that of its root hash");
  }
  return layer;
}

DmTable VerityTable(const LayerRequest& layer, const BlockDevice& device) {
  const std::string disk = std::to_string(device.major) + ":" + std::to_string(device.minor);
  const std::string block = std::to_string(verity::kBlockSize);
  const std::string blocks = std::to_string(layer.geometry.data_blocks);
  DmTable table;
  table.sectors = layer.geometry.data_blocks * kSectorsPerBlock;
  table.target = "verity";
  table.parameters = "1 " + disk + " " + disk + " " + block + " " + block + " " + blocks + " " +
                     std::to_string(layer.geometry.HashStart()) + " sha256 " +
                     verity::ToHex(layer.root_hash) + " " + std::string(verity::kSaltSize * 2, '0');
  table.read_only = true;
  return table;
}

Result<DmDevice> OpenLayer(const LayerRequest& layer, const BlockDevice& device) {
  TRY(verity::CheckGeometry(layer.geometry, device.size_bytes));
  DmDevice verified =
      TRY(DmDevice::Create(verity::ToHex(layer.root_hash), VerityTable(layer, device)));
  const UniqueFd reader = TRY(OpenFile(verified.path(), O_RDONLY));
  std::array<std::uint8_t, verity::kBlockSize> first = {};
  const ssize_t n =
      RetryOnEintr([&] { return ::pread(reader.get(), first.data(), first.size(), 0); });
  if (n != static_cast<ssize_t>(first.size())) {
    return Refused("its first block does not verify");
  }
  TRY(verity::CheckSuperblock(first, layer.geometry));
  return verified;
}

}  // namespace kata_cc::agent
