// SPDX-License-Identifier: Apache-2.0
#include "tests/kbs/kbs.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <ctime>
#include <memory>
#include <optional>

#include "agent/attest/initdata.h"
#include "agent/http/test_tls_server.h"
#include "agent/kbs/kbs_messages.h"
#include "base/encoding.h"
#include "proto/oci/strict_json.h"
#include "proto/snp/verify/report_json.h"
#include "proto/snp/verify/verify.h"

namespace kata_cc::tests {

using agent::http::EncodeResponse;
using agent::http::Request;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxMessage = std::size_t{1} << 20;

std::string Problem(int status, const std::string& name, const std::string& detail) {
  const json body = {{"type", "https://github.com/confidential-containers/kbs/errors/" + name},
                     {"detail", detail}};
  return EncodeResponse(status, body.dump(), "Content-Type: application/json\r\n");
}

std::string Random(int size) {
  Bytes bytes(static_cast<std::size_t>(size));
  RAND_bytes(bytes.data(), size);
  return AsString(bytes);
}

Error Failed(const char* what) {
  return {Code::kInternal, std::string("encrypt: ") + what};
}

// ECDH, then the concat KDF of RFC 7518 by its text: one SHA-256.
Result<Bytes> Agree(EVP_PKEY* own, EVP_PKEY* peer) {
  const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(
      EVP_PKEY_CTX_new(own, nullptr), &EVP_PKEY_CTX_free);
  Bytes shared(32);
  std::size_t length = shared.size();
  if (EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer) != 1 ||
      EVP_PKEY_derive(context.get(), shared.data(), &length) != 1) {
    return Failed("key agreement");
  }
  using std::string_literals::operator""s;
  const std::string input = "\0\0\0\1"s + AsString(shared) + "\0\0\0\x0e"s + "ECDH-ES+A256KW" +
                            "\0\0\0\0\0\0\0\0"s + "\0\0\1\0"s;
  Bytes key(32);
  SHA256(reinterpret_cast<const unsigned char*>(input.data()), input.size(), key.data());
  return key;
}

struct Sealed {
  Bytes data, tag;
};

Result<Bytes> Wrap(ByteView wrapping, ByteView key) {
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(),
                                                                           &EVP_CIPHER_CTX_free);
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  Bytes out(key.size() + 8);
  int length = 0;
  if (EVP_EncryptInit_ex(context.get(), EVP_aes_256_wrap(), nullptr, wrapping.data(), nullptr) !=
          1 ||
      EVP_EncryptUpdate(context.get(), out.data(), &length, key.data(),
                        static_cast<int>(key.size())) != 1) {
    return Failed("key wrap");
  }
  return out;
}

Result<Sealed> Gcm(ByteView key, ByteView iv, std::string_view aad, ByteView plaintext) {
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(),
                                                                           &EVP_CIPHER_CTX_free);
  Sealed out{Bytes(plaintext.size()), Bytes(16)};
  int length = 0;
  std::array<std::uint8_t, 16> end{};
  const ByteView header = AsBytes(aad);
  if (EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), iv.data()) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &length, header.data(),
                        static_cast<int>(header.size())) != 1 ||
      (!plaintext.empty() &&
       EVP_EncryptUpdate(context.get(), out.data.data(), &length, plaintext.data(),
                         static_cast<int>(plaintext.size())) != 1) ||
      EVP_EncryptFinal_ex(context.get(), end.data(), &length) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, out.tag.data()) != 1) {
    return Failed("AES-GCM");
  }
  return out;
}

// What only this broker reads: the session's name under its own key.
std::string MakeToken(const std::string& session) {
  static const std::string key = Random(32);
  const std::string input =
      Base64UrlEncode(AsBytes(R"({"alg":"HS256","typ":"JWT"})")) + "." +
      Base64UrlEncode(AsBytes(json{{"session", session}, {"iat", std::time(nullptr)}}.dump()));
  std::array<unsigned char, 32> mac{};
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(input.data()), input.size(), mac.data(), &length);
  return input + "." + Base64UrlEncode(mac);
}

