// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "policy/crypto/families.h"
#include "policy/crypto/keys.h"
#include "policy/crypto/x509_values.h"
#include "policy/engine/builtins/testing.h"

namespace kata_cc::policy_crypto {
namespace {

using policy::testing::Row;

void Expect(const std::vector<Row>& rows) {
  const policy::BuiltinFamily family = Family();
  policy::testing::ExpectRows(std::span(&family, 1), rows);
}

// RFC 7515, appendix A.1.
constexpr std::string_view kHs256 =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    "."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr std::string_view kOctJwk =
    R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
// RFC 8037, appendix A.
constexpr std::string_view kEd25519 =
    R"({"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";

std::string Quoted(std::string_view text) {
  std::string out;
  policy::AppendQuoted(text, out);
  return out;
}

TEST(DigestBuiltinsTest, KnownAnswers) {
  Expect({{"crypto.md5", R"(["abc"])", R"("900150983cd24fb0d6963f7d28e17f72")"},
          {"crypto.sha1", R"(["abc"])", R"("a9993e364706816aba3e25717850c26c9cd0d89d")"},
          {"crypto.sha256", R"(["abc"])",
           R"("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")"},
          {"crypto.hmac.sha256", R"(["what do ya want for nothing?", "Jefe"])",
           R"("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")"},
          {"crypto.hmac.equal", R"(["ab", "abc"])", "false"},
          {"crypto.md5", "[1]", "type error: operand 1 must be string but got number"}});
}

TEST(JwtBuiltinsTest, SignsAsTheSpecificationsDo) {
  const policy::BuiltinFamily family = Family();
  const std::span families(&family, 1);
  const std::string operands = "[" + Quoted("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}") + "," +
                               Quoted(
                                   "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
                                   "\"http://example.com/is_root\":true}") +
                               "," + Quoted(kOctJwk) + "]";
  EXPECT_EQ(policy::testing::Call(families, "io.jwt.encode_sign_raw", operands), Quoted(kHs256));
  const std::string eddsa = "[" + Quoted(R"({"alg":"EdDSA","typ":"text"})") + "," +
                            Quoted("Example of Ed25519 signing") + "," + Quoted(kEd25519) + "]";
  const std::string token = policy::testing::Call(families, "io.jwt.encode_sign_raw", eddsa);
  EXPECT_EQ(policy::testing::Call(families, "io.jwt.verify_eddsa",
                                  "[" + token + "," + Quoted(kEd25519) + "]"),
            "true");
}

TEST(JwtBuiltinsTest, VerifiesSecretsAndTimes) {
  const std::string secret = Quoted(kHs256);
  const std::string good = "[" + secret + R"(, {"secret": "x"}])";
  const std::string both =
      "[" + secret + ", {\"secret\": \"x\", \"cert\": " + Quoted(kOctJwk) + "}]";
  Expect(
      {{"io.jwt.decode_verify", good, "[false, {}, {}]"},
       {"io.jwt.decode_verify", both, "error: duplicate key constraints"},
       {"io.jwt.decode_verify", R"(["a.b.c", {}])", "error: no key constraint"},
       {"io.jwt.decode_verify", R"(["a.b.c", {"secret": "x", "foo": 1}])",
        "error: unknown token validation constraint: foo"},
       {"io.jwt.decode", R"(["a"])", "error: encoded JWT had no period separators"},
       {"io.jwt.decode", R"(["a.b"])", "error: encoded JWT must have 3 sections, found 2"},
       {"io.jwt.verify_rs256", R"(["a.b.c", "junk"])", "error: failed to parse a JWK key (set)..."},
       {"io.jwt.verify_rs256", R"(["a.b.c", "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}"])",
        "error: failed to parse a JWK key (set)..."}});
}

TEST(JwtBuiltinsTest, APublicKeyIsNoHmacSecret) {
  auto keys = ParseVerificationKeys(kEd25519);
  ASSERT_TRUE(keys.has_value()) << keys.error().message();
  Key key = std::move(keys->front());
  EXPECT_FALSE(VerifyJws("HS256", key, "text", Hmac(EVP_sha256(), "", "text")));
  EXPECT_FALSE(VerifyJws("ES256", key, "text", std::string(64, '\0')));
  EXPECT_FALSE(VerifyJws("none", key, "text", ""));
}

TEST(X509BuiltinsTest, MalformedInputs) {
  Expect(
      {{"crypto.x509.parse_certificates", R"(["YmFkc3RyaW5n"])",
        "error: x509: malformed certificate"},
       {"crypto.x509.parse_certificates", R"(["foo bar"])",
        "error: illegal base64 data at input byte 3"},
       {"crypto.x509.parse_certificate_request", R"(["foobar"])", "error: illegal base64..."},
       {"crypto.x509.parse_and_verify_certificates", R"(["YmFkc3RyaW5n"])", "[false, []]"},
       {"crypto.x509.parse_keypair", R"(["", ""])", "error: tls: failed to find any PEM data..."},
       {"crypto.parse_private_keys", R"([""])", "null"}});
}

std::string PemOf(const char* algorithm) {
  const Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, algorithm));
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

TEST(PrivateKeyBuiltinsTest, KindsThatGoDoesNotHave) {
  const policy::BuiltinFamily family = Family();
  const std::span families(&family, 1);
  const auto parse = [&](const std::string& pem) {
    return policy::testing::Call(families, "crypto.parse_private_keys", "[" + Quoted(pem) + "]");
  };
  EXPECT_EQ(parse(PemOf("ED25519")).substr(0, 2), "[\"");
  EXPECT_EQ(parse(PemOf("ED448")), "error: x509: unknown kind of private key");
  EXPECT_EQ(parse(PemOf("X25519")), "error: x509: unknown kind of private key");
}

TEST(X509ValuesTest, NumbersBeyondAKeysAreRefused) {
  const BigNumber number(BN_new());
  BN_set_bit(number.get(), 20'000);
  EXPECT_FALSE(BigOf(number.get()));
  EXPECT_FALSE(BigOf(nullptr));
  BN_set_word(number.get(), 65'537);
  EXPECT_EQ(BigOf(number.get())->NumberText(), "65537");
}

TEST(AwsBuiltinsTest, SignsARequest) {
  Expect(
      {{"providers.aws.sign_req",
        R"([{"method": "get", "url": "http://example.com"}, {"aws_access_key": "MYAWSACCESSKEYGOESHERE", "aws_secret_access_key": "MYAWSSECRETACCESSKEYGOESHERE", "aws_service": "s3", "aws_region": "us-east-1"}, 1451311705000000000])",
        R"({"headers": {"Authorization": "AWS4-HMAC-SHA256 Credential=MYAWSACCESSKEYGOESHERE/20151228/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=0047a7016c81e5c7f29cd522f97e911e04fc472fced0aee7916cbc287ad6c8e3"...)"},
       {"providers.aws.sign_req",
        R"([{}, {"aws_access_key": "a", "aws_secret_access_key": "b", "aws_service": "s3", "aws_region": "r"}, 1])",
        R"(type error: operand 1 missing required request parameters(s): {"method", "url"})"}});
}

}  // namespace
}  // namespace kata_cc::policy_crypto
