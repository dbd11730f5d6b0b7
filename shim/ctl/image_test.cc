// SPDX-License-Identifier: Apache-2.0
// kata-ccctl image on the command line, on a small image made here.
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "guest-image/measure/test_image.h"
#include "shim/ctl/run_ctl.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

std::string Sha256(ByteView bytes) {
  Bytes digest(32);
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return HexEncode(digest);
}

struct Entry {
  std::string path, content;
  unsigned type = AE_IFREG, mode = 0644;
};

Bytes Cpio(const std::vector<Entry>& entries) {
  Bytes out(1 << 20);
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_cpio_newc(writer);
  archive_write_set_bytes_per_block(writer, 1);
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  for (const Entry& file : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, file.path.c_str());
    archive_entry_set_filetype(entry, file.type);
    archive_entry_set_perm(entry, file.mode);
    archive_entry_set_size(entry, static_cast<la_int64_t>(file.content.size()));
    if (file.type == AE_IFLNK) archive_entry_set_symlink(entry, "/init");
    archive_write_header(writer, entry);
    archive_write_data(writer, file.content.data(), file.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

class ImageCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ovmf_ = dir_.Write("ovmf.fd", measure::TestImage().bytes);
    WriteImage("one", kFiles);
    one_ = dir_.path("one");
  }

  void WriteImage(const std::string& name, const std::vector<Entry>& entries,
                  const std::string& version = "1.0") {
    std::filesystem::create_directories(dir_.path(name));
    std::vector<Entry> all = {{.path = ".", .content = {}, .type = AE_IFDIR, .mode = 0755}};
    all.insert(all.end(), entries.begin(), entries.end());
    const Bytes initrd = Cpio(all);
    (void)dir_.Write(name + "/initrd.img", initrd);
    (void)dir_.Write(name + "/vmlinuz", AsBytes("kernel " + version));
    (void)dir_.Write(name + "/cmdline", AsBytes("quiet\n"));
    json files = json::array();
    for (const Entry& entry : entries) {
      files.push_back({{"path", "/" + entry.path},
                       {"sha256", Sha256(AsBytes(entry.content))},
                       {"size", entry.content.size()},
                       {"package", "package-" + entry.path},
                       {"version", version}});
    }
    manifest_ = {{"files", files},
                 {"kernel",
                  {{"sha256", Sha256(AsBytes("kernel " + version))},
                   {"package", "linux"},
                   {"version", version}}},
                 {"initrd", {{"sha256", Sha256(initrd)}, {"size", initrd.size()}}},
                 {"cmdline", {{"sha256", Sha256(AsBytes("quiet\n"))}}}};
    WriteManifest(name);
  }
  void WriteManifest(const std::string& name) {
    (void)dir_.Write(name + "/manifest.json", AsBytes(manifest_.dump()));
  }

  // A key of its own, its certificate and that of its issuer.
  void WriteSigner(const std::string& name) {
    EVP_PKEY* root = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384");
    EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384");
    FILE* chain = ::fopen(dir_.path(name + ".chain").c_str(), "we");
    for (EVP_PKEY* subject : {key, root}) {
      X509* x509 = X509_new();
      X509_set_version(x509, 2);
      X509_gmtime_adj(X509_getm_notBefore(x509), 0);
      X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
      X509_set_pubkey(x509, subject);
      const auto set = [](X509_NAME* to, const char* text) {
        X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
      };
      set(X509_get_subject_name(x509), subject == key ? "signer" : "root");
      set(X509_get_issuer_name(x509), "root");
      if (subject == root) {
        X509_EXTENSION* ca =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "CA:TRUE");
        X509_add_ext(x509, ca, -1);
        X509_EXTENSION_free(ca);
      }
      X509_sign(x509, root, EVP_sha384());
      PEM_write_X509(chain, x509);
      X509_free(x509);
    }
    ::fclose(chain);
    FILE* file = ::fopen(dir_.path(name + ".key").c_str(), "we");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    ::fclose(file);
    file = ::fopen(dir_.path(name + ".pub").c_str(), "we");
    PEM_write_PUBKEY(file, key);
    ::fclose(file);
    EVP_PKEY_free(root);
    EVP_PKEY_free(key);
  }
  std::string Sign(const std::string& signer, const std::string& svn = "4") {
    const CtlResult result = RunCtl({"image", "sign", one_, "--key", dir_.path(signer + ".key"),
                                     "--chain", dir_.path(signer + ".chain"), "--svn", svn});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return result.output.substr(0, result.output.find('\n'));
  }
  static CtlResult Verify(const std::string& dir, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"image", "verify", dir});
    return RunCtl(more);
  }
  void ExpectProblem(const std::string& text, const std::vector<std::string>& more = {}) {
    const CtlResult result = Verify(one_, more);
    EXPECT_EQ(result.exit_code, 1) << result.errors;
    EXPECT_NE(result.output.find(text), std::string::npos) << result.output;
  }

  const std::vector<Entry> kFiles = {{.path = "init", .content = "agent", .mode = 0755},
                                     {.path = "crun", .content = "crun", .mode = 0755}};
  TestDir dir_;
  std::string ovmf_, one_;
  json manifest_;
};

