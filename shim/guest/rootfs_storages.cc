// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/rootfs_storages.h"

#include "shim/guest/guest_spec.h"
#include "shim/guest/volumes.h"

namespace kata_cc::shim {
namespace {

grpc::Storage* AddOverlay(const std::string& container_id, const std::string& lower,
                          grpc::CreateContainerRequest* request) {
  grpc::Storage* overlay = request->add_storages();
  overlay->set_driver("overlayfs");
  overlay->set_source("none");
  overlay->set_fstype("overlay");
  overlay->add_options("lowerdir=" + lower);
  overlay->set_mount_point(GuestRootfs(container_id));
  return overlay;
}

std::string Option(std::string_view name, const std::string& value) {
  return std::string(name) + "=" + value;
}

}  // namespace

std::string LayerSerial(const verity::Digest& root_hash) {
  constexpr std::size_t kDigits = 19;  // A virtio disk's serial has 20 bytes.
  return "l" + verity::ToHex(root_hash).substr(0, kDigits);
}

void AddLayerStorages(const std::vector<LayerFile>& layers, const std::string& container_id,
                      grpc::CreateContainerRequest* request) {
  std::string lower;
  for (const LayerFile& layer : layers) {
    const std::string hash = verity::ToHex(layer.root_hash);
    grpc::Storage* storage = request->add_storages();
    storage->set_driver("blk");
    storage->set_source(LayerSerial(layer.root_hash));
    storage->set_fstype(std::string(verity::kFileSystem));
    storage->add_options("ro");
    storage->add_options(std::string(verity::kBlockDeviceOption));
    storage->add_options(std::string(verity::kIsLayerOption));
    storage->add_options(Option(verity::kRootHashOption, hash));
    storage->add_options(
        Option(verity::kDataBlocksOption, std::to_string(layer.geometry.data_blocks)));
    storage->set_mount_point(std::string(verity::kGuestLayersDir) + hash);
    lower += (lower.empty() ? "" : ":") + hash;
  }
  grpc::Storage* overlay = AddOverlay(container_id, lower, request);
  overlay->add_options(std::string(verity::kOverlayRwOption));
  overlay->mutable_options()->SwapElements(0, 1);
}

std::string ScratchSerial(const std::string& container_id) {
  return SerialOf('s', container_id);
}

void AddScratchStorage(const std::string& container_id, grpc::CreateContainerRequest* request) {
  const std::string rootfs = GuestRootfs(container_id);
  *request->add_storages() = EncryptedStorage(ScratchSerial(container_id),
                                              rootfs.substr(0, rootfs.rfind('/')) + "/scratch");
  const int last = request->storages_size() - 1;
  request->mutable_storages()->SwapElements(last - 1, last);
}

void AddImageStorages(const std::string& source, const std::string& container_id,
                      grpc::CreateContainerRequest* request) {
  grpc::Storage* image = request->add_storages();
  image->set_driver("blk");
  image->set_source(source);
  image->set_fstype("squashfs");
  image->add_options("ro");
  image->set_mount_point(std::string(verity::kGuestLayersDir) + container_id);
  AddOverlay(container_id, image->mount_point(), request);
}

}  // namespace kata_cc::shim
