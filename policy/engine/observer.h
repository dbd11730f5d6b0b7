// SPDX-License-Identifier: Apache-2.0
// Observer: told what an evaluation does, when there is one. Without one the cost is a test of a
// null pointer a step.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/engine/ir.h"

namespace kata_cc::policy {

// The value of a node in the frame at hand; null if undefined. Not observed itself.
using EvalNode = std::function<std::optional<Value>(const Node&)>;

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnStep(const Step&) {}
  virtual void OnScan(const Step&, const Value&) {}  // Enters an element, by its key,
  virtual void OnScanned() {}                        // and leaves it.
  virtual void OnMiss(const Step&, const EvalNode&) {}
  virtual void OnGroup(const Group&) {}
  virtual void OnGroupDone(const Group&, bool) {}  // Whether it is defined.
  virtual void OnConstant(const Group&) {}         // A rule that is its value, without running.
  virtual void OnDefinition(const Definition&) {}
  virtual void OnDefinitionDone(bool) {}  // Whether it had a solution.
};

// The lines whose steps ran, by module.
class Coverage : public Observer {
 public:
  void OnStep(const Step& step) override {
    lines_[step.location.module].insert(step.location.line);
  }
  void OnDefinition(const Definition& definition) override {
    lines_[definition.location.module].insert(definition.location.line);
  }
  void OnConstant(const Group& group) override { OnDefinition(*group.definitions[0]); }
  const std::map<std::uint32_t, std::set<std::uint32_t>>& lines() const { return lines_; }

 private:
  std::map<std::uint32_t, std::set<std::uint32_t>> lines_;
};

// For what is undefined: in each rule body that was tried, the expression that failed furthest in
// the text, with its values, and why the rules and functions that it calls failed in turn.
class Explainer : public Observer {
 public:
  explicit Explainer(const std::vector<std::string>& module_names) : modules_(module_names) {}

  void OnScan(const Step& step, const Value& key) override;
  void OnScanned() override;
  void OnMiss(const Step& step, const EvalNode& eval) override;
  void OnGroup(const Group& group) override;
  void OnGroupDone(const Group& group, bool defined) override;
  void OnDefinition(const Definition& definition) override;
  void OnDefinitionDone(bool found) override;

  // Indented lines, at most `most`.
  std::vector<std::string> Lines(std::size_t most) const;

 private:
  struct Call;
  struct Attempt {
    const Definition* definition = nullptr;
    bool failed = false;  // Somewhere: `at` and `text` say where and how.
    Location at;
    std::string text;
    std::vector<Call> calls;
    bool found = false;
  };
  struct Call {
    const Group* group = nullptr;
    std::vector<Attempt> attempts;
  };
  struct Active {  // A definition that is running.
    Attempt attempt;
    std::vector<Call> pending;
    std::vector<std::pair<const Step*, Value>> scans;
  };

  std::string Describe(const Step& step, const EvalNode& eval) const;
  std::string Context() const;
  void Print(const Call& call, std::size_t indent, std::size_t most,
             std::vector<std::string>& out) const;

  const std::vector<std::string>& modules_;
  std::vector<Call> calls_;
  std::vector<Active> active_;
  std::vector<Call> roots_;
};

// Rego for a node, with the names that the definition's variables have.
std::string Render(const Node& node, const Definition& definition);

}  // namespace kata_cc::policy
