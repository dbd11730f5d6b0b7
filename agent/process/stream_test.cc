// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/process/input_stream.h"
#include "agent/process/output_stream.h"

namespace kata_cc::agent {
namespace {

using namespace std::chrono_literals;

// The streams are the reactor thread's, and so is the test: it runs the reactor for a while.
class StreamTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    read_end_.Reset(ends[0]);
    write_end_.Reset(ends[1]);
  }

  void RunFor(std::chrono::milliseconds time) {
    reactor_->After(time, [this] { reactor_->Stop(); });
    ASSERT_TRUE(reactor_->Run());
  }

  void Put(const std::string& text) {
    ASSERT_EQ(::write(write_end_.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }

  // The answers in the order they came; an error is its message.
  Reply<grpc::ReadStreamResponse> ReadReply() {
    Reply<grpc::ReadStreamResponse> reply;
    reply.done = [this](const Result<grpc::ReadStreamResponse>& r) {
      answers_.push_back(r ? r->data() : "error: " + r.error().message());
    };
    reply.wanted = [this] { return wanted_; };
    return reply;
  }
  Reply<grpc::WriteStreamResponse> WriteReply() {
    Reply<grpc::WriteStreamResponse> reply;
    reply.done = [this](const Result<grpc::WriteStreamResponse>& r) {
      answers_.push_back(r ? std::to_string(r->len()) : "error: " + r.error().message());
    };
    return reply;
  }

  std::unique_ptr<Reactor> reactor_{*Reactor::Create()};
  UniqueFd read_end_;
  UniqueFd write_end_;
  std::vector<std::string> answers_;
  bool wanted_ = true;
};

using Answers = std::vector<std::string>;

TEST_F(StreamTest, AReadWaitsForDataAndTakesAtMostItsLength) {
  OutputStream stream(*reactor_, std::move(read_end_), nullptr);
  stream.Read(3, ReadReply());
  stream.Read(100, ReadReply());
  RunFor(10ms);
  EXPECT_TRUE(answers_.empty());
  Put("abcdef");
  RunFor(10ms);
  EXPECT_EQ(answers_, (Answers{"abc", "def"}));
}

TEST_F(StreamTest, TheEndIsAnEmptyAnswerForEachReader) {
  bool ended = false;
  OutputStream stream(*reactor_, std::move(read_end_), [&] { ended = true; });
  Put("last");
  write_end_.Reset();
  for (int i = 0; i < 3; ++i)
    stream.Read(100, ReadReply());
  EXPECT_EQ(answers_, (Answers{"last", "", ""}));
  EXPECT_TRUE(ended);
  stream.Read(100, ReadReply());
  EXPECT_EQ(answers_.size(), 4U);
}

TEST_F(StreamTest, NothingIsReadForOneWhoHasGone) {
  OutputStream stream(*reactor_, std::move(read_end_), nullptr);
  stream.Read(100, ReadReply());
  wanted_ = false;
  Put("kept");
  RunFor(10ms);
  EXPECT_TRUE(answers_.empty());
  wanted_ = true;
  stream.Read(100, ReadReply());
  EXPECT_EQ(answers_, Answers{"kept"});
}

TEST_F(StreamTest, ReadersAreBoundedAndZeroIsNoLength) {
  OutputStream stream(*reactor_, std::move(read_end_), nullptr);
  stream.Read(0, ReadReply());
  ASSERT_EQ(answers_.size(), 1U);
  answers_.clear();
  for (std::size_t i = 0; i <= OutputStream::kMaxParkedReads; ++i)
    stream.Read(1, ReadReply());
  EXPECT_EQ(answers_, Answers{"error: read: too many readers"});
}

TEST_F(StreamTest, AfterTheProcessOnlyWhatIsInThePipeComes) {
  OutputStream stream(*reactor_, std::move(read_end_), nullptr);
  Put("before");
  stream.ProcessEnded();  // But the write end stays open, as a daemon would keep it.
  RunFor(600ms);
  Put("after");
  stream.Read(100, ReadReply());
  stream.Read(100, ReadReply());
  EXPECT_EQ(answers_, (Answers{"before", ""}));
}

TEST_F(StreamTest, DiscardEmptiesThePipeUntilSomebodyReads) {
  OutputStream stream(*reactor_, std::move(read_end_), nullptr);
  stream.Discard();
  for (int i = 0; i < 50; ++i) {
    Put(std::string(8192, 'x'));  // In all more than a pipe holds.
    RunFor(1ms);
  }
  stream.Read(100, ReadReply());
  Put("for you");
  RunFor(10ms);
  EXPECT_EQ(answers_, Answers{"for you"});
}

TEST_F(StreamTest, AReaderOfADroppedStreamIsAnswered) {
  {
    OutputStream stream(*reactor_, std::move(read_end_), nullptr);
    stream.Read(100, ReadReply());
  }
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_TRUE(answers_[0].starts_with("error: "));
}

TEST_F(StreamTest, AWriteIsAnsweredWhenThePipeHasTakenAllOfIt) {
  InputStream stream(*reactor_, std::move(write_end_));
  stream.Write("abc", WriteReply());
  EXPECT_EQ(answers_, Answers{"3"});
  stream.Write(std::string(200'000, 'x'), WriteReply());
  stream.Write("y", WriteReply());
  stream.Close();
  RunFor(10ms);
  EXPECT_EQ(answers_.size(), 1U);
  std::string all;
  char buffer[65536];
  for (int i = 0; i < 100 && answers_.size() < 3; ++i) {
    const ssize_t n = ::read(read_end_.get(), buffer, sizeof(buffer));
    if (n > 0) all.append(buffer, static_cast<std::size_t>(n));
    RunFor(2ms);
  }
  EXPECT_EQ(answers_, (Answers{"3", "200000", "1"}));
  for (ssize_t n = 1; n > 0;) {
    n = ::read(read_end_.get(), buffer, sizeof(buffer));
    if (n > 0) all.append(buffer, static_cast<std::size_t>(n));
    EXPECT_GE(n, 0) << "the end of the input comes after all of it";
  }
  EXPECT_EQ(all, "abc" + std::string(200'000, 'x') + "y");
}

TEST_F(StreamTest, WritesThatNobodyReadsAreBounded) {
  InputStream stream(*reactor_, std::move(write_end_));
  stream.Write(std::string(InputStream::kMaxPendingBytes - 1000, 'x'), WriteReply());
  stream.Write(std::string(2000, 'x'), WriteReply());
  EXPECT_EQ(answers_, Answers{"error: write: the process does not read"});
}

TEST_F(StreamTest, TheReadersEndFailsWhatIsPending) {
  InputStream stream(*reactor_, std::move(write_end_));
  stream.Write(std::string(200'000, 'x'), WriteReply());
  read_end_.Reset();
  RunFor(10ms);
  EXPECT_EQ(answers_, Answers{"error: write: stdin is closed"});
  stream.Write("x", WriteReply());
  EXPECT_EQ(answers_.size(), 2U);
}

}  // namespace
}  // namespace kata_cc::agent