TEST_F(ImageCommandTest, AnImageThatIsAsItsManifestSays) {
  const CtlResult result = Verify(one_);
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  EXPECT_NE(result.output.find("no signature was checked"), std::string::npos);
  const CtlResult list = RunCtl({"image", "list", one_});
  EXPECT_EQ(list.exit_code, 0);
  for (const char* text : {"/init", "package-crun 1.0", "linux 1.0"})
    EXPECT_NE(list.output.find(text), std::string::npos) << list.output;
}

TEST_F(ImageCommandTest, EveryDifferenceIsNamed) {
  (void)dir_.Write("one/vmlinuz", AsBytes("another"));
  (void)dir_.Write("one/cmdline", AsBytes("init=/bin/sh\n"));
  ExpectProblem("vmlinuz: SHA-256 is");
  ExpectProblem("cmdline: SHA-256 is");
  WriteImage("one", kFiles);
  const json good = manifest_;
  manifest_["files"].erase(1);
  WriteManifest("one");
  ExpectProblem("/crun: in the initrd, but not in the manifest");
  manifest_ = good;
  manifest_["files"].push_back(manifest_["files"][0]);
  manifest_["files"][2]["path"] = "/bin/sh";
  WriteManifest("one");
  ExpectProblem("/bin/sh: in the manifest, but not in the initrd");
  manifest_ = good;
  manifest_["files"][0]["sha256"] = std::string(64, '0');
  manifest_["files"][1]["size"] = 3;
  WriteManifest("one");
  ExpectProblem("/init: SHA-256 is");
  ExpectProblem("/crun: its size differs");
}

TEST_F(ImageCommandTest, AnInitrdThatHidesSomethingIsRefused) {
  const Entry init = kFiles[0];
  const std::pair<std::vector<Entry>, const char*> cases[] = {
      {{init, init}, "there twice"},
      {{init, {.path = "link", .content = {}, .type = AE_IFLNK}}, "neither a file nor"},
      {{init, {.path = "fifo", .content = {}, .type = AE_IFIFO}}, "neither a file nor"},
      {{init, {.path = "a/../b", .content = {}}}, "not a path below"},
      {{init, {.path = "/abs", .content = {}}}, "not a path below"},
      {{init, {.path = "a", .content = {}, .type = AE_IFCHR}}, "neither a file nor"},
      {{init, {.path = "su", .content = {}, .mode = 04755}}, "set-user-ID"},
  };
  for (const auto& [entries, problem] : cases) {
    (void)dir_.Write("one/initrd.img", Cpio(entries));
    ExpectProblem(problem);
  }
  (void)dir_.Write("one/initrd.img", AsBytes("no archive"));
  ExpectProblem("initrd: ");
}

TEST_F(ImageCommandTest, LaunchDigestsAreThoseOfMeasure) {
  ASSERT_EQ(RunCtl({"image", "measure", one_, "--ovmf", ovmf_, "--max-vcpus", "3"}).exit_code, 0);
  EXPECT_EQ(Verify(one_, {"--ovmf", ovmf_}).exit_code, 0);
  std::ifstream file(one_ + "/manifest.json");
  const json launch = json::parse(file)["launch"];
  ASSERT_EQ(launch["digests"].size(), 3U);
  for (const auto& [vcpus, digest] : launch["digests"].items()) {
    const CtlResult measured =
        RunCtl({"measure", "--mode", "snp", "--vcpus", vcpus, "--vcpu-type", "EPYC-v4", "--ovmf",
                ovmf_, "--kernel", one_ + "/vmlinuz", "--initrd", one_ + "/initrd.img", "--append",
                launch["kernel_command_line"]});
    EXPECT_EQ(measured.output, digest.get<std::string>() + "\n");
  }
  // Any other option, as one that makes a debug guest, is another measurement.
  ASSERT_EQ(RunCtl({"image", "measure", one_, "--ovmf", ovmf_, "--kernel-params", "loglevel=7"})
                .exit_code,
            0);
  std::ifstream changed(one_ + "/manifest.json");
  EXPECT_NE(json::parse(changed)["launch"]["digests"]["1"], launch["digests"]["1"]);
  measure::TestImage other;
  other.bytes[0] ^= 1;
  ExpectProblem("for another firmware", {"--ovmf", dir_.Write("other.fd", other.bytes)});
}

