// SPDX-License-Identifier: Apache-2.0
// The builtins that need cryptography, on OpenSSL 3: a family of its own beside the engine's, which
// links none. An embedder passes Family() to the engine's options.
#pragma once

#include <span>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy_crypto {

// crypto.*, io.jwt.* and providers.aws.sign_req as one family named "crypto".
policy::BuiltinFamily Family();

std::span<const policy::Builtin> DigestBuiltins();
std::span<const policy::Builtin> X509Builtins();
std::span<const policy::Builtin> PrivateKeyBuiltins();
std::span<const policy::Builtin> JwtBuiltins();
std::span<const policy::Builtin> AwsBuiltins();

}  // namespace kata_cc::policy_crypto
