// SPDX-License-Identifier: Apache-2.0
#include "proto/cose/sign1.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include "proto/cose/did_x509.h"
#include "proto/cose/verify.h"

namespace kata_cc::cose {
namespace {

using Names = std::vector<std::string>;

PKey NewKey(const char* curve) {
  return PKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
}

// A certificate for key, signed by issuer_key; a CA when ca is set.
Bytes Certificate(EVP_PKEY* key, const std::string& name, EVP_PKEY* issuer_key,
                  const std::string& issuer, bool ca, const EVP_MD* digest = EVP_sha384()) {
  const X509Ptr x509(X509_new());
  X509_set_version(x509.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
  X509_set_pubkey(x509.get(), key);
  const auto set = [](X509_NAME* subject, const std::string& text) {
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0);
  };
  set(X509_get_subject_name(x509.get()), name);
  set(X509_get_issuer_name(x509.get()), issuer);
  if (ca) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(x509.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  EXPECT_GT(X509_sign(x509.get(), issuer_key, digest), 0);
  return ToDer(x509.get());
}

struct Signer {
  explicit Signer(const char* curve = "P-384", bool ca = true, const EVP_MD* digest = EVP_sha384())
      : root_key(NewKey("P-384")), key(NewKey(curve)) {
    inputs.chain = {Certificate(key.get(), "a signer", root_key.get(), "root", false, digest),
                    Certificate(root_key.get(), "root", root_key.get(), "root", ca)};
    std::vector<X509Ptr> chain;
    for (const Bytes& der : inputs.chain)
      chain.push_back(*LoadDer(der));
    inputs.issuer = *MakeDid(chain);
    inputs.content_type = "application/json";
    inputs.feed = "kata-cc-uvm";
    inputs.svn = 7;
    inputs.payload = {'{', '}'};
  }
  Bytes Message() const { return *MakeSign1(inputs, key.get()); }

  PKey root_key, key;
  SignInputs inputs;
};

TEST(Sign1Test, WhatIsSignedIsJudgedValid) {
  for (const char* curve : {"P-256", "P-384", "P-521"}) {
    const Signer signer(curve);
    Rules rules;
    rules.issuer = signer.inputs.issuer;
    rules.feed = "kata-cc-uvm";
    rules.minimum_svn = 7;
    const Verdict verdict = Judge(signer.Message(), rules);
    EXPECT_EQ(verdict.failed_checks, Names{}) << curve;
    EXPECT_EQ(verdict.payload, signer.inputs.payload);
    EXPECT_EQ(verdict.svn, 7);
    EXPECT_EQ(verdict.chain, signer.inputs.chain);
    EXPECT_NE(signer.inputs.issuer.find("::subject:CN:a%20signer"), std::string::npos);
  }
}

TEST(Sign1Test, AnotherIssuerFeedOrOlderVersionIsRefused) {
  const Signer signer;
  Rules rules;
  rules.issuer = Signer().inputs.issuer;  // The same names, another root key.
  rules.feed = "something else";
  rules.minimum_svn = 8;
  EXPECT_EQ(Judge(signer.Message(), rules).failed_checks, (Names{"svn", "issuer", "feed"}));
}

TEST(Sign1Test, EveryByteOfAMessageCounts) {
  const Signer signer;
  Bytes message = signer.Message();
  for (std::size_t i = 0; i < message.size(); ++i) {
    const auto mask = static_cast<std::uint8_t>(1U << (i % 8));
    message[i] ^= mask;
    EXPECT_FALSE(Judge(message).valid()) << i;
    message[i] ^= mask;
  }
}

TEST(Sign1Test, EveryTruncationIsMalformed) {
  const Bytes message = Signer().Message();
  for (std::size_t size = 0; size < message.size(); ++size)
    EXPECT_EQ(Judge(ByteView(message).first(size)).failed_checks, Names{"malformed"}) << size;
}

TEST(Sign1Test, AWeakChainIsRefused) {
  EXPECT_EQ(Judge(Signer("P-384", false).Message()).failed_checks, Names{"chain"});
  EXPECT_EQ(Judge(Signer("P-384", true, EVP_sha1()).Message()).failed_checks, Names{"chain"});
}

TEST(Sign1Test, TheKeyMustBeTheFirstCertificates) {
  const Signer signer;
  EXPECT_FALSE(MakeSign1(signer.inputs, NewKey("P-384").get()));
  EXPECT_FALSE(MakeSign1({}, signer.key.get()));
}

TEST(DidX509Test, ALeafsOwnFingerprintNamesNobody) {
  const Signer signer;
  std::vector<X509Ptr> chain;
  for (const Bytes& der : signer.inputs.chain)
    chain.push_back(*LoadDer(der));
  const std::string did = signer.inputs.issuer;
  EXPECT_TRUE(MatchesDid(did, chain));
  EXPECT_FALSE(MatchesDid(did + "::", chain));
  EXPECT_FALSE(MatchesDid(did + "::subject:CN:other", chain));
  EXPECT_FALSE(MatchesDid(did + "::subject:CN", chain));
  EXPECT_FALSE(MatchesDid(did + "::subject:CN:%2", chain));
  EXPECT_FALSE(MatchesDid(did + "::san:dns:host", chain));
  EXPECT_FALSE(MatchesDid(did.substr(0, did.find("::")), chain));
  EXPECT_FALSE(MatchesDid(did, std::span(chain).first(1)));
  std::swap(chain[0], chain[1]);
  EXPECT_FALSE(MatchesDid(did, chain));
}

}  // namespace
}  // namespace kata_cc::cose
