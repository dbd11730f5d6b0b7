// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/verify/report_json.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace kata_cc::snp {
namespace {

using nlohmann::json;

template <typename T>
json OrNull(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json TcbToJson(const Tcb& tcb, bool fmc_always) {
  json out = {{"bootloader", tcb.bootloader()},
              {"tee", tcb.tee()},
              {"snp", tcb.snp()},
              {"microcode", tcb.microcode()}};
  if (tcb.fmc() || fmc_always) out["fmc"] = OrNull(tcb.fmc());
  return out;
}

std::string Dotted(const FirmwareVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.build);
}

json PolicyBits(const GuestPolicy& policy) {
  return {{"abi_minor", policy.abi_minor()},
          {"abi_major", policy.abi_major()},
          {"smt", policy.smt()},
          {"reserved_bit17", policy.reserved_bit17()},
          {"migrate_ma", policy.migrate_ma()},
          {"debug", policy.debug()},
          {"single_socket", policy.single_socket()},
          {"cxl_allow", policy.cxl_allow()},
          {"mem_aes_256_xts", policy.mem_aes_256_xts()},
          {"rapl_dis", policy.rapl_dis()},
          {"ciphertext_hiding", policy.ciphertext_hiding()},
          {"page_swap_disable", policy.page_swap_disable()}};
}

json PlatformBits(const PlatformInfo& info) {
  return {{"smt_en", info.smt_en()},
          {"tsme_en", info.tsme_en()},
          {"ecc_en", info.ecc_en()},
          {"rapl_dis", info.rapl_dis()},
          {"ciphertext_hiding_en", info.ciphertext_hiding_en()},
          {"alias_check_complete", info.alias_check_complete()},
          {"tio_en", info.tio_en()}};
}

// Reads SnpEvidence's fields; the first that does not fit sets ok to false.
class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {}

  template <typename T>
  void Number(const char* key, T& out) {
    Parse(At(key), out);
  }
  template <typename T>
  void OptionalNumber(const char* key, std::optional<T>& out) {
    const json& value = At(key);
    if (!value.is_null()) Parse(value, out.emplace());
  }
  template <std::size_t kSize>
  void Array(const char* key, ByteArray<kSize>& out) {
    const json& value = At(key);
    ok_ = ok_ && value.is_array() && value.size() == kSize;
    for (std::size_t i = 0; ok_ && i < kSize; ++i)
      Parse(value[i], out[i]);
  }
  void Blob(const char* key, Bytes& out) {
    const json& value = At(key);
    ok_ = ok_ && value.is_array() && value.size() <= kMaxEvidenceSize;
    for (std::size_t i = 0; ok_ && i < value.size(); ++i)
      Parse(value[i], out.emplace_back());
  }
  void GetTcb(const char* key, Tcb& out) {
    Reader tcb(At(key));
    std::optional<std::uint8_t> fmc;
    std::uint8_t bootloader = 0, tee = 0, snp = 0, microcode = 0;
    tcb.OptionalNumber("fmc", fmc);
    tcb.Number("bootloader", bootloader);
    tcb.Number("tee", tee);
    tcb.Number("snp", snp);
    tcb.Number("microcode", microcode);
    ok_ = ok_ && tcb.ok();
    out = Tcb::Make(fmc ? TcbLayout::kTurin : TcbLayout::kMilan, fmc.value_or(0), bootloader, tee,
                    snp, microcode);
  }
  void Version(const char* key, FirmwareVersion& out) {
    Reader version(At(key));
    version.Number("major", out.major);
    version.Number("minor", out.minor);
    version.Number("build", out.build);
    ok_ = ok_ && version.ok();
  }
  const json& At(const char* key) {
    static const json kNull;
    const auto it = object_.is_object() ? object_.find(key) : object_.end();
    return object_.is_object() && it != object_.end() ? *it : kNull;
  }
  bool ok() const { return ok_; }

 private:
  template <typename T>
  void Parse(const json& value, T& out) {
    ok_ = ok_ && value.is_number_unsigned() &&
          value.template get<std::uint64_t>() <= std::numeric_limits<T>::max();
    if (ok_) out = value.template get<T>();
  }

  const json& object_;
  bool ok_ = true;
};

}  // namespace