const snp::CertTableEntry* FindCert(const snp::Evidence& evidence, std::string_view type) {
  for (const snp::CertTableEntry& entry : evidence.certs)
    if (snp::CertTypeName(entry.guid) == type) return &entry;
  return nullptr;
}

}  // namespace

Result<std::string> EncryptJwe(ByteView plaintext, const json& jwk) {
  const agent::KeyPtr peer =
      TRY(agent::EcPublicKey(jwk.value("crv", ""), jwk.value("x", ""), jwk.value("y", "")));
  const agent::TeeKey ephemeral = TRY(agent::TeeKey::Generate());
  json epk = TRY(ephemeral.PublicJwk());
  epk.erase("alg");
  const json header = {{"alg", "ECDH-ES+A256KW"}, {"enc", "A256GCM"}, {"epk", epk}};
  const std::string protected_header = Base64UrlEncode(AsBytes(header.dump()));
  const Bytes wrapping = TRY(Agree(ephemeral.get(), peer.get()));
  const std::string key = Random(32);
  const std::string iv = Random(12);
  const Bytes wrapped = TRY(Wrap(wrapping, AsBytes(key)));
  const Sealed sealed = TRY(Gcm(AsBytes(key), AsBytes(iv), protected_header, plaintext));
  return json{{"protected", protected_header},
              {"encrypted_key", Base64UrlEncode(wrapped)},
              {"iv", Base64UrlEncode(AsBytes(iv))},
              {"ciphertext", Base64UrlEncode(sealed.data)},
              {"tag", Base64UrlEncode(sealed.tag)}}
      .dump();
}

std::vector<std::string> TestKbs::last_failed() const {
  const std::lock_guard lock(mutex_);
  return last_failed_;
}

std::string TestKbs::Handle(const Request& request) {
  const std::lock_guard lock(mutex_);
  if (request.method == "POST" && request.path == "/kbs/v0/auth") return Auth(request);
  if (request.method == "POST" && request.path == "/kbs/v0/attest") return Attest(request);
  if (request.method == "GET" && request.path.starts_with("/kbs/v0/")) return Resource(request);
  return Problem(404, "InvalidRequestPath", request.path);
}

std::string TestKbs::Auth(const Request& request) {
  const Result<json> message = oci::ParseStrictJson(request.body, {kMaxMessage, 8});
  if (!message || !message->is_object() || message->value("version", "") != "0.4.0") {
    return Problem(401, "ProtocolVersion", "the version is not 0.4.0");
  }
  if (message->value("tee", "") != "snp") return Problem(401, "UnsupportedTee", "not snp");
  const std::string id = HexEncode(AsBytes(Random(16)));
  Session& session = sessions_[id];
  session.nonce = Base64Encode(AsBytes(Random(32)));
  return EncodeResponse(200, json{{"nonce", session.nonce}, {"extra-params", ""}}.dump(),
                        "Set-Cookie: kbs-session-id=" + id + "; Path=/\r\n");
}

TestKbs::Session* TestKbs::FindSession(const Request& request) {
  const std::string_view cookie = agent::http::Find(request.headers, "cookie");
  const Result<std::string> id = agent::ParseSessionCookie(cookie);
  const auto it = id ? sessions_.find(*id) : sessions_.end();
  if (it != sessions_.end()) return &it->second;
  const std::string_view bearer = agent::http::Find(request.headers, "authorization");
  for (auto& [name, session] : sessions_)
    if (!session.token.empty() && bearer == "Bearer " + session.token) return &session;
  return nullptr;
}

