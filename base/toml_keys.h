// SPDX-License-Identifier: Apache-2.0
// A guard before toml++ 3.3, which makes a table for each part of a dotted key and frees them one
// inside the other: a key of 100,000 parts ends the process. (Nested arrays and tables it limits.)
// And it takes for granted that a table's header begins with a key, `[` with anything else behind
// it ends the process where assertions are on; and it runs into what is marked as unreachable where
// letters that are not ASCII stand outside of strings and comments, as in no TOML, or behind a
// backslash, with or without a line's end between.
#pragma once

#include <string_view>

#include "base/result.h"

namespace kata_cc {

// InvalidArgument: a key with more than 16 dots, a header that begins with no key, such a letter
// (of what is TOML, the first behind a line's end that a backslash joins), or a string or a closing
// brace where none can be, where the parser goes on among its letters (or, of what is TOML, behind
// a dot in an inline table). Linear; the text need not be TOML.
Result<void> CheckTomlKeys(std::string_view text);

}  // namespace kata_cc
