// SPDX-License-Identifier: Apache-2.0
#include "agent/attest/attester.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>

#include "agent/attest/host_data.h"
#include "agent/attest/sev_guest.h"
#include "agent/attest/sim.h"
#include "agent/attest/tsm.h"
#include "base/file.h"
#include "proto/snp/sim/wire.h"

namespace kata_cc::agent {
namespace {

Bytes ReportAbout(ByteView report_data, std::uint8_t host_data = 7) {
  snp::Report report;
  report.version = 3;
  std::copy(report_data.begin(), report_data.end(), report.report_data.begin());
  report.host_data.fill(host_data);
  const auto bytes = snp::EncodeReport(report);
  return {bytes.begin(), bytes.end()};
}

Bytes SomeCerts(std::size_t size = 100) {
  return snp::EncodeCertTable({{*snp::CertTypeGuid("VCEK"), Bytes(size, 9)}});
}

ReportData Asked() {
  ReportData data{};
  data.fill(0x5a);
  return data;
}

// The kernel's side of configfs-tsm, as its ABI document has it.
class FakeTsm : public TsmFiles {
 public:
  struct Behaviour {
    int races = 0;  // How many requests another writer disturbs.
    std::string provider = "sev_guest\n";
    Bytes auxblob;
    bool has_auxblob = true;
    std::string floor = "0\n";
    bool other_report = false;
    int open_entries = 0;
    std::string privlevel;
  };
  explicit FakeTsm(Behaviour& behaviour) : behaviour_(behaviour) {}

  Result<void> Make(const std::string& entry) override {
    if (!entries_.emplace(entry, Entry{}).second) return ErrnoError(EEXIST, entry);
    ++behaviour_.open_entries;
    return {};
  }
  void Remove(const std::string& entry) override {
    entries_.erase(entry);
    --behaviour_.open_entries;
  }
  Result<void> Write(const std::string& entry, const std::string& attribute,
                     ByteView bytes) override {
    Entry& e = entries_.at(entry);
    ++e.generation;
    if (attribute == "privlevel") behaviour_.privlevel = AsString(bytes);
    if (attribute == "inblob") e.inblob.assign(bytes.begin(), bytes.end());
    if (attribute == "inblob" && behaviour_.races > 0) {
      --behaviour_.races;
      ++e.generation;
    }
    return {};
  }
  Result<Bytes> Read(const std::string& entry, const std::string& attribute) override {
    const Entry& e = entries_.at(entry);
    const auto text = [](const std::string& value) { return Bytes(value.begin(), value.end()); };
    if (attribute == "generation") return text(std::to_string(e.generation) + "\n");
    if (attribute == "provider") return text(behaviour_.provider);
    if (attribute == "privlevel_floor") return text(behaviour_.floor);
    if (attribute == "outblob") {
      return ReportAbout(behaviour_.other_report ? Bytes(64, 1) : e.inblob);
    }
    if (attribute == "auxblob" && behaviour_.has_auxblob) return behaviour_.auxblob;
    return ErrnoError(ENOENT, attribute);
  }

 private:
  struct Entry {
    Bytes inblob;
    int generation = 0;
  };
  Behaviour& behaviour_;
  std::map<std::string, Entry> entries_;
};

class Tsm : public testing::Test {
 protected:
  Result<GuestReport> Ask() {
    return TsmAttester(std::make_unique<FakeTsm>(behaviour_))->GetReport(Asked());
  }
  FakeTsm::Behaviour behaviour_;
};

TEST_F(Tsm, GivesReportAndCertificatesAndLeavesNoEntry) {
  behaviour_.auxblob = SomeCerts();
  const auto report = Ask();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(snp::ParseReport(report->report)->report_data, Asked());
  ASSERT_EQ(report->certs.size(), 1U);
  EXPECT_EQ(snp::CertTypeName(report->certs[0].guid), "VCEK");
  EXPECT_EQ(behaviour_.open_entries, 0);
}

TEST_F(Tsm, NoCertificatesAreNoError) {
  behaviour_.has_auxblob = false;
  EXPECT_TRUE(Ask()->certs.empty());
  behaviour_.has_auxblob = true;
  EXPECT_TRUE(Ask()->certs.empty());
}

TEST_F(Tsm, HostileCertificatesAreDropped) {
  behaviour_.auxblob = SomeCerts();
  behaviour_.auxblob[20] = 0xff;  // The length of the entry: beyond the table.
  behaviour_.auxblob[21] = 0xff;
  const auto report = Ask();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->certs.empty());
}

TEST_F(Tsm, AsksAgainAfterAnotherWriterAndGivesUpInTheEnd) {
  behaviour_.races = 3;
  EXPECT_TRUE(Ask());
  behaviour_.races = 100;
  const auto report = Ask();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kAborted);
  EXPECT_EQ(behaviour_.open_entries, 0);
}

TEST_F(Tsm, RefusesAnotherProviderAndAReportAboutSomethingElse) {
  behaviour_.provider = "tdx_guest\n";
  EXPECT_FALSE(Ask());
  behaviour_.provider = "sev_guest\n";
  behaviour_.other_report = true;
  const auto report = Ask();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kDataLoss);
}

