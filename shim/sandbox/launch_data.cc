// SPDX-License-Identifier: Apache-2.0
#define TOML_EXCEPTIONS 0
#include "shim/sandbox/launch_data.h"

#include <openssl/evp.h>
#include <toml++/toml.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/toml_keys.h"
#include "shim/sandbox/utf8.h"

namespace kata_cc::shim {
namespace {

constexpr std::size_t kSectorBytes = 512;
constexpr std::string_view kInitdataMagic = "initdata";

Error Invalid(std::string_view annotation, const std::string& why) {
  return Error(Code::kInvalidArgument, std::string(annotation) + ": " + why);
}

Result<HostData> Digest(const char* algorithm, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length,
                 EVP_get_digestbyname(algorithm), nullptr) != 1)
    return Error(Code::kInternal, std::string("digest: ") + algorithm);
  HostData host_data = {};  // A longer digest is cut, a shorter one padded.
  std::copy_n(digest.begin(), std::min<std::size_t>(length, host_data.size()), host_data.begin());
  return host_data;
}

Result<std::string> Gunzip(std::string_view compressed) {
  z_stream stream = {};
  if (::inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)  // 16: the gzip container, nothing else.
    return Error(Code::kInternal, "zlib: inflateInit2");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  int status = Z_OK;
  while (status == Z_OK && out.size() <= kMaxInitdataBytes) {
    char buffer[16384];
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    status = ::inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - stream.avail_out);
  }
  const bool trailing = stream.avail_in != 0;
  ::inflateEnd(&stream);
  if (out.size() > kMaxInitdataBytes) return Error(Code::kInvalidArgument, "larger than 4 MiB");
  if (status != Z_STREAM_END || trailing) return Error(Code::kInvalidArgument, "not gzip");
  return out;
}

// The block image: magic, length of the gzip data (little endian), the data, zeros to a sector.
std::string BlockImage(std::string_view compressed) {
  std::string image(kInitdataMagic);
  for (unsigned shift = 0; shift < 64; shift += 8)
    image.push_back(static_cast<char>((compressed.size() >> shift) & 0xff));
  image.append(compressed);
  image.resize((image.size() + kSectorBytes - 1) / kSectorBytes * kSectorBytes);
  return image;
}

Result<LaunchData> ReadInitdata(const std::string& encoded) {
  if (encoded.size() > 2 * kMaxInitdataBytes)
    return Error(Code::kInvalidArgument, "larger than 8 MiB of base64");
  const std::string compressed = TRY(DecodeBase64(encoded));
  const std::string text = TRY(Gunzip(compressed));
  TRY(CheckTomlKeys(text));
  const toml::parse_result document = toml::parse(text);
  if (!document) {
    const toml::source_position at = document.error().source().begin;
    return Error(Code::kInvalidArgument, "not TOML: line " + std::to_string(at.line) + ": " +
                                             std::string(document.error().description()));
  }
  const toml::table& table = document.table();
  const std::optional<std::string> version = table["version"].value<std::string>();
  if (version != "0.1.0") return Error(Code::kInvalidArgument, "version: not \"0.1.0\"");
  const std::optional<std::string> algorithm = table["algorithm"].value<std::string>();
  if (algorithm != "sha256" && algorithm != "sha384" && algorithm != "sha512")
    return Error(Code::kInvalidArgument, "algorithm: none of sha256, sha384, sha512");
  const toml::table* const data = table["data"].as_table();
  if (data == nullptr) return Error(Code::kInvalidArgument, "data: missing");
  for (const auto& [key, value] : *data)
    if (!value.is_string()) return Error(Code::kInvalidArgument, "data: a value is no string");
  LaunchData launch;
  launch.host_data = TRY(Digest(algorithm->c_str(), text));
  launch.initdata_image = BlockImage(compressed);
  return launch;
}

Result<LaunchData> ReadPolicy(const std::string& encoded) {
  LaunchData launch;
  if (encoded.size() / 4 * 3 > kMaxPolicyBytes + 2)
    return Error(Code::kInvalidArgument, "larger than 2 MiB");
  launch.policy = TRY(DecodeBase64(encoded));
  if (launch.policy.empty()) return Error(Code::kInvalidArgument, "empty");
  if (launch.policy.size() > kMaxPolicyBytes)
    return Error(Code::kInvalidArgument, "larger than 2 MiB");
  if (!IsUtf8(launch.policy)) return Error(Code::kInvalidArgument, "not UTF-8 text");
  launch.host_data = TRY(Digest("sha256", launch.policy));
  return launch;
}

}  // namespace

Result<std::string> DecodeBase64(std::string_view text) {
  const Error error(Code::kInvalidArgument, "not base64");
  if (text.size() % 4 != 0 || text.size() > std::numeric_limits<int>::max()) return error;
  std::string out(text.size() / 4 * 3, '\0');
  // EVP_DecodeBlock skips white space at the ends and takes '=' anywhere: checked here.
  const std::size_t data = text.find_last_not_of('=') + 1;  // npos + 1 is 0.
  const std::size_t padding = text.size() - data;
  if (padding > 2 || (data == 0 && padding > 0)) return error;
  const bool alphabet =
      std::all_of(text.begin(), text.begin() + static_cast<long>(data), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '/';
      });
  if (!alphabet) return error;
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return error;
  out.resize(static_cast<std::size_t>(length) - padding);
  return out;
}

Result<LaunchData> ReadLaunchData(const Annotations& annotations) {
  const auto policy = annotations.find(kPolicyAnnotation);
  const auto initdata = annotations.find(kInitdataAnnotation);
  const bool has_policy = policy != annotations.end();
  const bool has_initdata = initdata != annotations.end();
  if (has_policy && has_initdata)
    return Invalid(kInitdataAnnotation,
                   std::string("given together with ") + kPolicyAnnotation +
                       ": put the policy into the initdata as \"policy.rego\"");
  if (has_policy) return TRY_CONTEXT(ReadPolicy(policy->second), kPolicyAnnotation);
  if (has_initdata) return TRY_CONTEXT(ReadInitdata(initdata->second), kInitdataAnnotation);
  return LaunchData{};
}

}  // namespace kata_cc::shim
