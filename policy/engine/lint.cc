// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/lint.h"

#include <algorithm>
#include <set>

#include "policy/engine/load.h"

namespace kata_cc::policy {
namespace {

class Linter {
 public:
  Linter(const Program& program, const LintOptions& lint) : program_(program), lint_(lint) {}

  std::vector<std::string> Run() {
    MarkUsed();
    for (const auto& group : program_.groups) {
      CheckName(*group);
      CheckConflicts(*group);
    }
    std::sort(findings_.begin(), findings_.end());
    std::vector<std::string> out;
    for (auto& [location, text] : findings_)
      out.push_back(std::move(text));
    return out;
  }

 private:
  void Find(const Location& at, const std::string& text) {
    const std::string place = program_.module_names[at.module] + ":" + std::to_string(at.line) +
                              ":" + std::to_string(at.column);
    findings_.push_back({{at.module, at.line, at.column}, place + ": " + text});
  }

  bool IsAsked(const Group& group) const {
    const std::string& name = group.path.back();
    return std::find(lint_.asked.begin(), lint_.asked.end(), name) != lint_.asked.end() ||
           name.starts_with("test_");
  }

  bool InPackage(const Group& group) const {
    std::string package;
    for (std::size_t i = 0; i + 1 < group.path.size(); ++i)
      package += (i > 0 ? "." : "") + group.path[i];
    return package == lint_.package;
  }

  // What is asked, and what that uses.
  void MarkUsed() {
    std::vector<std::uint32_t> open;
    for (const auto& group : program_.groups) {
      if (IsAsked(*group)) open.push_back(group->id);
    }
    while (!open.empty()) {
      const std::uint32_t id = open.back();
      open.pop_back();
      if (!used_.insert(id).second) continue;
      const auto& uses = program_.groups[id]->uses;
      open.insert(open.end(), uses.begin(), uses.end());
    }
  }

  void CheckName(const Group& group) {
    if (used_.contains(group.id) || !InPackage(group)) return;
    const std::string& name = group.path.back();
    if (name.ends_with("Request")) {
      std::string text = name + " is no request of the agent, and so allows nothing";
      const std::string nearest = Nearest(name);
      if (!nearest.empty()) text += ": did you mean " + nearest + "?";
      Find(group.location, text);
    } else {
      Find(group.location, name + " is used by no rule that the agent asks");
    }
  }

  std::string Nearest(const std::string& name) const {
    std::string best;
    std::size_t least = 4;
    for (const std::string& asked : lint_.asked) {
      const std::size_t distance = EditDistance(name, asked);
      if (distance < least) {
        least = distance;
        best = asked;
      }
    }
    return best;
  }

  // Two definitions without conditions must agree; one without conditions shadows its else.
  void CheckConflicts(const Group& group) {
    const Definition* always = nullptr;
    for (const auto& definition : group.definitions) {
      if (!definition->unconditional) continue;
      if (definition->else_definition) {
        Find(definition->else_definition->location,
             "else is never reached: " + group.Name() + " holds without condition");
      }
      if (!definition->constant) continue;
      if (always != nullptr && always->value.constant != definition->value.constant) {
        Find(definition->location, group.Name() + " always conflicts with its definition at line " +
                                       std::to_string(always->location.line));
      }
      if (always == nullptr) always = definition.get();
    }
    if (always != nullptr && group.default_definition) {
      Find(group.default_definition->location,
           "the default of " + group.Name() + " is never used: a definition always holds");
    }
  }

  const Program& program_;
  const LintOptions& lint_;
  std::set<std::uint32_t> used_;
  std::vector<std::pair<std::vector<std::uint32_t>, std::string>> findings_;
};

}  // namespace

Result<std::vector<std::string>> Lint(std::vector<Module> modules, const LintOptions& lint,
                                      const Options& options) {
  const auto loaded = TRY(Loaded::Make(modules, options));
  return Linter(loaded->program, lint).Run();
}

}  // namespace kata_cc::policy
