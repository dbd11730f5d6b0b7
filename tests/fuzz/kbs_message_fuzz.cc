// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "agent/kbs/kbs_messages.h"
#include "agent/kbs/resource_uri.h"
#include "agent/kbs/sealed_secret.h"

// What a key broker answers, and what a host writes into a pod: the first byte chooses.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0: {
      const auto challenge = kata_cc::agent::ParseChallenge(text);
      if (!challenge) return 0;
      const auto runtime_data = kata_cc::agent::RuntimeData(*challenge, {{"kty", "EC"}});
      if (!kata_cc::agent::RuntimeDataDigest(runtime_data, challenge->hash)) __builtin_trap();
      return 0;
    }
    case 1:
      static_cast<void>(kata_cc::agent::ParseAttestResponse(text));
      return 0;
    case 2:
      for (const char c : kata_cc::agent::DescribeRefusal(401, text))
        if (c < ' ' || c > '~') __builtin_trap();
      return 0;
    case 3:
      static_cast<void>(kata_cc::agent::ParseSessionCookie(text));
      return 0;
    case 4: {
      const auto uri = kata_cc::agent::ParseResourceUri(text);
      if (uri && uri->HttpPath().find("/../") != std::string::npos) __builtin_trap();
      return 0;
    }
    default: {
      const auto secret = kata_cc::agent::ParseSealedSecret(text);
      if (secret) static_cast<void>(kata_cc::agent::VerifySealedSecret(*secret, text));
      return 0;
    }
  }
}