json ReportToJson(const Report& report) {
  json out = {{"version", report.version},
              {"guest_svn", report.guest_svn},
              {"policy", report.policy.bits},
              {"policy_bits", PolicyBits(report.policy)},
              {"family_id", HexEncode(report.family_id)},
              {"image_id", HexEncode(report.image_id)},
              {"vmpl", report.vmpl},
              {"sig_algo", report.signature_algorithm},
              {"platform_info", report.platform_info.bits},
              {"platform_info_bits", PlatformBits(report.platform_info)},
              {"key_info", report.key_info.bits},
              {"author_key_en", report.key_info.author_key_en()},
              {"mask_chip_key", report.key_info.mask_chip_key()},
              {"signing_key", report.key_info.signing_key()},
              {"report_data", HexEncode(report.report_data)},
              {"measurement", HexEncode(report.measurement)},
              {"host_data", HexEncode(report.host_data)},
              {"id_key_digest", HexEncode(report.id_key_digest)},
              {"author_key_digest", HexEncode(report.author_key_digest)},
              {"report_id", HexEncode(report.report_id)},
              {"report_id_ma", HexEncode(report.report_id_ma)},
              {"chip_id", HexEncode(report.chip_id)},
              {"current_version", Dotted(report.current_version)},
              {"committed_version", Dotted(report.committed_version)},
              {"launch_mit_vector", OrNull(report.launch_mit_vector)},
              {"current_mit_vector", OrNull(report.current_mit_vector)},
              {"turin_like_tcb", report.reported_tcb.turin()}};
  const std::pair<const char*, const Tcb&> tcbs[] = {{"current_tcb", report.current_tcb},
                                                     {"reported_tcb", report.reported_tcb},
                                                     {"committed_tcb", report.committed_tcb},
                                                     {"launch_tcb", report.launch_tcb}};
  for (const auto& [name, tcb] : tcbs) {
    out[name] = TcbToJson(tcb, false);
    out[std::string(name) + "_raw"] = HexEncode(tcb.raw);
  }
  out["cpuid_fam_id"] = report.cpuid ? json(report.cpuid->family) : json();
  out["cpuid_mod_id"] = report.cpuid ? json(report.cpuid->model) : json();
  out["cpuid_step"] = report.cpuid ? json(report.cpuid->stepping) : json();
  const std::string_view product = ProductName(report.product());
  out["product"] = product.empty() ? json() : json(product);
  return out;
}

json ExtensionsToJson(const CertExtensions& extensions) {
  json out = json::object();
  const std::pair<const char*, std::optional<std::int64_t>> numbers[] = {
      {"struct_version", extensions.struct_version},
      {"bl", extensions.bootloader},
      {"tee", extensions.tee},
      {"snp", extensions.snp},
      {"spl4", extensions.spl4},
      {"spl5", extensions.spl5},
      {"spl6", extensions.spl6},
      {"spl7", extensions.spl7},
      {"ucode", extensions.microcode},
      {"fmc", extensions.fmc}};
  for (const auto& [name, value] : numbers) {
    if (value) out[name] = *value;
  }
  if (extensions.product) out["product"] = *extensions.product;
  if (extensions.csp_id) out["csp"] = *extensions.csp_id;
  if (extensions.hwid) out["hwid"] = HexEncode(*extensions.hwid);
  return out;
}

