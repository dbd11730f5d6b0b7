// SPDX-License-Identifier: Apache-2.0
#include "agent/attest/tsm.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <utility>

#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

constexpr std::size_t kMaxAttribute = snp::kMaxCertTableSize;
constexpr int kAttempts = 5;

class Directory : public TsmFiles {
 public:
  explicit Directory(std::string path) : path_(std::move(path)) {}

  Result<void> Make(const std::string& entry) override {
    const std::string path = path_ + "/" + entry;
    if (::mkdir(path.c_str(), 0700) != 0) return ErrnoError(errno, "mkdir " + path);
    return {};
  }
  void Remove(const std::string& entry) override { ::rmdir((path_ + "/" + entry).c_str()); }

  // One write, as configfs takes a value as a whole.
  Result<void> Write(const std::string& entry, const std::string& attribute,
                     ByteView bytes) override {
    const std::string path = path_ + "/" + entry + "/" + attribute;
    const UniqueFd fd = TRY(OpenFile(path, O_WRONLY));
    const ssize_t n = RetryOnEintr([&] { return ::write(fd.get(), bytes.data(), bytes.size()); });
    if (n < 0) return ErrnoError(errno, "write " + path);
    if (static_cast<std::size_t>(n) != bytes.size()) {
      return Error(Code::kDataLoss, "write " + path + ": short");
    }
    return {};
  }

  Result<Bytes> Read(const std::string& entry, const std::string& attribute) override {
    const std::string path = path_ + "/" + entry + "/" + attribute;
    const UniqueFd fd = TRY(OpenFile(path, O_RDONLY));
    Bytes out(kMaxAttribute + 1);
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n =
          RetryOnEintr([&] { return ::read(fd.get(), out.data() + done, out.size() - done); });
      if (n < 0 && errno == EWOULDBLOCK) return Error(Code::kAborted, path + ": another writer");
      if (n < 0) return ErrnoError(errno, "read " + path);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    if (done > kMaxAttribute) return Error(Code::kResourceExhausted, path + ": too large");
    out.resize(done);
    return out;
  }

 private:
  const std::string path_;
};

class Entry {
 public:
  static Result<Entry> Make(TsmFiles& files, std::string name) {
    TRY(files.Make(name));
    return Entry(files, std::move(name));
  }
  Entry(Entry&& other) noexcept
      : files_(std::exchange(other.files_, nullptr)), name_(std::move(other.name_)) {}
  Entry& operator=(Entry&&) = delete;
  ~Entry() {
    if (files_ != nullptr) files_->Remove(name_);
  }

  Result<void> Write(const std::string& attribute, ByteView bytes) {
    ++writes_;
    return files_->Write(name_, attribute, bytes);
  }
  Result<Bytes> Read(const std::string& attribute) { return files_->Read(name_, attribute); }

  Result<std::string> ReadText(const std::string& attribute) {
    std::string text = AsString(TRY(Read(attribute)));
    while (!text.empty() && text.back() == '\n')
      text.pop_back();
    return text;
  }
  Result<std::uint64_t> Generation() {
    const std::string text = TRY(ReadText("generation"));
    std::uint64_t number = 0;
    const auto end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) {
      return Error(Code::kInternal, "tsm: generation: not a number");
    }
    return number;
  }
  std::uint64_t writes() const { return writes_; }

 private:
  Entry(TsmFiles& files, std::string name) : files_(&files), name_(std::move(name)) {}

  TsmFiles* files_;
  std::string name_;
  std::uint64_t writes_ = 0;
};

class Tsm : public Attester {
 public:
  explicit Tsm(std::unique_ptr<TsmFiles> files) : files_(std::move(files)) {}
  std::string_view name() const override { return "configfs-tsm"; }

 private:
  Result<Raw> Fetch(const ReportData& report_data) override {
    for (int attempt = 1;; ++attempt) {
      Result<Raw> raw = Try(report_data);
      if (raw || raw.error().code() != Code::kAborted || attempt == kAttempts) return raw;
    }
  }

  Result<Raw> Try(const ReportData& report_data) {
    const std::string name =
        "kata-cc-" + std::to_string(::getpid()) + "-" + std::to_string(next_.fetch_add(1));
    Entry entry = TRY(Entry::Make(*files_, name));
    const std::uint64_t before = TRY(entry.Generation());
    // Under an SVSM the guest may only ask from its own level on.
    const Result<std::string> floor = entry.ReadText("privlevel_floor");
    if (floor && *floor != "0") TRY(entry.Write("privlevel", AsBytes(*floor)));
    TRY(entry.Write("inblob", report_data));
    Raw raw;
    raw.report = TRY(entry.Read("outblob"));
    Result<Bytes> certs = entry.Read("auxblob");
    // Without certificates the kernel has no auxblob, or an empty one.
    if (!certs && certs.error().code() != Code::kNotFound) return std::move(certs).error();
    if (certs) raw.certs = *std::move(certs);
    const std::string provider = TRY(entry.ReadText("provider"));
    if (provider != "sev_guest") {
      return Error(Code::kFailedPrecondition, "tsm: the provider is " + provider.substr(0, 64));
    }
    if (TRY(entry.Generation()) != before + entry.writes()) {
      return Error(Code::kAborted, "tsm: another writer came between");
    }
    return raw;
  }

  const std::unique_ptr<TsmFiles> files_;
  std::atomic<std::uint64_t> next_ = 1;
};

}  // namespace

std::unique_ptr<TsmFiles> TsmDirectory(std::string path) {
  return std::make_unique<Directory>(std::move(path));
}

std::unique_ptr<Attester> TsmAttester(std::unique_ptr<TsmFiles> files) {
  return std::make_unique<Tsm>(std::move(files));
}

}  // namespace kata_cc::agent
