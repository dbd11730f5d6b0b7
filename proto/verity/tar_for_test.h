// SPDX-License-Identifier: Apache-2.0
// Builds tar archives byte by byte, hostile ones included, for tests.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/verity/tar_stream.h"

namespace kata_cc::verity {

struct TarItem {
  std::string name;
  char type = '0';
  std::string data = {};
  std::string link = {};
  unsigned mode = 0644;
  unsigned uid = 0;
  unsigned gid = 0;
  unsigned long mtime = 1;
  unsigned major = 0;
  unsigned minor = 0;
  std::map<std::string, std::string> pax = {};
  long claimed_size = -1;  // Instead of the data's size.
};

class TarForTest {
 public:
  TarForTest& Add(const TarItem& item) {
    if (!item.pax.empty()) {
      std::string records;
      for (const auto& [key, value] : item.pax) {
        const std::string body = " " + key + "=" + value + "\n";
        std::size_t length = body.size() + 1;
        while (std::to_string(length).size() + body.size() != length)
          ++length;
        records += std::to_string(length) + body;
      }
      TarItem header;
      header.name = "pax";
      header.type = 'x';
      header.data = records;
      AddOne(header);
    }
    return AddOne(item);
  }

  TarForTest& AddOne(const TarItem& item) {
    char block[512] = {};
    std::snprintf(block, 100, "%s", item.name.c_str());
    Octal(block + 100, 8, item.mode);
    Octal(block + 108, 8, item.uid);
    Octal(block + 116, 8, item.gid);
    const std::size_t size = item.data.size();
    Octal(block + 124, 12,
          item.claimed_size >= 0 ? static_cast<std::size_t>(item.claimed_size) : size);
    Octal(block + 136, 12, item.mtime);
    std::memset(block + 148, ' ', 8);
    block[156] = item.type;
    std::snprintf(block + 157, 100, "%s", item.link.c_str());
    std::memcpy(block + 257, "ustar\00000", 8);
    Octal(block + 329, 8, item.major);
    Octal(block + 337, 8, item.minor);
    unsigned sum = 0;
    for (const char byte : block)
      sum += static_cast<unsigned char>(byte);
    std::snprintf(block + 148, 8, "%06o", sum);
    bytes_.append(block, sizeof(block)).append(item.data);
    bytes_.append((512 - size % 512) % 512, '\0');
    return *this;
  }

  std::string Finish() const { return bytes_ + std::string(1024, '\0'); }
  const std::string& Unfinished() const { return bytes_; }

 private:
  static void Octal(char* field, int width, unsigned long value) {
    field[width - 1] = '\0';
    for (int at = width - 2; at >= 0; --at, value >>= 3U)
      field[at] = static_cast<char>('0' + (value & 7U));
  }

  std::string bytes_;
};

// A reader of bytes that gives at most step of them at a time.
inline ReadBytes ReadString(std::string bytes, std::size_t step = 65536) {
  return [bytes = std::move(bytes), step,
          at = std::size_t{0}](std::span<std::byte> buffer) mutable -> Result<std::size_t> {
    const std::size_t count = std::min({buffer.size(), bytes.size() - at, step});
    std::memcpy(buffer.data(), bytes.data() + at, count);
    at += count;
    return count;
  };
}

}  // namespace kata_cc::verity
