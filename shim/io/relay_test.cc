// SPDX-License-Identifier: Apache-2.0
#include "shim/io/relay.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "shim/io/streams.h"

namespace kata_cc::shim {
namespace {

class RelayTest : public testing::Test {
 protected:
  void SetUp() override {
    reactor_.reset(*Reactor::Create());
    char pattern[] = "/tmp/relay_test.XXXXXX";
    dir_ = ::mkdtemp(pattern);
    fifo_ = dir_ + "/fifo";
    ASSERT_EQ(::mkfifo(fifo_.c_str(), 0600), 0);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void RunFor(int milliseconds) {
    reactor_->After(std::chrono::milliseconds(milliseconds), [this] { reactor_->Stop(); });
    ASSERT_TRUE(reactor_->Run());
  }

  UniqueFd OpenReader() { return *OpenFile(fifo_, O_RDONLY | O_NONBLOCK); }

  static std::string ReadAll(int fd) {
    std::string all;
    char buffer[65536];
    for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
      all.append(buffer, static_cast<std::size_t>(n));
    return all;
  }

  std::unique_ptr<Reactor> reactor_;
  std::string dir_;
  std::string fifo_;
};

TEST_F(RelayTest, OutputReachesTheFifoAndEndsWithIt) {
  const UniqueFd reader = OpenReader();
  std::vector<std::string> chunks = {"hello ", "world", ""};
  std::size_t next = 0;
  bool ended = false;
  OutputRelay::Start(
      *reactor_, std::move(OpenStreams({.out = fifo_})->out),
      [&](std::uint32_t, auto done) { reactor_->Post([&, done] { done(chunks[next++]); }); },
      [&](const Error* error) { ended = error == nullptr; });
  RunFor(20);
  EXPECT_TRUE(ended);
  EXPECT_EQ(ReadAll(reader.get()), "hello world");
  char byte;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0);  // End of file: nothing keeps the FIFO open.
}

TEST_F(RelayTest, AFullFifoStopsTheReadsUntilItIsDrained) {
  const UniqueFd reader = OpenReader();
  std::size_t reads = 0;
  const std::string chunk(65536, 'x');
  auto relay = OutputRelay::Start(
      *reactor_, std::move(OpenStreams({.out = fifo_})->out),
      [&](std::uint32_t, auto done) {
        reactor_->Post([&, done] { done(++reads <= 4 ? chunk : std::string()); });
      },
      [](const Error*) {});
  RunFor(20);
  EXPECT_EQ(reads, 2U);  // One fills the FIFO, one waits.
  std::string all;
  for (int i = 0; i < 10; ++i) {
    all += ReadAll(reader.get());
    RunFor(5);
  }
  EXPECT_EQ(all.size(), 4 * chunk.size());
  EXPECT_TRUE(relay->ended());
}

TEST_F(RelayTest, AFifoWithoutAReaderKeepsItsContents) {
  std::size_t next = 0;
  const auto relay = OutputRelay::Start(
      *reactor_, std::move(OpenStreams({.out = fifo_})->out),
      [&](std::uint32_t, auto done) {
        if (next++ == 0) reactor_->Post([done] { done(std::string("kept")); });
      },
      [](const Error*) {});
  RunFor(10);
  const UniqueFd reader = OpenReader();
  EXPECT_EQ(ReadAll(reader.get()), "kept");
}

TEST_F(RelayTest, AReadErrorEndsTheStreamAndIsReported) {
  Code code = Code::kUnknown;
  OutputRelay::Start(
      *reactor_, std::move(OpenStreams({.out = fifo_})->out),
      [&](std::uint32_t, auto done) {
        reactor_->Post([done] { done(Error(Code::kPermissionDenied, "blocked by policy")); });
      },
      [&](const Error* error) { code = error != nullptr ? error->code() : Code::kInternal; });
  RunFor(10);
  EXPECT_EQ(code, Code::kPermissionDenied);
}

TEST_F(RelayTest, CancelEndsARelayThatIsStuck) {
  int ended = 0;
  auto relay = OutputRelay::Start(
      *reactor_, std::move(OpenStreams({.out = fifo_})->out),
      [&](std::uint32_t, auto done) { reactor_->Post([done] { done(std::string(65536, 'x')); }); },
      [&](const Error*) { ++ended; });
  RunFor(10);
  EXPECT_EQ(ended, 0);
  relay->Cancel();
  relay->Cancel();
  EXPECT_EQ(ended, 1);
}

TEST_F(RelayTest, InputGoesToTheGuestWholeAndEndsAtCloseIo) {
  auto streams = OpenStreams({.in = fifo_});
  ASSERT_TRUE(streams) << streams.error().message();
  UniqueFd writer = *OpenFile(fifo_, O_WRONLY | O_NONBLOCK);
  std::string taken;
  bool closed = false;
  auto relay = InputRelay::Start(
      *reactor_, std::move(streams->in), std::move(streams->in_keeper),
      [&](const std::string& data, auto done) {
        taken += data.substr(0, 3);  // The guest takes a part at a time.
        const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(3, data.size()));
        reactor_->Post([done, count] { done(count); });
      },
      [&] { closed = true; });
  ASSERT_EQ(::write(writer.get(), "0123456789", 10), 10);
  RunFor(10);
  writer.Reset();
  RunFor(10);
  EXPECT_EQ(taken, "0123456789");
  EXPECT_FALSE(closed);  // The client went away, but did not say CloseIO.
  relay->DropKeeper();
  RunFor(10);
  EXPECT_TRUE(closed);
}

TEST_F(RelayTest, InputStopsWhenTheGuestRefusesIt) {
  auto streams = OpenStreams({.in = fifo_});
  const UniqueFd writer = *OpenFile(fifo_, O_WRONLY | O_NONBLOCK);
  int writes = 0;
  InputRelay::Start(
      *reactor_, std::move(streams->in), std::move(streams->in_keeper),
      [&](const std::string&, auto done) {
        ++writes;
        reactor_->Post([done] { done(Error(Code::kPermissionDenied, "no stdin")); });
      },
      [] {});
  ASSERT_EQ(::write(writer.get(), "x", 1), 1);
  RunFor(10);
  EXPECT_EQ(writes, 1);
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(::write(writer.get(), "x", 1), -1);  // The client learns it: EPIPE.
}

TEST_F(RelayTest, StreamsRefuseWhatTheyCannotOpen) {
  EXPECT_EQ(OpenStreams({.out = dir_ + "/missing"}).error().code(), Code::kNotFound);
  EXPECT_EQ(OpenStreams({.out = "binary:///bin/logger"}).error().code(), Code::kUnimplemented);
  EXPECT_TRUE(OpenStreams({.out = "file://" + dir_ + "/log"}));
  EXPECT_TRUE(OpenStreams({.out = fifo_, .err = dir_ + "/missing", .terminal = true}));
  EXPECT_TRUE(OpenStreams({}));
}

}  // namespace
}  // namespace kata_cc::shim