TEST_F(ImageCommandTest, SignaturesAreOverTheWholeManifest) {
  ASSERT_EQ(RunCtl({"image", "measure", one_, "--ovmf", ovmf_, "--max-vcpus", "2"}).exit_code, 0);
  WriteSigner("us");
  WriteSigner("them");
  const std::string issuer = Sign("us");
  const std::vector<std::string> flags = {
      "--key", dir_.path("us.pub"), "--issuer", issuer, "--min-svn", "4", "--ovmf", ovmf_};
  const CtlResult result = Verify(one_, flags);
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  EXPECT_NE(result.output.find("which is signed"), std::string::npos);
  // The openssl program takes the same signature.
  EXPECT_EQ(std::system(("openssl dgst -sha384 -verify " + dir_.path("us.pub") + " -signature " +
                         one_ + "/manifest.json.sig " + one_ + "/manifest.json >/dev/null")
                            .c_str()),
            0);
  ExpectProblem("not this key's signature", {"--key", dir_.path("them.pub")});
  ExpectProblem("failed check: issuer", {"--issuer", issuer + "x"});
  ExpectProblem("failed check: svn", {"--issuer", issuer, "--min-svn", "5"});
  ExpectProblem("failed check: feed", {"--issuer", issuer, "--feed", "other"});
  // Signed by another, for the same files.
  EXPECT_NE(Sign("them"), issuer);
  ExpectProblem("failed check: issuer", {"--issuer", issuer});
  (void)Sign("us");
  std::filesystem::copy_file(one_ + "/reference-info-1.cose", one_ + "/reference-info-2.cose",
                             std::filesystem::copy_options::overwrite_existing);
  ExpectProblem("reference-info-2.cose: is for another launch digest", {"--issuer", issuer});
  (void)Sign("us");
  std::ofstream(one_ + "/manifest.json", std::ios::app) << "\n";
  ExpectProblem("not this key's signature", {"--key", dir_.path("us.pub")});
  ExpectProblem("signs another manifest", {"--issuer", issuer});
}

TEST_F(ImageCommandTest, DiffNamesPackagesAndFiles) {
  EXPECT_EQ(RunCtl({"image", "diff", one_, one_}).exit_code, 0);
  WriteImage(
      "two",
      {{.path = "init", .content = "agent 2", .mode = 0755}, {.path = "lib.so", .content = "new"}},
      "1.1");
  const CtlResult diff = RunCtl({"image", "diff", one_, dir_.path("two")});
  EXPECT_EQ(diff.exit_code, 1);
  for (const char* line :
       {"~ package linux: 1.0 -> 1.1\n", "- package package-crun 1.0\n",
        "+ package package-lib.so 1.1\n", "- file /crun (4 bytes)\n",
        "~ file /init (5 -> 7 bytes)\n", "+ file /lib.so (3 bytes)\n", "~ kernel: "})
    EXPECT_NE(diff.output.find(line), std::string::npos) << line << diff.output;
}

TEST_F(ImageCommandTest, UnusableImages) {
  EXPECT_EQ(Verify(dir_.path("none")).exit_code, 2);
  for (const char* text : {"", "[]", "{}", "{\"files\": 1}", "{\"files\": [], \"files\": []}"}) {
    (void)dir_.Write("one/manifest.json", AsBytes(text));
    EXPECT_EQ(Verify(one_).exit_code, 2) << text;
  }
  WriteImage("one", kFiles);
  WriteSigner("us");
  EXPECT_EQ(
      RunCtl({"image", "sign", one_, "--key", dir_.path("us.key"), "--chain", ovmf_}).exit_code, 2);
  WriteSigner("them");
  EXPECT_EQ(RunCtl({"image", "sign", one_, "--key", dir_.path("us.key"), "--chain",
                    dir_.path("them.chain")})
                .exit_code,
            2);
  EXPECT_EQ(Verify(one_, {"--key", ovmf_}).exit_code, 2);
  (void)dir_.Write("one/vmlinuz", AsBytes("changed"));
  EXPECT_EQ(RunCtl({"image", "sign", one_, "--key", dir_.path("us.key"), "--chain",
                    dir_.path("us.chain")})
                .exit_code,
            2);
}

}  // namespace
}  // namespace kata_cc::ctl
