#!/usr/bin/python3
"""tcp_proxy.py PORT: a TCP proxy in front of 127.0.0.1:PORT that misbehaves when told. Prints its own port, then obeys
lines on stdin:

  pass      forward everything
  hold      forward nothing, keep every connection (a partition: what is sent waits)
  deaf      forward only from the server to the client
  strand    connections that exist are never served again, nor closed; new ones work (half open)
  reset     close every connection with RST; new ones work
  delay N   wait N milliseconds before forwarding, each way
  quit
"""
import collections
import select
import socket
import struct
import sys
import time

TARGET = ("127.0.0.1", int(sys.argv[1]))
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 0))
listener.listen(128)
print(listener.getsockname()[1], flush=True)

mode = "pass"
delay_s = 0.0
pairs = {}  # socket -> (the other one, does it come from a client)
stranded = []
waiting = collections.deque()  # (when, to, bytes)
commands = b""


def drop(s, hard):
    other = pairs.pop(s, (None, None))[0]
    for each in (s, other):
        if each is None:
            continue
        pairs.pop(each, None)
        if hard:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.close()


def accept():
    client, _ = listener.accept()
    try:
        server = socket.create_connection(TARGET, 2)
    except OSError:
        client.close()
        return
    for s in (client, server):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pairs[client] = (server, True)
    pairs[server] = (client, False)


def forward(s):
    other, _ = pairs[s]
    try:
        data = s.recv(65536)
    except OSError:
        data = b""
    if not data:
        drop(s, False)
    else:
        waiting.append((time.monotonic() + delay_s, other, data))


def obey(line):
    global mode, delay_s
    word, _, argument = line.partition(" ")
    if word in ("pass", "hold", "deaf"):
        mode = word
    elif word == "delay":
        delay_s = int(argument) / 1000
    elif word == "reset":
        for s in list(pairs):
            if s in pairs:
                drop(s, True)
    elif word == "strand":
        stranded.extend(pairs)
        pairs.clear()
    elif word == "quit":
        sys.exit(0)


def reads(s):
    return mode == "pass" or (mode == "deaf" and not pairs[s][1])


while True:
    now = time.monotonic()
    while waiting and waiting[0][0] <= now and mode != "hold":
        _, to, data = waiting.popleft()
        if to in pairs:
            try:
                to.settimeout(5)
                to.sendall(data)
            except OSError:
                drop(to, True)
    sources = [sys.stdin, listener] + [s for s in pairs if reads(s)]
    timeout = max(0.0, min(0.2, waiting[0][0] - now)) if waiting and mode != "hold" else 0.2
    for s in select.select(sources, [], [], timeout)[0]:
        if s is listener:
            accept()
        elif s is sys.stdin:
            chunk = sys.stdin.buffer.raw.read(4096)
            if not chunk:
                sys.exit(0)
            commands += chunk
            *lines, commands = commands.split(b"\n")
            for line in lines:
                obey(line.decode())
        elif s in pairs:
            forward(s)
