// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const service = "kata_cc.test.Interop"

type call func(ctx context.Context, in string) (string, error)

func method(f call) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(interface{}) error) (interface{}, error) {
		// KeyValue is the one message type that the package itself brings along.
		var in ttrpc.KeyValue
		if err := unmarshal(&in); err != nil {
			return nil, err
		}
		out, err := f(ctx, in.Value)
		if err != nil {
			return nil, err
		}
		return &ttrpc.KeyValue{Key: in.Key, Value: out}, nil
	}
}

func serve(path string) error {
	server, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(ttrpc.UnixSocketRequireSameUser()))
	if err != nil {
		return err
	}
	server.Register(service, map[string]ttrpc.Method{
		"Echo": method(func(_ context.Context, in string) (string, error) { return in, nil }),
		// "CODE TEXT"
		"Fail": method(func(_ context.Context, in string) (string, error) {
			code, text, _ := strings.Cut(in, " ")
			n, err := strconv.Atoi(code)
			if err != nil {
				return "", err
			}
			return "", status.Error(codes.Code(n), text)
		}),
		// Milliseconds.
		"Sleep": method(func(ctx context.Context, in string) (string, error) {
			ms, err := strconv.Atoi(in)
			if err != nil {
				return "", err
			}
			select {
			case <-time.After(time.Duration(ms) * time.Millisecond):
				return in, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}),
		// The values of a metadata key, joined.
		"Metadata": method(func(ctx context.Context, in string) (string, error) {
			md, _ := ttrpc.GetMetadata(ctx)
			values, _ := md.Get(in)
			return strings.Join(values, ","), nil
		}),
		// So many bytes.
		"Big": method(func(_ context.Context, in string) (string, error) {
			n, err := strconv.Atoi(in)
			if err != nil {
				return "", err
			}
			return strings.Repeat("b", n), nil
		}),
	})
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("serving")
	return server.Serve(context.Background(), listener)
}
