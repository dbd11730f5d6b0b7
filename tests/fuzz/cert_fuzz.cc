// SPDX-License-Identifier: Apache-2.0
// Certificates and revocation lists, as a host passes them on.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "proto/snp/verify/amd_roots.h"
#include "proto/snp/verify/cert.h"
#include "proto/snp/verify/report_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kata_cc;
  static const std::vector<snp::Cert> roots = *snp::AmdRoots();
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    const auto cert = snp::Cert::Load(bytes);
    if (!cert) return 0;
    if (const auto extensions = cert->Extensions()) (void)snp::ExtensionsToJson(*extensions).dump();
    (void)cert->common_name();
    (void)cert->is_ca();
    (void)cert->ValidAt(0);
    (void)cert->SignedBy(*cert);
    (void)snp::IsP384(cert->public_key());
    return 0;
  }
  const auto crl = snp::Crl::Load(bytes);
  if (!crl) return 0;
  (void)crl->ValidAt(0);
  (void)crl->Revokes(roots[0]);
  (void)crl->SignedBy(roots[0]);
  return 0;
}
