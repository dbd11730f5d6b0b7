// SPDX-License-Identifier: Apache-2.0
// The pod's network on the host, with a tap of the test's own in the VMM's place. Each test is in
// network namespaces of its own: one as the host's, "pod" as the pod's. Needs root and iproute2.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/process.h"
#include "shim/network/pod_network.h"
#include "shim/network/redirect.h"

namespace kata_cc::shim {
namespace {

constexpr char kMac[] = "02:00:00:00:00:05";

class PodNetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    Run("ip netns add pod && ip link add host0 type veth peer name eth0 netns pod address " +
        std::string(kMac));
    Run("ip link set host0 up && ip -n pod link set lo up && ip -n pod link set eth0 mtu 1450 up");
    Run("ip -n pod address add 192.0.2.5/24 dev eth0");
    Run("ip -n pod address add 2001:db8::5/64 dev eth0 nodad");
  }
  void TearDown() override { Run("ip netns del pod; ip link del host0 2>/dev/null; true"); }

  static void Run(const std::string& command) {
    auto child = ChildProcess::Spawn({"sh", "-c", command});
    ASSERT_TRUE(child);
    ASSERT_EQ(*child->Wait(), 0) << command;
  }
  static std::string Output(const std::string& command) {
    std::string text;
    FILE* const pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): the test's own words
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
      text += static_cast<char>(c);
    ::pclose(pipe);
    return text;
  }
  static NetworkNamespace Pod() {
    auto found = FindNetworkNamespace("/run/netns/pod");
    EXPECT_TRUE(found) << found.error().message();
    return *found;
  }
  static PodNetwork Read() {
    auto network = PodNetwork::Read(Pod());
    EXPECT_TRUE(network) << network.error().message();
    return *network;
  }
  static std::string ReadError() {
    const auto network = PodNetwork::Read(Pod());
    return network ? "no error" : network.error().message();
  }
  // As libvirt makes it; it lives as long as the descriptor.
  static UniqueFd MakeTap(const std::string& name) {
    UniqueFd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request = {};
    std::memcpy(request.ifr_name, name.data(), name.size());
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    EXPECT_EQ(::ioctl(tap.get(), TUNSETIFF, &request), 0);
    return tap;
  }
};

TEST_F(PodNetworkTest, WhatIsConfiguredIsReadAsTheAgentTakesIt) {
  Run("ip -n pod route add default via 192.0.2.1 src 192.0.2.5");
  Run("ip -n pod route add 198.51.100.0/24 dev eth0 scope link mtu 1300");
  Run("ip -n pod route add 203.0.113.0/24 via 192.0.2.254 onlink dev eth0");
  Run("ip -n pod -6 route add default via 2001:db8::1");
  Run("ip -n pod neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent");
  Run("ip -n pod neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev eth0 nud stale");
  const PodNetwork network = Read();
  ASSERT_EQ(network.nics().size(), 1U);
  const types::Interface& eth0 = network.nics()[0].link.interface;
  EXPECT_EQ(eth0.name(), "eth0");
  EXPECT_EQ(eth0.device(), "eth0");
  EXPECT_EQ(eth0.hwaddr(), kMac);
  EXPECT_EQ(eth0.mtu(), 1450U);
  EXPECT_EQ(eth0.type(), "veth");
  EXPECT_EQ(eth0.raw_flags(), 0U);
  ASSERT_EQ(eth0.ipaddresses_size(), 2) << "the link-local one is the guest's own";
  EXPECT_EQ(eth0.ipaddresses(0).address(), "192.0.2.5");
  EXPECT_EQ(eth0.ipaddresses(0).mask(), "24");
  EXPECT_EQ(eth0.ipaddresses(1).address(), "2001:db8::5");
  EXPECT_EQ(eth0.ipaddresses(1).family(), types::v6);
  std::string routes;
  for (const types::Route& route : network.routes().routes())
    routes += route.dest() + " via " + route.gateway() + " dev " + route.device() + " src " +
              route.source() + " scope " + std::to_string(route.scope()) + " flags " +
              std::to_string(route.flags()) + " mtu " + std::to_string(route.mtu()) + "\n";
  EXPECT_EQ(routes,
            " via 192.0.2.1 dev eth0 src 192.0.2.5 scope 0 flags 0 mtu 0\n"
            "198.51.100.0/24 via  dev eth0 src  scope 253 flags 0 mtu 1300\n"
            "203.0.113.0/24 via 192.0.2.254 dev eth0 src  scope 0 flags 4 mtu 0\n"
            " via 2001:db8::1 dev eth0 src  scope 0 flags 0 mtu 0\n");
  ASSERT_EQ(network.neighbors().arpneighbors_size(), 1);
  EXPECT_EQ(network.neighbors().arpneighbors(0).toipaddress().address(), "192.0.2.1");
  EXPECT_EQ(network.neighbors().arpneighbors(0).lladdr(), "02:00:00:00:00:01");
  EXPECT_EQ(network.neighbors().arpneighbors(0).state(), 0x80);
}

