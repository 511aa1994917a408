#!/usr/bin/python3
"""hostile_peer.py PROFILE CASE [ARG …]: plays one hostile peer against the coordinator that PROFILE names. Prints one
line: what the coordinator did. Raw sockets and python3-zmq, no code of ours."""
import json
import os
import socket
import struct
import sys
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

WAIT_MS = 30000 # bounds a wait for something that comes
SILENCE_MS = 1500 # how long nothing has to come


def profile(path):
    fields = {}
    for line in open(path):
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            fields[name.strip()] = value.strip()
    return fields


P = profile(sys.argv[1])
ENDPOINT = P["endpoint"]
HOST, PORT = ENDPOINT[len("tcp://"):].rsplit(":", 1)
CONTEXT = zmq.Context()


def dealer(public=None, secret=None, server=None, identity=None, curve=True):
    s = CONTEXT.socket(zmq.DEALER)
    s.linger = 500
    s.rcvtimeo = WAIT_MS
    s.sndtimeo = WAIT_MS
    if identity:
        s.setsockopt(zmq.IDENTITY, identity)
    if curve:
        s.curve_serverkey = (server or P["server-key"]).encode()
        s.curve_publickey = (public or P["public-key"]).encode()
        s.curve_secretkey = (secret or P["secret-key"]).encode()
    return s


def outcome(s):
    """How the handshake of a connecting socket ends."""
    monitor = s.get_monitor_socket()
    s.connect(ENDPOINT)
    until = time.time() + WAIT_MS / 1000
    names = {zmq.EVENT_HANDSHAKE_SUCCEEDED: "in", zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused",
             zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "broken", zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "broken"}
    while time.time() < until:
        if monitor.poll(100):
            event = recv_monitor_message(monitor)
            if event["event"] in names:
                return names[event["event"]]
    return "nothing"


def answer(s):
    """One word for what comes back: the op, or for `refused` its code."""
    try:
        header = json.loads(s.recv_multipart()[0])
    except zmq.Again:
        return "silence"
    return header["code"] if header["op"] == "refused" else header["op"]


def request(op, kind="DataRequest", **fields):
    return json.dumps(dict({"v": 1, "type": kind, "op": op, "id": 1}, **fields)).encode()


STATUS = request("status")


def connected(**options):
    s = dealer(**options)
    s.connect(ENDPOINT)
    return s


def raw(data, seconds=25.0):
    """Bytes to the port; how long until it is closed."""
    s = socket.create_connection((HOST, int(PORT)))
    s.settimeout(0.2)
    start = time.time()
    for i in range(0, len(data), 4096):
        try:
            s.sendall(data[i:i + 4096])
        except OSError:
            return "closed"
    while time.time() - start < seconds:
        try:
            if not s.recv(65536):
                return "closed"
        except socket.timeout:
            pass
        except OSError:
            return "closed"
    return "open"


def garbage():
    inputs = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes.fromhex("16030100c8010000c40303") + os.urandom(200),
              os.urandom(4096), b"\xff" + struct.pack(">Q", 1 << 62) + b"\x7f" + b"\x03" * 60, b"\x01\x00", b"\0" * 64]
    return " ".join(raw(data) for data in inputs)


def slow():
    """Greeting byte by byte, and silence: both are closed in time."""
    s = socket.create_connection((HOST, int(PORT)))
    s.settimeout(0.5)
    start = time.time()
    greeting = b"\xff" + b"\0" * 8 + b"\x7f\x03\x00CURVE" + b"\0" * 48
    for byte in greeting:
        try:
            s.sendall(bytes([byte]))
            if s.recv(1000) == b"":
                break
        except socket.timeout:
            pass
        except OSError:
            break
        if time.time() - start > 25:
            return "open"
    return "closed after %d s" % min(25, int(time.time() - start))


def huge_metadata():
    """A greeting of CURVE and a HELLO, then an INITIATE command that announces far too much."""
    s = socket.create_connection((HOST, int(PORT)))
    s.settimeout(20)
    s.sendall(b"\xff" + b"\0" * 8 + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + b"\0" * 32)
    s.recv(1000)
    hello = b"\x05HELLO\x01\x00" + b"\0" * 72 + os.urandom(32) + struct.pack(">Q", 1) + os.urandom(80)
    s.sendall(b"\x04" + bytes([len(hello)]) + hello)
    s.sendall(b"\x06" + struct.pack(">Q", 1 << 40) + b"\x08INITIATE" + os.urandom(100000))
    try:
        while s.recv(1000):
            pass
    except socket.timeout:
        return "open"
    except OSError:
        pass
    return "closed"


def frames():
    s = connected()
    words = []
    for shape in ([b""], [b"", STATUS], [STATUS, b"x", b"y"], [STATUS] + [b"z"] * 999, [b"{}"] * 4):
        s.send_multipart(shape)
        words.append(answer(s))
    s.send(STATUS)
    words.append(answer(s))
    return " ".join(words)


def lengths():
    """The header's `body` and the frame disagree."""
    s = connected()
    words = []
    put = lambda n: request("put", key="k", no=0, body=n)
    for shape in ([put(10), b"x" * 9], [put(10), b"x" * 11], [put(10)], [STATUS, b"body"], [put(0), b""]):
        s.send_multipart(shape)
        words.append(answer(s))
    return " ".join(words)


def too_large():
    """A frame over the limit closes the connection of the one who sent it and harms nobody."""
    s, other = connected(), connected()
    other.send(STATUS)
    first = answer(other)
    s.rcvtimeo = SILENCE_MS
    s.send(b"[" * ((1 << 20) + 1000))
    second = answer(s)
    other.send(STATUS)
    return " ".join([first, second, answer(other)])


