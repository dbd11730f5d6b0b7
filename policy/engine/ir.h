// SPDX-License-Identifier: Apache-2.0
// What the compiler makes of modules and the evaluator runs.
// A rule body is a Block: steps in an order in which every variable is bound before it is read.
// A step that has several solutions (kScan, kRelation) runs the rest of its block once for each;
// a step that fails goes back to the last of these. Variables are slots of the rule's frame.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/ast.h"
#include "policy/engine/builtins/builtin.h"
#include "policy/engine/value.h"

namespace kata_cc::policy {

struct Group;
struct Block;
struct TreeNode;
struct RuleIndex;

enum class NodeKind : std::uint8_t {
  kConstant,  // constant
  kSlot,      // slot
  kInput,     // The input document.
  kBase,      // The base document; constant is nothing. Rules are not seen through it.
  kGet,       // nodes[0], then keys nodes[1..]
  kArray,     // nodes
  kSet,       // nodes
  kObject,    // nodes: key, value ...
  kArrayOf,   // block; its yield has nodes
  kSetOf,     // block
  kObjectOf,  // block
  kTemplate,  // nodes: string constants and kSetOf
  kBuiltin,   // builtin(nodes)
  kCall,      // group(nodes)
  kRule,      // group
  kVirtual,   // tree (rules below it over the base document), then keys nodes[0..]
  // Builtins that are common, without the call.
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kCount,
  kMember,
};

struct Node {
  NodeKind kind = NodeKind::kConstant;
  std::uint32_t slot = 0;
  Location location;
  Value constant;
  std::vector<Node> nodes;
  const Builtin* builtin = nullptr;
  Group* group = nullptr;
  const TreeNode* tree = nullptr;
  std::unique_ptr<Block> block;

  Node() = default;
  Node(NodeKind kind_in, Location location_in) : kind(kind_in), location(location_in) {}
};

constexpr std::uint32_t kNoSlot = 0xffff'ffff;

enum class StepKind : std::uint8_t {
  kBind,      // slot := a
  kTest,      // a is defined and not false
  kEqual,     // a == b
  kArrayOf,   // slot holds an array of `count` elements
  kObjectOf,  // slot holds an object of `count` members
  kScan,      // for key slot, value slot2 in a (either may be kNoSlot)
  kRelation,  // for slot in a, which is a call of a relation
  kNot,       // block has no solution
  kEvery,     // block has a solution for each slot, slot2 in a
  kWith,      // with ... up to the kEndWith of the same block
  kEndWith,
  kPrint,  // block.steps: kPrint with one operand node each
  kYield,  // A solution: the sink takes it.
};

struct Mock {
  std::vector<Value> path;  // Under input or data; empty for functions.
  bool is_input = false;
  bool is_data = false;
  const Group* function = nullptr;  // What is replaced.
  const Builtin* builtin = nullptr;
  Node value;                    // By a value,
  Group* by_function = nullptr;  // or by a function.
  const Builtin* by_builtin = nullptr;
};

struct Step {
  StepKind kind = StepKind::kTest;
  std::uint32_t slot = kNoSlot;
  std::uint32_t slot2 = kNoSlot;
  std::uint32_t count = 0;
  Location location;
  Node a;
  Node b;
  std::vector<Node> nodes;
  std::unique_ptr<Block> block;
  std::vector<Mock> mocks;
};

struct Block {
  std::vector<Step> steps;  // Ends with kYield.
};

// One definition of a rule or function, with its else branches.
struct Definition {
  Location location;
  std::uint32_t end_line = 0;
  std::uint32_t slots = 0;
  Block block;
  // What a solution gives: the value (kSingle), or the element (kSet); and under which keys.
  Node value;
  std::vector<Node> keys;
  bool element = false;  // Adds value to the set under keys.
  // The value is the same for every solution.
  bool constant = false;
  bool unconditional = false;  // The block has no steps but the yield.
  std::unique_ptr<Definition> else_definition;
  std::vector<std::string> names;  // Of the variables, by slot; for explanations.
  Value annotations;
};

enum class GroupKind : std::uint8_t { kComplete, kFunction, kSet, kObject };

// All definitions of one name.
struct Group {
  std::vector<std::string> path;
  std::uint32_t id = 0;
  GroupKind kind = GroupKind::kComplete;
  std::size_t arity = 0;
  std::uint32_t slots = 0;  // The most of any definition.
  std::vector<std::unique_ptr<Definition>> definitions;
  std::unique_ptr<Definition> default_definition;
  // Every definition, and the default, has this value: the first solution decides.
  bool one_value = false;
  // A rule without conditions: the value itself.
  std::optional<Value> constant;
  std::unique_ptr<RuleIndex> index;  // Of the definitions; null: all are tried.
  std::vector<std::uint32_t> uses;   // Ids of the groups that it refers to.
  Location location;

  Group();
  ~Group();
  std::string Name() const;  // data.a.b
};

struct TreeNode {
  std::map<std::string, std::unique_ptr<TreeNode>, std::less<>> children;
  Group* group = nullptr;
  std::uint32_t id = 0;
  std::vector<std::string> path;
};

}  // namespace kata_cc::policy
