#!/usr/bin/python3
"""protocol_probe.py JOB…: as the person of $JOBMILL_PROFILE, asks the coordinator for other people's jobs by every
message of the protocol, also those that only a worker may send. Prints whatever comes back, and how many messages
were answered. The caller looks whether anything in it is not his."""
import json
import os
import sys

import zmq

ANSWER_MS = 3000
LISTS = ["jobs", "select", "tasks", "attempts", "results", "files", "spec", "exit", "events", "workers", "queues",
         "users", "roles", "keys"]


def read_profile(path):
    values = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if "=" in line and not line.startswith("#"):
                name, value = line.split("=", 1)
                values.setdefault(name.strip(), value.strip())
    return values


def probes(job):
    """(type, op, fields, body) of every message that names `job`."""
    every = {"job": job}
    lease = {"job": job, "nonce": 1, "ranges": [[1, 9]]}
    for what in LISTS:
        yield "DataRequest", "list", {"what": what, **every}, None
        yield "DataRequest", "list", {"what": what}, None
        yield "DataRequest", "list", {"what": what, "user": "all"}, None
        yield "DataRequest", "list", {"what": what, "user": "alice"}, None
        yield "DataRequest", "list", {"what": what, "job": 1, "job_to": 1000}, None
        yield "DataRequest", "list", {"what": what, "last": 0}, None
    for op in ("cancel", "hold", "release", "retry", "watch"):
        yield "TaskRequest", op, every, None
    yield "TaskRequest", "watch", {**every, "progress": True, "output": True}, None
    yield "TaskRequest", "signal", {**every, "signal": 9}, None
    yield "TaskRequest", "set", {**every, "priority": 100}, None
    yield "DataRequest", "why", every, None
    yield "DataRequest", "why", {**every, "index": 1}, None
    for index in (1, 2):
        yield "DataRequest", "logs", {**every, "index": index}, None
        for file in (1, 2):
            yield "DataRequest", "get", {**every, "index": index, "attempt": 1, "file": file, "seq": 0}, None
    yield "DataRequest", "put", {"key": "plover7731-key", "no": 0}, b"x"
    yield "DataRequest", "user-set", {"name": "bob", "add_roles": ["admin"]}, None
    yield "DataRequest", "role-grant", {"role": "submitter", "permission": "data.read", "scope": "any"}, None
    yield "DataRequest", "status", {}, None
    # What only a worker may say.
    yield "TaskResponse", "ready", {"slots": 8, "window": 8, "types": ["command"], "version": "0.1.0", "host": "h", "pid": 7}, None
    yield "TaskResponse", "heartbeat", {"window": 8, "running": 0}, None
    yield "TaskResponse", "started", {"tasks": [lease]}, None
    end = {**lease, "epoch": 1, "attempt": 1, "status": "succeeded"}
    yield "TaskResponse", "finished", {"window": 8, "ends": [end]}, None
    yield "DataRequest", "fetch", {**every, "nonce": 1, "index": 1, "input": 1, "seq": 0}, None
    yield "DataRequest", "store", {**every, "nonce": 1, "attempt": 1, "index": 1, "kind": "output", "stream": "stdout", "seq": 0}, b"x"


def main():
    profile = read_profile(os.environ["JOBMILL_PROFILE"])
    socket = zmq.Context().socket(zmq.DEALER)
    socket.linger = 0
    socket.curve_serverkey = profile["server-key"].encode()
    socket.curve_publickey = profile["public-key"].encode()
    socket.curve_secretkey = profile["secret-key"].encode()
    socket.connect(profile["endpoint"])
    number = answered = 0
    for job in map(int, sys.argv[1:]):
        for kind, op, fields, body in probes(job):
            number += 1
            header = {"v": 1, "type": kind, "op": op, "id": number, **fields}
            frames = [json.dumps({**header, **({"body": len(body)} if body else {})}).encode()]
            socket.send_multipart(frames + ([body] if body else []))
            wait_ms = ANSWER_MS
            while socket.poll(wait_ms):
                frames = socket.recv_multipart()
                answer = json.loads(frames[0])
                wait_ms = 0  # what is there already; a stream ends by itself
                print(op, b" ".join(frames).decode("utf-8", "replace"))
                if answer.get("re") == number:
                    answered += 1
                    break
    print("sent", number, "answered", answered)


main()
