// SPDX-License-Identifier: Apache-2.0
// Crun: the OCI runtime's command line (crun(1)). Blocking; any thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/process/reaper.h"
#include "agent/process/stdio.h"
#include "base/result.h"
#include "base/synced.h"
#include "base/unique_fd.h"
#include "proto/oci.pb.h"

namespace kata_cc::agent {

class Crun {
 public:
  // The reaper outlives it, and is held while the runtime runs: its end is collected here.
  Crun(std::string program, std::string root, Reaper& reaper)
      : program_(std::move(program)), root_(std::move(root)), reaper_(reaper) {}

  // The new process's standard streams: pipes, or a console socket for a terminal.
  struct Streams {
    const ChildStdio* pipes = nullptr;
    const ConsoleSocket* console = nullptr;
  };

  // Return the pid of the new process, which is an orphan of the runtime: the caller holds its
  // Reaper meanwhile. bundle holds config.json. Create leaves the process waiting for Start.
  Result<pid_t> Create(const std::string& id, const std::string& bundle,
                       const Streams& streams) const;
  Result<pid_t> Exec(const std::string& id, const grpc::Process& process,
                     const Streams& streams) const;

  Result<void> Start(const std::string& id) const;
  Result<void> Update(const std::string& id, const grpc::LinuxResources& resources) const;
  // Kills what is left of it, and removes what the runtime knows; no error when it knows nothing.
  Result<void> Delete(const std::string& id) const;

 private:
  Result<void> Run(std::vector<std::string> arguments, const Streams& streams) const;
  Result<std::string> Program() const;

  std::string program_;
  mutable Synced<UniqueFd> sealed_;  // Once it is used: program_ in memory that nobody can change.
  std::string root_;
  Reaper& reaper_;
};

}  // namespace kata_cc::agent
