// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/service.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/log.h"
#include "proto/containerd/snapshots.grpc.pb.h"
#include "shim/snapshotter/filter.h"

namespace kata_cc::snapshotter {
namespace {

namespace api = containerd::services::snapshots::v1;
using google::protobuf::Empty;
using grpc::ServerContext;
using grpc::Status;

constexpr std::chrono::seconds kMaxWait{110};  // kubelet gives a container's creation 120 s.
constexpr std::chrono::seconds kAnswerMargin{1};
constexpr int kInfosAMessage = 100;

Status ToStatus(const Error& error) {
  return {static_cast<grpc::StatusCode>(error.code()), error.message()};
}

// containerd sends its namespace with a call, though not every version with every one; but all of
// them put it in front of the key: NAMESPACE/NUMBER/KEY.
std::string NamespaceOf(const ServerContext& context, const std::string& key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("containerd-namespace");
  if (found != metadata.end() && !found->second.empty())
    return {found->second.data(), found->second.size()};
  const std::size_t slash = key.find('/');
  return slash == std::string::npos ? "" : key.substr(0, slash);
}

// Logs one call with its duration and outcome.
class CallLog {
 public:
  CallLog(const char* method, const std::string& key) : method_(method), key_(key) {}

  template <typename T>
  Status Done(const Result<T>& result) const {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began_);
    if (result) {
      Log(LogLevel::kInfo, "call",
          {{field::kMethod, method_}, {field::kPath, key_}, {field::kDurationMs, took.count()}});
      return Status::OK;
    }
    Log(LogLevel::kWarn, "call failed",
        {{field::kMethod, method_},
         {field::kPath, key_},
         {field::kDurationMs, took.count()},
         {field::kError, result.error().message()}});
    return ToStatus(result.error());
  }

 private:
  const char* method_;
  const std::string& key_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

void SetTime(std::int64_t ns, google::protobuf::Timestamp* time) {
  constexpr std::int64_t kNsASecond = 1'000'000'000;
  time->set_seconds(ns / kNsASecond);
  time->set_nanos(static_cast<std::int32_t>(ns % kNsASecond));
}

void ToInfo(const Record& record, api::Info* info) {
  info->set_name(record.name);
  info->set_parent(record.parent);
  info->set_kind(record.kind == Kind::kView     ? api::VIEW
                 : record.kind == Kind::kActive ? api::ACTIVE
                                                : api::COMMITTED);
  SetTime(record.created_ns, info->mutable_created_at());
  SetTime(record.updated_ns, info->mutable_updated_at());
  info->mutable_labels()->insert(record.labels.begin(), record.labels.end());
}

template <typename Response>
void ToMounts(const std::vector<shim::HostMount>& mounts, Response* response) {
  for (const shim::HostMount& mount : mounts) {
    auto* added = response->add_mounts();
    added->set_type(mount.type);
    added->set_source(mount.source);
    for (const std::string& option : mount.options)
      added->add_options(option);
  }
}

// As containerd's filters see a snapshot.
FieldValue ValuesOf(const Record& record) {
  return [&record](const std::vector<std::string>& path) -> std::optional<std::string> {
    if (path.size() == 1 && path[0] == "name") return record.name;
    if (path.size() == 1 && path[0] == "parent") return record.parent;
    if (path.size() == 1 && path[0] == "kind")
      return record.kind == Kind::kView     ? "view"
             : record.kind == Kind::kActive ? "active"
                                            : "committed";
    if (path.size() < 2 || path[0] != "labels") return std::nullopt;
    std::string name = path[1];
    for (std::size_t i = 2; i < path.size(); ++i)
      name += "." + path[i];
    const auto label = record.labels.find(name);
    if (label == record.labels.end()) return std::nullopt;
    return label->second;
  };
}

class Service : public api::Snapshots::Service {
 public:
  explicit Service(Snapshotter& snapshotter) : snapshotter_(snapshotter) {}

  Status Prepare(ServerContext* context, const api::PrepareSnapshotRequest* request,
                 api::PrepareSnapshotResponse* response) override {
    return Create(Kind::kActive, "Prepare", *context, *request, response);
  }

