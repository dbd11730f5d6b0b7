// SPDX-License-Identifier: Apache-2.0
// Builtins of OPA that this engine refuses on purpose: a policy that calls one does not load.
#include <array>

#include "policy/engine/builtins/families.h"

namespace kata_cc::policy {

std::span<const Builtin> RefusedBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"http.send", 1, nullptr, false, false,
              "http.send is not available: the engine opens no connections"},
      Builtin{"net.lookup_ip_addr", 1, nullptr, false, false,
              "net.lookup_ip_addr is not available: the engine asks no name servers"},
      Builtin{"opa.runtime", 0, nullptr, false, false,
              "opa.runtime is not available: policies see nothing of the engine's environment"},
      Builtin{"test.sleep", 1, nullptr, false, false,
              "test.sleep is not available: an evaluation does not wait"},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
