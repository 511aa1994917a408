#!/usr/bin/python3
"""A worker written from common/proto/PROTOCOL.md alone.

    protocol_worker.py PROFILE [--slots N] [--prefetch N] [--tasks N] [--idle-exit SECONDS] [--scratch DIR]

Runs noop, echo, sleep and command tasks until it is told to stop (SIGTERM, order), has run --tasks tasks or was idle
for --idle-exit seconds. One thread; prints a line for each thing that it decides."""

import argparse
import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from protocol_peer import CHUNK_MAX, Gone, Peer, main_of

OUTPUT_CHUNK = 65536
INLINE_BYTES = 256 * 1024     # of one task's output: more goes ahead by `store`
FINISHED_BYTES = 1 << 20      # of one `finished`
STORES_UNDER_WAY = 8
STARTED_AFTER_S = 0.05


def ranges_of(indexes):
    ranges = []
    for index in sorted(indexes):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    return ranges


def indexes_of(ranges):
    return [index for lo, hi in ranges for index in range(lo, hi + 1)]


def cut(data):
    """Chunks of at most 64 KiB, none cut inside a UTF-8 character."""
    chunks = []
    while data:
        n = min(len(data), OUTPUT_CHUNK)
        back = 0
        while n < len(data) and back < 3 and data[n - back] & 0xC0 == 0x80:
            back += 1
        chunks.append(data[:n - back])
        data = data[n - back:]
    return chunks


class Lease:
    def __init__(self, epoch, grant):
        self.epoch, self.job, self.attempt, self.nonce = epoch, grant["job"], grant["attempt"], grant["nonce"]
        self.tasks = {}  # index -> Task: everything whose end was not acknowledged

    def held(self, now):
        started = [task.started_at for task in self.tasks.values() if task.started_at]
        lease = {"job": self.job, "ranges": ranges_of(self.tasks), "epoch": self.epoch, "attempt": self.attempt,
                 "nonce": self.nonce}
        if started:
            lease["started_ago_us"] = int((now - min(started)) * 1e6)
        return lease


class Task:
    def __init__(self, lease, index, spec, values):
        self.lease, self.index, self.spec, self.values = lease, index, spec, values
        self.started_at = self.ended_at = self.term_at = None
        self.said_started = False
        self.stop_status = self.stop_reason = None
        self.process = self.folder = self.until = None
        self.end = {}       # status, reason, exit_code, exit_signal
        self.result = None
        self.output = []    # (stream, bytes), in order
        self.files = []


