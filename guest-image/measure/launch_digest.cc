// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/launch_digest.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "guest-image/measure/ovmf.h"

namespace kata_cc::measure {
namespace {

// A table may claim sections of 4 GiB each; real ones have a few dozen pages.
constexpr std::uint64_t kMaxSectionPages = std::uint64_t{1} << 20;
constexpr std::uint32_t kMaxVcpus = 4096;
constexpr std::uint64_t kVmsaGpa = 0xfffffffff000;

enum class PageType : std::uint8_t {
  kNormal = 1,
  kVmsa = 2,
  kZero = 3,
  kUnmeasured = 4,
  kSecrets = 5,
  kCpuid = 6,
};

Error Bad(const std::string& why) {
  return {Code::kInvalidArgument, "launch digest: " + why};
}

// The digest chain: each page's PAGE_INFO, which holds the digest so far, is hashed into the next.
class SnpDigest {
 public:
  explicit SnpDigest(const std::optional<Sha384Digest>& seed) {
    if (seed) digest_ = *seed;
  }

  Result<void> AddData(std::uint64_t gpa, ByteView data) {
    if (data.size() % kPageSize != 0) return Bad("data is not a multiple of the page size");
    for (; !data.empty(); data = data.subspan(kPageSize), gpa += kPageSize) {
      AddPage(PageType::kNormal, gpa, data.first(kPageSize));
    }
    return {};
  }

  Result<void> AddRange(PageType type, std::uint64_t gpa, std::uint64_t size) {
    if (size % kPageSize != 0) return Bad("section is not a multiple of the page size");
    section_pages_ += size / kPageSize;
    if (section_pages_ > kMaxSectionPages) return Bad("sections too large");
    for (std::uint64_t offset = 0; offset < size; offset += kPageSize)
      Update(type, gpa + offset, {});
    return {};
  }

  void AddPage(PageType type, std::uint64_t gpa, ByteView page) {
    // Most of a firmware is padding: a page of one byte throughout is hashed once.
    const bool padding = std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0;
    if (padding && padding_byte_ == page[0]) return Update(type, gpa, padding_digest_);
    const Sha384Digest contents = Sha384({page});
    if (padding) {
      padding_byte_ = page[0];
      padding_digest_ = contents;
    }
    Update(type, gpa, contents);
  }

  // contents is zero for pages whose bytes the VMM does not choose.
  void Update(PageType type, std::uint64_t gpa, const Sha384Digest& contents) {
    std::array<std::uint8_t, 0x70> info{};
    std::copy(digest_.begin(), digest_.end(), info.begin());
    std::copy(contents.begin(), contents.end(), info.begin() + 0x30);
    StoreLe<std::uint16_t>(info, 0x60, static_cast<std::uint16_t>(info.size()));
    info[0x62] = static_cast<std::uint8_t>(type);
    StoreLe<std::uint64_t>(info, 0x68, gpa);
    digest_ = Sha384({info});
  }

  Bytes digest() const { return {digest_.begin(), digest_.end()}; }

