// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/libvirt_client.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

#include "shim/vm/libvirt_wire.h"

namespace kata_cc::shim {
namespace {

// Shell scripts stand in for kata-cc-libvirt: descriptor 0 is the socket.
class LibvirtClientTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/libvirt_client_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    dir_ = pattern;
  }
  void TearDown() override {
    // A script that was killed leaves a dd, which writes until it sees the end.
    std::error_code error;
    for (int i = 0; i < 100; ++i) {
      std::filesystem::remove_all(dir_, error);
      if (!error) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  LibvirtClient Client(const std::string& script) const {
    const std::string path = dir_ + "/program";
    std::ofstream(path) << "#!/bin/sh\necho started >>" << dir_ << "/starts\n"
                        << "next() { dd bs=131072 count=1 oflag=append conv=notrunc of=" << dir_
                        << "/requests 2>/dev/null; }\n"
                        << script << "\n";
    ::chmod(path.c_str(), 0700);
    const std::chrono::milliseconds limit(500);
    return LibvirtClient("test:///uri", path, {.start = limit, .destroy = limit, .other = limit});
  }

  std::string File(const std::string& name) const {
    std::ifstream file(dir_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string dir_;
};

TEST_F(LibvirtClientTest, OneProcessAnswersUntilClosed) {
  LibvirtClient client = Client(R"(while next; do printf '0\000<domain/>' >&0; done)");
  EXPECT_EQ(File("starts"), "");
  const Result<std::string> xml = client.Describe("web");
  ASSERT_TRUE(xml.has_value()) << xml.error().message();
  EXPECT_EQ(*xml, "<domain/>");
  const std::string first("describe\0test:///uri\0web\0", 25);
  EXPECT_EQ(File("requests"), first);
  EXPECT_TRUE(client.Attach("web", "<disk/>").has_value());
  EXPECT_EQ(File("requests"), first + std::string("attach\0test:///uri\0web\0<disk/>", 30));
  EXPECT_EQ(File("starts"), "started\n");
  client.Close();
  EXPECT_TRUE(client.Destroy("web").has_value());
  EXPECT_EQ(File("starts"), "started\nstarted\n");
}

TEST_F(LibvirtClientTest, AnErrorKeepsItsCodeAndText) {
  LibvirtClient client = Client(R"(while next; do printf '5\000look up web: none' >&0; done)");
  const Result<std::string> xml = client.Describe("web");
  ASSERT_FALSE(xml.has_value());
  EXPECT_EQ(xml.error().code(), Code::kNotFound);
  EXPECT_EQ(xml.error().message(), "look up web: none");
}

TEST_F(LibvirtClientTest, ACallThatHangsEndsWithItsProcessAndTheNextWorks) {
  LibvirtClient client = Client("[ $(wc -l <" + dir_ + "/starts) -gt 1 ] || exec sleep 100\n" +
                                R"(while next; do printf '0\000' >&0; done)");
  const Result<void> hung = client.Destroy("web");
  ASSERT_FALSE(hung.has_value());
  EXPECT_EQ(hung.error().code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(client.Destroy("web").has_value());
}

TEST_F(LibvirtClientTest, AProcessThatEndsIsAnErrorAndTheNextCallWorks) {
  LibvirtClient client = Client("[ $(wc -l <" + dir_ + "/starts) -gt 1 ] || exit 3\n" +
                                R"(while next; do printf '0\000' >&0; done)");
  EXPECT_FALSE(client.Start("<domain/>").has_value());
  EXPECT_TRUE(client.Start("<domain/>").has_value());
}

TEST_F(LibvirtClientTest, AnswersThatAreNoneAreErrors) {
  for (const char* answer : {"", "nothing", "x\\000", "-1\\000", "16\\000", "99999999999\\000"}) {
    LibvirtClient client = Client("while next; do printf '" + std::string(answer) + "' >&0; done");
    EXPECT_FALSE(client.Describe("web").has_value()) << answer;
  }
  LibvirtClient client = Client(R"(while next; do printf '0\000x' >&0; done)");
  EXPECT_FALSE(client.Version().has_value());
}

TEST_F(LibvirtClientTest, AProgramThatIsNotThereIsNamed) {
  LibvirtClient client("test:///uri", dir_ + "/none");
  const Result<void> started = client.Start("<domain/>");
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message().find(dir_ + "/none"), std::string::npos);
}

TEST(LibvirtWireTest, ARequestComesBackAsItWent) {
  const auto request = libvirt_wire::DecodeRequest(
      libvirt_wire::Encode(libvirt_wire::Request{"attach", "uri", "name", "<a>\n</a>"}));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->verb + '|' + request->uri + '|' + request->name + '|' + request->xml,
            "attach|uri|name|<a>\n</a>");
  for (const std::string& bytes : {std::string(), std::string("a"), std::string("a\0b\0c", 5)})
    EXPECT_FALSE(libvirt_wire::DecodeRequest(bytes).has_value());
}

}  // namespace
}  // namespace kata_cc::shim