class Worker:
    def __init__(self, options):
        self.options = options
        self.peer = Peer(options.profile)
        self.settings = None
        self.specs = {}      # job -> run_spec
        self.inputs = {}     # (job, number) -> path of the fetched file
        self.leases = {}     # nonce -> Lease
        self.waiting, self.running, self.ended = [], [], []
        self.unanswered = {}  # id of a `finished` -> its tasks
        self.stores = set()
        self.draining = self.leaving = False
        self.done = 0
        self.idle_since = self.last_sign = self.last_up = time.monotonic()
        self.reconnect_s = 900
        if options.scratch:
            os.makedirs(options.scratch, exist_ok=True)
        self.scratch = tempfile.mkdtemp(prefix="protocol-worker.", dir=options.scratch)
        self.peer.on_connect = self.say_ready

    # --- what we say -----------------------------------------------------------------------------------------

    def window(self):
        return 0 if self.draining else self.options.slots + self.options.prefetch

    def say_ready(self):
        now = time.monotonic()
        self.settings = None
        self.peer.send("TaskResponse", "ready", keep=False, slots=self.options.slots, window=self.window(),
                       types=["command", "noop", "echo", "sleep"], version="protocol.py", host=socket.gethostname(),
                       pid=os.getpid(), held=[lease.held(now) for lease in self.leases.values() if lease.tasks],
                       draining=self.draining or None)

    def say_started(self, now):
        for lease in self.leases.values():
            tasks = [task for task in lease.tasks.values() if task in self.running and not task.said_started and
                     now - task.started_at >= STARTED_AFTER_S]
            if not tasks:
                continue
            for task in tasks:
                task.said_started = True
            self.peer.send("TaskResponse", "started", keep=False, tasks=[{
                "job": lease.job, "nonce": lease.nonce, "ranges": ranges_of(task.index for task in tasks),
                "ago_us": int((now - tasks[0].started_at) * 1e6)}])

    def say_finished(self, now):
        """Everything that ended, as few messages as fit."""
        while self.ended:
            tasks, size = [], 0
            while self.ended and len(tasks) < 500:
                task = self.ended[0]
                bytes_of = sum(len(data) for _, data in task.output) + len(task.result or b"")
                if tasks and size + bytes_of > FINISHED_BYTES:
                    break
                size += bytes_of
                tasks.append(self.ended.pop(0))
            self.send_finished(tasks, now)

    def send_finished(self, tasks, now):
        groups = {}
        for task in tasks:
            groups.setdefault((task.lease.nonce, json.dumps(task.end, sort_keys=True)), []).append(task)
        ends, chunks, files, body = [], [], [], b""
        for number, group in enumerate(groups.values()):
            group.sort(key=lambda task: task.index)
            lease = group[0].lease
            end = {"job": lease.job, "nonce": lease.nonce, "epoch": lease.epoch, "attempt": lease.attempt,
                   "ranges": ranges_of(task.index for task in group), **group[0].end}
            if group[0].started_at:
                end["ago_us"] = [int((now - task.ended_at) * 1e6) for task in group]
                end["ran_us"] = [int((task.ended_at - task.started_at) * 1e6) for task in group]
            ends.append(end)
            for task in group:
                pieces, data = self.pieces(task)
                chunks += [{"end": number, "index": task.index, **piece} for piece in pieces]
                body += data
                files += [{"end": number, "index": task.index, **file} for file in task.files]
        number = self.peer.send("TaskResponse", "finished", body, window=self.window(), ends=ends,
                                chunks=chunks or None, files=files or None)
        self.unanswered[number] = tasks
        self.last_sign = now

    @staticmethod
    def pieces(task):
        pieces, data = [], b""
        if task.result is not None:
            pieces.append({"kind": "result", "bytes": len(task.result)})
            data += task.result
        for at, (stream, chunk) in enumerate(task.output):
            piece = {"kind": "output", "stream": stream, "seq": task.stored + at}
            if at == len(task.output) - 1:
                piece["final"] = True
            pieces.append({**piece, "bytes": len(chunk)})
            data += chunk
        return pieces, data

    # --- what we hear ----------------------------------------------------------------------------------------

    def hear(self, header, body):
        kind, op, re = header["type"], header["op"], header.get("re")
        if op == "resume" and header.get("ready"):
            self.say_ready()
        elif op == "resume":
            self.settings = header
            self.reconnect_s = header["reconnect_ms"] / 1000
        elif op == "run":
            self.take(header)
        elif op == "stop":
            self.stop(header["tasks"], header["reason"])
        elif kind == "TaskRequest" and op == "signal":
            for task in self.named(header["tasks"]):
                if task.process:
                    os.killpg(task.process.pid, header["signal"])
        elif op == "take-back":
            for task in self.waiting[-header["n"]:]:
                self.give_back(task)
        elif op == "order":
            self.draining = header["state"] != "resume"
            self.leaving = header["state"] == "stop"
            self.say_window()
        elif op in ("recorded", "stale", "refused") and re in self.unanswered:
            self.acknowledged(op, header, re)
        elif op in ("stored", "stale", "refused") and re in self.stores:
            self.stores.discard(re)
            self.peer.forget(re)
        elif op == "refused":
            print("refused: %s %s" % (header["code"], header["text"]), flush=True)

    def acknowledged(self, op, header, re):
        if op == "refused" and header["code"] == "RETRY_LATER":
            time.sleep(min(header.get("retry_after_ms", 500), 1000) / 1000)
            self.peer.send_frames(*self.peer.open[re])
            return
        print("%s: %d tasks%s" % (op, len(self.unanswered[re]), "".join(
            ", %d %s" % (header[word], word) for word in ("already", "stale") if word in header)), flush=True)
        self.peer.forget(re)
        for task in self.unanswered.pop(re):
            self.drop(task)

    def drop(self, task):
        task.lease.tasks.pop(task.index, None)
        if not task.lease.tasks:
            self.leases.pop(task.lease.nonce, None)

    def take(self, header):
        for spec in header.get("specs", []):
            self.specs[spec["job"]] = spec
        for grant in header["grants"]:
            lease = self.leases.setdefault(grant["nonce"], Lease(header["epoch"], grant))
            spec = self.specs[grant["job"]]
            n, values = grant.get("n_values", 1), grant.get("entries", [])
            for at, index in enumerate(indexes_of(grant["ranges"])):
                task = Task(lease, index, spec, values[at * n:(at + 1) * n])
                lease.tasks[index] = task
                self.waiting.append(task)

    def named(self, groups):
        for group in groups:
            lease = self.leases.get(group["nonce"])
            for index in indexes_of(group["ranges"]) if lease else []:
                if index in lease.tasks:
                    yield lease.tasks[index]

    def stop(self, groups, reason):
        for task in list(self.named(groups)):
            if reason == "worker-lost":
                task.stop_status = "silent"
            else:
                task.stop_status, task.stop_reason = "cancelled", "cancelled"
            if task in self.waiting:
                self.waiting.remove(task)
                task.end = {"status": "cancelled", "reason": "cancelled"}
                self.drop(task) if reason == "worker-lost" else self.ended.append(task)
            elif task in self.running:
                self.terminate(task)
            elif reason == "worker-lost":
                self.drop(task)

    def give_back(self, task):
        self.waiting.remove(task)
        task.end = {"status": "returned"}
        self.ended.append(task)

    def say_window(self):
        self.peer.send("TaskResponse", "heartbeat", keep=False, window=self.window(), running=len(self.running))
        self.last_sign = time.monotonic()

    # --- running ---------------------------------------------------------------------------------------------

    def replaced(self, task):
        spec = task.spec["spec"]
        args = spec.get("args", [])
        if spec.get("no_replace"):
            return args
        texts = {}
        if task.values:
            texts = {"": " ".join(task.values), "#": str(task.index)}
            texts.update((str(at + 1), value) for at, value in enumerate(task.values))
            texts.update(zip(spec.get("columns", []), task.values))
        elif spec.get("is_array"):
            texts = {"": str(task.index)}
        return [self.replace(arg, texts) for arg in args]

    @staticmethod
    def replace(arg, texts):
        out, at = "", 0
        while at < len(arg):
            close = arg.find("}", at)
            if arg[at] == "{" and close > 0 and arg[at + 1:close] in texts:
                out += texts[arg[at + 1:close]]
                at = close + 1
            else:
                out += arg[at]
                at += 1
        return out

    def environment(self, task):
        run, spec = task.spec, task.spec["spec"]
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": os.path.expanduser("~"),
               "USER": os.environ.get("USER", "nobody"), "LANG": "C.UTF-8", "TMPDIR": task.folder}
        env.update(item.split("=", 1) for item in spec.get("env", []))
        env.update({
            "JOB_ID": run["job"], "JOB_INDEX": task.index, "JOB_COUNT": run["tasks"], "JOB_INDEX_MIN": run["index_min"],
            "JOB_INDEX_MAX": run["index_max"], "JOB_ATTEMPT": task.lease.attempt, "JOB_DIR": task.folder,
            "JOB_RESULT": os.path.join(task.folder, ".result"), "JOB_CPUS": spec.get("cpus", 1),
            "JOB_WORKER": self.settings["worker"],
            "JOB_KEY": "%s-%d-%d" % (run["install"], run["job"], task.index)})
        if "name" in spec:
            env["JOB_NAME"] = spec["name"]
        if task.values:
            env["JOB_ENTRY"] = " ".join(task.values)
            env.update(("JOB_ENTRY_" + name, value) for name, value in zip(spec.get("columns", []), task.values))
        if "time_ms" in spec:
            env["JOB_END_TIME"] = int(time.time() + spec["time_ms"] / 1000)
        return {name: str(value) for name, value in env.items()}

    def fetch(self, task, number):
        """The path of input `number`; the tasks of a job share it. None: it could not be had."""
        record = task.spec["spec"]["inputs"][number - 1]
        path = os.path.join(self.scratch, "input.%d.%d" % (task.lease.job, number))
        if (task.lease.job, number) in self.inputs:
            return path
        with open(path, "wb") as file:
            seq, final = 0, False
            while not final:
                request = self.peer.send("DataRequest", "fetch", job=task.lease.job, nonce=task.lease.nonce,
                                         index=task.index, input=number, seq=seq)
                header, body = self.wait_for(request)
                if header["op"] != "chunk":
                    if header["op"] == "stale":
                        task.stop_status = "silent"
                    return None
                file.write(body)
                seq, final = seq + 1, header.get("final", False)
        with open(path, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != record["sha256"]:
                return None
        os.chmod(path, record.get("mode", 0o644))
        self.inputs[task.lease.job, number] = path
        return path

    def wait_for(self, request):
        """The answer to one request; everything else that comes is heard as usual."""
        while True:
            message = self.peer.receive(1)
            if message and message[0].get("re") == request:
                self.peer.forget(request)
                return message
            if message:
                self.hear(*message)

    def start(self, task):
        spec = task.spec["spec"]
        task.started_at = time.monotonic()
        task.stored = 0
        if spec["type"] == "noop":
            return self.finish(task, {"status": "succeeded", "exit_code": 0})
        if spec["type"] == "echo":
            task.output = [("stdout", chunk) for chunk in cut(" ".join(self.replaced(task)).encode() + b"\n")]
            return self.finish(task, {"status": "succeeded", "exit_code": 0})
        self.running.append(task)
        if "time_ms" in spec:
            task.until = task.started_at + spec["time_ms"] / 1000
        if spec["type"] == "sleep":
            task.sleep_until = task.started_at + float(self.replaced(task)[0])
            return None
        return self.spawn(task)

    def spawn(self, task):
        spec = task.spec["spec"]
        task.folder = tempfile.mkdtemp(prefix="%d.%d." % (task.lease.job, task.index), dir=self.scratch)
        args = self.replaced(task)
        for number, record in enumerate(spec.get("inputs", []), 1):
            path = self.fetch(task, number)
            if task not in self.running:  # stopped meanwhile
                return None
            if not path:
                return self.finish(task, {"status": "failed", "reason": "bad-input"})
            shutil.copy2(path, os.path.join(task.folder, record["name"]))
        if spec.get("script"):
            args = [os.path.join(task.folder, spec["inputs"][0]["name"])] + args
        cwd = spec.get("cwd", task.folder)
        if not os.path.isdir(cwd):
            return self.finish(task, {"status": "failed", "reason": "no-cwd"})
        task.streams = {name: open(os.path.join(self.scratch, "%s.%d.%d" % (name, task.lease.nonce, task.index)), "w+b")
                        for name in ("stdout", "stderr")}
        try:
            task.process = subprocess.Popen(args, cwd=cwd, env=self.environment(task), stdin=subprocess.DEVNULL,
                                            start_new_session=True, **task.streams)
        except FileNotFoundError:
            return self.finish(task, {"status": "failed", "reason": "command-not-found", "exit_code": 127})
        except PermissionError:
            return self.finish(task, {"status": "failed", "reason": "not-executable", "exit_code": 126})
        except OSError:
            return self.finish(task, {"status": "failed", "reason": "launch"})
        return None

    def terminate(self, task):
        if task.process and not task.term_at:
            task.term_at = time.monotonic()
            os.killpg(task.process.pid, signal.SIGTERM)
        elif not task.process:
            self.finish(task, {"status": task.stop_status, "reason": task.stop_reason})

    def look_after(self, task, now):
        spec = task.spec["spec"]
        if task.until and now > task.until and not task.stop_status:
            task.stop_status, task.stop_reason = "timeout", "time-limit"
            self.terminate(task)
        if spec["type"] == "sleep":
            if task in self.running and now >= task.sleep_until:
                self.finish(task, {"status": "succeeded", "exit_code": 0})
            return
        if task.term_at and now > task.term_at + spec.get("grace_ms", 10000) / 1000:
            os.killpg(task.process.pid, signal.SIGKILL)
        if task.process and task.process.poll() is not None:
            self.collect(task)

    def collect(self, task):
        """The process has ended: its output, result and files, then how it ended."""
        spec, code = task.spec["spec"], task.process.returncode
        try:
            os.killpg(task.process.pid, signal.SIGKILL)  # whatever it left behind
        except ProcessLookupError:
            pass
        end = {"exit_code": code} if code >= 0 else {"exit_signal": -code}
        if task.stop_status:
            end.update(status=task.stop_status, reason=task.stop_reason)
        elif code == 0 or code in spec.get("ok_codes", []):
            end["status"] = "succeeded"
        else:
            end.update(status="failed", reason="exit-code" if code > 0 else "signal")
        for name, file in task.streams.items():
            file.seek(0)
            data = file.read(spec.get("out_max", 16 << 20) - sum(len(chunk) for _, chunk in task.output))
            task.output += [(name, chunk) for chunk in cut(data)]
            file.close()
            os.unlink(file.name)
        self.read_result(task, end)
        self.store_files(task)
        self.store_output(task)
        self.finish(task, end)

    def read_result(self, task, end):
        path = os.path.join(task.folder, ".result")
        if not os.path.isfile(path):
            return
        with open(path, "rb") as file:
            data = file.read((1 << 20) + 1)
        reason = None
        if len(data) > 1 << 20:
            reason = "result-too-large"
        else:
            try:
                json.loads(data.decode("utf-8"), parse_constant=lambda word: int(word))
                task.result = data
            except ValueError:
                reason = "bad-result"
        if reason and end["status"] == "succeeded":
            end.update(status="failed", reason=reason)

    def store(self, task, body, **members):
        while len(self.stores) >= STORES_UNDER_WAY:
            message = self.peer.receive(1)
            if message:
                self.hear(*message)
        self.stores.add(self.peer.send("DataRequest", "store", body, job=task.lease.job, nonce=task.lease.nonce,
                                       attempt=task.lease.attempt, index=task.index, **members))

    def store_output(self, task):
        """All chunks but the last go ahead if there is much."""
        while sum(len(chunk) for _, chunk in task.output) > INLINE_BYTES:
            stream, chunk = task.output.pop(0)
            self.store(task, chunk, kind="output", stream=stream, seq=task.stored)
            task.stored += 1

    def store_files(self, task):
        patterns = task.spec["spec"].get("outs", [])
        paths = sorted({path for pattern in patterns for path in glob.glob(pattern, root_dir=task.folder)})
        for name in paths:
            path = os.path.join(task.folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            chunks = [data[at:at + CHUNK_MAX] for at in range(0, len(data), CHUNK_MAX)] or [b""]
            for seq, chunk in enumerate(chunks):
                self.store(task, chunk, kind="file", file=len(task.files) + 1, seq=seq,
                           final=seq == len(chunks) - 1 or None)
            task.files.append({"file": len(task.files) + 1, "name": name, "bytes": len(data),
                               "sha256": hashlib.sha256(data).hexdigest()})

    def finish(self, task, end):
        task.ended_at = time.monotonic()
        task.end = {name: value for name, value in end.items() if value is not None}
        if task in self.running:
            self.running.remove(task)
        if task.folder:
            shutil.rmtree(task.folder, ignore_errors=True)
        self.done += 1
        if task.stop_status == "silent":
            self.drop(task)
        else:
            self.ended.append(task)

    # --- the loop --------------------------------------------------------------------------------------------

    def used(self):
        return sum(task.spec["spec"].get("cpus", 1) for task in self.running)

    def start_what_fits(self):
        while self.waiting and not self.leaving:
            if self.used() + self.waiting[0].spec["spec"].get("cpus", 1) > self.options.slots:
                return
            task = self.waiting.pop(0)
            try:
                self.start(task)
            except (ValueError, IndexError):
                self.finish(task, {"status": "failed", "reason": "bad-type"})

    def turn(self):
        message = self.peer.receive(0.01 if self.running or self.ended else 0.2)
        while message:
            self.hear(*message)
            message = self.peer.receive(0)
        now = time.monotonic()
        if self.peer.up:
            self.last_up = now
        elif now - self.last_up > self.reconnect_s:
            raise Gone(69, "no coordinator for %d s" % self.reconnect_s)
        if not self.settings:
            return
        if self.draining:
            for task in list(self.waiting):
                self.give_back(task)
        if self.leaving:
            for task in list(self.running):
                task.stop_status, task.stop_reason = "cancelled", "stopped"
                self.terminate(task)
        self.start_what_fits()
        for task in list(self.running):
            self.look_after(task, now)
        self.say_started(now)
        self.say_finished(time.monotonic())
        if now - self.last_sign > self.settings["heartbeat_ms"] / 1000:
            self.say_window()
        if self.waiting or self.running or self.unanswered:
            self.idle_since = now

    def over(self):
        if self.options.tasks and self.done >= self.options.tasks:
            self.draining = True
        if self.options.idle_exit and time.monotonic() - self.idle_since > self.options.idle_exit:
            self.draining = True
        return self.draining and self.settings and not (self.waiting or self.running or self.ended or self.unanswered)

    def run(self):
        def drain(_number, _frame):
            self.draining = True

        signal.signal(signal.SIGTERM, drain)
        signal.signal(signal.SIGINT, drain)
        self.peer.wait_up()
        print("ready", flush=True)
        while not self.over():
            self.turn()
        self.peer.send("TaskResponse", "bye", keep=False)
        print("bye: %d tasks" % self.done, flush=True)
        return 0

    def close(self):
        for task in self.running:
            if task.process and task.process.poll() is None:
                os.killpg(task.process.pid, signal.SIGKILL)
        self.peer.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile")
    parser.add_argument("--slots", type=int, default=os.cpu_count())
    parser.add_argument("--prefetch", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=0)
    parser.add_argument("--idle-exit", type=float, default=0)
    parser.add_argument("--scratch")
    worker = Worker(parser.parse_args())
    try:
        return worker.run()
    finally:
        worker.close()


if __name__ == "__main__":
    sys.exit(main_of(main))
