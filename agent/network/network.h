// SPDX-License-Identifier: Apache-2.0
// The guest's network, as the agent API describes it: interfaces by MAC address, routes, and
// neighbours (Kata: agent netlink). The loopback interface is nobody's to change.
#pragma once

#include "base/result.h"
#include "proto/agent.pb.h"
#include "proto/types.pb.h"

namespace kata_cc::agent {

// Pool threads; blocking. InvalidArgument for addresses, prefixes and names that are none.

// Finds the interface by its MAC address, gives it name, MTU and exactly these addresses, and sets
// it up. A name that another interface has is exchanged. NotFound ("Link not found", which Kata's
// runtime looks for) when no interface has the address.
Result<types::Interface> UpdateInterface(const types::Interface& wanted);

// Adds or replaces the routes, those without a gateway first; answers with the routes there are.
Result<grpc::Routes> UpdateRoutes(const grpc::Routes& wanted);

Result<void> AddNeighbors(const grpc::ARPNeighbors& neighbors);

Result<grpc::Interfaces> ListInterfaces();
Result<grpc::Routes> ListRoutes();  // Of the main table.

}  // namespace kata_cc::agent
