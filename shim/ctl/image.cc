// SPDX-License-Identifier: Apache-2.0
// kata-ccctl image: what is in a guest image, whether it is the published one, what changed.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "shim/ctl/commands.h"
#include "shim/ctl/files.h"
#include "shim/ctl/guest_image.h"
#include "shim/ctl/image_signature.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

struct ImageFlags {
  std::string dir, other, firmware, public_key, issuer, feed = "kata-cc-uvm";
  std::optional<std::int64_t> min_svn;
  LaunchOptions launch;
  std::string guest_features = "0x1";
  SignOptions sign;
};

// Adds "launch" to the manifest, before anything is signed.
Result<int> Measure(const ImageFlags& flags) {
  const Manifest manifest = TRY(ReadManifest(flags.dir));
  LaunchOptions options = flags.launch;
  options.guest_features = TRY(ParseNumber(flags.guest_features, "--guest-features"));
  json document = json::parse(manifest.text);
  document["launch"] = TRY(LaunchDigests(flags.dir, options));
  const std::string text = document.dump(2) + "\n";
  const std::string path = flags.dir + "/manifest.json";
  TRY(WriteFile(path + ".new", AsBytes(text)));
  if (std::rename((path + ".new").c_str(), path.c_str()) != 0) return ErrnoError(errno, path);
  return 0;
}

Result<int> Sign(const ImageFlags& flags) {
  const Manifest manifest = TRY(ReadManifest(flags.dir));
  const std::vector<std::string> problems = TRY(CheckImage(flags.dir, manifest, ""));
  if (!problems.empty()) {
    return Error(Code::kFailedPrecondition, "not signed: " + problems[0]);
  }
  const std::string issuer = TRY(SignImage(flags.dir, manifest, flags.sign));
  std::printf("%s\n", issuer.c_str());
  return 0;
}

Result<int> Verify(const ImageFlags& flags) {
  const Manifest manifest = TRY(ReadManifest(flags.dir));
  std::vector<std::string> problems = TRY(CheckImage(flags.dir, manifest, flags.firmware));
  if (!flags.public_key.empty()) {
    const bool holds = TRY(DetachedSignatureHolds(flags.dir, manifest, flags.public_key));
    if (!holds) problems.push_back(std::string(kDetachedSignature) + ": not this key's signature");
  }
  if (!flags.issuer.empty()) {
    cose::Rules rules;
    rules.issuer = flags.issuer;
    rules.feed = flags.feed;
    rules.minimum_svn = flags.min_svn;
    for (std::string& problem : TRY(CheckCoseSignatures(flags.dir, manifest, rules)))
      problems.push_back(std::move(problem));
  }
  for (const std::string& problem : problems)
    std::printf("%s\n", problem.c_str());
  if (!problems.empty()) return kExitNo;
  const bool is_signed = !flags.public_key.empty() || !flags.issuer.empty();
  std::printf("%s: as its manifest says%s\n", flags.dir.c_str(),
              is_signed ? ", which is signed" : "; no signature was checked");
  return 0;
}

Result<int> List(const ImageFlags& flags) {
  const Manifest manifest = TRY(ReadManifest(flags.dir));
  std::printf("%-48s %10s  %-44s %s\n", "PATH", "SIZE", "PACKAGE", "SHA-256");
  for (const auto& [path, file] : manifest.files) {
    std::printf("%-48s %10llu  %-44s %s\n", path.c_str(),
                static_cast<unsigned long long>(file.size),
                (file.package + " " + file.version).c_str(), file.sha256.c_str());
  }
  std::printf("kernel   %s  %s %s\ninitrd   %s\ncmdline  %s\n", manifest.kernel_sha256.c_str(),
              manifest.kernel_package.c_str(), manifest.kernel_version.c_str(),
              manifest.initrd_sha256.c_str(), manifest.cmdline_sha256.c_str());
  if (!manifest.launch.is_object() || !manifest.launch.contains("digests")) return 0;
  const json& digests = manifest.launch["digests"];
  for (std::size_t vcpus = 1; vcpus <= digests.size(); ++vcpus) {
    const auto digest = digests.find(std::to_string(vcpus));
    if (digest == digests.end() || !digest->is_string()) break;
    std::printf("launch   %3zu vCPU  %s\n", vcpus, digest->get<std::string>().c_str());
  }
  return 0;
}

Result<int> Diff(const ImageFlags& flags) {
  const Manifest before = TRY(ReadManifest(flags.dir));
  const Manifest after = TRY(ReadManifest(flags.other));
  const std::vector<std::string> lines = DiffManifests(before, after);
  for (const std::string& line : lines)
    std::printf("%s\n", line.c_str());
  return lines.empty() ? 0 : kExitNo;
}

using Command = Result<int> (*)(const ImageFlags&);

CLI::App* Add(CLI::App* family, const std::shared_ptr<ImageFlags>& flags, int& exit_code,
              const char* name, const char* what, Command run) {
  CLI::App* command = family->add_subcommand(name, what);
  command->add_option("dir", flags->dir, "Directory of the image")->required();
  command->callback([flags, &exit_code, run] {
    const Result<int> code = run(*flags);
    if (!code) std::fprintf(stderr, "kata-ccctl image: %s\n", code.error().message().c_str());
    exit_code = code ? *code : kExitUsage;
  });
  return command;
}

}  // namespace

void AddImageCommands(CLI::App& app, int& exit_code) {
  CLI::App* family = app.add_subcommand("image", "Guest images: audit, sign, compare");
  family->require_subcommand(1);
  auto flags = std::make_shared<ImageFlags>();
  CLI::App* verify = Add(family, flags, exit_code, "verify",
                         "Whether the files are those of the manifest, and who signed it", Verify);
  verify->add_option("--ovmf", flags->firmware, "Firmware: compute the launch digests, too");
  verify->add_option("--key", flags->public_key, "Public key (PEM) of the detached signature");
  verify->add_option("--issuer", flags->issuer, "did:x509 name of the COSE signatures' issuer");
  verify->add_option("--feed", flags->feed, "Their feed")->capture_default_str();
  verify->add_option("--min-svn", flags->min_svn, "Lowest security version");
  (void)Add(family, flags, exit_code, "list", "Every file, package, version and digest", List);
  CLI::App* diff = Add(family, flags, exit_code, "diff", "What changed between two images", Diff);
  diff->add_option("other", flags->other, "Directory of the later image")->required();
  CLI::App* measure =
      Add(family, flags, exit_code, "measure", "Put launch digests into the manifest", Measure);
  measure->add_option("--ovmf", flags->launch.firmware, "Firmware")->required();
  measure->add_option("--max-vcpus", flags->launch.max_vcpus, "Digests for 1 to this many vCPUs")
      ->capture_default_str();
  measure->add_option("--kernel-params", flags->launch.kernel_params, "Of the configuration");
  measure->add_option("--transport", flags->launch.transport, "Of the configuration")
      ->capture_default_str();
  measure->add_option("--guest-features", flags->guest_features, "SEV_FEATURES")
      ->capture_default_str();
  CLI::App* sign = Add(family, flags, exit_code, "sign",
                       "Sign manifest and launch digests; prints the issuer's name", Sign);
  sign->add_option("--key", flags->sign.key, "Private key, PEM or DER")->required();
  sign->add_option("--chain", flags->sign.chain, "Certificates, the signer's first, PEM")
      ->required();
  sign->add_option("--feed", flags->sign.feed, "Feed")->capture_default_str();
  sign->add_option("--svn", flags->sign.svn, "Security version")->capture_default_str();
}

}  // namespace kata_cc::ctl
