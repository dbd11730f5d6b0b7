// SPDX-License-Identifier: Apache-2.0
// SHA-2 digests of whole texts, as raw bytes.
#pragma once

#include <string>
#include <string_view>

namespace kata_cc::agent {

std::string Sha256(std::string_view text);
std::string Sha384(std::string_view text);
std::string Sha512(std::string_view text);

}  // namespace kata_cc::agent
