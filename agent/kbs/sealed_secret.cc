// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/sealed_secret.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/kbs/tee_key.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/retry.h"
#include "base/unique_fd.h"
#include "proto/oci/strict_json.h"

namespace kata_cc::agent {

using nlohmann::json;

namespace {

constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kMaxKeyBytes = std::size_t{16} << 10;

Error Bad(std::string_view why) {
  return {Code::kInvalidArgument, "sealed secret: " + std::string(why)};
}

Result<json> ParsePart(std::string_view part, const char* what) {
  const Bytes bytes = TRY_CONTEXT(Base64UrlDecode(part), std::string("sealed secret: ") + what);
  json object = TRY_CONTEXT(oci::ParseStrictJson(AsString(bytes), {kMaxSealedBytes, 16}),
                            std::string("sealed secret: ") + what);
  if (!object.is_object()) return Bad(std::string(what) + " is no object");
  return Result<json>(std::move(object));
}

Result<std::string> Text(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) return Bad(std::string(name) + " is missing");
  return it->get<std::string>();
}

// From R and S as they are to what OpenSSL wants.
Result<Bytes> DerSignature(std::string_view signature) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
  constexpr int kHalf = kSignatureBytes / 2;
  const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> both(ECDSA_SIG_new(), &ECDSA_SIG_free);
  BIGNUM* r = BN_bin2bn(bytes, kHalf, nullptr);
  BIGNUM* s = BN_bin2bn(bytes + kHalf, kHalf, nullptr);
  if (both == nullptr || ECDSA_SIG_set0(both.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return Error(Code::kInternal, "sealed secret: signature");
  }
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(both.get(), &der);
  if (length <= 0) return Error(Code::kInternal, "sealed secret: signature");
  Bytes out(der, der + length);
  OPENSSL_free(der);
  return out;
}

Result<void> WriteAll(int fd, ByteView bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = RetryOnEintr([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (n < 0) return ErrnoError(errno, "write " + path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

// secret in place of the file at path, with the mode and owner that info has.
Result<void> Replace(const std::string& path, const struct stat& info, const Secret& secret) {
  std::string made = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(made.data(), O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, "mkostemp " + made);
  Result<void> done = WriteAll(fd.get(), secret.view(), made);
  if (done && (::fchown(fd.get(), info.st_uid, info.st_gid) != 0 ||
               ::fchmod(fd.get(), info.st_mode & 07777) != 0 ||
               ::rename(made.c_str(), path.c_str()) != 0)) {
    done = ErrnoError(errno, "replace " + path);
  }
  if (!done) ::unlink(made.c_str());
  return done;
}

}  // namespace

Result<SealedSecret> ParseSealedSecret(std::string_view text) {
  if (!IsSealed(text)) return Bad("does not begin with \"sealed.\"");
  if (text.size() > kMaxSealedBytes) return Bad("larger than 64 KiB");
  text.remove_prefix(kSealedPrefix.size());
  const std::size_t first = text.find('.');
  const std::size_t last = text.rfind('.');
  if (first == std::string_view::npos || first == last || text.find('.', first + 1) != last) {
    return Bad("not three parts");
  }
  SealedSecret out;
  const json header = TRY(ParsePart(text.substr(0, first), "header"));
  if (TRY(Text(header, "alg")) != "ES256") return Bad("alg is not ES256");
  if (header.contains("crit")) return Bad("crit is not supported");
  out.key_id = TRY(Text(header, "kid"));
  const json payload = TRY(ParsePart(text.substr(first + 1, last - first - 1), "payload"));
  if (TRY(Text(payload, "version")) != "0.1.0") return Bad("version is not 0.1.0");
  out.provider = TRY(Text(payload, "provider"));
  const std::string type = TRY(Text(payload, "type"));
  if (type == "vault") {
    out.name = TRY(Text(payload, "name"));
  } else if (type == "envelope") {
    out.type = SealedSecret::Type::kEnvelope;
    for (const char* name : {"key_id", "encrypted_key", "encrypted_data", "wrap_type", "iv"})
      TRY(Text(payload, name));
  } else {
    return Bad("type is not vault or envelope");
  }
  const Bytes signature =
      TRY_CONTEXT(Base64UrlDecode(text.substr(last + 1)), "sealed secret: signature");
  if (signature.size() != kSignatureBytes) return Bad("the signature is not of 64 bytes");
  out.signature = AsString(signature);
  out.signing_input = text.substr(0, last);
  return out;
}

Result<void> VerifySealedSecret(const SealedSecret& secret, std::string_view jwk) {
  const json key =
      TRY_CONTEXT(oci::ParseStrictJson(jwk, {kMaxKeyBytes, 8}), "sealed secret: signing key");
  if (!key.is_object()) return Bad("the signing key is no JWK");
  if (TRY(Text(key, "kty")) != "EC" || TRY(Text(key, "crv")) != "P-256") {
    return Bad("the signing key is not on P-256");
  }
  const std::string x = TRY(Text(key, "x"));
  const std::string y = TRY(Text(key, "y"));
  const KeyPtr public_key = TRY(EcPublicKey("P-256", x, y));
  const Bytes signature = TRY(DerSignature(secret.signature));
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   &EVP_MD_CTX_free);
  const ByteView input = AsBytes(secret.signing_input);
  const bool good =
      context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, public_key.get()) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), input.data(),
                       input.size()) == 1;
  ERR_clear_error();
  if (!good) return Error(Code::kPermissionDenied, "sealed secret: not signed by the named key");
  return {};
}

