// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/gogo/protobuf/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func ask(ctx context.Context, client *ttrpc.Client, method, in string) (string, error) {
	var out ttrpc.KeyValue
	err := client.Call(ctx, service, method, &ttrpc.KeyValue{Key: "k", Value: in}, &out)
	return out.Value, err
}

func expectStatus(err error, code codes.Code, text string) error {
	if status.Code(err) != code || status.Convert(err).Message() != text {
		return fmt.Errorf("want status %v %q, got %v", code, text, err)
	}
	return nil
}

func dial(path string) (*ttrpc.Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	return ttrpc.NewClient(conn), nil
}

type step struct {
	name string
	run  func(path string, client *ttrpc.Client) error
}

func check(path string) error {
	failed := 0
	steps := []step{
		{"echo", checkEcho}, {"sizes up to the limit", checkSizes}, {"status codes", checkStatus},
		{"unknown service and method", checkUnknown}, {"metadata", checkMetadata},
		{"timeouts", checkTimeouts}, {"oversize request", checkOversize},
		{"oversize reply", checkOversizeReply}, {"500 calls in flight", checkConcurrency},
		{"malformed payload", checkMalformed}, {"raw frames", checkRaw},
		{"garbage and half frames", checkGarbage},
	}
	for _, s := range steps {
		client, err := dial(path)
		if err == nil {
			err = s.run(path, client)
			client.Close()
		}
		if err != nil {
			failed++
			fmt.Printf("FAIL %s: %v\n", s.name, err)
			continue
		}
		fmt.Printf("ok   %s\n", s.name)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(steps))
	}
	return nil
}

func checkEcho(_ string, client *ttrpc.Client) error {
	for i := 0; i < 100; i++ {
		in := strconv.Itoa(i)
		out, err := ask(context.Background(), client, "Echo", in)
		if err != nil || out != in {
			return fmt.Errorf("%q: got %q, %v", in, out, err)
		}
	}
	return nil
}

// The largest value whose request is a frame of exactly 4 MiB.
func largest() int {
	n := 4<<20 - 100
	for {
		payload, _ := proto.Marshal(&ttrpc.KeyValue{Key: "k", Value: strings.Repeat("x", n)})
		frame, _ := proto.Marshal(&ttrpc.Request{Service: service, Method: "Echo", Payload: payload})
		if len(frame) == 4<<20 {
			return n
		}
		n += 4<<20 - len(frame)
	}
}

func checkSizes(_ string, client *ttrpc.Client) error {
	for _, n := range []int{0, 1, 127, 128, 4095, 4096, 65535, 65536, 1 << 20, 3 << 20, largest()} {
		in := strings.Repeat("x", n)
		out, err := ask(context.Background(), client, "Echo", in)
		if err != nil || out != in {
			return fmt.Errorf("%d bytes: got %d, %v", n, len(out), err)
		}
	}
	return nil
}

func checkStatus(_ string, client *ttrpc.Client) error {
	for code := codes.Canceled; code <= codes.DataLoss; code++ {
		text := fmt.Sprintf("text of %d: ünïcode", code)
		_, err := ask(context.Background(), client, "Fail", fmt.Sprintf("%d %s", code, text))
		if err := expectStatus(err, code, text); err != nil {
			return err
		}
	}
	return nil
}

func checkUnknown(_ string, client *ttrpc.Client) error {
	_, err := ask(context.Background(), client, "Nothing", "")
	if err := expectStatus(err, codes.Unimplemented, "method Nothing"); err != nil {
		return err
	}
	var out ttrpc.KeyValue
	err = client.Call(context.Background(), "no.such.Service", "Echo", &ttrpc.KeyValue{}, &out)
	return expectStatus(err, codes.Unimplemented, "service no.such.Service")
}

func checkMetadata(_ string, client *ttrpc.Client) error {
	md := ttrpc.MD{}
	md.Append("Some-Key", "one", "two")
	md.Append("other", "three")
	ctx := ttrpc.WithMetadata(context.Background(), md)
	for key, want := range map[string]string{"some-key": "one,two", "other": "three", "none": ""} {
		if out, err := ask(ctx, client, "Metadata", key); err != nil || out != want {
			return fmt.Errorf("%s: got %q, %v", key, out, err)
		}
	}
	return nil
}

func checkTimeouts(_ string, client *ttrpc.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := ask(ctx, client, "Sleep", "30000")
	// The client's own clock and the server's answer race; they say the same.
	if !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("want the deadline, got %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		return fmt.Errorf("took %v", took)
	}
	long, cancelLong := context.WithTimeout(context.Background(), time.Minute)
	defer cancelLong()
	out, err := ask(long, client, "Sleep", "10")
	if err != nil || out != "10" {
		return fmt.Errorf("within the deadline: got %q, %v", out, err)
	}
	return nil
}

func checkOversize(_ string, client *ttrpc.Client) error {
	n := largest() + 1
	_, err := ask(context.Background(), client, "Echo", strings.Repeat("x", n))
	if err := expectStatus(err, codes.ResourceExhausted,
		"message length 4194305 exceed maximum message size of 4194304"); err != nil {
		return err
	}
	_, err = ask(context.Background(), client, "Echo", strings.Repeat("x", 9<<20))
	if status.Code(err) != codes.ResourceExhausted {
		return fmt.Errorf("9 MiB: got %v", err)
	}
	return checkEcho("", client)
}

