#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One call of containerd's CRI: cri_call.py SOCKET SERVICE/METHOD [JSON]

The JSON is the request with field numbers for names: {"1": {"1": "image"}}; an integer is a varint, a
list a repeated field. Prints the answer likewise, one field a line: "1.1: text". Exits with 1 and the
status's code and message when the call fails."""
import json
import sys

import grpc


def varint(n):
    out = b""
    while n > 0x7F:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def encode(message):
    out = b""
    for key, value in message.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                out += varint(int(key) << 3) + varint(int(item))
                continue
            data = encode(item) if isinstance(item, dict) else item.encode()
            out += varint(int(key) << 3 | 2) + varint(len(data)) + data
    return out


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """The fields of a message, or None for bytes that are none."""
    found, at = [], 0
    try:
        while at < len(data):
            key, at = read_varint(data, at)
            if key & 7 == 0:
                value, at = read_varint(data, at)
            elif key & 7 == 2:
                size, at = read_varint(data, at)
                value, at = data[at:at + size], at + size
                if len(value) != size:
                    return None
            else:
                return None
            found.append((key >> 3, value))
    except IndexError:
        return None
    return found


def show(data, prefix=""):
    for number, value in fields(data):
        name = f"{prefix}{number}"
        if isinstance(value, int):
            print(f"{name}: {value}")
        elif value.isascii() and value.decode().isprintable():
            print(f"{name}: {value.decode()}")
        elif fields(value):
            show(value, name + ".")
        else:
            print(f"{name}: {value.hex()}")


channel = grpc.insecure_channel("unix://" + sys.argv[1])
call = channel.unary_unary("/runtime.v1." + sys.argv[2])
try:
    show(call(encode(json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}")), timeout=240))
except grpc.RpcError as error:
    print(error.code().value[0], error.details(), file=sys.stderr)
    sys.exit(1)