TEST_F(PodNetworkTest, InterfacesWithoutAnAddressOrDownAreLeftOut) {
  Run("ip -n pod link add idle type veth peer name down && ip -n pod link set idle up");
  Run("ip -n pod address add 192.0.2.9/24 dev down");
  EXPECT_EQ(Read().nics().size(), 1U);
}

TEST_F(PodNetworkTest, WhatAVmCannotHaveIsNamed) {
  Run("ip -n pod route add 198.51.100.0/24 nexthop via 192.0.2.1 nexthop via 192.0.2.2");
  EXPECT_EQ(ReadError(),
            "route to 198.51.100.0/24: its next hops are several, or of the other family");
  Run("ip -n pod route del 198.51.100.0/24");
  Run("ip -n pod tuntap add tun7 mode tun && ip -n pod address add 192.0.2.77/32 dev tun7");
  Run("ip -n pod link set tun7 up");
  EXPECT_EQ(ReadError(), "interface tun7: it is not Ethernet");
  Run("ip -n pod link del tun7");
  for (int i = 0; i < 8; i += 2) {
    const std::string pair[] = {"d" + std::to_string(i), "d" + std::to_string(i + 1)};
    Run("ip -n pod link add " + pair[0] + " type veth peer name " + pair[1]);
    for (const std::string& name : pair)
      Run("ip -n pod link set " + name + " up && ip -n pod address add 198.51.100." +
          name.substr(1) + "/32 dev " + name);
  }
  EXPECT_EQ(ReadError(), "9 interfaces: at most 8 can be");
}

TEST_F(PodNetworkTest, FramesGoBothWaysBetweenTheTapAndTheLink) {
  const PodNetwork network = Read();
  const UniqueFd tap = MakeTap(network.nics()[0].tap);
  const auto connected = network.Connect();
  ASSERT_TRUE(connected) << connected.error().message();
  EXPECT_EQ(Output("ip -o link show type tun"), "") << "none stays in the host's namespace";
  EXPECT_NE(Output("ip -n pod -o link show tap0_kata").find(",UP"), std::string::npos);
  // Someone asks for the pod: the guest hears it.
  Run("ip address add 192.0.2.1/24 dev host0 && bash -c 'echo >/dev/udp/192.0.2.5/9'");
  std::string seen;
  ::fcntl(tap.get(), F_SETFL, O_NONBLOCK);
  for (char frame[2048];;) {
    const ssize_t n = ::read(tap.get(), frame, sizeof(frame));
    if (n <= 0) break;
    seen.append(frame, static_cast<std::size_t>(n));
  }
  EXPECT_NE(seen.find(std::string("\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10)),
            std::string::npos)
      << "an ARP request";
  // The guest answers, and the host has it.
  std::string answer(42, '\0');
  const std::string mac("\x02\x00\x00\x00\x00\x05", 6);
  answer.replace(0, 6, "\xff\xff\xff\xff\xff\xff");
  answer.replace(6, 6, mac);
  answer.replace(12, 10, std::string("\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02", 10));
  answer.replace(22, 6, mac);
  answer.replace(28, 4, std::string("\xc0\x00\x02\x05", 4));
  answer.replace(38, 4, std::string("\xc0\x00\x02\x01", 4));
  ASSERT_EQ(::write(tap.get(), answer.data(), answer.size()), 42);
  const std::string neighbors = Output("ip neigh show dev host0");
  EXPECT_NE(neighbors.find("192.0.2.5 lladdr 02:00:00:00:00:05"), std::string::npos) << neighbors;
}

TEST_F(PodNetworkTest, NothingIsLeftAfterwards) {
  const std::string before = Output("tc -n pod qdisc show");
  const PodNetwork network = Read();
  {
    const UniqueFd tap = MakeTap(network.nics()[0].tap);
    ASSERT_TRUE(network.Connect());
    EXPECT_NE(Output("tc -n pod qdisc show"), before);
  }
  ASSERT_TRUE(DisconnectPodNetwork(network.netns()));
  EXPECT_EQ(Output("tc -n pod qdisc show"), before);
  EXPECT_EQ(Output("ip -n pod -o link show type tun"), "");
  EXPECT_TRUE(DisconnectPodNetwork(network.netns())) << "again";
}

TEST_F(PodNetworkTest, ADeadShimsRedirectionDoesNotStopTheNextPod) {
  const PodNetwork network = Read();
  {
    const UniqueFd tap = MakeTap(network.nics()[0].tap);
    ASSERT_TRUE(network.Connect());
  }
  const PodNetwork again = Read();
  const UniqueFd tap = MakeTap(again.nics()[0].tap);
  EXPECT_TRUE(again.Connect());
}

TEST_F(PodNetworkTest, AnotherOnesIngressQueueIsNeitherUsedNorRemoved) {
  Run("tc -n pod qdisc add dev eth0 ingress");
  const PodNetwork network = Read();
  const UniqueFd tap = MakeTap(network.nics()[0].tap);
  const auto connected = network.Connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), Code::kAlreadyExists);
  EXPECT_TRUE(connected.error().message().starts_with("interface eth0: ingress queue: "))
      << connected.error().message();
  ASSERT_TRUE(DisconnectPodNetwork(network.netns()));
  EXPECT_NE(Output("tc -n pod qdisc show dev eth0").find("ingress"), std::string::npos);
}

