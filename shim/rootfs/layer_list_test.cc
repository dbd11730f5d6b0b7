// SPDX-License-Identifier: Apache-2.0
#include "shim/rootfs/layer_list.h"

#include <gtest/gtest.h>

namespace kata_cc::shim {
namespace {

LayerFile Layer(char digit) {
  LayerFile layer;
  layer.path = std::string("/layers/") + digit;
  layer.root_hash.fill(static_cast<std::uint8_t>(digit));
  layer.geometry.data_blocks = 7;
  return layer;
}

TEST(LayerListTest, KeepsWhatItSays) {
  LayerList list;
  list.layers = {Layer('b'), Layer('a')};
  list.problem = "a \"problem\"";
  const auto parsed = ParseLayerList(EncodeLayerList(list));
  ASSERT_TRUE(parsed) << parsed.error().message();
  ASSERT_EQ(parsed->layers.size(), 2U);
  EXPECT_EQ(parsed->layers[0].path, "/layers/b");
  EXPECT_EQ(parsed->layers[0].root_hash, list.layers[0].root_hash);
  EXPECT_EQ(parsed->layers[1].geometry.data_blocks, 7U);
  EXPECT_EQ(parsed->problem, list.problem);
}

TEST(LayerListTest, RefusesWhatCannotBeALayer) {
  const std::string hash(64, 'a');
  const auto with = [](const std::string& layer) {
    return R"({"problem":"","layers":[)" + layer + "]}";
  };
  EXPECT_TRUE(
      ParseLayerList(with(R"({"path":"/a","root_hash":")" + hash + R"(","data_blocks":2})")));
  for (const std::string& layer :
       {std::string("1"), std::string("{}"),
        R"({"path":"a","root_hash":")" + hash + R"(","data_blocks":2})",
        std::string(R"({"path":"/a","root_hash":"aa","data_blocks":2})"),
        R"({"path":"/a","root_hash":")" + hash + R"(","data_blocks":1})",
        R"({"path":"/a","root_hash":")" + hash + R"(","data_blocks":-2})",
        R"({"path":"/a","root_hash":")" + hash + R"(","data_blocks":"2"})"})
    EXPECT_FALSE(ParseLayerList(with(layer))) << layer;
  for (const char* text : {"", "[]", "{}", R"({"layers":[]})", R"({"layers":{},"problem":""})"})
    EXPECT_FALSE(ParseLayerList(text)) << text;
}

TEST(LayerListTest, ARepeatedLayerStaysUppermost) {
  std::vector<LayerFile> layers = {Layer('a'), Layer('b'), Layer('a'), Layer('c'), Layer('b')};
  DropRepeatedLayers(&layers);
  ASSERT_EQ(layers.size(), 3U);
  EXPECT_EQ(layers[0].path, "/layers/a");
  EXPECT_EQ(layers[1].path, "/layers/b");
  EXPECT_EQ(layers[2].path, "/layers/c");
}

}  // namespace
}  // namespace kata_cc::shim
