// SPDX-License-Identifier: Apache-2.0
// JSON Web Tokens (RFC 7519): io.jwt.*.
#include <array>

#include "policy/crypto/families.h"
#include "policy/crypto/keys.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy_crypto {
namespace {

using policy::Builtin;
using policy::BuiltinContext;
using policy::BuiltinError;
using policy::BuiltinResult;
using policy::Decimal;
using policy::Operands;
using policy::StringOperand;
using policy::Value;

constexpr std::uint64_t kSignatureSteps = 20'000;  // A verification costs about a millisecond.
constexpr int kMaxNesting = 32;

struct Token {
  std::string_view header, payload, signature;  // Encoded.
  std::string_view signed_part;
};

Result<Token> SplitToken(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = text;;) {
    const std::size_t dot = rest.find('.');
    parts.push_back(rest.substr(0, dot));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (parts.size() == 1) return BuiltinError("encoded JWT had no period separators");
  if (parts.size() != 3) {
    return BuiltinError("encoded JWT must have 3 sections, found " + std::to_string(parts.size()));
  }
  return Token{parts[0], parts[1], parts[2], text.substr(0, parts[0].size() + 1 + parts[1].size())};
}

Result<std::string> DecodePart(std::string_view part, std::string_view name) {
  const bool padded = part.find('=') != std::string_view::npos;
  auto bytes =
      policy::DecodeBase64(part, padded ? policy::Base64::kUrl : policy::Base64::kUrlNoPadding);
  if (!bytes) {
    return BuiltinError("JWT " + std::string(name) +
                        " had invalid encoding: " + bytes.error().message());
  }
  return *std::move(bytes);
}

Result<Value> ParseObject(std::string_view json) {
  auto value = policy::ParseJson(json);
  if (!value) return BuiltinError("invalid JSON: " + value.error().message());
  if (!value->is_object()) return BuiltinError("decoded JSON type was not an Object");
  return *std::move(value);
}

Result<Value> DecodeHeader(const Token& token) {
  const std::string bytes = TRY(DecodePart(token.header, "header"));
  auto header = ParseObject(bytes);
  if (!header) return BuiltinError("bad JWT header: " + header.error().message());
  if (header->Find("enc") != nullptr) {
    return BuiltinError("JWT is a JWE object, which is not supported");
  }
  return *std::move(header);
}

bool IsNested(const Value& header) {
  const std::string_view content = policy::StringMember(header, "cty");
  return policy::ToUpper(content) == "JWT";
}

// A nested payload is a JSON string around the inner token, or the token itself.
std::string InnerToken(const std::string& payload) {
  const auto json = policy::ParseJson(payload);
  return json && json->is_string() ? std::string(json->string()) : payload;
}

BuiltinResult Decode(BuiltinContext& context, Operands x) {
  std::string text(TRY(StringOperand(x, 0)));
  for (int depth = 0; depth < kMaxNesting; ++depth) {
    TRY(policy::ChargeBytes(context, text.size() * 4));
    const Token token = TRY(SplitToken(text));
    const Value header = TRY(DecodeHeader(token));
    const std::string payload = TRY(DecodePart(token.payload, "payload"));
    if (IsNested(header)) {
      text = InnerToken(payload);
      continue;
    }
    const Value claims = TRY(ParseObject(payload));
    const std::string signature = TRY(DecodePart(token.signature, "signature"));
    return Value::Array({header, claims, Value::String(policy::EncodeHex(signature))});
  }
  return BuiltinError("JWT nested too deep");
}

constexpr std::array<std::string_view, 13> kNames = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                                     "RS512", "PS256", "PS384", "PS512", "ES256",
                                                     "ES384", "ES512", "EdDSA"};

// io.jwt.verify_*: the token's own "alg" does not count.
template <std::size_t kAlgorithm>
BuiltinResult Verify(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view key_text = TRY(StringOperand(x, 1));
  TRY(context.Charge(kSignatureSteps + (text.size() + key_text.size()) / 4));
  std::vector<Key> keys;
  if (kNames[kAlgorithm][0] == 'H') {
    keys.emplace_back().secret = key_text;
  } else {
    keys = TRY(ParseVerificationKeys(key_text));
  }
  const Token token = TRY(SplitToken(text));
  TRY(DecodeHeader(token));
  const std::string signature = TRY(DecodePart(token.signature, "signature"));
  for (const Key& key : keys) {
    TRY(context.Charge(kSignatureSteps));
    if (VerifyJws(kNames[kAlgorithm], key, token.signed_part, signature)) return Value::Bool(true);
  }
  return Value::Bool(false);
}

struct Constraints {
  std::vector<Key> keys;
  bool has_secret = false;
  std::string_view secret, algorithm, issuer;
  std::optional<std::string_view> wanted_audience;
  Value time;
};