Unsealer::Unsealer(GetResource get_resource, std::string key_dir)
    : get_resource_(std::move(get_resource)), key_dir_(std::move(key_dir)) {}

Result<Secret> Unsealer::SigningKey(const std::string& key_id) const {
  if (key_id.starts_with("kbs")) {
    const ResourceUri uri = TRY(ParseResourceUri(key_id));
    return get_resource_(uri);
  }
  if (key_dir_.empty() || !IsResourceSegment(key_id)) {
    return Bad("the key's name is neither a kbs:// URI nor that of a local key");
  }
  const Bytes bytes = TRY_CONTEXT(ReadFile(key_dir_ + "/" + key_id, kMaxKeyBytes), "sealed secret");
  return Secret::Copy(bytes);
}

Result<Secret> Unsealer::Unseal(std::string_view text) const {
  const SealedSecret secret = TRY(ParseSealedSecret(text));
  const Secret key = TRY_CONTEXT(SigningKey(secret.key_id), "signing key");
  TRY(VerifySealedSecret(secret, key.text()));
  if (secret.type == SealedSecret::Type::kEnvelope || secret.provider != "kbs") {
    return Error(Code::kUnimplemented,
                 "sealed secret: only secrets of the type vault and the provider kbs");
  }
  const ResourceUri uri = TRY(ParseResourceUri(secret.name));
  return get_resource_(uri);
}

Result<void> Unsealer::UnsealEnvironment(std::vector<std::string>& environment) const {
  for (std::string& entry : environment) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view value = std::string_view(entry).substr(equals + 1);
    if (!IsSealed(value)) continue;
    const std::string name = entry.substr(0, equals);
    const Secret secret = TRY_CONTEXT(Unseal(value), "environment: " + name);
    if (secret.text().find('\0') != std::string_view::npos) {
      return Error(Code::kInvalidArgument, "environment: " + name + ": the secret has a NUL");
    }
    entry.replace(equals + 1, std::string::npos, secret.text());
  }
  return {};
}

Result<bool> Unsealer::UnsealFile(const std::string& path) const {
  const UniqueFd fd = TRY(OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError(errno, "stat " + path);
  if (!S_ISREG(info.st_mode)) return Error(Code::kInvalidArgument, path + ": not a file");
  if (info.st_size > static_cast<off_t>(kMaxSealedBytes)) return false;
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  const ssize_t n = RetryOnEintr([&] { return ::read(fd.get(), text.data(), text.size()); });
  if (n < 0) return ErrnoError(errno, "read " + path);
  text.resize(static_cast<std::size_t>(n));
  while (text.ends_with('\n'))
    text.pop_back();
  if (!IsSealed(text)) return false;
  const Secret secret = TRY_CONTEXT(Unseal(text), path);
  TRY(Replace(path, info, secret));
  return true;
}

Result<void> Unsealer::UnsealFiles(const std::string& path) const {
  constexpr int kMaxFiles = 1000;
  std::vector<std::string> files;
  std::error_code error;
  if (std::filesystem::is_regular_file(std::filesystem::symlink_status(path, error))) {
    TRY(UnsealFile(path));
    return {};
  }
  // The whole list first: replacing a file makes another one.
  for (auto it = std::filesystem::recursive_directory_iterator(path, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (!it->is_regular_file(error) || it->is_symlink(error)) continue;
    if (files.size() == kMaxFiles) {
      return Error(Code::kResourceExhausted, "sealed files: " + path + ": too many");
    }
    files.push_back(it->path());
  }
  if (error) return ErrnoError(error.value(), "sealed files: " + path);
  for (const std::string& file : files)
    TRY(UnsealFile(file));
  return {};
}

}  // namespace kata_cc::agent
