// SPDX-License-Identifier: Apache-2.0
#include "proto/cose/sign1.h"

namespace kata_cc::cose {
namespace {

using Kind = cbor::Value::Kind;

constexpr std::uint64_t kSign1Tag = 18;
constexpr std::int64_t kIssuer = 1;  // CWT claims.
constexpr std::int64_t kSubject = 2;

Error Bad(const char* why) {
  return {Code::kInvalidArgument, std::string("COSE_Sign1: ") + why};
}

Bytes ToBytes(const cbor::Value& value) {
  const ByteView bytes = value.bytes();
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Result<Sign1> ParseSign1(ByteView bytes) {
  const cbor::Value value = TRY(cbor::Decode(bytes));
  if (!value.Is(Kind::kTag) || value.number != kSign1Tag) return Bad("no tag 18");
  const cbor::Value& array = value.items[0];
  if (!array.Is(Kind::kArray) || array.items.size() != 4) return Bad("not an array of four");
  const cbor::Value& payload = array.items[2];
  if (!array.items[0].Is(Kind::kBytes) || !array.items[1].Is(Kind::kMap) ||
      !(payload.Is(Kind::kBytes) || payload.Is(Kind::kNull)) || !array.items[3].Is(Kind::kBytes)) {
    return Bad("a part has the wrong type");
  }
  Sign1 message;
  message.protected_bytes = ToBytes(array.items[0]);
  message.protected_header.kind = Kind::kMap;
  if (!message.protected_bytes.empty()) {
    message.protected_header = TRY(cbor::Decode(message.protected_bytes));
    if (!message.protected_header.Is(Kind::kMap)) return Bad("protected header: not a map");
  }
  message.unprotected_header = array.items[1];
  if (payload.Is(Kind::kBytes)) message.payload = ToBytes(payload);
  message.signature = ToBytes(array.items[3]);
  return message;
}

Bytes ToBeSigned(ByteView protected_bytes, ByteView payload) {
  cbor::Encoder out;
  out.Array(4).Text("Signature1").ByteString(protected_bytes).ByteString({}).ByteString(payload);
  return std::move(out).Take();
}

Bytes WithoutUnprotected(const Sign1& message) {
  cbor::Encoder out;
  out.Tag(kSign1Tag).Array(4).ByteString(message.protected_bytes).Map(0);
  out.ByteString(message.payload.value_or(Bytes())).ByteString(message.signature);
  return std::move(out).Take();
}

Result<Bytes> MakeSign1(const SignInputs& inputs, EVP_PKEY* key) {
  if (inputs.chain.empty()) return Bad("no certificate of the signer");
  const std::int64_t algorithm = TRY(AlgorithmOf(key));
  const X509Ptr leaf = TRY(LoadDer(inputs.chain[0]));
  if (EVP_PKEY_eq(X509_get0_pubkey(leaf.get()), key) != 1) {
    return Bad("the key is not that of the first certificate");
  }
  cbor::Encoder header;
  header.Map(4).Integer(kAlg).Integer(algorithm);
  header.Integer(kContentType).Text(inputs.content_type);
  header.Integer(kCwtClaims).Map(3).Integer(kIssuer).Text(inputs.issuer);
  header.Integer(kSubject).Text(inputs.feed).Text("svn").Integer(inputs.svn);
  header.Integer(kX5Chain);
  if (inputs.chain.size() > 1) header.Array(inputs.chain.size());  // RFC 9360: else a bstr alone.
  for (const Bytes& certificate : inputs.chain)
    header.ByteString(certificate);
  const Bytes protected_bytes = std::move(header).Take();
  const Bytes signature = TRY(Sign(algorithm, key, ToBeSigned(protected_bytes, inputs.payload)));
  cbor::Encoder out;
  out.Tag(kSign1Tag).Array(4).ByteString(protected_bytes).Map(0);
  out.ByteString(inputs.payload).ByteString(signature);
  return std::move(out).Take();
}

}  // namespace kata_cc::cose
