// SPDX-License-Identifier: Apache-2.0
// kata-ccctl id-block: the signed block by which the firmware starts only the guest that its owner
// measured, and reports who signed.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "proto/snp/id_block.h"
#include "proto/snp/verify/id_auth.h"
#include "shim/ctl/commands.h"
#include "shim/ctl/files.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxKeyFile = 64 << 10;
constexpr std::size_t kMaxBlockFile = 16 << 10;

struct CreateFlags {
  std::string measurement, id_key, author_key, family_id, image_id, policy = "0x30000";
  std::uint32_t guest_svn = 0;
  bool json = false;
};

// Hexadecimal, or base64 as sev-snp-measure prints it with --output-format base64.
Result<snp::ByteArray<48>> ParseMeasurement(const std::string& text) {
  if (text.size() != 64) return ParseHex<48>(text, "--measurement");
  const Bytes bytes = TRY_CONTEXT(Base64Decode(text), "--measurement");
  snp::ByteArray<48> out;
  if (bytes.size() != out.size()) return Error(Code::kInvalidArgument, "--measurement: 48 bytes");
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Result<snp::PKey> ReadKey(const std::string& path) {
  const Bytes bytes = TRY(ReadFile(path, kMaxKeyFile));
  return TRY_CONTEXT(snp::LoadPrivateKey(bytes), path);
}

Result<void> Create(const CreateFlags& flags) {
  snp::IdBlock block;
  block.launch_digest = TRY(ParseMeasurement(flags.measurement));
  if (!flags.family_id.empty()) block.family_id = TRY(ParseHex<16>(flags.family_id, "--family-id"));
  if (!flags.image_id.empty()) block.image_id = TRY(ParseHex<16>(flags.image_id, "--image-id"));
  block.guest_svn = flags.guest_svn;
  block.policy.bits = TRY(ParseNumber(flags.policy, "--policy"));
  const snp::PKey id_key = TRY(ReadKey(flags.id_key));
  snp::PKey author_key;
  if (!flags.author_key.empty()) author_key = TRY(ReadKey(flags.author_key));
  const snp::IdAuth auth = TRY(snp::SignIdBlock(block, id_key.get(), author_key.get()));
  json out = {{"id_block", Base64Encode(snp::EncodeIdBlock(block))},
              {"id_auth", Base64Encode(snp::EncodeIdAuth(auth))},
              {"id_key_digest", HexEncode(snp::KeyDigest(auth.id_key))}};
  if (author_key) out["author_key_digest"] = HexEncode(snp::KeyDigest(auth.author_key));
  if (flags.json) {
    std::printf("%s\n", out.dump(2).c_str());
    return {};
  }
  for (const auto& [key, value] : out.items())
    std::printf("%s=%s\n", key.c_str(), value.get<std::string>().c_str());
  return {};
}

// The bytes of a file, or of the base64 that it holds.
Result<Bytes> ReadBlock(const std::string& path, std::size_t size) {
  Bytes bytes = TRY(ReadFile(path, kMaxBlockFile));
  if (bytes.size() == size) return bytes;
  std::string text = AsString(bytes);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  Result<Bytes> decoded = Base64Decode(text);
  return decoded ? *std::move(decoded) : bytes;
}

Result<bool> Verify(const std::string& block_path, const std::string& auth_path, bool as_json) {
  const Bytes block_bytes = TRY(ReadBlock(block_path, snp::kIdBlockSize));
  const Bytes auth_bytes = TRY(ReadBlock(auth_path, snp::kIdAuthSize));
  const std::vector<std::string> failed = snp::VerifyIdBlock(block_bytes, auth_bytes);
  if (!as_json) {
    std::printf("%s\n", failed.empty() ? "valid" : "invalid");
    for (const std::string& name : failed)
      std::printf("failed check: %s\n", name.c_str());
    return failed.empty();
  }
  json parsed;
  const Result<snp::IdBlock> block = snp::ParseIdBlock(block_bytes);
  const Result<snp::IdAuth> auth = snp::ParseIdAuth(auth_bytes);
  if (block && auth) {
    parsed = {{"launch_digest", HexEncode(block->launch_digest)},
              {"family_id", HexEncode(block->family_id)},
              {"image_id", HexEncode(block->image_id)},
              {"version", block->version},
              {"guest_svn", block->guest_svn},
              {"policy", block->policy.bits},
              {"id_key_digest", HexEncode(snp::KeyDigest(auth->id_key))}};
    if (auth->author_key_algorithm != 0) {
      parsed["author_key_digest"] = HexEncode(snp::KeyDigest(auth->author_key));
    }
  }
  const json out = {{"verdict", failed.empty() ? "valid" : "invalid"},
                    {"failed_checks", failed},
                    {"parsed", parsed}};
  std::printf("%s\n", out.dump(2).c_str());
  return failed.empty();
}

int Fail(const Error& error) {
  std::fprintf(stderr, "kata-ccctl id-block: %s\n", error.message().c_str());
  return kExitUsage;
}

}  // namespace

void AddIdBlockCommands(CLI::App& app, int& exit_code) {
  CLI::App* family = app.add_subcommand("id-block", "Signed ID blocks of SNP launches");
  family->require_subcommand(1);
  auto flags = std::make_shared<CreateFlags>();
  CLI::App* create = family->add_subcommand("create", "Sign an ID block for a launch digest");
  create->add_option("--measurement", flags->measurement, "Launch digest, hex or base64")
      ->required();
  create->add_option("--idkey,--id-key", flags->id_key, "Private key on P-384")->required();
  create->add_option("--authorkey,--author-key", flags->author_key,
                     "Key that certifies the ID key");
  create->add_option("--family-id", flags->family_id, "16 bytes, hexadecimal");
  create->add_option("--image-id", flags->image_id, "16 bytes, hexadecimal");
  create->add_option("--guest-svn", flags->guest_svn, "Security version of the guest");
  create->add_option("--policy", flags->policy, "Guest policy; must be the launch's")
      ->capture_default_str();
  create->add_flag("--json", flags->json, "Print JSON");
  create->callback([flags, &exit_code] {
    const Result<void> created = Create(*flags);
    if (!created) exit_code = Fail(created.error());
  });
  struct Paths {
    std::string block, auth;
    bool json = false;
  };
  auto paths = std::make_shared<Paths>();
  CLI::App* verify = family->add_subcommand("verify", "Check an ID block's signatures");
  verify->add_option("--id-block", paths->block, "File: 96 bytes, or base64")->required();
  verify->add_option("--id-auth", paths->auth, "File: 4096 bytes, or base64")->required();
  verify->add_flag("--json", paths->json, "Print verdict, failed checks and fields as JSON");
  verify->callback([paths, &exit_code] {
    const Result<bool> valid = Verify(paths->block, paths->auth, paths->json);
    exit_code = !valid ? Fail(valid.error()) : *valid ? 0 : kExitNo;
  });
}

}  // namespace kata_cc::ctl
