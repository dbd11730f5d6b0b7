// SPDX-License-Identifier: Apache-2.0
// containerd's own snapshotter test suite against kata-cc-snapshotter over its socket, each test
// with a process of its own. KATA_CC_SNAPSHOTTER is the program. Needs root (overlay mounts).
package snapshotter

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/pkg/dialer"
	"github.com/containerd/containerd/snapshots"
	"github.com/containerd/containerd/snapshots/proxy"
	"github.com/containerd/containerd/snapshots/testsuite"
	"google.golang.org/grpc"
)

func start(ctx context.Context, root string) (snapshots.Snapshotter, func() error, error) {
	program := os.Getenv("KATA_CC_SNAPSHOTTER")
	if program == "" {
		return nil, nil, fmt.Errorf("KATA_CC_SNAPSHOTTER is not set")
	}
	socket := filepath.Join(filepath.Dir(root), "snapshotter.sock")
	command := exec.Command(program, "--root", root, "--socket", socket,
		"--containerd", filepath.Join(filepath.Dir(root), "none.sock"), "--log", "error")
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() error {
		_ = command.Process.Signal(os.Interrupt)
		return command.Wait()
	}
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	connection, err := grpc.DialContext(ctx, dialer.DialAddress(socket), grpc.WithInsecure(),
		grpc.WithBlock(), grpc.WithContextDialer(dialer.ContextDialer))
	if err != nil {
		_ = stop()
		return nil, nil, err
	}
	client := proxy.NewSnapshotter(snapshotsapi.NewSnapshotsClient(connection), "kata-cc")
	return client, func() error {
		connection.Close()
		return stop()
	}, nil
}

func TestSnapshotter(t *testing.T) {
	testsuite.SnapshotterSuite(t, "kata-cc", start)
}
