// SPDX-License-Identifier: Apache-2.0
// What the agent and its secrets process say to each other: calls over a stream socket, one at a
// time, with answers that are bytes or an error. The bytes are held as Secrets on both sides.
//
// A request is its length (32 bits, little-endian), an Ask and the bytes; an answer the same with a
// Code (0: none) in the place of the Ask. At most kMaxCallBytes of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>

#include "agent/secrets/secret.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

inline constexpr std::size_t kMaxCallBytes = std::size_t{8} << 20;

enum class Ask : std::uint8_t {
  // By the agent:
  kConfigure = 1,  // A SecretsConfig as JSON; once, and first.
  kListen = 2,     // "1" or "0": whether the local API listens.
  kUnseal = 3,     // A sealed secret's text; the answer is the secret.
  // By the secrets process:
  kAllowed = 4,  // The policy's input for a request to the local API, JSON; the answer "1" or "0".
  kReport = 5,   // 64 bytes of report data; the answer is the report, then its certificate table.
};

// The asking side. Any thread.
class CallChannel {
 public:
  // The stream socket becomes the channel's.
  explicit CallChannel(UniqueFd socket);

  // Blocks until the answer, two minutes at most. Unavailable: the other side is gone, for good.
  Result<Secret> Call(Ask what, ByteView bytes);

  void Close();  // Calls that wait, and all later ones, are Unavailable.

 private:
  Result<Secret> Exchange(Ask what, ByteView bytes);

  const UniqueFd socket_;
  std::mutex mutex_;
  bool broken_ = false;
};

// The answering side: returns when the other one closes the socket or does not keep to the form.
using Answer = std::function<Result<Secret>(Ask what, const Secret& bytes)>;
void AnswerCalls(int socket, const Answer& answer);

}  // namespace kata_cc::agent
