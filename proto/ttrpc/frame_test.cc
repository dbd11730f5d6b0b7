// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/frame.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kata_cc::ttrpc {
namespace {

std::string Bytes(const FrameHeader& header, const std::string& data) {
  std::string bytes(kHeaderBytes, '\0');
  EncodeHeader(header, bytes.data());
  return bytes + data;
}

std::string Bytes(std::uint32_t stream_id, std::uint8_t type, const std::string& data) {
  return Bytes({static_cast<std::uint32_t>(data.size()), stream_id, type, 0}, data);
}

// All frames of bytes, fed in pieces of the given size.
std::vector<std::string> Frames(const std::string& bytes, std::size_t piece) {
  FrameParser parser;
  std::vector<std::string> frames;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view input = std::string_view(bytes).substr(at, piece);
    while (true) {
      auto frame = parser.Next(&input);
      EXPECT_TRUE(frame.has_value());
      if (!frame || !*frame) break;
      frames.push_back(std::to_string((*frame)->header.stream_id) + "/" +
                       std::to_string((*frame)->header.type) + ":" + std::string((*frame)->data));
    }
    EXPECT_TRUE(input.empty());
  }
  EXPECT_TRUE(parser.between_frames());
  return frames;
}

TEST(FrameTest, HeaderIsBigEndianAsInTheProtocol) {
  const std::string expected("\x00\x01\x02\x03\x00\x00\x00\x05\x01\x04", 10);
  EXPECT_EQ(Bytes({0x00010203, 5, 1, 4}, ""), expected);
}

TEST(FrameTest, AnyCutOfTheBytesGivesTheSameFrames) {
  const std::string bytes = Bytes(1, 1, "hello") + Bytes(3, 2, "") + Bytes(5, 9, "ignored") +
                            Bytes(0xffffffff, 3, std::string(300, 'x'));
  const std::vector<std::string> expected = {"1/1:hello", "3/2:", "5/9:ignored",
                                             "4294967295/3:" + std::string(300, 'x')};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(Frames(bytes, piece), expected) << piece;
}

TEST(FrameTest, TheLimitIsExactAndWhatIsBeyondIsDropped) {
  const std::string bytes = Bytes(1, 1, std::string(kMaxDataBytes, 'a')) +
                            Bytes(3, 1, std::string(kMaxDataBytes + 1, 'b')) + Bytes(5, 1, "c");
  FrameParser parser;
  std::string_view input = bytes;
  auto frame = parser.Next(&input);
  ASSERT_TRUE(frame && *frame);
  EXPECT_FALSE((*frame)->oversized);
  EXPECT_EQ((*frame)->data.size(), kMaxDataBytes);
  frame = parser.Next(&input);
  ASSERT_TRUE(frame && *frame);
  EXPECT_TRUE((*frame)->oversized);
  EXPECT_EQ((*frame)->header.length, kMaxDataBytes + 1);
  EXPECT_TRUE((*frame)->data.empty());
  frame = parser.Next(&input);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->data, "c");
}

TEST(FrameTest, AFrameOfTypeZeroIsGarbage) {
  FrameParser parser;
  std::string bytes = Bytes(1, 0, "x");
  std::string_view input = bytes;
  const auto frame = parser.Next(&input);
  ASSERT_FALSE(frame.has_value());
  EXPECT_EQ(frame.error().code(), Code::kInvalidArgument);
}

TEST(FrameTest, TextIsGarbage) {
  FrameParser parser;
  std::string_view input = "GET / HTTP/1.1\r\nHost: guest\r\n\r\n";
  ASSERT_FALSE(parser.Next(&input).has_value());
  parser.Reset();
  const std::string bytes = Bytes(7, 1, "after");
  input = bytes;
  const auto frame = parser.Next(&input);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->data, "after");
}

TEST(FrameTest, AnEndInsideAFrameIsSeen) {
  const std::string bytes = Bytes(1, 1, "hello");
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    FrameParser parser;
    std::string_view input = std::string_view(bytes).substr(0, cut);
    const auto frame = parser.Next(&input);
    ASSERT_TRUE(frame.has_value());
    EXPECT_FALSE(frame->has_value());
    EXPECT_FALSE(parser.between_frames()) << cut;
  }
}

}  // namespace
}  // namespace kata_cc::ttrpc
