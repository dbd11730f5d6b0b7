// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/image_signature.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <memory>

#include "base/file.h"
#include "proto/cose/did_x509.h"
#include "proto/cose/sign1.h"
#include "proto/snp/verify/id_auth.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSignature = std::size_t{16} << 20;
constexpr std::size_t kMaxKey = 64 << 10;
constexpr std::size_t kMaxChain = 1 << 20;

struct FreeOpenssl {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Bio = std::unique_ptr<BIO, FreeOpenssl>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeOpenssl>;

Bio Open(const Bytes& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

Result<std::vector<cose::X509Ptr>> ReadChain(const std::string& path) {
  const Bytes bytes = TRY(ReadFile(path, kMaxChain));
  const Bio bio = Open(bytes);
  std::vector<cose::X509Ptr> chain;
  while (X509* x509 = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    chain.emplace_back(x509);
  ERR_clear_error();  // The end of the file is an error to it.
  if (chain.size() < 2) {
    return Error(Code::kInvalidArgument,
                 path + ": needs the signer's certificate and its issuers, in PEM");
  }
  return chain;
}

Result<cose::PKey> ReadPrivateKey(const std::string& path) {
  const Bytes bytes = TRY(ReadFile(path, kMaxKey));
  snp::PKey key = TRY_CONTEXT(snp::LoadPrivateKey(bytes), path);
  return cose::PKey(key.release());
}

Result<Bytes> SignDetached(EVP_PKEY* key, ByteView text) {
  const Context context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha384(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, text.data(), text.size()) != 1) {
    return Error(Code::kInternal, "signing failed");
  }
  Bytes signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, text.data(), text.size()) != 1) {
    return Error(Code::kInternal, "signing failed");
  }
  signature.resize(size);
  return signature;
}

std::string ReferenceInfoName(const std::string& vcpus) {
  return "reference-info-" + vcpus + ".cose";
}

json ReferenceInfo(const json& digest, std::int64_t svn) {
  return {{"x-ms-sevsnpvm-guestsvn", std::to_string(svn)},
          {"x-ms-sevsnpvm-launchmeasurement", digest}};
}

json Digests(const Manifest& manifest) {
  const auto it =
      manifest.launch.is_object() ? manifest.launch.find("digests") : manifest.launch.end();
  return manifest.launch.is_object() && it != manifest.launch.end() && it->is_object()
             ? *it
             : json::object();
}

}  // namespace

Result<std::string> SignImage(const std::string& dir, const Manifest& manifest,
                              const SignOptions& options) {
  const cose::PKey key = TRY(ReadPrivateKey(options.key));
  const std::vector<cose::X509Ptr> chain = TRY(ReadChain(options.chain));
  cose::SignInputs inputs;
  inputs.content_type = "application/json";
  inputs.issuer = TRY(cose::MakeDid(chain));
  inputs.feed = options.feed;
  inputs.svn = options.svn;
  for (const cose::X509Ptr& certificate : chain)
    inputs.chain.push_back(cose::ToDer(certificate.get()));
  const Bytes detached = TRY(SignDetached(key.get(), manifest.text));
  inputs.payload = manifest.text;
  const Bytes message = TRY(cose::MakeSign1(inputs, key.get()));
  // A chain that a verifier would refuse is the signer's mistake, said now.
  const cose::Verdict verdict = cose::Judge(message);
  if (!verdict.valid()) {
    return Error(Code::kInvalidArgument, options.chain + ": " + verdict.failed_checks[0] +
                                             ": the certificates do not form a chain");
  }
  TRY(WriteFile(dir + "/" + kDetachedSignature, detached));
  TRY(WriteFile(dir + "/" + kCoseSignature, message));
  const json digests = Digests(manifest);
  for (const auto& [vcpus, digest] : digests.items()) {
    const std::string text = ReferenceInfo(digest, options.svn).dump();
    inputs.payload = Bytes(text.begin(), text.end());
    const Bytes info = TRY(cose::MakeSign1(inputs, key.get()));
    TRY(WriteFile(dir + "/" + ReferenceInfoName(vcpus), info));
  }
  return inputs.issuer;
}

Result<bool> DetachedSignatureHolds(const std::string& dir, const Manifest& manifest,
                                    const std::string& public_key) {
  const Bytes signature = TRY(ReadFile(dir + "/" + kDetachedSignature, kMaxSignature));
  const Bytes pem = TRY(ReadFile(public_key, kMaxKey));
  const Bio bio = Open(pem);
  const cose::PKey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!key) return Error(Code::kInvalidArgument, public_key + ": not a public key in PEM");
  const Context context(EVP_MD_CTX_new());
  const bool holds =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha384(), nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), manifest.text.data(),
                       manifest.text.size()) == 1;
  ERR_clear_error();
  return holds;
}

Result<std::vector<std::string>> CheckCoseSignatures(const std::string& dir,
                                                     const Manifest& manifest,
                                                     const cose::Rules& rules) {
  std::vector<std::string> problems;
  const auto judge = [&](const std::string& name) -> Result<cose::Verdict> {
    const Bytes message = TRY(ReadFile(dir + "/" + name, kMaxSignature));
    cose::Verdict verdict = cose::Judge(message, rules);
    for (const std::string& check : verdict.failed_checks)
      problems.push_back(name + ": failed check: " + check);
    return verdict;
  };
  const cose::Verdict signed_manifest = TRY(judge(kCoseSignature));
  if (signed_manifest.payload != manifest.text) {
    problems.push_back(std::string(kCoseSignature) + ": signs another manifest");
  }
  const json digests = Digests(manifest);
  for (const auto& [vcpus, digest] : digests.items()) {
    const std::string name = ReferenceInfoName(vcpus);
    const cose::Verdict info = TRY(judge(name));
    const std::string want = ReferenceInfo(digest, info.svn.value_or(-1)).dump();
    if (!info.payload || AsString(*info.payload) != want) {
      problems.push_back(name + ": is for another launch digest or SVN");
    }
  }
  return problems;
}

}  // namespace kata_cc::ctl
