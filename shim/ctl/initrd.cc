// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/initrd.h"

#include <lz4.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <tuple>

#include "base/encoding.h"
#include "guest-image/measure/digest.h"

namespace kata_cc::ctl {
namespace {

constexpr std::uint32_t kLegacyLz4 = 0x184c2102;
constexpr std::size_t kLz4Block = std::size_t{8} << 20;
constexpr std::size_t kMaxUnpacked = std::size_t{1} << 30;
constexpr std::size_t kHeader = 110;  // Magic, then 13 fields of eight hexadecimal digits.
constexpr std::size_t kMaxName = 4096;

Error Bad(const std::string& why) {
  return {Code::kInvalidArgument, "initrd: " + why};
}

Result<Bytes> Unpack(ByteView frame) {
  Bytes out;
  for (ByteView left = frame.subspan(4); !left.empty();) {
    if (left.size() < 4) return Bad("lz4: bytes left over");
    const std::size_t size = LoadLe<std::uint32_t>(left, 0);
    left = left.subspan(4);
    if (size == 0 || size > left.size()) return Bad("lz4: block size out of range");
    const std::size_t at = out.size();
    if (at > kMaxUnpacked) return Bad("more than 1 GiB unpacked");
    out.resize(at + kLz4Block);
    const int n = LZ4_decompress_safe(reinterpret_cast<const char*>(left.data()),
                                      reinterpret_cast<char*>(out.data() + at),
                                      static_cast<int>(size), static_cast<int>(kLz4Block));
    if (n < 0) return Bad("lz4: malformed block");
    out.resize(at + static_cast<std::size_t>(n));
    left = left.subspan(size);
  }
  return out;
}

struct Entry {
  std::string path;
  std::uint32_t mode = 0;
  ByteView content;
};

class Cpio {
 public:
  explicit Cpio(ByteView archive) : archive_(archive) {}

  // False at the archive's end, after which there are only zeros.
  Result<bool> Next(Entry& entry) {
    if (archive_.size() - at_ < kHeader) return Bad("cpio: truncated");
    const ByteView header = archive_.subspan(at_, kHeader);
    if (AsString(header.first(6)) != "070701") return Bad("cpio: not a newc header");
    std::uint32_t fields[13];
    for (std::size_t i = 0; i < 13; ++i)
      fields[i] = TRY(Field(header.subspan(6 + 8 * i, 8)));
    const auto [mode, uid, gid, links, size, name_size] =
        std::tuple(fields[1], fields[2], fields[3], fields[4], fields[6], fields[11]);
    if (name_size < 2 || name_size > kMaxName) return Bad("cpio: name size out of range");
    const ByteView name = TRY(Take(kHeader, name_size));
    if (name.back() != 0 || std::find(name.begin(), name.end(), 0) != name.end() - 1) {
      return Bad("cpio: name is not one string");
    }
    const std::string path(name.begin(), name.end() - 1);
    if (path == "TRAILER!!!") {
      const ByteView rest = archive_.subspan(at_);
      if (size != 0 || std::any_of(rest.begin(), rest.end(), [](auto byte) { return byte != 0; })) {
        return Bad("cpio: something follows the archive");
      }
      return false;
    }
    entry.content = TRY(Take(0, size));
    entry.mode = mode;
    entry.path = TRY(CleanPath(path));
    if (uid != 0 || gid != 0) return Bad(entry.path + ": not root's");
    if (!S_ISDIR(mode) && links > 1) return Bad(entry.path + ": a hard link");
    return true;
  }

 private:
  static Result<std::uint32_t> Field(ByteView digits) {
    const std::string text = AsString(digits);
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size()) return Bad("cpio: bad number");
    return value;
  }

  // size bytes that begin skip after the cursor; the cursor then is at the next multiple of four.
  Result<ByteView> Take(std::size_t skip, std::size_t size) {
    const std::size_t end = (at_ + skip + size + 3) / 4 * 4;
    if (end > archive_.size()) return Bad("cpio: truncated");
    const ByteView bytes = archive_.subspan(at_ + skip, size);
    at_ = end;
    return bytes;
  }

  static Result<std::string> CleanPath(const std::string& name) {
    if (name == ".") return std::string("/");
    const std::string path = name.starts_with("./") ? name.substr(2) : name;
    const std::string framed = "/" + path + "/";
    if (framed.find("/../") != std::string::npos || framed.find("/./") != std::string::npos ||
        framed.find("//") != std::string::npos) {
      return Bad(name + ": not a path below the root");
    }
    return "/" + path;
  }

  ByteView archive_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::map<std::string, InitrdFile>> ReadInitrd(ByteView initrd) {
  Bytes unpacked;
  if (initrd.size() >= 4 && LoadLe<std::uint32_t>(initrd, 0) == kLegacyLz4) {
    unpacked = TRY(Unpack(initrd));
    initrd = unpacked;
  }
  std::map<std::string, InitrdFile> files;
  std::set<std::string> seen;
  Cpio cpio(initrd);
  for (Entry entry; TRY(cpio.Next(entry));) {
    if (!seen.insert(entry.path).second) return Bad(entry.path + ": there twice");
    if (S_ISDIR(entry.mode) && entry.content.empty()) continue;
    if (!S_ISREG(entry.mode)) return Bad(entry.path + ": neither a file nor a directory");
    if ((entry.mode & (S_ISUID | S_ISGID)) != 0) {
      return Bad(entry.path + ": set-user-ID or set-group-ID");
    }
    files[entry.path] = {HexEncode(measure::Sha256({entry.content})), entry.content.size()};
  }
  return files;
}

}  // namespace kata_cc::ctl
