// SPDX-License-Identifier: Apache-2.0
// Synced<T>: data that can only be reached with its lock held.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace kata_cc {

template <typename T>
class Synced {
 public:
  class Locked {
   public:
    T* operator->() { return data_; }
    T& operator*() { return *data_; }

   private:
    friend class Synced;
    Locked(std::mutex& mutex, T* data) : lock_(mutex), data_(data) {}
    std::unique_lock<std::mutex> lock_;
    T* data_;
  };

  template <typename... Args>
  explicit Synced(Args&&... args) : data_{std::forward<Args>(args)...} {}

  [[nodiscard]] Locked Lock() { return Locked(mutex_, &data_); }

 private:
  std::mutex mutex_;
  T data_;
};

}  // namespace kata_cc
