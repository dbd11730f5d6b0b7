// SPDX-License-Identifier: Apache-2.0
// Content: what the snapshotter reads of containerd's content store. Behind an interface, so that
// tests need no containerd.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/verity/tar_stream.h"

namespace kata_cc::snapshotter {

struct Blob {
  std::string digest;
  std::int64_t size = 0;
  std::map<std::string, std::string> labels;
};

class Content {
 public:
  virtual ~Content() = default;

  // All of these: any thread, blocking; Unavailable while containerd does not answer.
  // The blobs that hold references as image manifests do.
  virtual Result<std::vector<Blob>> Manifests(const std::string& content_namespace) = 0;
  // NotFound while a blob is not there in full.
  virtual Result<Blob> Stat(const std::string& content_namespace, const std::string& digest) = 0;
  // Calls use with a reader of the blob.
  virtual Result<void> Read(const std::string& content_namespace, const std::string& digest,
                            const std::function<Result<void>(const verity::ReadBytes&)>& use) = 0;
};

// The whole of a small blob; ResourceExhausted above limit.
Result<std::string> ReadText(Content& content, const std::string& content_namespace,
                             const std::string& digest, std::size_t limit);

// Labels by which containerd's collector finds what a manifest refers to.
inline constexpr char kConfigReference[] = "containerd.io/gc.ref.content.config";
// As its converter of Docker schema 1 images labels what it makes, and nothing else does.
inline constexpr char kSchema1Reference[] = "containerd.io/gc.ref.content.0";

// Of the containerd at a unix socket. Does not connect before it is used.
std::unique_ptr<Content> ConnectContent(const std::string& containerd_socket);

}  // namespace kata_cc::snapshotter
