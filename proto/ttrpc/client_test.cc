// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "proto/ttrpc/test_peer.h"

namespace kata_cc::ttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    auto [ours, theirs] = SocketPair();
    client_ = *Client::Create(thread_.reactor(), std::move(ours));
    peer_ = RawPeer(std::move(theirs));
  }

  // The answer to come of an asynchronous call.
  std::future<Result<std::string>> Call(const std::string& payload, CallOptions options = {}) {
    auto promise = std::make_shared<std::promise<Result<std::string>>>();
    client_->CallAsync(
        "test", "method", payload, std::move(options),
        [promise](Result<std::string> result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }

  ::ttrpc::Request ReadRequest(std::uint32_t* stream_id) {
    const auto received = ReadRaw();
    ::ttrpc::Request request;
    EXPECT_TRUE(request.ParseFromString(received.second));
    *stream_id = received.first.stream_id;
    EXPECT_EQ(received.first.type, kRequestFrame);
    return request;
  }

  std::pair<FrameHeader, std::string> ReadRaw() {
    while (true) {
      std::string_view input = input_;
      auto frame = parser_.Next(&input);
      std::optional<std::pair<FrameHeader, std::string>> received;
      if (frame && *frame) received.emplace((*frame)->header, std::string((*frame)->data));
      input_.erase(0, input_.size() - input.size());
      if (received) return *received;
      char buffer[65536];
      const ssize_t n = ::read(peer_.fd(), buffer, sizeof(buffer));
      if (n <= 0) return {};
      input_.append(buffer, static_cast<std::size_t>(n));
    }
  }

  void Answer(std::uint32_t stream_id, const ::ttrpc::Response& response) {
    peer_.Write(RawPeer::Frame(stream_id, kResponseFrame, response.SerializeAsString()));
  }

  void AnswerPayload(std::uint32_t stream_id, const std::string& payload) {
    ::ttrpc::Response response;
    response.set_payload(payload);
    Answer(stream_id, response);
  }

  ReactorThread thread_;
  std::shared_ptr<Client> client_;
  RawPeer peer_;
  std::string input_;
  FrameParser parser_;
};

TEST_F(ClientTest, IdsAreOddAndRiseAndAnswersMayComeInAnyOrder) {
  auto first = Call("a");
  auto second = Call("b");
  std::uint32_t id = 0;
  EXPECT_EQ(ReadRequest(&id).payload(), "a");
  EXPECT_EQ(id, 1U);
  EXPECT_EQ(ReadRequest(&id).payload(), "b");
  EXPECT_EQ(id, 3U);
  AnswerPayload(3, "B");
  EXPECT_EQ(*second.get(), "B");
  AnswerPayload(1, "A");
  EXPECT_EQ(*first.get(), "A");
}

TEST_F(ClientTest, TheRequestCarriesNamesTimeoutAndMetadata) {
  auto call = Call("p", {.timeout = seconds(3600), .metadata = {{"key", "v1"}, {"key", "v2"}}});
  std::uint32_t id = 0;
  const auto request = ReadRequest(&id);
  EXPECT_EQ(request.service(), "test");
  EXPECT_EQ(request.method(), "method");
  EXPECT_EQ(request.timeout_nano(), 3'600'000'000'000);
  ASSERT_EQ(request.metadata_size(), 2);
  EXPECT_EQ(request.metadata(1).value(), "v2");
  AnswerPayload(id, "");
  EXPECT_TRUE(call.get().has_value());
}

TEST_F(ClientTest, AStatusIsAnErrorWithItsCodeAndText) {
  for (const int code : {5, 12, 999, -3}) {
    auto call = Call("");
    std::uint32_t id = 0;
    ReadRequest(&id);
    ::ttrpc::Response response;
    response.mutable_status()->set_code(code);
    response.mutable_status()->set_message("text");
    Answer(id, response);
    const auto result = call.get();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(),
              code == 5 || code == 12 ? static_cast<Code>(code) : Code::kUnknown);
    EXPECT_EQ(result.error().message(), "text");
  }
}

TEST_F(ClientTest, AStatusOfCodeZeroIsSuccess) {
  auto call = Call("");
  std::uint32_t id = 0;
  ReadRequest(&id);
  ::ttrpc::Response response;
  response.mutable_status()->set_code(0);
  response.set_payload("fine");
  Answer(id, response);
  EXPECT_EQ(*call.get(), "fine");
}

TEST_F(ClientTest, TheDeadlineEndsTheCallAndALateAnswerIsIgnored) {
  const auto begin = std::chrono::steady_clock::now();
  const auto result = Call("", {.timeout = milliseconds(50), .metadata = {}}).get();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(50));
  EXPECT_EQ(result.error().code(), Code::kDeadlineExceeded);
  AnswerPayload(1, "late");
  auto next = Call("");
  AnswerPayload(3, "next");
  EXPECT_EQ(*next.get(), "next");
}

TEST_F(ClientTest, AShorterDeadlineAfterALongerOneIsKept) {
  auto longer = Call("", {.timeout = seconds(3600), .metadata = {}});
  EXPECT_EQ(Call("", {.timeout = milliseconds(20), .metadata = {}}).get().error().code(),
            Code::kDeadlineExceeded);
  AnswerPayload(1, "x");
  EXPECT_TRUE(longer.get().has_value());
}