  Status View(ServerContext* context, const api::ViewSnapshotRequest* request,
              api::ViewSnapshotResponse* response) override {
    return Create(Kind::kView, "View", *context, *request, response);
  }

  Status Mounts(ServerContext* context, const api::MountsRequest* request,
                api::MountsResponse* response) override {
    const CallLog log("Mounts", request->key());
    const auto left = context->deadline() - std::chrono::system_clock::now() - kAnswerMargin;
    const auto wait = std::min<std::chrono::nanoseconds>(left, kMaxWait);
    const auto mounts = snapshotter_.Mounts(request->key(), std::chrono::steady_clock::now() + wait,
                                            [&] { return context->IsCancelled(); });
    if (mounts) ToMounts(*mounts, response);
    return log.Done(mounts);
  }

  Status Commit(ServerContext* /*context*/, const api::CommitSnapshotRequest* request,
                Empty* /*response*/) override {
    return CallLog("Commit", request->key())
        .Done(snapshotter_.Commit(request->key(), request->name(), request->parent(),
                                  {request->labels().begin(), request->labels().end()}));
  }

  Status Remove(ServerContext* /*context*/, const api::RemoveSnapshotRequest* request,
                Empty* /*response*/) override {
    return CallLog("Remove", request->key()).Done(snapshotter_.Remove(request->key()));
  }

  Status Stat(ServerContext* /*context*/, const api::StatSnapshotRequest* request,
              api::StatSnapshotResponse* response) override {
    const auto record = snapshotter_.snapshots().Stat(request->key());
    if (!record) return ToStatus(record.error());
    ToInfo(*record, response->mutable_info());
    return Status::OK;
  }

  Status Update(ServerContext* /*context*/, const api::UpdateSnapshotRequest* request,
                api::UpdateSnapshotResponse* response) override {
    const auto& labels = request->info().labels();
    const auto& paths = request->update_mask().paths();
    const auto record = snapshotter_.snapshots().Update(
        request->info().name(), {labels.begin(), labels.end()}, {paths.begin(), paths.end()});
    if (!record) return ToStatus(record.error());
    ToInfo(*record, response->mutable_info());
    return Status::OK;
  }

  Status List(ServerContext* context, const api::ListSnapshotsRequest* request,
              grpc::ServerWriter<api::ListSnapshotsResponse>* writer) override {
    const auto filter = Filter::Parse({request->filters().begin(), request->filters().end()});
    if (!filter) return ToStatus(filter.error());
    api::ListSnapshotsResponse response;
    for (const Record& record : snapshotter_.snapshots().List()) {
      if (!filter->Matches(ValuesOf(record))) continue;
      ToInfo(record, response.add_info());
      if (response.info_size() < kInfosAMessage) continue;
      if (!writer->Write(response) || context->IsCancelled()) return Status::CANCELLED;
      response.clear_info();
    }
    if (response.info_size() > 0) writer->Write(response);
    return Status::OK;
  }

  Status Usage(ServerContext* /*context*/, const api::UsageRequest* request,
               api::UsageResponse* response) override {
    const auto use = snapshotter_.Usage(request->key());
    if (!use) return ToStatus(use.error());
    response->set_size(use->bytes);
    response->set_inodes(use->inodes);
    return Status::OK;
  }

  Status Cleanup(ServerContext* /*context*/, const api::CleanupRequest* /*request*/,
                 Empty* /*response*/) override {
    return CallLog("Cleanup", "").Done(snapshotter_.Cleanup());
  }

 private:
  template <typename Request, typename Response>
  Status Create(Kind kind, const char* method, const ServerContext& context, const Request& request,
                Response* response) {
    const CallLog log(method, request.key());
    Record wanted;
    wanted.kind = kind;
    wanted.name = request.key();
    wanted.parent = request.parent();
    wanted.labels = {request.labels().begin(), request.labels().end()};
    wanted.content_namespace = NamespaceOf(context, request.key());
    const auto mounts = snapshotter_.Prepare(std::move(wanted));
    if (mounts) ToMounts(*mounts, response);
    return log.Done(mounts);
  }

  Snapshotter& snapshotter_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeService(Snapshotter& snapshotter) {
  return std::make_unique<Service>(snapshotter);
}

}  // namespace kata_cc::snapshotter
