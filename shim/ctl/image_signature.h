// SPDX-License-Identifier: Apache-2.0
// Signatures of a guest image's manifest: a detached one that the openssl program checks, and
// COSE_Sign1 messages for verifiers that take signed reference values.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/cose/verify.h"
#include "shim/ctl/guest_image.h"

namespace kata_cc::ctl {

inline constexpr char kDetachedSignature[] = "manifest.json.sig";
inline constexpr char kCoseSignature[] = "manifest.json.cose";

struct SignOptions {
  std::string key;    // Private key, PEM or DER.
  std::string chain;  // PEM: the signer's certificate, then its issuers up to the root.
  std::string feed = "kata-cc-uvm";
  std::int64_t svn = 0;
};

// Writes manifest.json.sig, manifest.json.cose and, for each launch digest of the manifest,
// reference-info-N.cose (N vCPUs), whose payload is that of a UVM's signed reference measurement.
// Returns the issuer (did:x509) that verifiers must expect.
Result<std::string> SignImage(const std::string& dir, const Manifest& manifest,
                              const SignOptions& options);

// As `openssl dgst -sha384 -verify PUBLIC.pem -signature manifest.json.sig manifest.json`.
Result<bool> DetachedSignatureHolds(const std::string& dir, const Manifest& manifest,
                                    const std::string& public_key);

// The ways in which the COSE signatures do not hold for this manifest; empty: they hold.
Result<std::vector<std::string>> CheckCoseSignatures(const std::string& dir,
                                                     const Manifest& manifest,
                                                     const cose::Rules& rules);

}  // namespace kata_cc::ctl