 private:
  Sha384Digest digest_{};
  std::optional<std::uint8_t> padding_byte_;  // What padding_digest_ is of.
  Sha384Digest padding_digest_{};
  std::uint64_t section_pages_ = 0;
};

// The page of the KERNEL_HASHES section, with the table where OVMF looks for it.
Result<Page> HashTablePage(const Ovmf& ovmf, const KernelHashes& kernel) {
  const std::size_t offset = TRY(ovmf.HashTableGpa()) & (kPageSize - 1);
  if (offset > kPageSize - kHashTableSize) return Bad("table of kernel hashes crosses a page");
  const HashTable table = BuildHashTable(kernel);
  Page page{};
  std::copy(table.begin(), table.end(), page.begin() + static_cast<std::ptrdiff_t>(offset));
  return page;
}

Result<void> AddSections(SnpDigest& digest, const Ovmf& ovmf, Vmm vmm,
                         const std::optional<KernelHashes>& kernel) {
  if (kernel && !ovmf.HasSection(SectionType::kKernelHashes)) {
    return Bad("ovmf has no section for kernel hashes: it cannot measure a kernel");
  }
  for (const OvmfSection& section : ovmf.sections()) {
    switch (section.type) {
      case SectionType::kSecMemory:
        TRY(digest.AddRange(vmm == Vmm::kGce ? PageType::kUnmeasured : PageType::kZero, section.gpa,
                            section.size));
        break;
      case SectionType::kSecrets:
        digest.Update(PageType::kSecrets, section.gpa, {});
        break;
      case SectionType::kCpuid:
        if (vmm != Vmm::kEc2) digest.Update(PageType::kCpuid, section.gpa, {});
        break;
      case SectionType::kSvsmCallingArea:
        TRY(digest.AddRange(PageType::kZero, section.gpa, section.size));
        break;
      case SectionType::kKernelHashes:
        if (!kernel) {
          TRY(digest.AddRange(PageType::kZero, section.gpa, section.size));
          break;
        }
        if (section.size != kPageSize) return Bad("section for kernel hashes is not one page");
        digest.AddPage(PageType::kNormal, section.gpa, TRY(HashTablePage(ovmf, *kernel)));
        break;
    }
  }
  if (vmm != Vmm::kEc2) return {};
  for (const OvmfSection& section : ovmf.sections()) {  // EC2 adds the CPUID page last.
    if (section.type == SectionType::kCpuid) digest.Update(PageType::kCpuid, section.gpa, {});
  }
  return {};
}

// All APs have the same page, so it is hashed once.
void AddVmsas(SnpDigest& digest, std::uint32_t vcpus, const Page& bsp, const Page& ap,
              const VmsaObserver& on_vmsa) {
  const Sha384Digest ap_contents = Sha384({ap});
  digest.AddPage(PageType::kVmsa, kVmsaGpa, bsp);
  if (on_vmsa) on_vmsa(0, bsp);
  for (std::uint32_t vcpu = 1; vcpu < vcpus; ++vcpu) {
    digest.Update(PageType::kVmsa, kVmsaGpa, ap_contents);
    if (on_vmsa) on_vmsa(vcpu, ap);
  }
}

Result<Bytes> MeasureSnp(const LaunchInputs& inputs, const Ovmf& ovmf,
                         const VmsaObserver& on_vmsa) {
  if (ovmf.sections().empty() && !inputs.kernel) {
    return Bad("ovmf has no SEV metadata: it cannot start under SNP");
  }
  SnpDigest digest(inputs.ovmf_hash);
  if (!inputs.ovmf_hash) TRY(digest.AddData(ovmf.gpa(), ovmf.image()));
  TRY(AddSections(digest, ovmf, inputs.vmm, inputs.kernel));
  VmsaConfig config{inputs.vmm, kBspEip, inputs.guest_features, inputs.cpu_signature};
  const Page bsp = BuildVmsa(config);
  config.eip = TRY(ovmf.ResetEip());
  AddVmsas(digest, inputs.vcpus, bsp, BuildVmsa(config), on_vmsa);
  return digest.digest();
}

Result<Bytes> MeasureSvsm(const LaunchInputs& inputs, const Ovmf& ovmf,
                          const VmsaObserver& on_vmsa) {
  const Ovmf svsm = TRY_CONTEXT(Ovmf::Parse(inputs.svsm), "svsm");
  // The SVSM lies below OVMF's variables, which lie below its code.
  if (inputs.vars_size > ovmf.gpa() || svsm.image().size() > ovmf.gpa() - inputs.vars_size) {
    return Bad("svsm: vars size out of range");
  }
  const std::uint64_t svsm_gpa = ovmf.gpa() - inputs.vars_size - svsm.image().size();
  const std::uint64_t entry = svsm_gpa + TRY(svsm.SvsmLaunchOffset());
  if (entry > 0xffffffff) return Bad("svsm: launch offset out of range");
  SnpDigest digest(std::nullopt);
  TRY(digest.AddData(ovmf.gpa(), ovmf.image()));
  TRY(digest.AddData(svsm_gpa, svsm.image()));
  TRY(AddSections(digest, svsm, Vmm::kQemu, std::nullopt));
  // The SVSM hands out features itself; its own vCPUs run with SNP alone.
  const Page page =
      BuildSvsmVmsa({Vmm::kQemu, static_cast<std::uint32_t>(entry), 1, inputs.cpu_signature});
  AddVmsas(digest, inputs.vcpus, page, page, on_vmsa);
  return digest.digest();
}

// SEV and SEV-ES: one hash over firmware, kernel hashes, VMSAs.
Result<Bytes> MeasureSev(const LaunchInputs& inputs, const Ovmf& ovmf,
                         const VmsaObserver& on_vmsa) {
  HashTable table{};
  ByteView measured_table;
  if (inputs.kernel) {
    const Result<std::uint32_t> table_gpa = ovmf.HashTableGpa();
    if (!table_gpa || *table_gpa == 0) {
      return Bad("ovmf has no place for kernel hashes: it cannot measure a kernel");
    }
    table = BuildHashTable(*inputs.kernel);
    measured_table = table;
  }
  Bytes vmsas;
  if (inputs.mode == Mode::kSevEs) {
    VmsaConfig config{inputs.vmm, kBspEip, 0, inputs.cpu_signature};
    for (std::uint32_t vcpu = 0; vcpu < inputs.vcpus; ++vcpu) {
      if (vcpu == 1) config.eip = TRY(ovmf.ResetEip());
      const Page page = BuildVmsa(config);
      vmsas.insert(vmsas.end(), page.begin(), page.end());
      if (on_vmsa) on_vmsa(vcpu, page);
    }
  }
  const Sha256Digest digest = Sha256({ovmf.image(), measured_table, vmsas});
  return Bytes(digest.begin(), digest.end());
}

}  // namespace

Result<Mode> ParseMode(std::string_view name) {
  if (name == "sev") return Mode::kSev;
  if (name == "seves") return Mode::kSevEs;
  if (name == "snp") return Mode::kSnp;
  if (name == "snp:ovmf-hash") return Mode::kSnpOvmfHash;
  if (name == "snp:svsm") return Mode::kSnpSvsm;
  return Bad(std::string(name) + ": unknown mode");
}

Result<Vmm> ParseVmm(std::string_view name) {
  if (name == "QEMU") return Vmm::kQemu;
  if (name == "ec2") return Vmm::kEc2;
  if (name == "gce") return Vmm::kGce;
  return Bad(std::string(name) + ": unknown VMM");
}

Result<Bytes> LaunchDigest(const LaunchInputs& inputs, const VmsaObserver& on_vmsa) {
  if (inputs.vcpus < 1 || inputs.vcpus > kMaxVcpus) return Bad("number of vCPUs out of range");
  const Ovmf ovmf = TRY(Ovmf::Parse(inputs.ovmf));
  switch (inputs.mode) {
    case Mode::kSnpOvmfHash: {
      SnpDigest digest(std::nullopt);
      TRY(digest.AddData(ovmf.gpa(), ovmf.image()));
      return digest.digest();
    }
    case Mode::kSnp:
      return MeasureSnp(inputs, ovmf, on_vmsa);
    case Mode::kSnpSvsm:
      return MeasureSvsm(inputs, ovmf, on_vmsa);
    case Mode::kSev:
    case Mode::kSevEs:
      return MeasureSev(inputs, ovmf, on_vmsa);
  }
  return Bad("unknown mode");
}

}  // namespace kata_cc::measure