Result<Constraints> ParseConstraints(BuiltinContext& context, const Value& object) {
  Constraints out;
  out.time = Value::Int(context.now_ns());
  bool has_keys = false;
  for (const policy::Member& member : object.members()) {
    const std::string_view name = member.key.is_string() ? member.key.string() : "";
    const bool known = name == "cert" || name == "secret" || name == "alg" || name == "iss" ||
                       name == "aud" || name == "time";
    if (!known) {
      return BuiltinError("unknown token validation constraint: " + std::string(name));
    }
    if (name == "time") {
      if (!member.value.is_number()) {
        return BuiltinError("token time constraint: must be a number");
      }
      if (member.value < Value::Int(0)) {
        return BuiltinError("token time constraint: must not be negative");
      }
      out.time = member.value;
      continue;
    }
    if (!member.value.is_string()) {
      return BuiltinError(std::string(name) + " constraint: must be a string");
    }
    const std::string_view text = member.value.string();
    if (name == "cert") {
      out.keys = TRY(ParseVerificationKeys(text));
      has_keys = true;
    } else if (name == "secret") {
      out.has_secret = true;
      out.secret = text;
    } else if (name == "alg") {
      out.algorithm = text;
    } else if (name == "iss") {
      out.issuer = text;
    } else {
      out.wanted_audience = text;
    }
  }
  if (has_keys && out.has_secret) return BuiltinError("duplicate key constraints");
  if (!has_keys && !out.has_secret) return BuiltinError("no key constraint");
  if (out.has_secret) out.keys.emplace_back().secret = out.secret;
  return out;
}

bool SignatureHolds(const Constraints& constraints, const Value& header, const Token& token,
                    std::string_view signature) {
  const std::string_view algorithm = policy::StringMember(header, "alg");
  const std::string_view id = policy::StringMember(header, "kid");
  // HMAC keys are secrets alone: a public key must never serve as one.
  if ((algorithm.substr(0, 2) == "HS") != constraints.has_secret) return false;
  if (!id.empty()) {
    for (const Key& key : constraints.keys) {
      if (key.id == id) return VerifyJws(algorithm, key, token.signed_part, signature);
    }
  }
  for (const Key& key : constraints.keys) {
    if (!key.algorithm.empty() && key.algorithm != algorithm) continue;
    if (VerifyJws(algorithm, key, token.signed_part, signature)) return true;
  }
  return false;
}

bool AudienceFits(const Constraints& constraints, const Value* audience) {
  if (audience == nullptr) return !constraints.wanted_audience;
  if (!constraints.wanted_audience) return false;
  const Value wanted = Value::String(*constraints.wanted_audience);
  if (audience->is_string()) return *audience == wanted;
  if (!audience->is_array()) return false;
  for (const Value& one : audience->items()) {
    if (one == wanted) return true;
  }
  return false;
}

