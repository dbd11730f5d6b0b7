// SPDX-License-Identifier: Apache-2.0
#include "proto/cose/verify.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "proto/cose/did_x509.h"
#include "proto/cose/receipt.h"

namespace kata_cc::cose {
namespace {

using cbor::Value;
using Kind = Value::Kind;
constexpr int kMinSignatureBits = 112;  // SHA-1 has less.

std::optional<std::string> Text(const Value* value) {
  if (value == nullptr || !value->Is(Kind::kText)) return std::nullopt;
  return value->string;
}

std::optional<std::int64_t> Integer(const Value* value) {
  return value == nullptr ? std::nullopt : value->Integer();
}

void ReadHeader(const Value& header, Verdict& verdict) {
  verdict.algorithm = Integer(header.Find(kAlg));
  verdict.content_type = Text(header.Find(kContentType));
  if (!verdict.content_type) verdict.content_type = Text(header.Find(kPreimageContentType));
  verdict.payload_hash_algorithm = Integer(header.Find(kPayloadHashAlg));
  const Value* claims = header.Find(kCwtClaims);
  if (claims != nullptr) {
    verdict.issuer = Text(claims->Find(1));
    verdict.feed = Text(claims->Find(2));
    verdict.svn = Integer(claims->Find("svn"));
  } else {  // Before CWT claims there were text headers.
    verdict.issuer = Text(header.Find("iss"));
    verdict.feed = Text(header.Find("feed"));
  }
}

// Extensions that the message calls critical must be among those that are looked at here.
bool CriticalKnown(const Value& header) {
  const Value* critical = header.Find(kCrit);
  if (critical == nullptr) return true;
  static constexpr std::int64_t kKnown[] = {
      kAlg, kContentType, kKid, kCwtClaims, kX5Chain, kX5T, kPayloadHashAlg, kPreimageContentType};
  return critical->Is(Kind::kArray) && !critical->items.empty() &&
         std::all_of(critical->items.begin(), critical->items.end(), [](const Value& label) {
           const std::optional<std::int64_t> number = label.Integer();
           return number &&
                  std::find(std::begin(kKnown), std::end(kKnown), *number) != std::end(kKnown);
         });
}

// The certificates of x5chain, one alone or an array of them; empty when they are none.
std::vector<X509Ptr> ReadChain(const Value& header) {
  const Value* value = header.Find(kX5Chain);
  if (value == nullptr) return {};
  std::vector<X509Ptr> chain;
  const auto add = [&](const Value& item) {
    Result<X509Ptr> certificate =
        item.Is(Kind::kBytes) ? LoadDer(item.bytes()) : Error(Code::kInvalidArgument, "no string");
    if (certificate) chain.push_back(*std::move(certificate));
    return certificate.has_value();
  };
  if (value->Is(Kind::kBytes)) {
    (void)add(*value);
    return chain;
  }
  if (!value->Is(Kind::kArray)) return {};
  for (const Value& item : value->items)
    if (!add(item)) return {};
  return chain;
}

bool IsCa(const X509* x509) {
  auto* constraints = static_cast<BASIC_CONSTRAINTS*>(
      X509_get_ext_d2i(x509, NID_basic_constraints, nullptr, nullptr));
  const bool ca = constraints != nullptr && constraints->ca != 0;
  BASIC_CONSTRAINTS_free(constraints);
  return ca;
}

bool IssuedBy(X509* certificate, X509* issuer) {
  int bits = 0;
  return X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0 &&
         X509_get_signature_info(certificate, nullptr, nullptr, &bits, nullptr) == 1 &&
         bits >= kMinSignatureBits && X509_verify(certificate, X509_get0_pubkey(issuer)) == 1 &&
         IsCa(issuer);
}

bool ChainHolds(const std::vector<X509Ptr>& chain) {
  bool holds = chain.size() > 1;
  for (std::size_t i = 0; i + 1 < chain.size(); ++i)
    holds = holds && IssuedBy(chain[i].get(), chain[i + 1].get());
  ERR_clear_error();
  return holds;
}

std::string SubjectOf(const X509* x509) {
  BIO* out = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(out, X509_get_subject_name(x509), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  std::string subject(text, static_cast<std::size_t>(std::max(size, 0L)));
  BIO_free(out);
  return subject;
}

}  // namespace

Verdict Judge(ByteView bytes, const Rules& rules) {
  Verdict verdict;
  const auto require = [&](bool holds, const char* name) {
    if (!holds) verdict.failed_checks.emplace_back(name);
  };
  const Result<Sign1> parsed = ParseSign1(bytes);
  require(parsed.has_value(), "malformed");
  if (!parsed) return verdict;
  const Sign1& message = *parsed;
  ReadHeader(message.protected_header, verdict);
  const std::vector<X509Ptr> chain = ReadChain(message.protected_header);
  if (!verdict.algorithm || !IsKnown(*verdict.algorithm) || chain.empty() || !message.payload ||
      !CriticalKnown(message.protected_header)) {
    require(false, "header");
    return verdict;
  }
  for (const X509Ptr& certificate : chain) {
    verdict.chain_subjects.push_back(SubjectOf(certificate.get()));
    verdict.chain.push_back(ToDer(certificate.get()));
  }
  verdict.payload = message.payload;
  require(ChainHolds(chain), "chain");
  require(Verify(*verdict.algorithm, X509_get0_pubkey(chain[0].get()), message.signature,
                 ToBeSigned(message.protected_bytes, *message.payload)),
          "signature");
  require(verdict.issuer && MatchesDid(*verdict.issuer, chain), "did");
  if (const Value* receipts = message.unprotected_header.Find(kReceipts); receipts != nullptr) {
    static const std::vector<LedgerKey> kNone;
    const auto& keys = rules.ledger_keys != nullptr ? *rules.ledger_keys : kNone;
    verdict.receipts = JudgeReceipts(*receipts, message, keys);
    const bool all = receipts->Is(Kind::kArray) &&
                     std::all_of(verdict.receipts->begin(), verdict.receipts->end(),
                                 [](const Receipt& receipt) { return receipt.valid; });
    require(rules.ledger_keys == nullptr || all, "receipt");
  }
  require(!rules.minimum_svn || (verdict.svn && *verdict.svn >= *rules.minimum_svn), "svn");
  require(!rules.issuer || rules.issuer == verdict.issuer, "issuer");
  require(!rules.feed || rules.feed == verdict.feed, "feed");
  return verdict;
}

bool MatchesPreimage(const Verdict& verdict, ByteView preimage) {
  if (!verdict.payload || !verdict.payload_hash_algorithm) return false;
  const EVP_MD* const digest = *verdict.payload_hash_algorithm == -16   ? EVP_sha256()
                               : *verdict.payload_hash_algorithm == -43 ? EVP_sha384()
                               : *verdict.payload_hash_algorithm == -44 ? EVP_sha512()
                                                                        : nullptr;
  if (digest == nullptr) return false;
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (EVP_Digest(preimage.data(), preimage.size(), out.data(), &size, digest, nullptr) != 1) {
    return false;
  }
  out.resize(size);
  return out == *verdict.payload;
}

}  // namespace kata_cc::cose