json EvidenceToJson(const Report& report, const std::vector<CertTableEntry>& certs) {
  const auto version = [](const FirmwareVersion& v) {
    return json{{"major", v.major}, {"minor", v.minor}, {"build", v.build}};
  };
  json out = {{"version", report.version},
              {"guest_svn", report.guest_svn},
              {"policy", report.policy.bits},
              {"family_id", report.family_id},
              {"image_id", report.image_id},
              {"vmpl", report.vmpl},
              {"sig_algo", report.signature_algorithm},
              {"current_tcb", TcbToJson(report.current_tcb, true)},
              {"plat_info", report.platform_info.bits},
              {"key_info", report.key_info.bits},
              {"report_data", report.report_data},
              {"measurement", report.measurement},
              {"host_data", report.host_data},
              {"id_key_digest", report.id_key_digest},
              {"author_key_digest", report.author_key_digest},
              {"report_id", report.report_id},
              {"report_id_ma", report.report_id_ma},
              {"reported_tcb", TcbToJson(report.reported_tcb, true)},
              {"cpuid_fam_id", report.cpuid ? json(report.cpuid->family) : json()},
              {"cpuid_mod_id", report.cpuid ? json(report.cpuid->model) : json()},
              {"cpuid_step", report.cpuid ? json(report.cpuid->stepping) : json()},
              {"chip_id", report.chip_id},
              {"committed_tcb", TcbToJson(report.committed_tcb, true)},
              {"current", version(report.current_version)},
              {"committed", version(report.committed_version)},
              {"launch_tcb", TcbToJson(report.launch_tcb, true)},
              {"launch_mit_vector", OrNull(report.launch_mit_vector)},
              {"current_mit_vector", OrNull(report.current_mit_vector)},
              {"signature", {{"r", report.signature_r}, {"s", report.signature_s}}}};
  json chain;
  for (const CertTableEntry& cert : certs) {
    chain.push_back({{"cert_type", CertTypeName(cert.guid)}, {"data", cert.data}});
  }
  return {{"attestation_report", std::move(out)}, {"cert_chain", std::move(chain)}};
}

Result<Evidence> EvidenceFromJson(std::string_view text) {
  const Error bad(Code::kInvalidArgument, "evidence: malformed");
  if (text.size() > kMaxEvidenceSize) return Error(Code::kInvalidArgument, "evidence: too large");
  // A callback that stops at a depth: the parser recurses on destruction.
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth < 8; };
  const json document = json::parse(text, shallow, false);
  Reader evidence(document);
  const json& fields = evidence.At("attestation_report");
  if (!fields.is_object()) return bad;
  Report report;
  Reader reader(fields);
  reader.Number("version", report.version);
  reader.Number("guest_svn", report.guest_svn);
  reader.Number("policy", report.policy.bits);
  reader.Array("family_id", report.family_id);
  reader.Array("image_id", report.image_id);
  reader.Number("vmpl", report.vmpl);
  reader.Number("sig_algo", report.signature_algorithm);
  reader.GetTcb("current_tcb", report.current_tcb);
  reader.Number("plat_info", report.platform_info.bits);
  reader.Number("key_info", report.key_info.bits);
  reader.Array("report_data", report.report_data);
  reader.Array("measurement", report.measurement);
  reader.Array("host_data", report.host_data);
  reader.Array("id_key_digest", report.id_key_digest);
  reader.Array("author_key_digest", report.author_key_digest);
  reader.Array("report_id", report.report_id);
  reader.Array("report_id_ma", report.report_id_ma);
  reader.GetTcb("reported_tcb", report.reported_tcb);
  reader.Array("chip_id", report.chip_id);
  reader.GetTcb("committed_tcb", report.committed_tcb);
  reader.Version("current", report.current_version);
  reader.Version("committed", report.committed_version);
  reader.GetTcb("launch_tcb", report.launch_tcb);
  reader.OptionalNumber("launch_mit_vector", report.launch_mit_vector);
  reader.OptionalNumber("current_mit_vector", report.current_mit_vector);
  if (report.version >= 3) {
    CpuId& cpuid = report.cpuid.emplace();
    reader.Number("cpuid_fam_id", cpuid.family);
    reader.Number("cpuid_mod_id", cpuid.model);
    reader.Number("cpuid_step", cpuid.stepping);
  }
  Reader signature(reader.At("signature"));
  signature.Array("r", report.signature_r);
  signature.Array("s", report.signature_s);
  if (!reader.ok() || !signature.ok()) return bad;

  Evidence out;
  out.report = EncodeReport(report);
  const json& chain = evidence.At("cert_chain");
  if (chain.is_null()) return out;
  if (!chain.is_array() || chain.size() > 16) return bad;
  for (const json& item : chain) {
    Reader cert(item);
    const json& type = cert.At("cert_type");
    if (!type.is_string()) return bad;
    CertTableEntry& entry = out.certs.emplace_back();
    entry.guid = TRY(CertTypeGuid(type.get_ref<const std::string&>()));
    cert.Blob("data", entry.data);
    if (!cert.ok()) return bad;
  }
  return out;
}

}  // namespace kata_cc::snp
