#!/usr/bin/env python3
"""What other queue servers do with the tasks of run.sh: peer_queue.py beanstalkd|gearmand PORT noop|spawn|latency N

Prints tasks a second, or "p50_us p99_us" of one task after the other, each until its end is known to who gave it. Two
processes work; a task of `spawn` is /bin/true, started as cheaply as Python can. Neither server keeps a result."""
import os
import socket
import struct
import sys
import time

WORKERS = 2
PIPE = 500  # puts on their way at once


class Line:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)


class Beanstalkd(Line):
    """A put that was answered has been flushed, if the server was started so."""

    def __init__(self, port):
        super().__init__(port)
        self.tube = None

    def use(self, tube):
        if self.tube != tube:
            self.tube = tube
            self.send(b"use %s\r\n" % tube)
            self.file.readline()

    def give(self, n, reply=b""):
        self.use(b"jobs")
        for at in range(0, n, PIPE):
            some = min(PIPE, n - at)
            self.send(b"put 0 0 60 %d\r\n%s\r\n" % (len(reply), reply) * some)
            for _ in range(some):
                self.file.readline()

    def reserve(self):
        self.send(b"reserve\r\n")
        _, number, size = self.file.readline().split()
        return number, self.file.read(int(size) + 2)[:-2]

    def delete(self, number):
        self.send(b"delete %s\r\n" % number)
        self.file.readline()

    def watch(self, tube):
        self.send(b"watch %s\r\nignore default\r\n" % tube)
        self.file.readline()
        self.file.readline()

    def work(self, act, done):
        self.watch(b"jobs")
        while True:
            number, reply = self.reserve()
            act()
            self.delete(number)
            if reply:
                self.use(b"ends")
                self.send(b"put 0 0 60 0\r\n\r\n")
                self.file.readline()
            done()

    def one(self):
        if self.tube is None:
            self.watch(b"ends")
        self.give(1, b"r")
        self.delete(self.reserve()[0])


class Gearmand(Line):
    CAN_DO, CREATED, GRAB, NO_JOB, ASSIGN, COMPLETE, SUBMIT, PRE_SLEEP, SUBMIT_BG = 1, 8, 9, 10, 11, 13, 7, 4, 18

    def packet(self, kind, *args):
        body = b"\0".join(args)
        return b"\0REQ" + struct.pack(">II", kind, len(body)) + body

    def read(self):
        kind, size = struct.unpack(">II", self.file.read(12)[4:])
        return kind, self.file.read(size)

    def give(self, n):
        for at in range(0, n, PIPE):
            some = min(PIPE, n - at)
            self.send(b"".join(self.packet(self.SUBMIT_BG, b"jobs", b"", b"x") for _ in range(some)))
            for _ in range(some):
                self.read()

    def work(self, act, done):
        self.send(self.packet(self.CAN_DO, b"jobs"))
        while True:
            self.send(self.packet(self.GRAB))
            kind, body = self.read()
            if kind == self.ASSIGN:
                act()
                self.send(self.packet(self.COMPLETE, body.split(b"\0")[0], b"ok"))
                done()
            elif kind == self.NO_JOB:
                self.send(self.packet(self.PRE_SLEEP))
                self.read()  # NOOP: there is something

    def one(self):
        self.send(self.packet(self.SUBMIT, b"jobs", b"", b"x"))
        while self.read()[0] != self.COMPLETE:
            pass


def spawn():
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def start_workers(peer, port, act):
    """Processes that count what they did into a pipe."""
    reading, writing = os.pipe()
    pids = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            try:
                peer(port).work(act, lambda: os.write(writing, b"."))
            finally:
                os._exit(0)
        pids.append(pid)
    os.close(writing)
    return reading, pids


def rate(peer, port, act, n):
    reading, pids = start_workers(peer, port, act)
    start = time.perf_counter()
    peer(port).give(n)
    left = n
    while left > 0:
        left -= len(os.read(reading, min(left, 65536)))
    print(round(n / (time.perf_counter() - start)))
    return pids


def latency(peer, port, n):
    _, pids = start_workers(peer, port, lambda: None)
    line = peer(port)
    took = []
    for _ in range(n):
        start = time.perf_counter()
        line.one()
        took.append((time.perf_counter() - start) * 1e6)
    took.sort()
    print(round(took[n // 2]), round(took[n * 99 // 100]))
    return pids


def main():
    peer = {"beanstalkd": Beanstalkd, "gearmand": Gearmand}[sys.argv[1]]
    port, what, n = int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    if what == "latency":
        pids = latency(peer, port, n)
    else:
        pids = rate(peer, port, spawn if what == "spawn" else lambda: None, n)
    for pid in pids:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
