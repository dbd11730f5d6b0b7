// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/content.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "proto/containerd/content.grpc.pb.h"

namespace kata_cc::snapshotter {
namespace {

namespace api = containerd::services::content::v1;

constexpr std::chrono::seconds kCallTimeout{10};
constexpr int kMaxMessageBytes = 16 << 20;  // containerd's own limit.

Error ToError(const grpc::Status& status, const std::string& what) {
  return {static_cast<Code>(status.error_code()), what + ": " + status.error_message()};
}

void InNamespace(grpc::ClientContext* context, const std::string& content_namespace) {
  context->AddMetadata("containerd-namespace", content_namespace);
}

Blob ToBlob(const api::Info& info) {
  return {info.digest(), info.size(), {info.labels().begin(), info.labels().end()}};
}

class ContainerdContent : public Content {
 public:
  explicit ContainerdContent(const std::string& socket) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    // containerd comes and goes: look for it anew soon.
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    stub_ = api::Content::NewStub(
        grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments));
  }

  Result<std::vector<Blob>> Manifests(const std::string& content_namespace) override {
    grpc::ClientContext context;
    InNamespace(&context, content_namespace);
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    api::ListContentRequest request;
    for (const char* label : {kConfigReference, kSchema1Reference})
      request.add_filters("labels.\"" + std::string(label) + "\"");
    const auto reader = stub_->List(&context, request);
    std::vector<Blob> blobs;
    for (api::ListContentResponse response; reader->Read(&response);)
      for (const api::Info& info : response.info())
        blobs.push_back(ToBlob(info));
    if (const grpc::Status status = reader->Finish(); !status.ok())
      return ToError(status, "containerd's content");
    return blobs;
  }

  Result<Blob> Stat(const std::string& content_namespace, const std::string& digest) override {
    grpc::ClientContext context;
    InNamespace(&context, content_namespace);
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    api::InfoRequest request;
    request.set_digest(digest);
    api::InfoResponse response;
    if (const grpc::Status status = stub_->Info(&context, request, &response); !status.ok())
      return ToError(status, "containerd's content " + digest);
    return ToBlob(response.info());
  }

  Result<void> Read(const std::string& content_namespace, const std::string& digest,
                    const std::function<Result<void>(const verity::ReadBytes&)>& use) override {
    grpc::ClientContext context;
    InNamespace(&context, content_namespace);
    api::ReadContentRequest request;
    request.set_digest(digest);
    const auto reader = stub_->Read(&context, request);
    api::ReadContentResponse piece;
    std::size_t taken = 0;
    bool ended = false;
    grpc::Status status;
    const auto read = [&](std::span<std::byte> buffer) -> Result<std::size_t> {
      while (!ended && taken == piece.data().size()) {
        taken = 0;
        if (reader->Read(&piece)) continue;
        piece.clear_data();
        ended = true;
        status = reader->Finish();
      }
      if (ended && !status.ok()) return ToError(status, "containerd's content " + digest);
      const std::size_t count = std::min(buffer.size(), piece.data().size() - taken);
      std::memcpy(buffer.data(), piece.data().data() + taken, count);
      taken += count;
      return count;
    };
    Result<void> used = use(read);
    if (!ended) {
      context.TryCancel();
      (void)reader->Finish();
    }
    return used;
  }

 private:
  std::unique_ptr<api::Content::Stub> stub_;
};

}  // namespace

Result<std::string> ReadText(Content& content, const std::string& content_namespace,
                             const std::string& digest, std::size_t limit) {
  std::string text;
  const auto take_in = [&](const verity::ReadBytes& read) -> Result<void> {
    std::vector<std::byte> buffer(65536);
    while (const std::size_t count = TRY(read(buffer))) {
      if (text.size() + count > limit)
        return Error(Code::kResourceExhausted, "content " + digest + ": too large");
      text.append(reinterpret_cast<const char*>(buffer.data()), count);
    }
    return {};
  };
  (void)TRY(content.Read(content_namespace, digest, take_in));
  return text;
}

std::unique_ptr<Content> ConnectContent(const std::string& containerd_socket) {
  return std::make_unique<ContainerdContent>(containerd_socket);
}

}  // namespace kata_cc::snapshotter
