#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One call of a shim's task API, past containerd: task_call.py SOCKET METHOD [NUMBER=VALUE...]

A field is NUMBER=text, NUMBER%=percent-encoded, NUMBER:=integer, NUMBER@=TYPE-URL,text for an Any,
or NUMBER{}=NUMBER=text;NUMBER=text... for a message. Prints the answer's
payload in hex, or the status's code and message and exits with 1. With METHOD "garbage" sends
frames that no client sends, and exits with 0 if the shim hangs up or waits, and still answers."""
import socket
import struct
import sys
import urllib.parse


def varint(n):
    out = b""
    while n > 0x7F:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def encode(argument):
    key, _, value = argument.partition("=")
    if key.endswith(":"):
        return varint(int(key[:-1]) << 3) + varint(int(value))
    if key.endswith("{}"):
        return field(int(key[:-2]), b"".join(encode(part) for part in value.split(";")))
    if key.endswith("@"):
        url, _, text = value.partition(",")
        return field(int(key[:-1]), field(1, url.encode()) + field(2, text.encode()))
    if key.endswith("%"):
        return field(int(key[:-1]), urllib.parse.unquote_to_bytes(value))
    return field(int(key), value.encode())


def connect(path):
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(20)
    stream.connect(path)
    return stream


def receive(stream, size):
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def fields(data):
    at = 0

    def number():
        nonlocal at
        n, shift = 0, 0
        while True:
            byte = data[at]
            at, n, shift = at + 1, n | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return n

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
        else:
            size = number()
            yield tag >> 3, data[at : at + size]
            at += size


def call(stream, method, payload):
    request = field(1, b"containerd.task.v2.Task") + field(2, method.encode()) + field(3, payload)
    stream.sendall(struct.pack(">IIBB", len(request), 1, 1, 0) + request)
    length = struct.unpack(">I", receive(stream, 10)[:4])[0]
    response = dict(fields(receive(stream, length)))
    status = dict(fields(response.get(1, b"")))
    return status.get(1, 0), status.get(2, b"").decode(), response.get(2, b"")


def garbage(path):
    frames = [
        b"\xff" * 100,  # A length beyond any limit.
        struct.pack(">IIBB", 5 << 20, 1, 1, 0) + b"x" * (5 << 20),  # Larger than 4 MiB.
        struct.pack(">IIBB", 100, 1, 1, 0) + b"half",  # And then nothing more.
        struct.pack(">IIBB", 3, 1, 1, 0) + b"\xff\xff\xff",  # No protobuf.
        struct.pack(">IIBB", 0, 2, 1, 0),  # An even stream id: a server's.
        struct.pack(">IIBB", 0, 1, 77, 0),  # A type that there is not.
    ]
    for frame in frames:
        stream = connect(path)
        try:
            stream.sendall(frame)
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(4096):
                pass
        except OSError:
            pass
        stream.close()
    code, message, _ = call(connect(path), "Connect", field(1, b"nobody"))
    return code == 0 or sys.exit(message)


def main():
    path, method = sys.argv[1].removeprefix("unix://"), sys.argv[2]
    if method == "garbage":
        return garbage(path)
    payload = b"".join(encode(a) for a in sys.argv[3:])
    code, message, answer = call(connect(path), method, payload)
    if code:
        sys.exit(f"{code} {message}")
    print(answer.hex())


if __name__ == "__main__":
    main()
