// SPDX-License-Identifier: Apache-2.0
#define TOML_EXCEPTIONS 0
#include "agent/kbs/kbs_config.h"

#include <toml++/toml.h>

#include "base/toml_keys.h"

namespace kata_cc::agent {
namespace {

Error Bad(const std::string& where, const std::string& why) {
  return {Code::kInvalidArgument, "initdata: " + where + ": " + why};
}

// The broker of one file: table is where its url and certificate are.
Result<std::optional<KbsConfig>> ReadFrom(const std::map<std::string, std::string>& data,
                                          const std::string& name, const char* table,
                                          const char* certificate) {
  const auto it = data.find(name);
  if (it == data.end()) return std::optional<KbsConfig>();
  TRY_CONTEXT(CheckTomlKeys(it->second), "initdata: " + name);
  const toml::parse_result parsed = toml::parse(it->second);
  if (!parsed) return Bad(name, "not TOML");
  const auto section = parsed.table().at_path(table);
  if (!section) return std::optional<KbsConfig>();
  const auto url = section["url"].value<std::string>();
  if (!url || url->empty()) return std::optional<KbsConfig>();
  KbsConfig out;
  out.url = *url;
  while (out.url.ends_with('/'))
    out.url.pop_back();
  if (!out.url.starts_with("https://")) return Bad(name, "the broker's url is not https");
  out.certificate = section[certificate].value<std::string>().value_or("");
  if (out.certificate.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return Bad(name, std::string(certificate) + ": no certificate of the broker");
  }
  return std::optional<KbsConfig>(std::move(out));
}

}  // namespace

Result<std::optional<KbsConfig>> ReadKbsConfig(const std::map<std::string, std::string>& data) {
  const auto agent = TRY(ReadFrom(data, "aa.toml", "token_configs.kbs", "cert"));
  const auto hub = TRY(ReadFrom(data, "cdh.toml", "kbc", "kbs_cert"));
  if (agent && hub && (agent->url != hub->url || agent->certificate != hub->certificate)) {
    return Bad("cdh.toml", "names another broker than aa.toml");
  }
  return hub ? hub : agent;
}

}  // namespace kata_cc::agent
