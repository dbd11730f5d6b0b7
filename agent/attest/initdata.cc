// SPDX-License-Identifier: Apache-2.0
#define TOML_EXCEPTIONS 0
#include "agent/attest/initdata.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "agent/attest/sha2.h"
#include "base/retry.h"
#include "base/toml_keys.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

constexpr std::string_view kMagic = "initdata";
constexpr std::size_t kHeaderBytes = 16;

Error Bad(std::string_view why) {
  return {Code::kInvalidArgument, "initdata: " + std::string(why)};
}

struct InflateEnd {
  void operator()(z_stream* stream) const { ::inflateEnd(stream); }
};

// One gzip member that ends where its input ends.
Result<std::string> Gunzip(ByteView input) {
  z_stream stream = {};
  if (::inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
    return Error(Code::kInternal, "initdata: inflateInit2");
  }
  const std::unique_ptr<z_stream, InflateEnd> end(&stream);
  stream.next_in = const_cast<std::uint8_t*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  std::string out;
  std::vector<char> chunk(64U << 10);
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = ::inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END) return Bad("not a whole gzip stream");
    out.append(chunk.data(), chunk.size() - stream.avail_out);
    if (out.size() > kMaxInitdataBytes) {
      return Error(Code::kResourceExhausted, "initdata: larger than 8 MiB");
    }
  }
  if (stream.avail_in != 0) return Bad("bytes after the gzip stream");
  return out;
}

Result<std::string> Digest(std::string_view algorithm, std::string_view document) {
  if (algorithm == "sha256") return Sha256(document);
  if (algorithm == "sha384") return Sha384(document);
  if (algorithm == "sha512") return Sha512(document);
  return Bad("algorithm is not sha256, sha384 or sha512");
}

Result<std::string> Text(const toml::table& table, std::string_view key) {
  const auto value = table[key].value_exact<std::string>();
  if (!value) return Bad(std::string(key) + " is missing or no text");
  return *value;
}

// Reads what there is, up to the buffer's size.
Result<std::size_t> ReadUpTo(int fd, std::span<std::uint8_t> buffer, const std::string& path) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n =
        RetryOnEintr([&] { return ::read(fd, buffer.data() + done, buffer.size() - done); });
    if (n < 0) return ErrnoError(errno, "initdata: " + path);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<bool> HasMagic(const std::string& path) {
  const UniqueFd device = TRY_CONTEXT(OpenFile(path, O_RDONLY), "initdata");
  std::array<std::uint8_t, kMagic.size()> head = {};
  const std::size_t n = TRY(ReadUpTo(device.get(), head, path));
  return n == head.size() && std::memcmp(head.data(), kMagic.data(), kMagic.size()) == 0;
}

}  // namespace

Result<std::string> UnpackInitdataImage(ByteView image) {
  if (image.size() < kHeaderBytes) return Bad("shorter than its header");
  if (std::memcmp(image.data(), kMagic.data(), kMagic.size()) != 0) return Bad("wrong magic");
  const auto length = LoadLe<std::uint64_t>(image, kMagic.size());
  if (length > kMaxInitdataGzipBytes) {
    return Error(Code::kResourceExhausted, "initdata: compressed, larger than 4 MiB");
  }
  if (length > image.size() - kHeaderBytes) return Bad("its length is beyond the device's end");
  return Gunzip(image.subspan(kHeaderBytes, static_cast<std::size_t>(length)));
}

Result<Initdata> ParseInitdata(std::string_view document) {
  if (document.size() > kMaxInitdataBytes) {
    return Error(Code::kResourceExhausted, "initdata: larger than 8 MiB");
  }
  TRY_CONTEXT(CheckTomlKeys(document), "initdata");
  const toml::parse_result parsed = toml::parse(document);
  if (!parsed) {
    const auto& where = parsed.error().source().begin;
    return Bad("not TOML at line " + std::to_string(where.line) + ", column " +
               std::to_string(where.column));
  }
  const toml::table& table = parsed.table();
  for (const auto& [key, value] : table) {
    if (key != "version" && key != "algorithm" && key != "data") return Bad("unknown key");
  }
  if (TRY(Text(table, "version")) != "0.1.0") return Bad("version is not 0.1.0");
  Initdata out;
  out.algorithm = TRY(Text(table, "algorithm"));
  out.digest = TRY(Digest(out.algorithm, document));
  const toml::table* data = table["data"].as_table();
  if (data == nullptr) return Bad("data is missing or no table");
  for (const auto& [key, value] : *data) {
    const auto text = value.value_exact<std::string>();
    if (!text) return Bad("a value of data is no text");
    out.data.emplace(key.str(), *text);
  }
  return out;
}

Result<std::string> ReadInitdataImage(const std::string& path) {
  const UniqueFd device = TRY_CONTEXT(OpenFile(path, O_RDONLY), "initdata");
  Bytes image(kHeaderBytes);
  image.resize(TRY(ReadUpTo(device.get(), image, path)));
  // The header says how much to read; a false one is refused by the same code that unpacks.
  if (image.size() == kHeaderBytes) {
    const auto length = LoadLe<std::uint64_t>(image, kMagic.size());
    const std::uint64_t wanted = std::min<std::uint64_t>(length, kMaxInitdataGzipBytes);
    image.resize(kHeaderBytes + static_cast<std::size_t>(wanted));
    const std::size_t n = TRY(ReadUpTo(device.get(), std::span(image).subspan(kHeaderBytes), path));
    image.resize(kHeaderBytes + n);
  }
  return UnpackInitdataImage(image);
}

Result<std::optional<std::string>> FindInitdata(const std::string& sys_block,
                                                const std::string& dev) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(sys_block.c_str()), &::closedir);
  if (dir == nullptr) return ErrnoError(errno, "initdata: " + sys_block);
  std::string found;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (!name.starts_with("vd") && !name.starts_with("sd")) continue;
    if (!TRY(HasMagic(dev + "/" + name))) continue;
    if (!found.empty()) return Bad("more than one device");
    found = dev + "/" + name;
  }
  if (found.empty()) return std::optional<std::string>();
  return std::optional<std::string>(TRY(ReadInitdataImage(found)));
}

}  // namespace kata_cc::agent
