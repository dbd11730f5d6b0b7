// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/filter.h"

#include <gtest/gtest.h>

#include <map>

namespace kata_cc::snapshotter {
namespace {

std::optional<std::string> Value(const std::vector<std::string>& path) {
  static const std::map<std::string, std::string> kValues = {
      {"name", "k8s.io/1/web"},
      {"kind", "active"},
      {"parent", ""},
      {"labels/containerd.io/snapshot.ref", "sha256:ab"},
      {"labels/quoted \"name\"", "a,b"}};
  std::string key = path[0];
  for (std::size_t i = 1; i < path.size(); ++i)
    key += "/" + path[i];
  const auto found = kValues.find(key);
  if (found == kValues.end()) return std::nullopt;
  return found->second;
}

bool Matches(const std::vector<std::string>& filters) {
  const auto filter = Filter::Parse(filters);
  EXPECT_TRUE(filter) << filter.error().message();
  return filter && filter->Matches(Value);
}

TEST(FilterTest, SelectsAsContainerdDoes) {
  EXPECT_TRUE(Matches({}));
  EXPECT_TRUE(Matches({""}));
  EXPECT_TRUE(Matches({"name==k8s.io/1/web"}));
  EXPECT_FALSE(Matches({"name==k8s.io/1/other"}));
  EXPECT_TRUE(Matches({"name!=k8s.io/1/other,kind==active"}));
  EXPECT_FALSE(Matches({"name!=k8s.io/1/other,kind==committed"}));
  EXPECT_TRUE(Matches({"kind==committed", "kind==active"}));
  EXPECT_TRUE(Matches({"name~=^k8s.io/[0-9]+/"}));
  EXPECT_TRUE(Matches({"name~=|/web$|"}));
  EXPECT_FALSE(Matches({"name~=/^web$/"}));
  EXPECT_TRUE(Matches({"labels.\"containerd.io/snapshot.ref\""}));
  EXPECT_FALSE(Matches({"labels.other"}));
  EXPECT_TRUE(Matches({"labels.\"quoted \\\"name\\\"\"==\"a,b\""}));
  // What containerd's metadata asks for when a layer may be there already.
  EXPECT_TRUE(Matches({"labels.\"containerd.io/snapshot.ref\"==sha256:ab,parent==\"\""}));
  EXPECT_FALSE(Matches({"labels.\"containerd.io/snapshot.ref\"==sha256:ab,parent==\"x\""}));
}

TEST(FilterTest, RefusesWhatItCannotRead) {
  for (const char* text : {"==a", "name==\"a", "name=a", "name,", ",", "name==a\"b\"", "labels.",
                           "name~=(", "name ==a"})
    EXPECT_FALSE(Filter::Parse({text})) << text;
}

}  // namespace
}  // namespace kata_cc::snapshotter
