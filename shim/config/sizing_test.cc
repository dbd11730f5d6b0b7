// SPDX-License-Identifier: Apache-2.0
#include "shim/config/sizing.h"

#include <gtest/gtest.h>

#include <string>

namespace kata_cc::shim {
namespace {

constexpr SizingPolicy kKataCc = {};
constexpr SizingPolicy kKata = {.default_memory_mib = 256, .default_workload_memory_mib = 1792};

struct Case {
  const char* name;
  SizingPolicy policy;
  const char* quota;  // Null: no annotation.
  const char* period;
  const char* memory;
  std::uint32_t vcpus;
  std::uint32_t memory_mib;
};

TEST(SizingTest, PodsAreSizedByTheirSums) {
  const Case cases[] = {
      {"kata-cc without limits", kKataCc, nullptr, nullptr, nullptr, 1, 2048},
      {"kata-cc, zeros mean no limit", kKataCc, "0", "100000", "0", 1, 2048},
      {"kata-cc, half a CPU and 256 MiB", kKataCc, "50000", "100000", "268435456", 2, 2304},
      {"kata-cc, one CPU", kKataCc, "100000", "100000", "0", 2, 2048},
      {"kata-cc, 1.2 CPUs", kKataCc, "120000", "100000", "0", 3, 2048},
      {"kata-cc, 4 CPUs and 8 GiB", kKataCc, "400000", "100000", "8589934592", 5, 10240},
      {"kata-cc, a quota of -1 is no limit", kKataCc, "-1", "100000", "-1", 1, 2048},
      {"kata-cc, a byte more than a MiB", kKataCc, nullptr, nullptr, "1048577", 1, 2050},
      {"kata without limits", kKata, nullptr, nullptr, nullptr, 1, 2048},
      {"kata, 512 MiB", kKata, nullptr, nullptr, "536870912", 1, 768},
      {"kata, only CPU limited", kKata, "200000", "100000", "0", 3, 2048},
  };
  for (const Case& one : cases) {
    grpc::Spec spec;
    auto& annotations = *spec.mutable_annotations();
    if (one.quota != nullptr) annotations["io.kubernetes.cri.sandbox-cpu-quota"] = one.quota;
    if (one.period != nullptr) annotations["io.kubernetes.cri.sandbox-cpu-period"] = one.period;
    if (one.memory != nullptr) annotations["io.kubernetes.cri.sandbox-memory"] = one.memory;
    const auto size = SizeVm(one.policy, spec);
    ASSERT_TRUE(size) << one.name << size.error().message();
    EXPECT_EQ(size->vcpus, one.vcpus) << one.name;
    EXPECT_EQ(size->memory_mib, one.memory_mib) << one.name;
  }
}

TEST(SizingTest, ASingleContainerIsSizedByItsOwnLimits) {
  grpc::Spec spec;
  auto& resources = *spec.mutable_linux()->mutable_resources();
  resources.mutable_cpu()->set_quota(150000);
  resources.mutable_cpu()->set_period(100000);
  resources.mutable_memory()->set_limit(std::int64_t{512} << 20);
  const auto size = SizeVm(kKataCc, spec);
  EXPECT_EQ(size->vcpus, 3U);
  EXPECT_EQ(size->memory_mib, 2560U);
}

TEST(SizingTest, RefusesNumbersThatAreNone) {
  for (const char* text : {"", "1x", " 1", "1e9", "99999999999999999999", "9223372036854775807"}) {
    grpc::Spec spec;
    (*spec.mutable_annotations())["io.kubernetes.cri.sandbox-memory"] = text;
    const auto size = SizeVm(kKataCc, spec);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code(), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace kata_cc::shim