// Seconds of a claim as nanoseconds, exactly.
Result<Value> Nanoseconds(const Value& seconds, std::string_view name) {
  if (!seconds.is_number()) {
    return BuiltinError(std::string(name) + " value must be a number");
  }
  const Decimal ns = TRY(Decimal::Multiply(seconds.ToDecimal(), Decimal(1'000'000'000)));
  return Value::Number(ns);
}

Result<bool> ClaimsFit(const Constraints& constraints, const Value& claims) {
  if (!constraints.issuer.empty() && policy::StringMember(claims, "iss") != constraints.issuer) {
    return false;
  }
  if (!AudienceFits(constraints, claims.Find("aud"))) return false;
  if (const Value* expiry = claims.Find("exp"); expiry != nullptr) {
    const Value ns = TRY(Nanoseconds(*expiry, "exp"));
    if (constraints.time >= ns) return false;
  }
  if (const Value* start = claims.Find("nbf"); start != nullptr) {
    const Value ns = TRY(Nanoseconds(*start, "nbf"));
    if (constraints.time < ns) return false;
  }
  return true;
}

BuiltinResult DecodeVerify(BuiltinContext& context, Operands x) {
  std::string text(TRY(StringOperand(x, 0)));
  const Value* object = TRY(policy::ObjectOperand(x, 1));
  TRY(context.Charge(kSignatureSteps));
  const Constraints constraints = TRY(ParseConstraints(context, *object));
  const Value empty = Value::SortedObject({});
  const Value refused = Value::Array({Value::Bool(false), empty, empty});
  for (int depth = 0; depth < kMaxNesting; ++depth) {
    TRY(context.Charge(kSignatureSteps * (1 + constraints.keys.size()), text.size() * 4));
    const Token token = TRY(SplitToken(text));
    const Value header = TRY(DecodeHeader(token));
    const std::string_view algorithm = policy::StringMember(header, "alg");
    if (algorithm.empty() || header.Find("crit") != nullptr) return refused;
    if (!constraints.algorithm.empty() && constraints.algorithm != algorithm) return refused;
    const std::string signature = TRY(DecodePart(token.signature, "signature"));
    if (!IsJwsAlgorithm(algorithm)) return refused;
    if (!SignatureHolds(constraints, header, token, signature)) return refused;
    const std::string payload = TRY(DecodePart(token.payload, "payload"));
    if (IsNested(header)) {
      text = InnerToken(payload);
      continue;
    }
    const Value claims = TRY(ParseObject(payload));
    const bool fit = TRY(ClaimsFit(constraints, claims));
    return fit ? Value::Array({Value::Bool(true), header, claims}) : refused;
  }
  return BuiltinError("JWT nested too deep");
}

// The "alg" of a header text, which is signed as it is.
Result<std::string> HeaderAlgorithm(std::string_view header, std::string* type) {
  const auto json = policy::ParseJson(header);
  const std::string before = "missing or invalid 'alg' header: ";
  if (!json && !header.empty() && header[0] == '{') {
    return BuiltinError(before + "cannot parse JSON: " + json.error().message());
  }
  const Value* algorithm = json && json->is_object() ? json->Find("alg") : nullptr;
  if (algorithm == nullptr) return BuiltinError(before + "jwsbb: header \"alg\" not found");
  if (!algorithm->is_string()) {
    return BuiltinError(before + "value doesn't contain string; it contains " +
                        std::string(KindName(algorithm->kind())));
  }
  const Value* found = json->Find("typ");
  *type = found != nullptr && found->is_string() ? std::string(found->string()) : "JWT";
  return std::string(algorithm->string());
}

BuiltinResult Sign(BuiltinContext& context, std::string_view header, std::string_view payload,
                   std::string_view jwk_text) {
  TRY(context.Charge(kSignatureSteps * 4, (header.size() + payload.size()) * 2));
  auto jwk = policy::ParseJson(jwk_text);
  const std::string not_parsed = "jwk.Parse: failed to parse sole key: jwk.ParseKey: ";
  if (!jwk) return BuiltinError(not_parsed + "failed to probe data: " + jwk.error().message());
  if (const Value* keys = jwk->is_object() ? jwk->Find("keys") : nullptr) {
    if (!keys->is_array() || keys->size() == 0) return BuiltinError("no keys found in JWK set");
    const Value first = keys->items()[0];
    *jwk = first;
  }
  const std::string_view kind = jwk->is_object() ? policy::StringMember(*jwk, "kty") : "";
  if (kind != "oct" && kind != "RSA" && kind != "EC" && kind != "OKP") {
    return BuiltinError(not_parsed + "invalid key type from JSON (" + std::string(kind) + ")");
  }
  const Key key = TRY(ParseJwk(*jwk));
  std::string type;
  const std::string algorithm = TRY(HeaderAlgorithm(header, &type));
  if (!IsJwsAlgorithm(algorithm)) return BuiltinError("unknown JWS algorithm: " + algorithm);
  if (type == "JWT" && !policy::ParseJson(payload)) {
    return BuiltinError("type is JWT but payload is not JSON");
  }
  constexpr auto kUrl = policy::Base64::kUrlNoPadding;
  std::string token =
      policy::EncodeBase64(header, kUrl) + "." + policy::EncodeBase64(payload, kUrl);
  const std::string signature = TRY(SignJws(algorithm, key, token));
  token += "." + policy::EncodeBase64(signature, kUrl);
  return Value::String(token);
}

BuiltinResult EncodeSign(BuiltinContext& context, Operands x) {
  TRY(policy::ObjectOperand(x, 0));
  TRY(policy::ObjectOperand(x, 1));
  TRY(policy::ObjectOperand(x, 2));
  return Sign(context, policy::ToJsonText(x[0]), policy::ToJsonText(x[1]),
              policy::ToJsonText(x[2]));
}

BuiltinResult EncodeSignRaw(BuiltinContext& context, Operands x) {
  const std::string_view header = TRY(StringOperand(x, 0));
  const std::string_view payload = TRY(StringOperand(x, 1));
  const std::string_view jwk = TRY(StringOperand(x, 2));
  return Sign(context, header, payload, jwk);
}

}  // namespace

std::span<const Builtin> JwtBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"io.jwt.decode", 1, Decode},
      Builtin{"io.jwt.decode_verify", 2, DecodeVerify, true},
      Builtin{"io.jwt.encode_sign", 3, EncodeSign, true},
      Builtin{"io.jwt.encode_sign_raw", 3, EncodeSignRaw, true},
      Builtin{"io.jwt.verify_hs256", 2, Verify<0>},
      Builtin{"io.jwt.verify_hs384", 2, Verify<1>},
      Builtin{"io.jwt.verify_hs512", 2, Verify<2>},
      Builtin{"io.jwt.verify_rs256", 2, Verify<3>},
      Builtin{"io.jwt.verify_rs384", 2, Verify<4>},
      Builtin{"io.jwt.verify_rs512", 2, Verify<5>},
      Builtin{"io.jwt.verify_ps256", 2, Verify<6>},
      Builtin{"io.jwt.verify_ps384", 2, Verify<7>},
      Builtin{"io.jwt.verify_ps512", 2, Verify<8>},
      Builtin{"io.jwt.verify_es256", 2, Verify<9>},
      Builtin{"io.jwt.verify_es384", 2, Verify<10>},
      Builtin{"io.jwt.verify_es512", 2, Verify<11>},
      Builtin{"io.jwt.verify_eddsa", 2, Verify<12>},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy_crypto
