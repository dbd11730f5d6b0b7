// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {
namespace {

constexpr std::size_t kMaxBytes = 2000;
constexpr int kMaxLines = 20;

}  // namespace

std::string ReadConsoleTail(const std::string& path) {
  const Result<UniqueFd> file = OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return "";
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  if (size <= 0) return "";
  std::string text(std::min<std::size_t>(static_cast<std::size_t>(size), kMaxBytes), '\0');
  const ssize_t got = RetryOnEintr([&] {
    return ::pread(file->get(), text.data(), text.size(), size - static_cast<off_t>(text.size()));
  });
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  std::erase(text, '\r');
  for (char& c : text)
    if (c != '\n' && (c < ' ' || c > '~')) c = '?';
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  std::size_t begin = text.size();
  for (int lines = 0; lines < kMaxLines && begin != std::string::npos && begin > 0; ++lines)
    begin = text.rfind('\n', begin - 1);
  return begin == std::string::npos || begin == 0 ? text : text.substr(begin + 1);
}

}  // namespace kata_cc::shim
