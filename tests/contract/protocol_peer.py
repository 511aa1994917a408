"""The transport of common/proto/PROTOCOL.md: a DEALER with CURVE, two frames a message, requests sent again after a
reconnect. Shared by protocol_client.py and protocol_worker.py; written from that page alone."""

import json
import sys
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

# Exit codes, the same as the commands' own.
UNREACHABLE, REFUSED, WRONG_SERVER = 69, 77, 78
EXIT_CODES = {"BAD_FRAME": 65, "BAD_JSON": 65, "BAD_FIELD": 65, "TOO_LARGE": 65, "NOT_FOUND": 66, "CONFLICT": 73,
              "RETRY_LATER": 75, "RATE": 75, "FORBIDDEN": 77, "UNAUTHENTICATED": 77}
HEADER_MAX = BODY_MAX = CHUNK_MAX = 1 << 20


class Gone(Exception):
    """No connection: the exit code says why."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Refused(Exception):
    def __init__(self, header):
        super().__init__("%s: %s" % (header["code"], header["text"]))
        self.code = header["code"]
        self.retry_after_ms = header.get("retry_after_ms")


def read_profile(path):
    profile = {"endpoint": []}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            name, equals, value = line.partition("=")
            name, value = name.strip(), value.strip()
            if not equals or name.startswith("#"):
                continue
            if name == "endpoint":
                profile["endpoint"].append(value)
            else:
                profile[name] = value
    return profile


def no_doubles(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


class Peer:
    def __init__(self, profile_path, connect_timeout_s=10):
        self.profile = read_profile(profile_path)
        self.connect_timeout_s = connect_timeout_s
        self.context = zmq.Context()
        self.last_id = 0
        self.open = {}        # id -> (header, body): requests without a final answer
        self.connections = 0  # handshakes so far
        self.up = False
        self.strikes = 0
        self.on_connect = None  # called after each new connection, before requests are sent again
        self.connect()

    def connect(self):
        socket = self.context.socket(zmq.DEALER)
        socket.curve_serverkey = self.profile["server-key"].encode()
        socket.curve_publickey = self.profile["public-key"].encode()
        socket.curve_secretkey = self.profile["secret-key"].encode()
        # No bound on our own queue: what may be under way is bounded by the protocol's own windows.
        for option, value in ((zmq.SNDHWM, 0), (zmq.IMMEDIATE, 1), (zmq.LINGER, 1000), (zmq.HANDSHAKE_IVL, 5000), (zmq.RECONNECT_IVL, 100),
                              (zmq.RECONNECT_IVL_MAX, 5000), (zmq.HEARTBEAT_IVL, 5000), (zmq.HEARTBEAT_TIMEOUT, 15000)):
            socket.setsockopt(option, value)
        self.monitor = socket.get_monitor_socket()
        for endpoint in self.profile["endpoint"]:
            socket.connect(endpoint)
        self.socket = socket

    def close(self):
        self.socket.disable_monitor()
        self.monitor.close()
        self.socket.close()
        self.context.term()

    # --- the connection --------------------------------------------------------------------------------------

    def read_monitor(self):
        while self.monitor.poll(0):
            event = recv_monitor_message(self.monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.up, self.strikes = True, 0
                self.connections += 1
                if self.on_connect:
                    self.on_connect()
                self.send_again()
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise Gone(REFUSED, "the coordinator refuses this key")
            elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self.strikes += 1
                if self.strikes == 3:
                    raise Gone(WRONG_SERVER, "the coordinator has another key than the profile says")
            elif event == zmq.EVENT_DISCONNECTED:
                self.up = False

    def send_again(self):
        for header, body in list(self.open.values()):
            self.send_frames(header, body)

    def wait_up(self):
        until = time.monotonic() + self.connect_timeout_s
        while not self.up:
            if time.monotonic() > until:
                raise Gone(UNREACHABLE, "no coordinator answers")
            self.monitor.poll(100)
            self.read_monitor()

    # --- messages --------------------------------------------------------------------------------------------

    def send_frames(self, header, body):
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        if len(text) > HEADER_MAX or len(body) > BODY_MAX:
            raise ValueError("a frame is over 1 MiB")
        try:
            self.socket.send_multipart([text, body] if body else [text], zmq.DONTWAIT)
        except zmq.Again:
            self.up = False  # not connected now: what is open is sent again when it is

    def send(self, message_type, op, body=b"", keep=True, **members):
        """Send a message; its id. With keep it is sent again after a reconnect until forget(id)."""
        self.last_id += 1
        header = {"v": 1, "type": message_type, "op": op, "id": self.last_id}
        if body:
            header["body"] = len(body)
        header.update({name: value for name, value in members.items() if value is not None})
        if keep:
            self.open[self.last_id] = (header, body)
        self.send_frames(header, body)
        return self.last_id

    def forget(self, number):
        self.open.pop(number, None)

    def receive(self, timeout_s):
        """The next message as (header, body), or None when nothing came in time."""
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.monitor, zmq.POLLIN)
        until = time.monotonic() + timeout_s
        while True:
            self.read_monitor()
            try:
                frames = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                left = until - time.monotonic()
                if left <= 0:
                    return None
                poller.poll(min(left, 1) * 1000)
                continue
            header = json.loads(frames[0].decode("utf-8"), object_pairs_hook=no_doubles)
            body = frames[1] if len(frames) > 1 else b""
            if header["v"] != 1 or header.get("body", 0) != len(body) or len(frames) > 2:
                raise ValueError("not a message of version 1")
            return header, body

    def answer(self, number, timeout_s):
        """The next message that answers `number`; Refused if that is what it is. Others are dropped."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            message = self.receive(max(0, until - time.monotonic()))
            if message and message[0].get("re") == number:
                if message[0]["op"] == "refused":
                    self.forget(number)
                    raise Refused(message[0])
                return message
        raise Gone(UNREACHABLE, "no answer in %d s" % timeout_s)

    def call(self, message_type, op, body=b"", timeout_s=60, **members):
        """One request, one answer."""
        number = self.send(message_type, op, body, **members)
        header, data = self.answer(number, timeout_s)
        self.forget(number)
        return header, data


def main_of(function):
    try:
        return function()
    except Gone as gone:
        print(gone, file=sys.stderr)
        return gone.code
    except Refused as refused:
        print(refused, file=sys.stderr)
        return EXIT_CODES.get(refused.code, 70)
