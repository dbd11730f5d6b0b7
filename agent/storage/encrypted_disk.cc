// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/encrypted_disk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <vector>

#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kBlockSectors = 8;       // 4 KiB are encrypted, and get a tag, together.
constexpr std::uint64_t kRunSectors = 1U << 15;  // Of content between two runs of tags.
constexpr std::uint64_t kTagBytes = 32 + 16;     // HMAC-SHA-256, and the IV of AES-XTS.
constexpr std::uint64_t kJournalSectors = 2048;  // dm-integrity insists on one; it stays unused.
constexpr std::uint64_t kReservedSectors = 4 * kJournalSectors;  // Superblock, journal, rounding.
constexpr std::size_t kClearedBytes = 64U << 10;
constexpr std::size_t kKeyBytes = 64 + 32;  // AES-256-XTS, then the HMAC.

// Text that is wiped at its end. It never grows, so no copy is left behind.
class WipedText {
 public:
  explicit WipedText(std::string* text) : text_(text) {}
  WipedText(const WipedText&) = delete;
  WipedText& operator=(const WipedText&) = delete;
  ~WipedText() { ::explicit_bzero(text_->data(), text_->size()); }

 private:
  std::string* text_;
};

Result<void> ClearStart(const std::string& path) {
  const UniqueFd disk = TRY(OpenFile(path, O_WRONLY | O_SYNC));
  const std::vector<char> zeros(kClearedBytes);
  const ssize_t n =
      RetryOnEintr([&] { return ::pwrite(disk.get(), zeros.data(), zeros.size(), 0); });
  if (n != static_cast<ssize_t>(zeros.size())) return ErrnoError(n < 0 ? errno : EIO, path);
  return {};
}

// A fresh key, in hexadecimal, at the end of text, which has room for it.
Result<void> AppendKey(std::string* text) {
  std::array<unsigned char, kKeyBytes> key = {};
  const ssize_t n = RetryOnEintr([&] { return ::getrandom(key.data(), key.size(), 0); });
  if (n == static_cast<ssize_t>(key.size())) {
    for (const unsigned char byte : key) {
      *text += "0123456789abcdef"[byte >> 4];
      *text += "0123456789abcdef"[byte & 15];
    }
  }
  ::explicit_bzero(key.data(), key.size());
  if (n != static_cast<ssize_t>(kKeyBytes)) return ErrnoError(n < 0 ? errno : EIO, "getrandom");
  return {};
}

Result<std::string> NumberOf(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return ErrnoError(errno, path);
  return std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));
}

}  // namespace

std::uint64_t EncryptedSectors(std::uint64_t disk_sectors) {
  constexpr std::uint64_t kTagSectors = kRunSectors / kBlockSectors * kTagBytes / kSectorBytes;
  if (disk_sectors < kReservedSectors) return 0;
  return (disk_sectors - kReservedSectors) / (kRunSectors + kTagSectors) * kRunSectors;
}

Result<EncryptedDisk> EncryptedDisk::Create(const BlockDevice& device) {
  static std::atomic<unsigned> next = 0;
  const std::uint64_t sectors = EncryptedSectors(device.size_bytes / kSectorBytes);
  if (sectors == 0) return Error(Code::kInvalidArgument, "encrypted disk: too small");
  // dm-integrity makes its superblock where it finds zeros. What it finds else would be the host's.
  TRY(ClearStart(device.path));
  const std::string number = std::to_string(next++);
  DmTable tags;
  tags.sectors = sectors;
  tags.target = "integrity";
  // D: without a journal. A machine that stops takes the key with it, so what it was writing then
  // need not be found whole.
  tags.parameters =
      std::to_string(device.major) + ":" + std::to_string(device.minor) + " 0 " +
      std::to_string(kTagBytes) +
      " D 4 block_size:4096 fix_padding journal_sectors:" + std::to_string(kJournalSectors) +
      " interleave_sectors:" + std::to_string(kRunSectors);
  DmDevice below = TRY(DmDevice::Create("tags-" + number, tags));
  DmTable content;
  content.sectors = sectors;
  content.target = "crypt";
  content.parameters.reserve(512);
  const WipedText wiped(&content.parameters);
  content.parameters += "capi:authenc(hmac(sha256),xts(aes))-random ";
  TRY(AppendKey(&content.parameters));
  content.parameters += " 0 " + TRY(NumberOf(below.path())) +
                        " 0 2 integrity:" + std::to_string(kTagBytes) + ":aead sector_size:4096";
  DmDevice above = TRY(DmDevice::Create("content-" + number, content));
  TRY(ClearStart(above.path()));
  return EncryptedDisk(std::move(below), std::move(above));
}

}  // namespace kata_cc::agent
