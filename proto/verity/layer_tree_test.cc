// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/layer_tree.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace kata_cc::verity {
namespace {

Entry File(std::string path, uint16_t permissions = 0644) {
  Entry entry;
  entry.path = std::move(path);
  entry.metadata.permissions = permissions;
  return entry;
}

Entry Directory(std::string path, uint16_t permissions = 0755) {
  Entry entry = File(std::move(path), permissions);
  entry.type = NodeType::kDirectory;
  return entry;
}

Entry Symlink(std::string path, std::string target) {
  Entry entry = File(std::move(path));
  entry.type = NodeType::kSymlink;
  entry.target = std::move(target);
  return entry;
}

Entry HardLink(std::string path, std::string target) {
  Entry entry = File(std::move(path));
  entry.hard_link = true;
  entry.link_path = std::move(target);
  return entry;
}

const Node* Find(const LayerTree& tree, std::initializer_list<std::string> path) {
  const Node* node = &tree.root();
  for (const std::string& name : path) {
    const auto child = node->children.find(name);
    if (child == node->children.end()) return nullptr;
    node = child->second.get();
  }
  return node;
}

std::string Refusal(LayerTree& tree, Entry entry) {
  const auto added = tree.Add(std::move(entry));
  return added ? "" : added.error().message();
}

TEST(LayerTreeTest, MakesMissingParentsUntilAnEntryDescribesThem) {
  LayerTree tree;
  ASSERT_TRUE(tree.Add(File("./a/b/c")));
  EXPECT_TRUE(Find(tree, {"a"})->implied);
  EXPECT_EQ(Find(tree, {"a"})->metadata.permissions, 0755);
  ASSERT_TRUE(tree.Add(Directory("a/", 01777)));
  EXPECT_FALSE(Find(tree, {"a"})->implied);
  EXPECT_EQ(Find(tree, {"a"})->metadata.permissions, 01777);
  EXPECT_NE(Find(tree, {"a", "b", "c"}), nullptr);
}

TEST(LayerTreeTest, TheRootsAttributesStay) {
  LayerTree tree;
  ASSERT_TRUE(tree.Add(Directory("./", 0700)));
  ASSERT_TRUE(tree.Add(Directory("/", 0700)));
  EXPECT_EQ(tree.root().metadata.permissions, 0755);
}

TEST(LayerTreeTest, ALaterEntryReplacesAnEarlierOne) {
  LayerTree tree;
  ASSERT_TRUE(tree.Add(Directory("x")));
  ASSERT_TRUE(tree.Add(File("x/old")));
  ASSERT_TRUE(tree.Add(File("x", 0600)));
  EXPECT_EQ(Find(tree, {"x"})->type, NodeType::kFile);
  EXPECT_EQ(Find(tree, {"x", "old"}), nullptr);
  ASSERT_TRUE(tree.Add(Directory("x")));
  EXPECT_EQ(Find(tree, {"x"})->type, NodeType::kDirectory);
}

TEST(LayerTreeTest, WhiteoutsBecomeOverlayfsOnes) {
  LayerTree tree;
  ASSERT_TRUE(tree.Add(File("etc/.wh.gone")));
  const Node* gone = Find(tree, {"etc", "gone"});
  ASSERT_NE(gone, nullptr);
  EXPECT_EQ(gone->type, NodeType::kChar);
  EXPECT_EQ(gone->device_major + gone->device_minor, 0U);
  ASSERT_TRUE(tree.Add(File("var/.wh..wh..opq")));
  EXPECT_TRUE(Find(tree, {"var"})->opaque);
  EXPECT_TRUE(Find(tree, {"var"})->children.empty());
}

TEST(LayerTreeTest, AWhiteoutAndADirectoryOfOneNameAreOpaqueInEitherOrder) {
  LayerTree before;
  ASSERT_TRUE(before.Add(File(".wh.d")));
  ASSERT_TRUE(before.Add(Directory("d")));
  EXPECT_TRUE(Find(before, {"d"})->opaque);
  LayerTree after;
  ASSERT_TRUE(after.Add(Directory("d")));
  ASSERT_TRUE(after.Add(File(".wh.d")));
  EXPECT_TRUE(Find(after, {"d"})->opaque);
  LayerTree implied;
  ASSERT_TRUE(implied.Add(File(".wh.d")));
  ASSERT_TRUE(implied.Add(File("d/f")));
  EXPECT_TRUE(Find(implied, {"d"})->opaque);
}

TEST(LayerTreeTest, RefusesWhiteoutsOfNothing) {
  LayerTree tree;
  EXPECT_NE(Refusal(tree, File("a/.wh.")), "");
  EXPECT_NE(Refusal(tree, File("a/.wh..")), "");
  EXPECT_NE(Refusal(tree, File("a/.wh...")), "");
  EXPECT_NE(Refusal(tree, File("a/.wh..wh.x")), "");
}

TEST(LayerTreeTest, HardLinksShareTheNode) {
  LayerTree tree;
  ASSERT_TRUE(tree.Add(File("a/one", 0600)));
  Entry link = HardLink("b/two", "./a/one");
  link.metadata.permissions = 0640;
  ASSERT_TRUE(tree.Add(std::move(link)));
  EXPECT_EQ(Find(tree, {"a", "one"}), Find(tree, {"b", "two"}));
  EXPECT_EQ(Find(tree, {"a", "one"})->metadata.permissions, 0640);
}

TEST(LayerTreeTest, RefusesBadHardLinks) {
  LayerTree tree;
  ASSERT_TRUE(tree.Add(Directory("d")));
  ASSERT_TRUE(tree.Add(File(".wh.w")));
  EXPECT_NE(Refusal(tree, HardLink("l", "missing")).find("not in the layer"), std::string::npos);
  EXPECT_NE(Refusal(tree, HardLink("l", "w")), "");
  EXPECT_NE(Refusal(tree, HardLink("l", "d")).find("directory"), std::string::npos);
  EXPECT_NE(Refusal(tree, HardLink("l", "../etc/passwd")).find(".."), std::string::npos);
  EXPECT_NE(Refusal(tree, HardLink("l", "/etc/passwd")).find("absolute"), std::string::npos);
}

TEST(LayerTreeTest, RefusesNamesThatLeadOut) {
  LayerTree tree;
  EXPECT_NE(Refusal(tree, File("../x")).find("climbs"), std::string::npos);
  EXPECT_NE(Refusal(tree, File("a/../../x")).find("climbs"), std::string::npos);
  EXPECT_NE(Refusal(tree, File("a/..")).find("climbs"), std::string::npos);
  EXPECT_NE(Refusal(tree, File("/etc/passwd")).find("absolute"), std::string::npos);
  EXPECT_NE(Refusal(tree, File(std::string(256, 'n'))).find("255"), std::string::npos);
  EXPECT_NE(Refusal(tree, File(std::string(4096, 'n'))).find("too long"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 600; ++i)
    deep += "d/";
  EXPECT_NE(Refusal(tree, File(deep + "f")).find("too deep"), std::string::npos);
}

TEST(LayerTreeTest, ParentsThatAreSymlinksAreFollowedInsideTheLayer) {
  LayerTree tree;
  ASSERT_TRUE(tree.Add(Directory("usr/lib")));
  ASSERT_TRUE(tree.Add(Symlink("lib", "usr/lib")));
  ASSERT_TRUE(tree.Add(File("lib/one")));
  EXPECT_NE(Find(tree, {"usr", "lib", "one"}), nullptr);
  ASSERT_TRUE(tree.Add(Symlink("usr/run", "/run")));
  ASSERT_TRUE(tree.Add(File("usr/run/pid")));
  EXPECT_NE(Find(tree, {"run", "pid"}), nullptr);
}

TEST(LayerTreeTest, SymlinksThatLeadOutAreRefusedAsParents) {
  LayerTree tree;
  ASSERT_TRUE(tree.Add(Symlink("out", "../../etc")));
  EXPECT_NE(Refusal(tree, File("out/passwd")).find("leads out"), std::string::npos);
  ASSERT_TRUE(tree.Add(Symlink("loop", "loop")));
  EXPECT_NE(Refusal(tree, File("loop/x")).find("too many symlinks"), std::string::npos);
  ASSERT_TRUE(tree.Add(File("file")));
  EXPECT_NE(Refusal(tree, File("file/x")).find("no directory"), std::string::npos);
}

}  // namespace
}  // namespace kata_cc::verity
