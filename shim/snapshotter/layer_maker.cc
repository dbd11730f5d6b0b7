// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/layer_maker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"

namespace kata_cc::snapshotter {
namespace {

constexpr std::size_t kMaxFailures = 10000;
constexpr unsigned kTriesARefresh = 8;

}  // namespace

LayerMaker::LayerMaker(SnapshotStore& snapshots, LayerStore& layers, Content& content,
                       LayerFinder& finder, std::size_t threads, MakerTimes times)
    : snapshots_(snapshots), layers_(layers), content_(content), finder_(finder), times_(times) {
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back([this] { Work(); });
}

LayerMaker::~LayerMaker() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_)
    thread.join();
}

void LayerMaker::Want(const Record& layer) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    failures_.erase(layer.id);
    const auto [job, is_new] = jobs_.try_emplace(layer.id);
    if (!is_new) return;
    job->second.snapshot_id = layer.id;
    job->second.name = layer.name;
    job->second.content_namespace = layer.content_namespace;
    job->second.chain_id = layer.chain_id;
    job->second.diff_id = layer.diff_id;
    job->second.next_try = Clock::now();
    job->second.pause = times_.first_poll;
  }
  changed_.notify_all();
}

Result<std::vector<shim::LayerFile>> LayerMaker::Get(const std::vector<Record>& layers,
                                                     Clock::time_point deadline,
                                                     const std::function<bool()>& cancelled) {
  constexpr std::chrono::milliseconds kCancelPoll{100};
  std::vector<shim::LayerFile> files;
  for (const Record& layer : layers) {
    std::string diff_id = layer.diff_id;
    std::optional<shim::LayerFile> file;
    if (!diff_id.empty()) file = layers_.Find(diff_id);
    if (!file) Want(layer);
    while (!file) {
      std::unique_lock<std::mutex> lock(mutex_);
      if (const auto failure = failures_.find(layer.id); failure != failures_.end())
        return Error(failure->second);
      if (!jobs_.contains(layer.id)) {
        lock.unlock();
        const Record now = TRY(snapshots_.Stat(layer.name));
        file = layers_.Find(now.diff_id);
        if (!file) return Error(Code::kAborted, "layer " + layer.chain_id + ": removed meanwhile");
        break;
      }
      if (Clock::now() >= deadline)
        return Error(Code::kDeadlineExceeded,
                     "layer " + layer.chain_id + ": its image is still being made");
      if (cancelled()) return Error(Code::kCancelled, "layer: the caller has gone");
      changed_.wait_for(lock, kCancelPoll);
    }
    files.push_back(*std::move(file));
  }
  return files;
}

void LayerMaker::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    Clock::time_point wake = Clock::now() + std::chrono::seconds(60);
    Job* next = nullptr;
    for (auto& [id, job] : jobs_) {
      if (job.running) continue;
      if (job.next_try <= Clock::now()) {
        next = &job;
        break;
      }
      wake = std::min(wake, job.next_try);
    }
    if (next == nullptr) {
      changed_.wait_until(lock, wake);
      continue;
    }
    next->running = true;  // Nobody else touches or erases it.
    lock.unlock();
    Result<Outcome> outcome = Try(next);
    lock.lock();
    next->running = false;
    if (outcome && *outcome == Outcome::kLater) {
      next->next_try = Clock::now() + next->pause;
      next->pause = std::min(next->pause * 3 / 2, times_.slowest_poll);
      continue;
    }
    const std::uint64_t id = next->snapshot_id;
    if (!outcome) {
      Log(LogLevel::kError, "layer image not made",
          {{field::kPath, next->chain_id}, {field::kError, outcome.error().message()}});
      if (failures_.size() >= kMaxFailures) failures_.clear();
      failures_.insert_or_assign(id, std::move(outcome).error());
    }
    jobs_.erase(id);
    changed_.notify_all();
  }
}

// False once the snapshot has been removed. Notes when it has been committed: from then on the
// content should be there.
bool LayerMaker::StillWanted(Job* job) {
  const Result<Record> record = snapshots_.StatId(job->snapshot_id);
  if (!record) return false;
  if (record->kind == Kind::kCommitted && job->give_up == Clock::time_point::max())
    job->give_up = Clock::now() + times_.committed_patience;
  return true;
}

Result<LayerMaker::Outcome> LayerMaker::Try(Job* job) {
  if (!StillWanted(job)) return Outcome::kGone;
  if (!job->diff_id.empty() && layers_.Find(job->diff_id)) return Outcome::kDone;
  // Not all of the time: the layer's content may still be fetched, and then nothing new is there.
  const bool refresh = job->tries++ % kTriesARefresh == 1;
  Result<FoundLayer> found = finder_.Find(job->content_namespace, job->chain_id, refresh);
  if (!found) {
    const Code code = found.error().code();
    const bool passes =
        code == Code::kNotFound || code == Code::kUnavailable || code == Code::kDeadlineExceeded;
    if (passes && Clock::now() < job->give_up) return Outcome::kLater;
    return std::move(found).error();
  }
  job->diff_id = found->diff_id;
  (void)TRY(snapshots_.SetDiffId(job->snapshot_id, job->diff_id));
  if (layers_.Find(job->diff_id)) return Outcome::kDone;
  return Convert(job, found->blobs);
}

Result<LayerMaker::Outcome> LayerMaker::Convert(Job* job, const std::vector<std::string>& blobs) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!converting_.insert(job->diff_id).second) return Outcome::kLater;
  }
  const auto convert = [&]() -> Result<Outcome> {
    std::optional<Error> failure;
    for (const std::string& blob : blobs) {
      if (!content_.Stat(job->content_namespace, blob)) continue;
      const auto began = Clock::now();
      const auto made = content_.Read(job->content_namespace, blob,
                                      [&](const verity::ReadBytes& read) -> Result<void> {
                                        (void)TRY(layers_.Make(job->diff_id, read));
                                        return {};
                                      });
      if (!made) {
        failure = made.error();
        continue;
      }
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
      Log(LogLevel::kInfo, "layer image made",
          {{field::kPath, job->diff_id}, {field::kDurationMs, took.count()}});
      return Outcome::kDone;
    }
    if (failure && failure->code() != Code::kUnavailable && failure->code() != Code::kNotFound)
      return std::move(*failure).With("layer " + job->chain_id);
    if (Clock::now() < job->give_up) return Outcome::kLater;
    return Error(Code::kFailedPrecondition, "layer " + job->chain_id +
                                                ": its content is not in containerd's store; pull "
                                                "the image again");
  };
  Result<Outcome> outcome = convert();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    converting_.erase(job->diff_id);
  }
  return outcome;
}

}  // namespace kata_cc::snapshotter
