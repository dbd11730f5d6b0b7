// SPDX-License-Identifier: Apache-2.0

// go-ttrpc is the genuine Go ttrpc as a test peer: a server of the methods that
// interop_server.cc has too, and a client that checks any such server.
//
//	go-ttrpc server SOCKET          serves until its standard input ends
//	go-ttrpc check SOCKET           every check against the server at SOCKET
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go-ttrpc server|check SOCKET")
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "server":
		err = serve(os.Args[2])
	case "check":
		err = check(os.Args[2])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-ttrpc:", err)
		os.Exit(1)
	}
}