def endless():
    """600 frames of 1 MiB in one message."""
    s = connected()
    s.send_multipart([STATUS] + [b"x" * (1 << 20)] * 600)
    return answer(s)


def named():
    """A routing id of one's own, two of them at once."""
    a, b = connected(identity=b"admin"), connected(identity=b"admin")
    words = []
    b.rcvtimeo = SILENCE_MS
    for s in (a, b):
        s.send(STATUS)
        words.append(answer(s))
    return " ".join(words)


def claims():
    s = connected()
    words = []
    for extra in ({"user": "admin"}, {"role": "admin"}, {"v": 0}, {"v": 99}):
        s.send(request("status", **extra))
        words.append(answer(s))
    s.send(b'{"type":"DataRequest","op":"status","id":1}')
    words.append(answer(s))
    s.send(b'{"v":1,"type":"DataRequest","op":"status","id":1,"id":2}')
    words.append(answer(s))
    return " ".join(words)


def other_role():
    """What this key's sort may not say: of a person a worker's messages, of a worker a person's."""
    s = connected()
    words = []
    for message in (request("heartbeat", "TaskResponse", window=1, running=0), request("bye", "TaskResponse"),
                    request("submit", "TaskRequest", jobs=[{"key": "k", "spec": {"type": "noop"}}]),
                    request("list", what="jobs")):
        s.send(message)
        words.append(answer(s))
    return " ".join(words)


def many():
    """A crowd of connections that come, speak and go."""
    for _ in range(10):
        crowd = [connected() for _ in range(50)]
        for s in crowd:
            s.send(STATUS)
        words = {answer(s) for s in crowd}
        for s in crowd:
            s.close(0)
    return " ".join(sorted(words))


def deaf():
    """Asks and never reads; somebody else is served all the time."""
    s, other = connected(), connected()
    s.rcvhwm = 1
    worst = 0.0
    for i in range(200):
        for _ in range(100):
            try:
                s.send(STATUS, zmq.DONTWAIT)
            except zmq.Again:
                break
        start = time.time()
        other.send(STATUS)
        if answer(other) == "silence":
            return "not served"
        worst = max(worst, time.time() - start)
    return "served" if worst < 1.0 else "stalled for %.1f s" % worst


def replay():
    """The same submission a hundred times, then another one under its key."""
    s = connected()
    submit = lambda seconds: request("submit", "TaskRequest", jobs=[{"key": "replayed", "spec": {"type": "sleep", "args": [seconds]}}])
    jobs = set()
    for _ in range(100):
        s.send(submit("0"))
        jobs.add(json.loads(s.recv_multipart()[0])["jobs"][0]["job"])
    s.send(submit("1"))
    return "%d job, then %s" % (len(jobs), answer(s))


def foreign_lease():
    """JOB NONCE EPOCH: a worker reports the end of a task that another one runs."""
    job, nonce, epoch = (int(word) for word in sys.argv[3:6])
    s = connected()
    s.send(request("ready", "TaskResponse", slots=1, window=0, types=["command"], version="0", host="x", pid=1))
    first = answer(s)
    end = {"job": job, "nonce": nonce, "epoch": epoch, "attempt": 1, "ranges": [[1, 1]], "status": "succeeded"}
    s.send(request("finished", "TaskResponse", window=0, ends=[end]))
    header = json.loads(s.recv_multipart()[0])
    s.send(request("bye", "TaskResponse"))
    return "%s, then %s" % (first, "not recorded" if header["op"] == "stale" or header.get("stale") == 1 else header)


def foreign_data():
    """JOB NONCE: a worker asks for inputs, and for the secret behind them, of a lease that another one holds; for those of a
    job without any lease; then gives output and a file to it."""
    job, nonce = int(sys.argv[3]), int(sys.argv[4])
    s = connected()
    s.send(request("ready", "TaskResponse", slots=1, window=0, types=["command"], version="0", host="x", pid=1))
    words = [answer(s)]
    for index, one_nonce in ((1, nonce), (1, nonce + 1), (2, nonce)):
        for number in (1, 2, 3, 320):
            s.send(request("fetch", job=job, nonce=one_nonce, index=index, input=number, seq=0))
            parts = s.recv_multipart()
            words.append("bytes!" if len(parts) > 1 and parts[1] else json.loads(parts[0])["op"])
    for kind, more in (("output", {"stream": "stdout"}), ("file", {"file": 1})):
        s.send_multipart([request("store", job=job, nonce=nonce, attempt=1, index=1, kind=kind, seq=0, body=4, **more), b"evil"])
        words.append(json.loads(s.recv_multipart()[0])["op"])
    s.send(request("bye", "TaskResponse"))
    return " ".join(dict.fromkeys(words))


def held():
    """Says a status, waits for a line on stdin, says it again: on one connection."""
    s = connected()
    s.send(STATUS)
    print(answer(s), flush=True)
    sys.stdin.readline()
    s.send(STATUS)
    return answer(s)


CASES = {
    "garbage": garbage, "slow": slow, "huge-metadata": huge_metadata, "frames": frames, "lengths": lengths,
    "too-large": too_large, "endless": endless, "named": named, "claims": claims, "other-role": other_role, "many": many,
    "deaf": deaf, "held": held, "replay": replay, "foreign-lease": foreign_lease,
    "foreign-data": foreign_data,
    "null": lambda: outcome(dealer(curve=False)),
    "stranger": lambda: outcome(dealer(*[k.decode() for k in zmq.curve_keypair()])),
    "wrong-server": lambda: outcome(dealer(server=zmq.curve_keypair()[0].decode())),
    "known": lambda: outcome(dealer()),
}
print(CASES[sys.argv[2]]())
CONTEXT.destroy(linger=0)