func checkOversizeReply(_ string, client *ttrpc.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := ask(ctx, client, "Big", "4000000")
	if err != nil || len(out) != 4000000 {
		return fmt.Errorf("4 MB: got %d, %v", len(out), err)
	}
	return nil
}

func checkConcurrency(_ string, client *ttrpc.Client) error {
	var group sync.WaitGroup
	errs := make(chan error, 500)
	begin := time.Now()
	for i := 0; i < 500; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			in := fmt.Sprintf("%d-%s", i, strings.Repeat("y", i*7))
			for n := 0; n < 5; n++ {
				if out, err := ask(context.Background(), client, "Echo", in); err != nil || out != in {
					errs <- fmt.Errorf("%d: got %d bytes, %v", i, len(out), err)
					return
				}
			}
			if out, err := ask(context.Background(), client, "Sleep", "300"); err != nil || out != "300" {
				errs <- fmt.Errorf("%d: sleep: %q, %v", i, out, err)
			}
		}(i)
	}
	group.Wait()
	if took := time.Since(begin); took > 20*time.Second {
		return fmt.Errorf("500 sleeps of 300 ms side by side took %v", took)
	}
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// A payload that is no KeyValue: which code it gives is the handler's business, but the
// connection goes on.
func checkMalformed(_ string, client *ttrpc.Client) error {
	var out ttrpc.KeyValue
	err := client.Call(context.Background(), service, "Echo", &broken{}, &out)
	if code := status.Code(err); code != codes.InvalidArgument && code != codes.Internal {
		return fmt.Errorf("got %v", err)
	}
	return checkEcho("", client)
}

type broken struct{}

func (*broken) Reset()                   {}
func (*broken) String() string           { return "broken" }
func (*broken) ProtoMessage()            {}
func (*broken) Marshal() ([]byte, error) { return []byte{0x0a, 0xff, 0xff}, nil }

func frame(id uint32, kind byte, data []byte) []byte {
	out := make([]byte, 10, 10+len(data))
	binary.BigEndian.PutUint32(out, uint32(len(data)))
	binary.BigEndian.PutUint32(out[4:], id)
	out[8] = kind
	return append(out, data...)
}

func readFrame(conn net.Conn) (uint32, *ttrpc.Response, error) {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	header := make([]byte, 10)
	if _, err := readFull(conn, header); err != nil {
		return 0, nil, err
	}
	data := make([]byte, binary.BigEndian.Uint32(header))
	if _, err := readFull(conn, data); err != nil {
		return 0, nil, err
	}
	var response ttrpc.Response
	return binary.BigEndian.Uint32(header[4:]), &response, proto.Unmarshal(data, &response)
}

func readFull(conn net.Conn, out []byte) (int, error) {
	n := 0
	for n < len(out) {
		m, err := conn.Read(out[n:])
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

func checkRaw(path string, _ *ttrpc.Client) error {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	payload, _ := proto.Marshal(&ttrpc.KeyValue{Value: "raw"})
	request, _ := proto.Marshal(&ttrpc.Request{Service: service, Method: "Echo", Payload: payload})
	for _, one := range []struct {
		bytes []byte
		id    uint32
		code  codes.Code
	}{
		{frame(2, 1, request), 2, codes.InvalidArgument},
		{frame(3, 1, []byte{0xff}), 3, codes.InvalidArgument},
		{frame(5, 1, request), 5, codes.OK},
		{append(frame(7, 9, []byte("unknown type")), frame(9, 1, request)...), 9, codes.OK},
	} {
		if _, err := conn.Write(one.bytes); err != nil {
			return err
		}
		id, response, err := readFrame(conn)
		if err != nil {
			return fmt.Errorf("stream %d: %w", one.id, err)
		}
		if id != one.id || codes.Code(response.Status.GetCode()) != one.code {
			return fmt.Errorf("stream %d: got stream %d, %v", one.id, id, response.Status)
		}
	}
	// Its server-side deadline, for the client sends no such request and waits.
	sleep, _ := proto.Marshal(&ttrpc.KeyValue{Value: "30000"})
	request, _ = proto.Marshal(&ttrpc.Request{Service: service, Method: "Sleep", Payload: sleep,
		TimeoutNano: int64(50 * time.Millisecond)})
	if _, err := conn.Write(frame(11, 1, request)); err != nil {
		return err
	}
	id, response, err := readFrame(conn)
	if err != nil {
		return err
	}
	if id != 11 || codes.Code(response.Status.GetCode()) != codes.DeadlineExceeded ||
		response.Status.GetMessage() != "context deadline exceeded" {
		return fmt.Errorf("deadline: got stream %d, %v", id, response.Status)
	}
	return nil
}

func checkGarbage(path string, client *ttrpc.Client) error {
	whole := frame(1, 1, []byte("half a frame"))
	for _, bytes := range [][]byte{
		[]byte("GET / HTTP/1.1\r\n\r\n"), {0}, whole[:5], whole[:15], frame(1, 1, nil)[:9],
		[]byte(strings.Repeat("\xff", 1000)), make([]byte, 1000),
	} {
		for i := 0; i < 20; i++ {
			conn, err := net.Dial("unix", path)
			if err != nil {
				return err
			}
			_, _ = conn.Write(bytes)
			conn.Close()
		}
	}
	return checkEcho(path, client)
}