TEST_F(Tsm, AsksFromItsOwnLevelUnderAnSvsm) {
  EXPECT_TRUE(Ask());
  EXPECT_EQ(behaviour_.privlevel, "");
  behaviour_.floor = "2\n";
  EXPECT_TRUE(Ask());
  EXPECT_EQ(behaviour_.privlevel, "2");
}

class FakeSevGuest : public SevGuestDevice {
 public:
  struct Behaviour {
    Bytes certs;
    int busy = 0;
    int pauses = 0;
    std::uint32_t wanted = 0;  // A length that the host claims, in place of the true one.
    std::uint32_t status = 0;
    std::uint32_t size = snp::kReportSize;
    int error_number = 0;
  };
  explicit FakeSevGuest(Behaviour& behaviour) : behaviour_(behaviour) {}
  void Pause() override { ++behaviour_.pauses; }

  int GetExtendedReport(Call* call) override {
    auto* request = reinterpret_cast<ExtendedRequest*>(call->request);
    auto* response = reinterpret_cast<std::uint8_t*>(call->response);
    EXPECT_EQ(call->msg_version, 1);
    if (behaviour_.error_number != 0) return behaviour_.error_number;
    if (behaviour_.busy > 0) {
      --behaviour_.busy;
      call->exit_info = std::uint64_t{kBusy} << 32;
      return EAGAIN;
    }
    if (behaviour_.wanted != 0 || request->certs_length < behaviour_.certs.size()) {
      request->certs_length = behaviour_.wanted != 0
                                  ? behaviour_.wanted
                                  : static_cast<std::uint32_t>(behaviour_.certs.size());
      call->exit_info = std::uint64_t{kInvalidLength} << 32;
      return EIO;
    }
    EXPECT_EQ(request->certs_length % 4096, 0U);
    std::copy(behaviour_.certs.begin(), behaviour_.certs.end(),
              reinterpret_cast<std::uint8_t*>(request->certs_address));
    StoreLe({response, 8}, 0, behaviour_.status);
    StoreLe({response, 8}, 4, behaviour_.size);
    const Bytes report = ReportAbout({request->user_data, 64});
    std::copy(report.begin(), report.end(), response + 32);
    return 0;
  }

 private:
  Behaviour& behaviour_;
};

class SevGuest : public testing::Test {
 protected:
  Result<GuestReport> Ask() {
    return SevGuestAttester(std::make_unique<FakeSevGuest>(behaviour_))->GetReport(Asked());
  }
  FakeSevGuest::Behaviour behaviour_;
};

TEST_F(SevGuest, GivesReportWithAndWithoutCertificates) {
  auto report = Ask();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->certs.empty());
  behaviour_.certs = SomeCerts(5000);
  report = Ask();
  ASSERT_TRUE(report) << report.error().message();
  ASSERT_EQ(report->certs.size(), 1U);
  EXPECT_EQ(report->certs[0].data.size(), 5000U);
}

TEST_F(SevGuest, WaitsForABusyHostButNotForEver) {
  behaviour_.busy = 3;
  EXPECT_TRUE(Ask());
  EXPECT_EQ(behaviour_.pauses, 3);
  behaviour_.busy = 1000;
  EXPECT_EQ(Ask().error().code(), Code::kUnavailable);
}

TEST_F(SevGuest, RefusesWhatAHostileHostAnswers) {
  behaviour_.wanted = 1U << 30;
  EXPECT_EQ(Ask().error().code(), Code::kResourceExhausted);
  behaviour_.wanted = 4096;  // For ever.
  EXPECT_EQ(Ask().error().code(), Code::kUnavailable);
  behaviour_ = {};
  behaviour_.status = 22;
  EXPECT_FALSE(Ask());
  behaviour_ = {};
  behaviour_.size = 4000;
  EXPECT_EQ(Ask().error().code(), Code::kDataLoss);
  behaviour_ = {};
  behaviour_.error_number = EPERM;
  EXPECT_FALSE(Ask());
}

// A host side that answers one request with what Answer makes of it.
class Sim : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    attester_ = SimAttester(UniqueFd(fds[0]), std::chrono::milliseconds(500));
    host_ = UniqueFd(fds[1]);
  }
  Result<GuestReport> Ask(const std::function<Bytes(const snp::sim::Request&)>& answer) {
    std::thread host([&] {
      snp::ByteArray<snp::sim::kRequestSize> bytes{};
      ASSERT_EQ(::read(host_.get(), bytes.data(), bytes.size()),
                static_cast<ssize_t>(bytes.size()));
      const Bytes response = answer(*snp::sim::ParseRequest(bytes));
      ASSERT_EQ(::write(host_.get(), response.data(), response.size()),
                static_cast<ssize_t>(response.size()));
    });
    auto report = attester_->GetReport(Asked());
    host.join();
    return report;
  }
  static Bytes Payload(const snp::sim::Request& request) {
    Bytes payload = ReportAbout(request.report_data);
    const Bytes certs = SomeCerts();
    payload.insert(payload.end(), certs.begin(), certs.end());
    return payload;
  }

  std::unique_ptr<Attester> attester_;
  UniqueFd host_;
};

