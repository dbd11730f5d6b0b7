// SPDX-License-Identifier: Apache-2.0
// AMD's root certificates (ARK) for SEV-SNP, one a product line, built in: the only roots that a
// verifier trusts unless its caller names others.
#pragma once

#include <vector>

#include "base/result.h"
#include "proto/snp/verify/cert.h"

namespace kata_cc::snp {

Result<std::vector<Cert>> AmdRoots();

}  // namespace kata_cc::snp
