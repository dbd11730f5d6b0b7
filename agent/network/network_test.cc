// SPDX-License-Identifier: Apache-2.0
// In a network namespace of the test's own, with a pair of virtual interfaces. Needs root.
#include "agent/network/network.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sched.h>

#include <cstdio>
#include <string>

#include "base/process.h"

namespace kata_cc::agent {
namespace {

constexpr const char* kMac = "02:00:00:00:00:01";
constexpr const char* kOtherMac = "02:00:00:00:00:02";

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    Ip("link add eth7 address " + std::string(kMac) + " type veth peer name eth0 address " +
       kOtherMac);
    Ip("link set eth0 up");
  }
  void TearDown() override {
    auto gone = ChildProcess::Spawn({"sh", "-c", "ip link del eth0 || ip link del eth7"});
    ASSERT_TRUE(gone);
    EXPECT_EQ(*gone->Wait(), 0);
  }

  static void Ip(const std::string& arguments) {
    auto child = ChildProcess::Spawn({"sh", "-c", "ip " + arguments});
    ASSERT_TRUE(child);
    ASSERT_EQ(*child->Wait(), 0) << arguments;
  }
  static std::string Output(const std::string& command) {
    std::string text;
    FILE* const pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): the test's own words
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
      text += static_cast<char>(c);
    ::pclose(pipe);
    return text;
  }

  static types::Interface Wanted() {
    types::Interface wanted;
    wanted.set_device("eth0");
    wanted.set_name("eth0");
    wanted.set_hwaddr(kMac);
    wanted.set_mtu(1400);
    for (const auto& [address, mask] :
         {std::pair("192.0.2.5", "24"), std::pair("2001:db8::5", "64")}) {
      types::IPAddress& one = *wanted.add_ipaddresses();
      one.set_address(address);
      one.set_mask(mask);
    }
    return wanted;
  }

  static Code CodeOf(const types::Interface& wanted) {
    const auto result = UpdateInterface(wanted);
    return result ? Code{0} : result.error().code();
  }
};

TEST_F(NetworkTest, AnInterfaceGetsNameAddressesAndMtu) {
  const auto updated = UpdateInterface(Wanted());
  ASSERT_TRUE(updated) << updated.error().message();
  EXPECT_EQ(updated->hwaddr(), kMac);
  EXPECT_EQ(updated->mtu(), 1400U);
  const std::string shown = Output("ip address show dev eth0");
  EXPECT_NE(shown.find(kMac), std::string::npos) << shown;
  EXPECT_NE(shown.find("inet 192.0.2.5/24"), std::string::npos) << shown;
  EXPECT_NE(shown.find("inet6 2001:db8::5/64"), std::string::npos) << shown;
  EXPECT_NE(shown.find("mtu 1400"), std::string::npos) << shown;
  EXPECT_NE(shown.find(",UP"), std::string::npos) << shown;
  EXPECT_NE(Output("ip link show dev eth7").find(kOtherMac), std::string::npos)
      << "who had the name got the other one";
  // Again, with another address: that one alone.
  auto wanted = Wanted();
  wanted.mutable_ipaddresses()->DeleteSubrange(0, 2);
  wanted.add_ipaddresses()->set_address("192.0.2.9");
  wanted.mutable_ipaddresses(0)->set_mask("24");
  ASSERT_TRUE(UpdateInterface(wanted));
  const std::string again = Output("ip address show dev eth0");
  EXPECT_EQ(again.find("192.0.2.5"), std::string::npos);
  EXPECT_EQ(again.find("2001:db8::5"), std::string::npos);
}

TEST_F(NetworkTest, RoutesThroughAGatewayComeAfterTheOthers) {
  ASSERT_TRUE(UpdateInterface(Wanted()));
  grpc::Routes routes;
  types::Route& all = *routes.add_routes();
  all.set_gateway("169.254.1.1");
  all.set_device("eth0");
  types::Route& link = *routes.add_routes();
  link.set_dest("169.254.1.1/32");
  link.set_device("eth0");
  link.set_scope(RT_SCOPE_LINK);
  types::Route& six = *routes.add_routes();
  six.set_family(types::v6);
  six.set_dest("2001:db8:1::/48");
  six.set_gateway("2001:db8::1");
  six.set_device("eth0");
  six.set_mtu(1300);
  const auto updated = UpdateRoutes(routes);
  ASSERT_TRUE(updated) << updated.error().message();
  const std::string shown = Output("ip route");
  EXPECT_NE(shown.find("default via 169.254.1.1 dev eth0"), std::string::npos) << shown;
  EXPECT_NE(Output("ip -6 route").find("2001:db8:1::/48 via 2001:db8::1 dev eth0"),
            std::string::npos);
  bool found = false;
  for (const auto& route : updated->routes())
    found = found || (route.gateway() == "169.254.1.1" && route.device() == "eth0");
  EXPECT_TRUE(found);
  EXPECT_TRUE(UpdateRoutes(routes)) << "again";
}

