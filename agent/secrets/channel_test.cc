// SPDX-License-Identifier: Apache-2.0
#include "agent/secrets/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace kata_cc::agent {
namespace {

class Channel : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    calls_.emplace(UniqueFd(fds[0]));
    other_.Reset(fds[1]);
  }
  void TearDown() override {
    calls_->Close();
    if (thread_.joinable()) thread_.join();
  }
  void AnswerWith(Answer answer) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      AnswerCalls(other_.get(), answer);
      other_.Reset();
    });
  }
  // The other side says bytes to one call, whatever that is, and closes.
  void SayRaw(std::string bytes) {
    thread_ = std::thread([this, bytes = std::move(bytes)] {
      char request[5];
      EXPECT_EQ(::recv(other_.get(), request, sizeof(request), MSG_WAITALL), 5);
      EXPECT_EQ(::send(other_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(bytes.size()));
      other_.Reset();
    });
  }
  void ExpectGone(const Result<Secret>& answer) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), Code::kUnavailable);
  }

  std::optional<CallChannel> calls_;
  UniqueFd other_;
  std::thread thread_;
};

TEST_F(Channel, CarriesBytesAndErrors) {
  AnswerWith([](Ask what, const Secret& bytes) -> Result<Secret> {
    if (what == Ask::kReport) return Error(Code::kDataLoss, "because");
    EXPECT_EQ(what, Ask::kUnseal);
    return Secret::Copy(bytes.view());
  });
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20}) {
    const std::string text(size, 'x');
    const auto answer = calls_->Call(Ask::kUnseal, AsBytes(text));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->text(), text);
  }
  const auto refused = calls_->Call(Ask::kReport, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kDataLoss);
  EXPECT_EQ(refused.error().message(), "because");
  EXPECT_TRUE(calls_->Call(Ask::kUnseal, {}));  // An error is not the end.
}

TEST_F(Channel, ManyThreadsGetTheirOwnAnswers) {
  AnswerWith([](Ask, const Secret& bytes) { return Secret::Copy(bytes.view()); });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int j = 0; j < 100; ++j) {
        const std::string text = std::to_string(1000 * i + j);
        EXPECT_EQ(calls_->Call(Ask::kAllowed, AsBytes(text))->text(), text);
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
}

TEST_F(Channel, TheOtherSidesEndIsUnavailable) {
  other_.Reset();
  ExpectGone(calls_->Call(Ask::kUnseal, {}));
  ExpectGone(calls_->Call(Ask::kUnseal, {}));
}

TEST_F(Channel, AnswersCutShortTooLongOrOfNoCodeAreTheEnd) {
  for (const std::string& bytes :
       {std::string("\x05\0\0", 3), std::string("\x05\0\0\0\0abc", 8),
        std::string("\xff\xff\xff\xff\0", 5), std::string("\0\0\0\0\x7f", 5)}) {
    SetUp();
    SayRaw(bytes);
    ExpectGone(calls_->Call(Ask::kUnseal, {}));
    ExpectGone(calls_->Call(Ask::kUnseal, {}));
    thread_.join();
  }
}

TEST_F(Channel, ACallThatIsTooLargeIsRefusedAndNotSent) {
  AnswerWith([](Ask, const Secret& bytes) { return Secret::Copy(bytes.view()); });
  const auto refused = calls_->Call(Ask::kUnseal, Bytes(kMaxCallBytes + 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  EXPECT_TRUE(calls_->Call(Ask::kUnseal, {}));
}

TEST_F(Channel, AnsweringEndsAtARequestThatIsTooLong) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd ours(fds[0]);
  const UniqueFd theirs(fds[1]);
  ASSERT_EQ(::send(ours.get(), "\xff\xff\xff\x7f\x03", 5, 0), 5);
  AnswerCalls(theirs.get(), [](Ask, const Secret&) -> Result<Secret> {
    ADD_FAILURE();
    return Secret();
  });
}

}  // namespace
}  // namespace kata_cc::agent
