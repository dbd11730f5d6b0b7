// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/libvirt_wire.h"

#include <charconv>

namespace kata_cc::shim::libvirt_wire {

std::string Encode(const Request& request) {
  return request.verb + '\0' + request.uri + '\0' + request.name + '\0' + request.xml;
}

std::optional<Request> DecodeRequest(std::string_view bytes) {
  Request request;
  for (std::string* field : {&request.verb, &request.uri, &request.name}) {
    const std::size_t end = bytes.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    *field = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
  }
  request.xml = bytes;
  return request;
}

std::string Encode(const Result<std::string>& answer) {
  const int code = answer ? 0 : static_cast<int>(answer.error().code());
  const std::string text = answer ? *answer : answer.error().message();
  return std::to_string(code) + '\0' + text;
}

Result<std::string> DecodeAnswer(std::string_view bytes) {
  const std::size_t end = bytes.find('\0');
  int code = -1;
  if (end != std::string_view::npos) std::from_chars(bytes.data(), bytes.data() + end, code);
  if (code < 0 || code > static_cast<int>(Code::kDataLoss))
    return Error(Code::kInternal, "libvirt: an answer that is none");
  std::string text(bytes.substr(end + 1));
  if (code == 0) return text;
  return Error(static_cast<Code>(code), std::move(text));
}

}  // namespace kata_cc::shim::libvirt_wire
