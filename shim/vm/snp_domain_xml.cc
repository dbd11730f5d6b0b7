// SPDX-License-Identifier: Apache-2.0
// For tests: prints the domain of an SNP guest whose files are in the directory that is given, with
// all that such a domain can have.
#include <cstdio>
#include <string>

#include "base/encoding.h"
#include "shim/vm/domain_xml.h"

int main(int argc, char** argv) {
  using namespace kata_cc::shim;
  if (argc != 2) return 2;
  const std::string dir = argv[1];
  VmConfig config;
  config.name = "kata-cc-snp";
  config.kernel = dir + "/vmlinuz";
  config.initrd = dir + "/initrd.img";
  config.firmware = dir + "/ovmf.fd";
  config.kernel_command_line = "quiet kata_cc.tee=snp";
  config.state_dir = dir;
  config.vcpus = 3;
  config.tee = Tee::kSnp;
  config.transport = Transport::kVsock;
  config.host_data.emplace().fill(0x5a);
  config.initdata_image = dir + "/initdata.img";
  config.nics = {{"kcc0", "02:00:00:00:00:01", 1450}};
  config.snp_id_block = kata_cc::Base64Encode(kata_cc::Bytes(96, 0x11));
  config.snp_id_auth = kata_cc::Base64Encode(kata_cc::Bytes(4096, 0x22));
  config.snp_author_key = true;
  const auto xml = DomainXml(config, Accelerator::kKvm, "7d0c9a6e-3f61-4be5-9b64-9f6f6ce8d9d1");
  if (!xml) {
    std::fprintf(stderr, "%s\n", xml.error().message().c_str());
    return 1;
  }
  std::fputs(xml->c_str(), stdout);
  return 0;
}
