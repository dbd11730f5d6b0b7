// SPDX-License-Identifier: Apache-2.0
#include "proto/cose/receipt.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "base/encoding.h"

namespace kata_cc::cose {
namespace {

using cbor::Value;
using Kind = Value::Kind;
using Digest = std::array<std::uint8_t, 32>;

constexpr std::int64_t kCcfTree = 2;  // Verifiable data structure: the tree of a CCF ledger.
constexpr std::int64_t kInclusion = -1;

Digest Sha256(std::initializer_list<ByteView> parts) {
  Bytes all;
  for (const ByteView part : parts)
    all.insert(all.end(), part.begin(), part.end());
  Digest digest{};
  EVP_Digest(all.data(), all.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

bool IsDigest(const Value& value) {
  return value.Is(Kind::kBytes) && value.string.size() == 32;
}

struct Proof {
  ByteView data_hash;
  Digest root;
};

// {1: [transaction's hash, evidence, data hash], 2: [[left, hash], ...]} folded up to the root.
Result<Proof> Fold(const Value& proof) {
  const Error error(Code::kInvalidArgument, "receipt: malformed proof");
  const Value* const leaf = proof.Find(1);
  const Value* const path = proof.Find(2);
  if (leaf == nullptr || path == nullptr || !leaf->Is(Kind::kArray) || leaf->items.size() != 3 ||
      !path->Is(Kind::kArray) || !IsDigest(leaf->items[0]) || !leaf->items[1].Is(Kind::kText) ||
      !IsDigest(leaf->items[2])) {
    return error;
  }
  Digest node =
      Sha256({leaf->items[0].bytes(), Sha256({leaf->items[1].bytes()}), leaf->items[2].bytes()});
  for (const Value& step : path->items) {
    if (!step.Is(Kind::kArray) || step.items.size() != 2 || !step.items[0].Is(Kind::kBool) ||
        !IsDigest(step.items[1])) {
      return error;
    }
    const ByteView sibling = step.items[1].bytes();
    node = step.items[0].number != 0 ? Sha256({sibling, node}) : Sha256({node, sibling});
  }
  return Proof{leaf->items[2].bytes(), node};
}

void JudgeProofs(const Sign1& message, const Value& proofs, const Digest& wanted, EVP_PKEY* key,
                 Receipt& receipt) {
  receipt.valid = proofs.Is(Kind::kArray) && !proofs.items.empty();
  for (const Value& encoded : proofs.items) {
    const Result<Value> value = cbor::Decode(encoded.bytes());
    const Result<Proof> proof = value ? Fold(*value) : value.error();
    if (!proof) {
      receipt.valid = false;
      continue;
    }
    receipt.data_hash = HexEncode(proof->data_hash);
    receipt.root = HexEncode(proof->root);
    receipt.data_hash_matches =
        std::equal(wanted.begin(), wanted.end(), proof->data_hash.begin(), proof->data_hash.end());
    receipt.root_signature_valid = Verify(receipt.algorithm, key, message.signature,
                                          ToBeSigned(message.protected_bytes, proof->root));
    receipt.valid = receipt.valid && receipt.data_hash_matches && receipt.root_signature_valid;
  }
}

Receipt JudgeOne(ByteView bytes, const Digest& wanted, const std::vector<LedgerKey>& keys) {
  Receipt receipt;
  const Result<Sign1> parsed = ParseSign1(bytes);
  if (!parsed) return receipt;
  const Value& header = parsed->protected_header;
  if (const Value* alg = header.Find(kAlg)) receipt.algorithm = alg->Integer().value_or(0);
  if (const Value* kid = header.Find(kKid)) receipt.kid = kid->string;
  if (const Value* claims = header.Find(kCwtClaims)) {
    if (const Value* issuer = claims->Find(1)) receipt.issuer = issuer->string;
    if (const Value* subject = claims->Find(2)) receipt.subject = subject->string;
  }
  const Value* const structure = header.Find(kVds);
  const Value* const proofs = parsed->unprotected_header.Find(kVdp);
  const Value* const inclusion = proofs == nullptr ? nullptr : proofs->Find(kInclusion);
  if (parsed->payload || structure == nullptr || structure->Integer() != kCcfTree ||
      inclusion == nullptr) {
    return receipt;
  }
  const auto key = std::find_if(keys.begin(), keys.end(),
                                [&](const LedgerKey& entry) { return entry.kid == receipt.kid; });
  JudgeProofs(*parsed, *inclusion, wanted, key == keys.end() ? nullptr : key->key.get(), receipt);
  return receipt;
}

}  // namespace

std::vector<Receipt> JudgeReceipts(const Value& receipts, const Sign1& message,
                                   const std::vector<LedgerKey>& keys) {
  const Digest wanted = Sha256({WithoutUnprotected(message)});
  std::vector<Receipt> out;
  for (const Value& receipt : receipts.items)
    out.push_back(JudgeOne(receipt.bytes(), wanted, keys));
  return out;
}

}  // namespace kata_cc::cose