TEST_F(ClientTest, OddFramesFromThePeerAreIgnored) {
  auto call = Call("");
  std::uint32_t id = 0;
  ReadRequest(&id);
  AnswerPayload(77, "unknown stream");
  peer_.Write(RawPeer::Frame(id, kDataFrame, "data"));
  peer_.Write(RawPeer::Frame(id, kRequestFrame, "request"));
  peer_.Write(RawPeer::Frame(id, 99, "future"));
  AnswerPayload(id, "answer");
  EXPECT_EQ(*call.get(), "answer");
}

TEST_F(ClientTest, AMalformedAnswerFailsItsCallOnly) {
  auto call = Call("");
  auto other = Call("");
  peer_.Write(RawPeer::Frame(1, kResponseFrame, "\xff\xff"));
  EXPECT_EQ(call.get().error().code(), Code::kInternal);
  AnswerPayload(3, "y");
  EXPECT_EQ(*other.get(), "y");
}

TEST_F(ClientTest, AnOversizedAnswerFailsItsCallOnly) {
  auto call = Call("");
  auto other = Call("");
  peer_.Write(RawPeer::Frame(1, kResponseFrame, std::string(kMaxDataBytes + 1, 'x')));
  EXPECT_EQ(call.get().error().code(), Code::kResourceExhausted);
  AnswerPayload(3, "y");
  EXPECT_EQ(*other.get(), "y");
}

TEST_F(ClientTest, RequestsThatCannotBeSentFailAtOnce) {
  EXPECT_EQ(Call(std::string(kMaxDataBytes, 'x')).get().error().code(), Code::kResourceExhausted);
  EXPECT_EQ(Call("", {.timeout = {}, .metadata = {{"key", "\xff"}}}).get().error().code(),
            Code::kInvalidArgument);
  auto call = Call("");
  std::uint32_t id = 0;
  ReadRequest(&id);
  EXPECT_EQ(id, 1U);  // The ids of the others were not used up.
  AnswerPayload(id, "");
  EXPECT_TRUE(call.get().has_value());
}

TEST_F(ClientTest, TheEndOfTheStreamAnswersAllCalls) {
  std::promise<Error> closed;
  client_->OnClosed([&](Error error) { closed.set_value(std::move(error)); });
  auto first = Call("");
  auto second = Call("", {.timeout = seconds(3600), .metadata = {}});
  peer_.Close();
  EXPECT_EQ(first.get().error().code(), Code::kUnavailable);
  EXPECT_EQ(second.get().error().code(), Code::kUnavailable);
  EXPECT_EQ(closed.get_future().get().code(), Code::kUnavailable);
  EXPECT_EQ(Call("").get().error().code(), Code::kUnavailable);
  std::promise<Error> again;
  client_->OnClosed([&](Error error) { again.set_value(std::move(error)); });
  EXPECT_EQ(again.get_future().get().code(), Code::kUnavailable);
}

TEST_F(ClientTest, GarbageEndsTheConnection) {
  auto call = Call("");
  peer_.Write("SSH-2.0-OpenSSH_9.2\r\n");
  const auto result = call.get();
  EXPECT_EQ(result.error().code(), Code::kUnavailable);
  EXPECT_NE(result.error().message().find("no ttrpc stream"), std::string::npos);
}

TEST_F(ClientTest, CloseAndTheLastReferenceEndTheStream) {
  auto call = Call("");
  client_->Close();
  client_->Close();
  EXPECT_EQ(call.get().error().code(), Code::kUnavailable);
  auto [ours, theirs] = SocketPair();
  RawPeer other(std::move(theirs));
  { const auto dropped = *Client::Create(thread_.reactor(), std::move(ours)); }
  EXPECT_TRUE(other.AtEnd());
}

TEST_F(ClientTest, BlockingCallsFromManyThreads) {
  std::thread server([&] {
    for (int i = 0; i < 800; ++i) {
      std::uint32_t id = 0;
      const auto request = ReadRequest(&id);
      AnswerPayload(id, request.payload());
    }
  });
  std::vector<std::thread> callers;
  callers.reserve(8);
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        ::ttrpc::KeyValue sent;
        sent.set_key(std::to_string(t) + "/" + std::to_string(i));
        ::ttrpc::KeyValue got;
        EXPECT_TRUE(client_->Call("test", "echo", sent, &got).has_value());
        EXPECT_EQ(got.key(), sent.key());
      }
    });
  }
  for (std::thread& caller : callers)
    caller.join();
  server.join();
}

TEST_F(ClientTest, ABlockingCallOnTheReactorIsRefusedNotADeadlock) {
  thread_.Run([&] {
    const ::ttrpc::KeyValue request;
    EXPECT_EQ(client_->Call("test", "x", request, nullptr).error().code(), Code::kInternal);
  });
}

TEST_F(ClientTest, APeerThatDoesNotReadFailsCallsAtTheLimit) {
  std::vector<std::future<Result<std::string>>> calls;
  calls.reserve(20);
  for (int i = 0; i < 20; ++i)
    calls.push_back(Call(std::string(4'000'000, 'x')));
  EXPECT_EQ(calls.back().get().error().code(), Code::kResourceExhausted);
  peer_.Close();
  EXPECT_EQ(calls.front().get().error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace kata_cc::ttrpc
