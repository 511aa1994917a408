#!/usr/bin/python3
"""A client written from common/proto/PROTOCOL.md alone.

    protocol_client.py PROFILE submit [--key K] [--type T] [--array LO-HI[:STEP]] [--entry TEXT …] [--input FILE …]
                                      [--upload] [--env K=V …] [--after ok:JOB …] [--wait] [ARG …]
    protocol_client.py PROFILE watch JOB
    protocol_client.py PROFILE list WHAT [JOB] [name=value …]
    protocol_client.py PROFILE results JOB
    protocol_client.py PROFILE logs JOB INDEX [stdout|stderr]
    protocol_client.py PROFILE get JOB INDEX ATTEMPT FILE
    protocol_client.py PROFILE act OP JOB [name=value …]     cancel, hold, release, retry, signal, set
    protocol_client.py PROFILE why JOB [INDEX]
    protocol_client.py PROFILE status
    protocol_client.py PROFILE raw [HEADER|-] [BODY]         send this text as it is, print the answers of 2 s

Prints one JSON object a line (logs and get: the bytes). Exit codes: 0; 1 watched, and something did not succeed; 65, 66,
69, 77, 78 as the commands have them."""

import argparse
import hashlib
import json
import os
import secrets
import sys
import time

sys.dont_write_bytecode = True
from protocol_peer import CHUNK_MAX, BODY_MAX, Peer, main_of


def show(value):
    print(json.dumps(value, ensure_ascii=False), flush=True)


def value_of(text):
    """name=value on the command line: numbers and JSON where it is some, else text."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


# --- submitting ----------------------------------------------------------------------------------------------


def entry_chunks(entries, per_chunk):
    """Each entry is a tuple of values."""
    chunks = []
    for at in range(0, len(entries), per_chunk):
        chunk = b""
        for values in entries[at:at + per_chunk]:
            text = b"\0".join(value.encode() for value in values)
            chunk += len(text).to_bytes(4, "big") + text
        chunks.append(chunk)
    return chunks


def input_chunks(path):
    with open(path, "rb") as file:
        content = file.read()
    record = {"name": os.path.basename(path), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
              "mode": os.stat(path).st_mode & 0o777}
    return record, [content[at:at + CHUNK_MAX] for at in range(0, len(content), CHUNK_MAX)]


def array_part(text):
    span, _, step = text.partition(":")
    lo, _, hi = span.partition("-")
    part = {"lo": int(lo), "hi": int(hi or lo)}
    if step:
        part["step"] = int(step)
    return part


def describe(options):
    """The job's description and its chunks."""
    spec = {"type": options.type}
    chunks = []
    if options.args:
        spec["args"] = options.args
    if options.env:
        spec["env"] = options.env
    if options.name:
        spec["name"] = options.name
    if options.array:
        spec["array"] = sorted((array_part(p) for p in options.array.split(",")), key=lambda part: part["lo"])
        spec["is_array"] = True
    if options.entry:
        entries = [entry.split("\t") for entry in options.entry]
        spec["entries"], spec["entries_per_chunk"] = len(entries), options.entries_per_chunk
        chunks += entry_chunks(entries, options.entries_per_chunk)
    if options.after:
        spec["after"] = [{"when": a.split(":")[0], "job": int(a.split(":")[1])} for a in options.after]
    if options.retries:
        spec["retries"] = options.retries
    for path in options.input:
        record, content = input_chunks(path)
        spec.setdefault("inputs", []).append(record)
        chunks += content
    return spec, chunks


def submit(peer, options):
    spec, chunks = describe(options)
    job = {"key": options.key or secrets.token_hex(16), "spec": spec}
    body = b"".join(chunks)
    inline = chunks and len(body) <= BODY_MAX and not options.upload
    if inline:
        job["chunks"] = [len(chunk) for chunk in chunks]
    answer, _ = peer.call("TaskRequest", "submit", body if inline else b"", jobs=[job])
    while answer["op"] == "stored":
        no = answer["upto"]
        answer, _ = peer.call("DataRequest", "put", chunks[no], key=job["key"], no=no)
    show(answer)
    return watch(peer, answer["jobs"][0]["job"]) if options.wait else 0


# --- reading -------------------------------------------------------------------------------------------------


def watch(peer, job):
    number = peer.send("TaskRequest", "watch", job=job, progress=True)
    while True:
        event, _ = peer.answer(number, 3600)
        show(event)
        if event.get("done"):
            peer.forget(number)
            return 0 if event["status"] == "succeeded" else 1


