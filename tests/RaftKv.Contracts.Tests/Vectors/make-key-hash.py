#!/usr/bin/env python3
"""Writes key-hash.json beside itself, without any code of RaftKv: needs python3 and xxhsum (Debian: apt-get install xxhash)."""

import base64
import json
import pathlib
import re
import subprocess


def routing_key(key: bytes) -> bytes:
    """Between the first { and the next } after it, if that is not empty; else the whole key."""
    found = re.match(rb"[^{]*\{([^}]+)\}", key, re.DOTALL)
    return found.group(1) if found else key


def xxh64(data: bytes) -> str:
    """By xxhsum; -H1 is XXH64, seed 0, printed most significant digit first."""
    out = subprocess.run(["xxhsum", "-H1"], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return out.split()[0].decode()


def keys():
    tagged = [
        b"{}", b"}{", b"{", b"}", b"{a", b"a}", b"}{a}", b"{a}", b"{{a}}", b"{{}", b"{}}", b"{}{a}", b"a{}b{c}", b"{a}{b}", b"x{a}y{b}z",
        b"{a}b}", b"{ }", b"{\x00}", b"user:{42}:name", b"user:{42}:mail", b"a{b\nc}d", b"{\xff\xfe}", b"\xff{\x80}\xff",
    ]
    other = [
        b"a", b"greeting", b"hello world", b"\x00", b"\x00\x00", b"\xff", b"\x80\x81\x82", b"\xc3\x28", b"\xed\xa0\x80", b"a/b//c/../d",
        "schl\u00fcssel".encode(), "\u9375".encode(), "\U0001f511".encode(), b"key " * 1024,
    ]
    # The boundaries of XXH64: stripes of 32 bytes, then words of 8, then 4, then single bytes.
    lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 28, 31, 32, 33, 35, 36, 37, 39, 40, 41, 44, 63, 64, 65, 68, 72, 95, 96, 97, 99, 100]
    return tagged + other + [bytes((i * 37 + 11) % 0x7B for i in range(n)) for n in lengths]


version = subprocess.run(["xxhsum", "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout.decode().split("\n")[0].strip()
document = {
    "formatVersion": 1,
    "about": "Where RaftKv keeps a key: hash = XXH64, seed 0, of the routing key, which is what stands between the first { and the next } of the key if that is not empty, else the whole key. Keys are bytes. A client in any language must agree with every line.",
    "madeBy": f"Vectors/make-key-hash.py: routing keys by its own regular expression, hashes by {version} -H1, not by RaftKv's code",
    "vectors": [
        {"key": base64.b64encode(k).decode(), "routingKey": base64.b64encode(routing_key(k)).decode(), "hash": xxh64(routing_key(k))} for k in keys()
    ],
}
pathlib.Path(__file__).with_name("key-hash.json").write_text(json.dumps(document, indent=2) + "\n")
