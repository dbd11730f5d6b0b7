// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/domain_xml.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "base/process.h"

namespace kata_cc::shim {
namespace {

constexpr char kUuid[] = "7d0c9a6e-3f61-4be5-9b64-9f6f6ce8d9d1";

VmConfig Config() {
  VmConfig config;
  config.name = "kata-cc-test";
  config.kernel = "/image/vmlinuz";
  config.initrd = "/image/initrd.img";
  config.kernel_command_line = "console=hvc0 quiet";
  config.state_dir = "/run/kata-cc/test";
  return config;
}

VmConfig SnpConfig() {
  VmConfig config = Config();
  config.tee = Tee::kSnp;
  config.firmware = "/usr/share/ovmf/AMDSEV.fd";
  config.host_data.emplace();
  for (std::size_t i = 0; i < 32; ++i)
    (*config.host_data)[i] = static_cast<std::uint8_t>(i);
  return config;
}

std::string Xml(const VmConfig& config, Accelerator accelerator = Accelerator::kKvm) {
  const Result<std::string> xml = DomainXml(config, accelerator, kUuid);
  return xml ? *xml : "error: " + xml.error().message();
}

bool Has(const std::string& xml, const std::string& text) {
  return xml.find(text) != std::string::npos;
}

// libvirt's own schema, by libvirt's own tool.
void ExpectValid(const std::string& xml) {
  char path[] = "/tmp/domain_xml_test.XXXXXX";
  ::close(::mkstemp(path));
  std::ofstream(path) << xml;
  Result<ChildProcess> validator = ChildProcess::Spawn({"virt-xml-validate", path, "domain"});
  ASSERT_TRUE(validator.has_value());
  const Result<int> status = validator->Wait();
  EXPECT_TRUE(status.has_value() && *status == 0) << xml;
  ::unlink(path);
}

TEST(DomainXml, OnlyTheSimulatorHasItsPort) {
  VmConfig config = Config();
  config.tee = Tee::kSim;
  const std::string xml = Xml(config, Accelerator::kTcg);
  EXPECT_TRUE(Has(xml, "path='/run/kata-cc/test/sim.sock'"));
  EXPECT_TRUE(Has(xml, "<target type='virtio' name='org.kata-cc.sim.0'/>"));
  EXPECT_FALSE(Has(xml, "launchSecurity"));
  ExpectValid(xml);
  EXPECT_FALSE(Has(Xml(Config()), "sim"));
  EXPECT_FALSE(Has(Xml(SnpConfig()), "sim"));
}

TEST(DomainXml, IsValidForLibvirtsSchema) {
  ExpectValid(Xml(Config(), Accelerator::kTcg));
  VmConfig config = Config();
  config.transport = Transport::kVsock;
  config.initdata_image = "/run/kata-cc/test/initdata & 'more'.img";
  ExpectValid(Xml(config));
}

TEST(DomainXml, TheFeaturesOfTheCpuAreNotReadOneByOne) {
  for (const VmConfig& config : {Config(), SnpConfig()})
    EXPECT_TRUE(Has(Xml(config), "<qemu:del capability='cpu-unavailable-features'/>"));
}

TEST(DomainXml, SnpIsValidForLibvirtsSchema) {
  VmConfig config = SnpConfig();
  ExpectValid(Xml(config));
  config.snp_id_block = std::string(128, 'A');
  config.snp_id_auth = std::string(5464, 'B');
  config.snp_author_key = true;
  config.initdata_image = "/run/kata-cc/test/initdata.img";
  config.transport = Transport::kVsock;
  const std::string xml = Xml(config);
  ExpectValid(xml);
  EXPECT_TRUE(Has(xml, "authorKey='yes'"));
}

TEST(DomainXml, SnpLaunchSaysWhatIsMeasured) {
  const std::string xml = Xml(SnpConfig());
  EXPECT_TRUE(Has(xml, "<domain type='kvm' "));
  EXPECT_TRUE(Has(xml, "<launchSecurity type='sev-snp' kernelHashes='yes'>"));
  EXPECT_TRUE(Has(xml, "<policy>0x00030000</policy>"));
  EXPECT_TRUE(Has(xml, "<hostData>AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=</hostData>"));
  EXPECT_TRUE(Has(xml, "<loader type='rom' stateless='yes'>/usr/share/ovmf/AMDSEV.fd</loader>"));
  EXPECT_TRUE(Has(xml, "<model fallback='forbid'>EPYC-v4</model>"));
  EXPECT_TRUE(Has(xml, "<driver iommu='on'/>"));
  EXPECT_TRUE(Has(xml, "<ioapic driver='qemu'/>"));
}

TEST(DomainXml, SnpHasNoDeviceThatReadsGuestMemoryBehindItsBack) {
  const std::string xml = Xml(SnpConfig());
  for (const char* device : {"<rng", "<nvram", "<graphics", "<video", "<filesystem", "<shmem",
                             "<serial", "<memoryBacking", "<hostdev", "<tpm", "memfd"})
    EXPECT_FALSE(Has(xml, device)) << device;
  EXPECT_TRUE(Has(xml, "<memballoon model='none'/>"));
}

TEST(DomainXml, SnpNeverFallsBack) {
  EXPECT_EQ(Xml(SnpConfig(), Accelerator::kTcg), "error: vm: snp: the accelerator is not kvm");
  VmConfig config = SnpConfig();
  config.firmware.clear();
  EXPECT_EQ(Xml(config), "error: vm: snp: no firmware is configured");
  config = SnpConfig();
  config.host_data.reset();
  EXPECT_EQ(Xml(config), "error: vm: snp: no host data");
  config = SnpConfig();
  config.snp_id_block = "AAAA";
  EXPECT_EQ(Xml(config), "error: vm: snp: id block and id auth go together");
  config.snp_id_auth = "</idAuth>";
  EXPECT_EQ(Xml(config), "error: vm: snp: id block or id auth is not base64");
}

TEST(DomainXml, EmulatedVmHasNoLaunchSecurity) {
  const std::string xml = Xml(Config(), Accelerator::kTcg);
  EXPECT_TRUE(Has(xml, "<domain type='qemu' "));
  EXPECT_FALSE(Has(xml, "launchSecurity"));
  EXPECT_TRUE(Has(xml, "<source mode='bind' path='/run/kata-cc/test/agent.sock'/>"));
  EXPECT_TRUE(Has(xml, "name='org.kata-cc.agent.0'"));
}

TEST(DomainXml, OnlyAnEmulatedCpuHidesWhatIsSlowToEmulate) {
  for (const char* feature : {"la57", "erms", "fsrm", "fsrs", "fsrc", "fzrm"}) {
    const std::string disabled = std::string("<feature policy='disable' name='") + feature + "'/>";
    EXPECT_TRUE(Has(Xml(Config(), Accelerator::kTcg), disabled)) << feature;
    EXPECT_FALSE(Has(Xml(Config(), Accelerator::kKvm), disabled)) << feature;
  }
}

TEST(DomainXml, TextCannotLeaveItsElement) {
  VmConfig config = Config();
  config.kernel_command_line = "a=\"<b>&'c'\"";
  const std::string xml = Xml(config);
  EXPECT_TRUE(Has(xml, "<cmdline>a=&quot;&lt;b&gt;&amp;&apos;c&apos;&quot;</cmdline>"));
  ExpectValid(xml);
}

TEST(DomainXml, BadFieldsAreNamed) {
  VmConfig config = Config();
  config.name = "a/b";
  EXPECT_EQ(Xml(config), "error: vm: name: not [A-Za-z0-9._-]{1,200}");
  config.name = std::string(201, 'a');
  EXPECT_EQ(Xml(config), "error: vm: name: not [A-Za-z0-9._-]{1,200}");
  config = Config();
  config.vcpus = 0;
  EXPECT_EQ(Xml(config), "error: vm: vcpus: 0: not 1..240");
  config = Config();
  config.memory_mib = 3;
  EXPECT_EQ(Xml(config), "error: vm: memory: 3 MiB: not 64 MiB..16 TiB");
  config = Config();
  config.kernel = "vmlinuz";
  EXPECT_EQ(Xml(config), "error: vm: kernel: not an absolute path");
  config = Config();
  config.kernel_command_line = "a\nb";
  EXPECT_EQ(Xml(config), "error: vm: kernel command line: has a control character");
  config = Config();
  config.initrd = std::string("/a\0b", 4);
  EXPECT_EQ(Xml(config), "error: vm: initrd: has a control character");
}

TEST(DomainXml, AnInterfaceIsOnATapAndHasNoBootRom) {
  VmConfig config = SnpConfig();
  config.vcpus = 3;
  config.nics = {{"kcc1.0", "02:00:00:00:00:01", 1450}, {"kcc1.1", "02:00:00:00:00:02", 9000}};
  const std::string xml = Xml(config);
  ExpectValid(xml);
  EXPECT_TRUE(Has(xml,
                  "<interface type='ethernet'>\n      <mac address='02:00:00:00:00:01'/>\n"
                  "      <target dev='kcc1.0'/>\n      <model type='virtio'/>\n"
                  "      <driver queues='3' iommu='on'/>\n      <mtu size='1450'/>\n"
                  "      <rom enabled='no'/>"))
      << xml;
  EXPECT_TRUE(Has(xml, "slot='0x06'"));
  EXPECT_FALSE(Has(Xml(Config()), "<interface"));
  config = Config();
  config.nics = {{"kcc1.0", "02:00:00:00:00:01", 1500}};
  EXPECT_TRUE(Has(Xml(config, Accelerator::kTcg), "      <driver/>\n"));
  ExpectValid(Xml(config, Accelerator::kTcg));
}

TEST(DomainXml, BadInterfacesAreNamed) {
  const auto error = [](const VmNic& nic) {
    VmConfig config = Config();
    config.nics = {nic};
    return Xml(config);
  };
  for (const char* tap : {"", "a/b", "a'b", "0123456789abcdef", "a b"})
    EXPECT_EQ(error({tap, "02:00:00:00:00:01", 1500}), "error: vm: tap: not a name for one");
  for (const char* mac :
       {"", "02:00:00:00:00", "02:00:00:00:00:0g", "02-00-00-00-00-01", "02:00:00:00:00:01:"})
    EXPECT_EQ(error({"tap0", mac, 1500}), "error: vm: tap: not a MAC address");
  EXPECT_EQ(error({"tap0", "02:00:00:00:00:01", 67}), "error: vm: MTU: 67: not 68..65521");
  EXPECT_EQ(error({"tap0", "02:00:00:00:00:01", 65522}), "error: vm: MTU: 65522: not 68..65521");
  VmConfig config = Config();
  config.nics.resize(9, {"tap0", "02:00:00:00:00:01", 1500});
  EXPECT_EQ(Xml(config), "error: vm: more than 8 interfaces");
}

TEST(DiskXml, EachSlotHasANameAndAPlaceOfItsOwn) {
  const std::string domain = Xml(Config());
  std::set<std::string> targets;
  std::set<std::string> places;
  for (int slot = 1; slot <= kHotplugSlots; ++slot) {
    const Result<std::string> xml = DiskXml(Config(), {.id = "a", .path = "/d"}, false, slot);
    ASSERT_TRUE(xml.has_value());
    const std::size_t begin = xml->find("dev='vd");
    targets.insert(xml->substr(begin, xml->find('\'', begin + 5) - begin));
    const std::size_t address = xml->find("bus='0x0", xml->find("<address"));
    const std::string place = xml->substr(address, xml->find(" function", address) - address);
    EXPECT_FALSE(Has(domain, place)) << place;
    places.insert(place);
  }
  EXPECT_EQ(targets.size(), static_cast<std::size_t>(kHotplugSlots));
  EXPECT_EQ(places.size(), static_cast<std::size_t>(kHotplugSlots));
  EXPECT_TRUE(places.contains("bus='0x02' slot='0x1f'"));
  EXPECT_TRUE(places.contains("bus='0x06' slot='0x1f'"));
  EXPECT_FALSE(targets.contains("dev='vda"));
}

TEST(DiskXml, SaysWhatTheDiskIs) {
  const Result<std::string> file = DiskXml(Config(), {.id = "l1", .path = "/layer"}, false, 1);
  EXPECT_TRUE(file && Has(*file, "<source file='/layer'/>") && Has(*file, "<readonly/>") &&
              Has(*file, "<serial>l1</serial>") && !Has(*file, "iommu"));
  const Result<std::string> block =
      DiskXml(SnpConfig(), {.id = "s1", .path = "/dev/loop0", .read_only = false}, true, 33);
  EXPECT_TRUE(block && Has(*block, "<disk type='block'") && Has(*block, "dev='/dev/loop0'") &&
              !Has(*block, "readonly") && Has(*block, "iommu='on'") &&
              Has(*block, "bus='0x04' slot='0x02'"));
}

TEST(DiskXml, BadIdsAreRefused) {
  for (const char* id : {"", "A", "a-b", "a/b", "012345678901234567890"})
    EXPECT_FALSE(DiskXml(Config(), {.id = id, .path = "/d"}, false, 1)) << id;
  EXPECT_FALSE(DiskXml(Config(), {.id = "a", .path = "d"}, false, 1));
}

}  // namespace
}  // namespace kata_cc::shim
