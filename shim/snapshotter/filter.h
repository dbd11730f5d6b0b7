// SPDX-License-Identifier: Apache-2.0
// containerd's filter language (its package filters), as List takes it: selectors
// `field`, `field==value`, `field!=value`, `field~=regex`, joined by commas; of several filters
// one has to match. Fields are paths whose parts may be quoted: labels."containerd.io/x"==y.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::snapshotter {

// The value of a field path, or nothing when the object has no such field.
using FieldValue =
    std::function<std::optional<std::string>(const std::vector<std::string>& field_path)>;

class Filter {
 public:
  // InvalidArgument with the place where the text cannot be read. No filters match everything.
  static Result<Filter> Parse(const std::vector<std::string>& filters);
  bool Matches(const FieldValue& value_of) const;

 private:
  using Selector = std::function<bool(const FieldValue&)>;
  std::vector<std::vector<Selector>> any_of_;
  friend class FilterParser;
};

}  // namespace kata_cc::snapshotter