def rows_of(peer, **members):
    while True:
        answer, _ = peer.call("DataRequest", "list", **members)
        for row in answer["rows"]:
            yield dict(zip(answer["columns"], row))
        if "next" not in answer:
            return
        members["from"] = answer["next"]
        if "next_index" in answer:
            members["from_index"] = answer["next_index"]


def logs(peer, job, index, stream):
    start = 0
    while True:
        number = peer.send("DataRequest", "logs", job=job, index=index, stream=stream, **{"from": start})
        while True:
            answer, body = peer.answer(number, 60)
            if answer["op"] == "end":
                break
            sys.stdout.buffer.write(body)
        peer.forget(number)
        if answer.get("final") or answer.get("next", start) == start:
            sys.stdout.buffer.flush()
            return 0
        start = answer["next"]


def get(peer, job, index, attempt, file):
    for seq in range(1 << 20):
        answer, body = peer.call("DataRequest", "get", job=job, index=index, attempt=attempt, file=file, seq=seq)
        if answer["op"] == "end":
            break
        sys.stdout.buffer.write(body)
        if answer.get("final"):
            break
    sys.stdout.buffer.flush()
    return 0


def raw(peer, text, body):
    """Whatever the caller wants to say, well-formed or not."""
    frames = [text.encode("utf-8", "surrogateescape")] + ([body.encode()] if body is not None else [])
    peer.socket.send_multipart(frames)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        message = peer.receive(until - time.monotonic())
        if message:
            show(message[0])
    return 0


def options_of(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile")
    parser.add_argument("--connect-timeout", type=float, default=10)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("submit")
    for name, default in (("--key", None), ("--type", "command"), ("--array", None), ("--name", None)):
        new.add_argument(name, default=default)
    for name in ("--entry", "--input", "--env", "--after"):
        new.add_argument(name, action="append", default=[])
    new.add_argument("--entries-per-chunk", type=int, default=1000)
    new.add_argument("--retries", type=int, default=0)
    new.add_argument("--upload", action="store_true")
    new.add_argument("--wait", action="store_true")
    new.add_argument("args", nargs="*")
    for name, arguments in (("watch", ["job"]), ("results", ["job"]), ("logs", ["job", "index"]),
                            ("get", ["job", "index", "attempt", "file"]), ("status", []), ("why", ["job"])):
        command = commands.add_parser(name)
        for argument in arguments:
            command.add_argument(argument, type=int)
        if name == "logs":
            command.add_argument("stream", nargs="?")
        if name == "why":
            command.add_argument("index", nargs="?", type=int)
    command = commands.add_parser("list")
    command.add_argument("what")
    command.add_argument("job", nargs="?")
    command.add_argument("members", nargs="*")
    command = commands.add_parser("act")
    command.add_argument("op")
    command.add_argument("job", type=int)
    command.add_argument("members", nargs="*")
    command = commands.add_parser("raw")
    command.add_argument("text")
    command.add_argument("body", nargs="?")
    return parser.parse_args(argv)


def run(peer, options):
    if options.command == "submit":
        return submit(peer, options)
    if options.command == "watch":
        return watch(peer, options.job)
    if options.command in ("list", "results"):
        members = {"what": getattr(options, "what", "results")}
        rest = list(getattr(options, "members", []))
        if isinstance(options.job, str) and "=" in options.job:
            rest.append(options.job)
        elif options.job is not None:
            members["job"] = int(options.job)
        members.update(value_of(text) for text in rest)
        for row in rows_of(peer, **members):
            show(row)
        return 0
    if options.command == "logs":
        return logs(peer, options.job, options.index, options.stream)
    if options.command == "get":
        return get(peer, options.job, options.index, options.attempt, options.file)
    if options.command == "act":
        show(peer.call("TaskRequest", options.op, job=options.job, **dict(map(value_of, options.members)))[0])
        return 0
    if options.command == "why":
        show(peer.call("DataRequest", "why", job=options.job, index=options.index)[0])
        return 0
    if options.command == "status":
        show(peer.call("DataRequest", "status")[0])
        return 0
    text = sys.stdin.read() if options.text == "-" else options.text
    return raw(peer, text, options.body)


def main():
    options = options_of(sys.argv[1:])
    peer = Peer(options.profile, options.connect_timeout)
    try:
        peer.wait_up()
        return run(peer, options)
    finally:
        peer.close()


if __name__ == "__main__":
    sys.exit(main_of(main))
