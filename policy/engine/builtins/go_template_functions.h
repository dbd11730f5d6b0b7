// SPDX-License-Identifier: Apache-2.0
// Values inside a template and the functions that it may call.
#pragma once

#include <string>
#include <vector>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy::go_template {

// Numbers of the variables are text to a template (Go's json.Number); those written in it count.
struct Item {
  Value value;
  bool defined = true;
  bool counts = false;  // A number written in the template, or made by len.
};

// As an action writes it; charged.
Result<std::string> Printed(BuiltinContext& context, const Item& item);
bool IsTrue(const Item& item);

// The function of a name that IsTemplateFunction knows. Go's errors.
Result<Item> CallFunction(BuiltinContext& context, const std::string& name,
                          const std::vector<Item>& arguments);

}  // namespace kata_cc::policy::go_template
