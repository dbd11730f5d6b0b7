// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/jwe.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "agent/attest/sha2.h"
#include "agent/kbs/jcs.h"
#include "agent/kbs/kbs_messages.h"
#include "agent/kbs/resource_uri.h"
#include "base/encoding.h"
#include "base/testing/vectors.h"

namespace kata_cc::agent {
namespace {

using nlohmann::json;

class KbsVectors : public kata_cc::testing::VectorsTest {
 protected:
  static json Vectors() { return json::parse(AsString(Read("kbs.json"))); }
};

TEST_F(KbsVectors, CanonicalJson) {
  const json vectors = Vectors();
  int seen = 0;
  for (const json& c : vectors.at("jcs")) {
    const auto text = CanonicalJson(c.at("input"));
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, c.at("jcs"));
    EXPECT_EQ(HexEncode(AsBytes(Sha256(*text))), c.at("sha256"));
    EXPECT_EQ(HexEncode(AsBytes(Sha384(*text))), c.at("sha384"));
    EXPECT_EQ(HexEncode(AsBytes(Sha512(*text))), c.at("sha512"));
    ++seen;
  }
  EXPECT_EQ(seen, 5);
}

TEST_F(KbsVectors, Jwe) {
  const json vectors = Vectors();
  std::map<std::string, TeeKey> keys;
  for (const auto& [name, key] : vectors.at("tee_keys").items()) {
    auto loaded = TeeKey::Load(*Base64Decode(key.at("pkcs8_der_b64").get<std::string>()));
    ASSERT_TRUE(loaded) << name;
    EXPECT_EQ(*loaded->PublicJwk(), key.at("jwk")) << name;
    keys.emplace(name, *std::move(loaded));
  }
  int seen = 0;
  for (const json& c : vectors.at("jwe")) {
    const std::string id = c.at("id");
    const auto jwe = ParseJwe(c.at("jwe").dump());
    ASSERT_TRUE(jwe) << id << jwe.error().message();
    const auto secret = DecryptJwe(*jwe, keys.at(c.at("key")));
    EXPECT_EQ(secret.has_value(), c.at("ok").get<bool>()) << id;
    if (secret) {
      EXPECT_EQ(Base64Encode(secret->view()), c.at("plaintext_b64")) << id;
    }
    ++seen;
  }
  EXPECT_EQ(seen, 25);
}

TEST_F(KbsVectors, MessageSamples) {
  const json vectors = Vectors();
  std::map<std::string, json> samples;
  for (const json& c : vectors.at("message_samples"))
    samples[c.at("id")] = c.at("message");
  ASSERT_EQ(samples.size(), 5U);
  const auto plain = ParseJwe(samples.at("parse_response").dump());
  ASSERT_TRUE(plain) << plain.error().message();
  EXPECT_EQ(plain->protected_header, "eyJhbGciOiJmYWtlYWxnIiwiZW5jIjoiZmFrZWVuYyJ9");
  EXPECT_EQ(AsString(plain->ciphertext), "fakeencoutput");
  const auto with_aad = ParseJwe(samples.at("parse_response_with_aad").dump());
  ASSERT_TRUE(with_aad) << with_aad.error().message();
  EXPECT_EQ(with_aad->aad, "fakeaad");
  EXPECT_EQ(DescribeRefusal(401, samples.at("parse_error_information").dump()),
            "the broker answers 401: problemtype: problemdetail");
  // What this side sends has the members of the samples.
  const json request = json::parse(AuthRequest());
  for (const auto& [name, value] : samples.at("parse_request").items())
    EXPECT_TRUE(request.contains(name)) << name;
  const json sample = samples.at("parse_attestation_ec");
  Attestation attestation;
  attestation.runtime_data = sample.at("runtime-data");
  attestation.runtime_data["additional-evidence"] = "test_additional_evidence";
  attestation.evidence = "test_primary_evidence";
  json made = json::parse(AttestRequest(attestation));
  made.erase("init-data");
  EXPECT_EQ(made, sample);
}

TEST_F(KbsVectors, ResourceUris) {
  const json vectors = Vectors();
  int seen = 0;
  for (const json& c : vectors.at("resource_uris")) {
    const std::string text = c.at("uri");
    const auto uri = ParseResourceUri(text);
    ASSERT_EQ(uri.has_value(), c.at("ok").get<bool>()) << text;
    ++seen;
    if (!uri) continue;
    EXPECT_EQ(uri->plugin, c.at("plugin"));
    EXPECT_EQ(uri->path, c.at("path").get<std::vector<std::string>>());
    EXPECT_EQ(uri->host, c.at("host"));
    EXPECT_EQ(uri->HttpPath(), c.at("http_path"));
  }
  EXPECT_EQ(seen, 7);
}

TEST(ResourceUri, NoPathOutOfTheBrokersFolder) {
  for (const char* text :
       {"kbs:///../etc/passwd", "kbs:///a/./b", "kbs:///a//b", "kbs:///a/b/", "kbs:///a b/c",
        "kbs:///a%2fb", "kbs:///a/b?x y", "kbs://user@h/a", "kbs:a/b", "kbs:///a\r\nX: y/b"}) {
    EXPECT_FALSE(ParseResourceUri(text)) << text;
  }
  EXPECT_FALSE(ParseResourceUri("kbs:///" + std::string(2000, 'a')));
  EXPECT_EQ(ParseResourceUri("kbs:///a/b?version=2")->HttpPath(), "/kbs/v0/resource/a/b?version=2");
}

TEST(Jcs, SortsByUtf16AndRefusesFractions) {
  const json object = {{"\xef\xbf\xbd", 1}, {"\xf0\x9f\x98\x80", 2}};  // U+FFFD, U+1F600
  EXPECT_EQ(*CanonicalJson(object), "{\"\xf0\x9f\x98\x80\":2,\"\xef\xbf\xbd\":1}");
  EXPECT_EQ(*CanonicalJson(json::array()), "[]");
  EXPECT_EQ(*CanonicalJson({{"a", json::array({json::array(), -1})}}), "{\"a\":[[],-1]}");
  EXPECT_FALSE(CanonicalJson(1.5));
  EXPECT_FALSE(CanonicalJson(std::uint64_t{1} << 53));
}

TEST(Jwe, RefusesWhatIsNoJwe) {
  const std::string good = R"({"protected":"e30","encrypted_key":"AA","iv":"AA",)"
                           R"("ciphertext":"","tag":"AA"})";
  EXPECT_TRUE(ParseJwe(good));
  EXPECT_FALSE(ParseJwe(""));
  EXPECT_FALSE(ParseJwe("[]"));
  EXPECT_FALSE(ParseJwe("{}"));
  EXPECT_FALSE(ParseJwe(std::string(kMaxJweBytes + 1, ' ')));
  std::string twice = good;
  twice.insert(1, R"("tag":"AA",)");
  EXPECT_FALSE(ParseJwe(twice));
  const TeeKey key = *TeeKey::Generate();
  for (
      const char* header :
      {"[]", "{}", R"({"alg":"dir","enc":"A256GCM"})",
       R"({"alg":"ECDH-ES+A256KW","enc":"A128GCM"})", R"({"alg":"ECDH-ES+A256KW","enc":"A256GCM"})",
       R"({"alg":"ECDH-ES+A256KW","enc":"A256GCM","crit":["x"]})",
       R"({"alg":"ECDH-ES+A256KW","enc":"A256GCM","apu":"AA"})",
       R"({"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{"kty":"EC","crv":"P-384","x":"A","y":"A"}})",
       R"({"alg":"RSA-OAEP-256","enc":"A256GCM"})"}) {
    Jwe jwe = *ParseJwe(good);
    jwe.protected_header = Base64UrlEncode(AsBytes(header));
    const auto secret = DecryptJwe(jwe, key);
    ASSERT_FALSE(secret) << header;
    EXPECT_EQ(secret.error().code(), Code::kInvalidArgument) << secret.error().message();
  }
}

TEST(TeeKey, MakesAnotherKeyEachTimeAndWritesPem) {
  const TeeKey a = *TeeKey::Generate();
  const TeeKey b = *TeeKey::Generate();
  EXPECT_NE(*a.PublicJwk(), *b.PublicJwk());
  const auto pem = a.Pem();
  ASSERT_TRUE(pem);
  EXPECT_TRUE(pem->text().starts_with("-----BEGIN PRIVATE KEY-----\n"));
  EXPECT_FALSE(TeeKey::Load({}));
  EXPECT_FALSE(EcPublicKey("P-256", "AA", "AA"));
}

}  // namespace
}  // namespace kata_cc::agent
