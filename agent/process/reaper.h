// SPDX-License-Identifier: Apache-2.0
// Reaper: this process as the one that orphans fall to. It collects those that nobody asked for,
// and leaves the containers' processes to their owners.
#pragma once

#include <sys/types.h>

#include <memory>
#include <set>

#include "base/reactor.h"
#include "base/result.h"
#include "base/synced.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

// One a process; the reactor outlives it. The kernel gives orphans to the main thread, so while it
// exists, that thread waits for children of its own only under a Hold. Children of other threads
// are never touched.
class Reaper {
 public:
  // Makes the process a subreaper, and takes over SIGCHLD. On the reactor's thread, or before it
  // runs.
  static Result<std::unique_ptr<Reaper>> Create(Reactor& reactor);
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;
  ~Reaper();

  // While one of these lives, nothing is collected: the pid that a runtime reports stays what it is
  // until Adopt(). Any thread.
  class Hold {
   public:
    explicit Hold(Reaper& reaper);
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold();
    void Adopt(pid_t pid);  // From now on its owner reaps it, and calls Forget().

   private:
    Reaper& reaper_;
  };

  void Forget(pid_t pid);  // Any thread.

 private:
  struct State {
    int holds = 0;
    std::set<pid_t> owned;
  };

  explicit Reaper(Reactor& reactor) : reactor_(reactor) {}
  void Poke();
  void Collect();

  Reactor& reactor_;
  UniqueFd signalled_;
  std::shared_ptr<Synced<State>> state_ = std::make_shared<Synced<State>>();
};

}  // namespace kata_cc::agent
