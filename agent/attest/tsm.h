// SPDX-License-Identifier: Apache-2.0
// Reports by configfs-tsm: Linux, Documentation/ABI/testing/configfs-tsm. An entry is a directory;
// writing its inblob asks for a report, which outblob then holds. The generation of the entry tells
// whether another writer came between.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/attest/attester.h"
#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::agent {

// The system calls on one directory of report entries.
class TsmFiles {
 public:
  virtual ~TsmFiles() = default;
  virtual Result<void> Make(const std::string& entry) = 0;
  virtual void Remove(const std::string& entry) = 0;
  virtual Result<void> Write(const std::string& entry, const std::string& attribute,
                             ByteView bytes) = 0;
  // kNotFound when the kernel has no such attribute; kAborted when a writer came between
  // (EWOULDBLOCK).
  virtual Result<Bytes> Read(const std::string& entry, const std::string& attribute) = 0;
};

std::unique_ptr<TsmFiles> TsmDirectory(std::string path);
std::unique_ptr<Attester> TsmAttester(std::unique_ptr<TsmFiles> files);

}  // namespace kata_cc::agent
