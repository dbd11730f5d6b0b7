// SPDX-License-Identifier: Apache-2.0
#include "agent/process/stdio.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace kata_cc::agent {
namespace {

class ConsoleSocketTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(dir_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // As an OCI runtime does it; fd -1: connects, and sends nothing.
  static void Send(const std::string& path, int fd) {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    if (fd < 0) return;
    char name[] = "/dev/ptmx";
    iovec data = {name, sizeof(name)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    ASSERT_GT(::sendmsg(socket.get(), &message, 0), 0);
  }

  std::string dir_ = testing::TempDir() + "console-XXXXXX";
};

TEST_F(ConsoleSocketTest, ReceivesATerminalAndRemovesItsFile) {
  const std::string path = dir_ + "/c.sock";
  {
    auto socket = ConsoleSocket::Create(path);
    ASSERT_TRUE(socket) << socket.error().message();
    struct stat status = {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    const UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(master.valid());
    Send(path, master.get());
    const auto stdio = socket->Receive();
    ASSERT_TRUE(stdio) << stdio.error().message();
    EXPECT_FALSE(stdio->error.valid());
    ASSERT_TRUE(ResizeTerminal(stdio->console.get(), 7, 8));
    winsize size = {};
    ASSERT_EQ(::ioctl(master.get(), TIOCGWINSZ, &size), 0);
    EXPECT_EQ(size.ws_row, 7);
    EXPECT_EQ(size.ws_col, 8);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ConsoleSocketTest, RefusesSilenceAndWhatIsNoTerminal) {
  const std::string path = dir_ + "/c.sock";
  auto socket = ConsoleSocket::Create(path);
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->Receive().error().code(), Code::kFailedPrecondition) << "nobody came";
  Send(path, -1);
  EXPECT_FALSE(socket->Receive());
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Send(path, null.get());
  EXPECT_EQ(socket->Receive().error().code(), Code::kFailedPrecondition);
}

TEST_F(ConsoleSocketTest, APathThatIsTooLongIsRefused) {
  EXPECT_EQ(ConsoleSocket::Create(dir_ + "/" + std::string(200, 'x')).error().code(),
            Code::kInvalidArgument);
}

TEST(StdioTest, OurEndsDoNotBlockAndTheProcesssDo) {
  const auto pipes = MakePipes();
  ASSERT_TRUE(pipes);
  for (const UniqueFd* fd : {&pipes->first.input, &pipes->first.output, &pipes->first.error})
    EXPECT_NE(::fcntl(fd->get(), F_GETFL) & O_NONBLOCK, 0);
  for (const UniqueFd* fd : {&pipes->second.input, &pipes->second.output, &pipes->second.error})
    EXPECT_EQ(::fcntl(fd->get(), F_GETFL) & O_NONBLOCK, 0);
}

}  // namespace
}  // namespace kata_cc::agent