// The names of all checks that fail, as kata-ccctl report verify gives them.
std::vector<std::string> TestKbs::Judge(const json& message, const std::string& nonce) const {
  const json runtime = message.value("runtime-data", json::object());
  const json evidence_part = message.value("tee-evidence", json::object());
  if (!runtime.is_object() || runtime.value("nonce", "") != nonce) return {"nonce"};
  json runtime_data = runtime;
  runtime_data["additional-evidence"] = evidence_part.value("additional_evidence", "");
  const auto expected = agent::RuntimeDataDigest(runtime_data, "sha384");
  const auto evidence =
      snp::EvidenceFromJson(evidence_part.value("primary_evidence", json::object()).dump());
  if (!expected || !evidence) return {"evidence"};
  const auto* const vek_entry = FindCert(*evidence, "VCEK");
  const auto* const ask_entry = FindCert(*evidence, "ASK");
  const auto* const ark_entry = FindCert(*evidence, "ARK");
  if (vek_entry == nullptr || ask_entry == nullptr || ark_entry == nullptr) return {"certificates"};
  const auto vek = snp::Cert::Load(vek_entry->data);
  const auto ask = snp::Cert::Load(ask_entry->data);
  const auto ark = snp::Cert::Load(ark_entry->data);
  if (!vek || !ask || !ark) return {"certificates"};
  const snp::Verdict verdict = snp::VerifyReport(
      {evidence->report, *vek, *ask, *ark, options_.trusted_arks, nullptr, std::time(nullptr)});
  std::vector<std::string> failed = verdict.failed_checks;
  if (!verdict.report) return failed;
  snp::Expectations reference = options_.reference;
  reference.report_data = *expected;
  for (std::string& name : snp::Appraise(*verdict.report, reference))
    failed.push_back(std::move(name));
  // The initdata is the guest's word for what host data stand for.
  const json initdata = message.value("init-data", json());
  if (initdata.is_object()) {
    const auto parsed = agent::ParseInitdata(initdata.value("body", ""));
    snp::ByteArray<32> digest{};
    if (parsed) std::copy_n(parsed->digest.begin(), digest.size(), digest.begin());
    if (!parsed || digest != verdict.report->host_data) failed.emplace_back("init_data");
  }
  return failed;
}

std::string TestKbs::Attest(const Request& request) {
  Session* session = FindSession(request);
  if (session == nullptr || !session->key.is_null()) {
    return Problem(401, "InvalidCookie", "no session that waits for an attestation");
  }
  const Result<json> message = oci::ParseStrictJson(request.body, {kMaxMessage, 16});
  if (!message || !message->is_object()) return Problem(401, "SerdeError", "not an attestation");
  last_failed_ = Judge(*message, session->nonce);
  session->nonce = "used";  // Once, whatever came of it.
  if (!last_failed_.empty()) {
    std::string detail;
    for (const std::string& name : last_failed_)
      detail += (detail.empty() ? "" : " ") + name;
    return Problem(401, "AttestationClaimsDenied", detail);
  }
  session->key = message->at("runtime-data").at("tee-pubkey");
  session->token = MakeToken(HexEncode(AsBytes(Random(16))));
  return EncodeResponse(200, json{{"token", session->token}}.dump());
}

std::string TestKbs::Resource(const Request& request) {
  constexpr std::string_view kPrefix = "/kbs/v0/resource/";
  if (!request.path.starts_with(kPrefix)) return Problem(404, "PluginNotFound", request.path);
  const Session* session = FindSession(request);
  if (session == nullptr || session->key.is_null()) {
    return Problem(401, "UnAuthenticatedRequest", "not attested");
  }
  const auto resource = options_.resources.find(request.path.substr(kPrefix.size()));
  if (resource == options_.resources.end()) {
    return Problem(401, "PluginInternalError", "no such resource");
  }
  const Result<std::string> jwe = EncryptJwe(resource->second, session->key);
  if (!jwe) return Problem(401, "JWEFailed", jwe.error().message());
  return EncodeResponse(200, *jwe, "Content-Type: application/json\r\n");
}

}  // namespace kata_cc::tests