TEST_F(Sim, GivesReportsAndCertificates) {
  for (std::uint64_t n = 1; n <= 2; ++n) {
    const auto report = Ask([&](const snp::sim::Request& request) {
      EXPECT_EQ(request.sequence, n);
      return snp::sim::EncodeResponse(request.sequence, 0, Payload(request));
    });
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->certs.size(), 1U);
  }
}

TEST_F(Sim, RefusalsCarryTheirReason) {
  const auto report = Ask([](const snp::sim::Request& request) {
    return snp::sim::EncodeResponse(request.sequence, 1, AsBytes("no firmware"));
  });
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message(), "report from the simulator: no firmware");
}

TEST_F(Sim, AnAnswerToAnotherRequestEndsTheStream) {
  EXPECT_FALSE(Ask([](const snp::sim::Request& request) {
    return snp::sim::EncodeResponse(request.sequence + 1, 0, Payload(request));
  }));
  EXPECT_EQ(attester_->GetReport(Asked()).error().code(), Code::kUnavailable);
}

TEST_F(Sim, GarbageAndSilenceAreErrors) {
  EXPECT_FALSE(Ask([](const snp::sim::Request&) { return Bytes(24, 'x'); }));
  SetUp();
  const auto late = attester_->GetReport(Asked());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::kDeadlineExceeded);
}

class Open : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(places_.root.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(places_.root); }
  void Make(const std::string& path) { std::filesystem::create_directories(places_.root + path); }
  AttesterPlaces places_{testing::TempDir() + "attester-XXXXXX", ""};
};

TEST_F(Open, SnpNeverFallsBack) {
  const auto none = OpenAttester(Tee::kSnp, places_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::kUnavailable);
  Make("/dev");
  ASSERT_TRUE(WriteFile(places_.root + "/dev/sev-guest", {}));
  EXPECT_EQ((*OpenAttester(Tee::kSnp, places_))->name(), "/dev/sev-guest");
  Make("/sys/kernel/config/tsm/report");
  EXPECT_EQ((*OpenAttester(Tee::kSnp, places_))->name(), "configfs-tsm");
}

TEST_F(Open, NoTeeAndTheSimulatorAreRefusedWhereThereIsSev) {
  EXPECT_EQ(*OpenAttester(Tee::kNone, places_), nullptr);
  Make("/sys/devices/system/cpu/sev");
  for (const Tee tee : {Tee::kNone, Tee::kSim}) {
    const auto attester = OpenAttester(tee, places_);
    ASSERT_FALSE(attester);
    EXPECT_EQ(attester.error().code(), Code::kFailedPrecondition);
  }
}

TEST_F(Open, TheSimulatorNeedsItsPort) {
  Make("/sys/class/virtio-ports/vport0p1");
  Make("/dev");
  ASSERT_TRUE(
      WriteFile(places_.root + "/sys/class/virtio-ports/vport0p1/name", AsBytes("org.other.0\n")));
  EXPECT_FALSE(OpenAttester(Tee::kSim, places_));
  ASSERT_TRUE(WriteFile(places_.root + "/sys/class/virtio-ports/vport0p1/name",
                        AsBytes("org.kata-cc.sim.0\n")));
  ASSERT_TRUE(WriteFile(places_.root + "/dev/vport0p1", {}));
  EXPECT_EQ((*OpenAttester(Tee::kSim, places_))->name(), "the simulator");
}

TEST_F(Open, ADirectoryOfFilesIsReadAndWritten) {
  Make("/report");
  const auto files = TsmDirectory(places_.root + "/report");
  ASSERT_TRUE(files->Make("a"));
  EXPECT_FALSE(files->Make("a"));
  ASSERT_TRUE(WriteFile(places_.root + "/report/a/inblob", {}));
  ASSERT_TRUE(files->Write("a", "inblob", AsBytes("data")));
  EXPECT_EQ(AsString(*files->Read("a", "inblob")), "data");
  EXPECT_EQ(files->Read("a", "auxblob").error().code(), Code::kNotFound);
  std::filesystem::remove(places_.root + "/report/a/inblob");
  files->Remove("a");
  EXPECT_FALSE(std::filesystem::exists(places_.root + "/report/a"));
}

TEST(ReportedHostData, IsThatOfTheReportAndNoneWithoutATee) {
  EXPECT_EQ(*ReportedHostData(nullptr)->Read(), std::nullopt);
  FakeTsm::Behaviour behaviour;
  const auto attester = TsmAttester(std::make_unique<FakeTsm>(behaviour));
  HostData expected{};
  expected.fill(7);
  EXPECT_EQ(*ReportedHostData(attester.get())->Read(), expected);
  behaviour.provider = "tdx_guest";
  EXPECT_FALSE(ReportedHostData(attester.get())->Read());
}

}  // namespace
}  // namespace kata_cc::agent