TEST_F(NetworkTest, NeighboursArePermanentUnlessTheyAreSaidToBeElse) {
  ASSERT_TRUE(UpdateInterface(Wanted()));
  grpc::ARPNeighbors neighbors;
  types::ARPNeighbor& one = *neighbors.add_arpneighbors();
  one.mutable_toipaddress()->set_address("192.0.2.1");
  one.set_device("eth0");
  one.set_lladdr("02:00:00:00:00:99");
  ASSERT_TRUE(AddNeighbors(neighbors));
  EXPECT_NE(Output("ip neigh").find("192.0.2.1 dev eth0 lladdr 02:00:00:00:00:99 PERMANENT"),
            std::string::npos);
  one.set_state(-1);
  EXPECT_EQ(AddNeighbors(neighbors).error().code(), Code::kInvalidArgument);
  one.set_state(0);
  one.set_device("lo");
  EXPECT_EQ(AddNeighbors(neighbors).error().code(), Code::kInvalidArgument);
}

TEST_F(NetworkTest, ListsWhatThereIs) {
  const auto interfaces = ListInterfaces();
  ASSERT_TRUE(interfaces);
  std::string names;
  for (const auto& one : interfaces->interfaces())
    names += one.name() + " ";
  EXPECT_NE(names.find("eth7"), std::string::npos) << names;
  EXPECT_NE(names.find("lo"), std::string::npos) << names;
}

TEST_F(NetworkTest, WhatIsNoInterfaceIsRefused) {
  auto wanted = Wanted();
  wanted.set_hwaddr("02:00:00:00:00:77");
  const auto missing = UpdateInterface(wanted);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
  EXPECT_NE(missing.error().message().find("Link not found"), std::string::npos);
  for (const char* mac : {"", "02:00:00:00:00", "02:00:00:00:00:01:02", "02-00-00-00-00-01",
                          "zz:00:00:00:00:01", "2:0:0:0:0:1", "02:00:00:00:00:01:"}) {
    wanted.set_hwaddr(mac);
    EXPECT_EQ(CodeOf(wanted), Code::kInvalidArgument) << mac;
  }
  wanted = Wanted();
  for (const char* name : {"", "..", "a/b", "a b", "a-name-that-is-too-long", "a:b"}) {
    wanted.set_name(name);
    EXPECT_EQ(CodeOf(wanted), Code::kInvalidArgument) << name;
  }
  wanted.set_name("lo");
  EXPECT_EQ(CodeOf(wanted), Code::kInvalidArgument);
  wanted.set_hwaddr("00:00:00:00:00:00");
  wanted.set_name("eth0");
  EXPECT_EQ(CodeOf(wanted), Code::kNotFound) << "the loopback's";
  for (const auto& [address, mask] :
       {std::pair("192.0.2.5", "33"), std::pair("192.0.2", "24"), std::pair("192.0.2.5", "x"),
        std::pair("", "24"), std::pair("2001:db8::5", "129")}) {
    wanted = Wanted();
    wanted.mutable_ipaddresses(0)->set_address(address);
    wanted.mutable_ipaddresses(0)->set_mask(mask);
    EXPECT_EQ(CodeOf(wanted), Code::kInvalidArgument) << address << "/" << mask;
  }
  wanted = Wanted();
  wanted.set_mtu(1 << 20);
  EXPECT_EQ(CodeOf(wanted), Code::kInvalidArgument);
  grpc::Routes routes;
  types::Route& route = *routes.add_routes();
  route.set_device("eth0");
  for (const char* dest : {"192.0.2.0/", "192.0.2.0/40", "x", "2001:db8::/32"}) {
    route.set_dest(dest);
    EXPECT_EQ(UpdateRoutes(routes).error().code(), Code::kInvalidArgument) << dest;
  }
  route.set_dest("192.0.2.0/24");
  route.set_device("lo");
  EXPECT_EQ(UpdateRoutes(routes).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace kata_cc::agent

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!testing::GTEST_FLAG(list_tests) && ::unshare(CLONE_NEWNET) != 0) {
    std::perror("needs root: network namespace");
    return 1;
  }
  return RUN_ALL_TESTS();
}