TEST_F(PodNetworkTest, ANamespaceThatIsGoneOrAnothersIsLeftAlone) {
  const PodNetwork network = Read();
  Run("ip netns del pod && ip netns add other && ip netns add pod");
  EXPECT_EQ(OpenNetworkNamespace({"/run/netns/pod", "4:1"}).error().code(), Code::kNotFound);
  Run("ip netns del pod && ip netns del other");
  EXPECT_EQ(OpenNetworkNamespace(network.netns()).error().code(), Code::kNotFound);
  EXPECT_TRUE(DisconnectPodNetwork(network.netns()));
  EXPECT_TRUE(DisconnectPodNetwork({}));
  EXPECT_FALSE(network.Connect());
  // A deleted namespace's links go later, in the kernel's own time.
  Run("ip link del host0 2> /dev/null; ip netns add pod && "
      "ip link add host0 type veth peer name eth0 netns pod");
}

TEST_F(PodNetworkTest, ATapThatIsNotThereIsAnError) {
  const auto connected = Read().Connect();
  ASSERT_FALSE(connected);
  EXPECT_NE(connected.error().message().find("no such interface"), std::string::npos);
}

TEST_F(PodNetworkTest, TheSpecSaysWhichNamespace) {
  grpc::Spec spec;
  EXPECT_EQ(PodNetwork::NamespaceOf(spec).error().code(), Code::kFailedPrecondition)
      << "none: the host's";
  grpc::LinuxNamespace& netns = *spec.mutable_linux()->add_namespaces();
  netns.set_type("network");
  EXPECT_EQ(PodNetwork::NamespaceOf(spec)->path, "") << "a new one: nothing in it";
  EXPECT_TRUE(PodNetwork::Read({})->nics().empty());
  netns.set_path("/run/netns/pod");
  EXPECT_EQ(PodNetwork::NamespaceOf(spec)->id, Pod().id);
  netns.set_path("/proc/" + std::to_string(::getpid()) + "/ns/net");
  const auto host = PodNetwork::NamespaceOf(spec);
  ASSERT_FALSE(host);
  EXPECT_TRUE(host.error().message().starts_with("hostNetwork: ")) << host.error().message();
  for (const char* path : {"/proc/self/ns/mnt", "/etc/passwd", "/tmp", "/run/netns/none", "x"}) {
    netns.set_path(path);
    EXPECT_FALSE(PodNetwork::NamespaceOf(spec)) << path;
  }
}

// A host of the test's own: its namespaces' names, too.
bool LeaveTheMachine() {
  return ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) == 0 &&
         (std::filesystem::create_directories("/run/netns"), true) &&
         ::mount("netns", "/run/netns", "tmpfs", 0, nullptr) == 0;
}

}  // namespace
}  // namespace kata_cc::shim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!testing::GTEST_FLAG(list_tests) && !kata_cc::shim::LeaveTheMachine()) {
    std::perror("needs root: namespaces");
    return 1;
  }
  return RUN_ALL_TESTS();
}
