// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/kbs_config.h"

#include <gtest/gtest.h>

namespace kata_cc::agent {
namespace {

constexpr const char* kAa = R"([token_configs]
[token_configs.kbs]
url = "https://kbs.example:8443/"
cert = """
-----BEGIN CERTIFICATE-----
MA==
-----END CERTIFICATE-----
"""
)";
constexpr const char* kCdh = R"(socket = "unix:///run/x"
[kbc]
name = "cc_kbc"
url = "https://kbs.example:8443"
kbs_cert = """
-----BEGIN CERTIFICATE-----
MA==
-----END CERTIFICATE-----
"""
)";

TEST(KbsConfig, ComesFromEitherFile) {
  for (const auto& data : {std::map<std::string, std::string>{{"aa.toml", kAa}},
                           {{"cdh.toml", kCdh}},
                           {{"aa.toml", kAa}, {"cdh.toml", kCdh}}}) {
    const auto config = ReadKbsConfig(data);
    ASSERT_TRUE(config) << config.error().message();
    ASSERT_TRUE(*config);
    EXPECT_EQ((*config)->url, "https://kbs.example:8443");
    EXPECT_TRUE((*config)->certificate.starts_with("-----BEGIN"));
  }
  EXPECT_EQ(ReadKbsConfig({})->has_value(), false);
  EXPECT_EQ(
      ReadKbsConfig({{"policy.rego", "x"}, {"aa.toml", ""}, {"cdh.toml", "[kbc]"}})->has_value(),
      false);
}

TEST(KbsConfig, WithoutHttpsOrCertificateThereIsNoBroker) {
  std::string http = kAa;
  http.replace(http.find("https"), 5, "http");
  EXPECT_FALSE(ReadKbsConfig({{"aa.toml", http}}));
  EXPECT_FALSE(ReadKbsConfig({{"aa.toml", "[token_configs.kbs]\nurl = 'https://h'"}}));
  EXPECT_FALSE(ReadKbsConfig({{"aa.toml", "= = ="}}));
  std::string other = kCdh;
  other.replace(other.find("8443"), 4, "9443");
  EXPECT_FALSE(ReadKbsConfig({{"aa.toml", kAa}, {"cdh.toml", other}}));
}

}  // namespace
}  // namespace kata_cc::agent
