#!/usr/bin/python3
"""Drives `jobctl top` in a terminal of its own, for looking.sh.

drive_top.py STEP…: `keys:TEXT` types, `see:TEXT` waits until the screen shows TEXT, `gone:TEXT` until it does not,
`size:ROWSxCOLUMNS` changes the window, `signal:NAME` sends one, `end:CODE` waits for the end and compares the exit code.
Prints what went wrong; 1 then. At the end the terminal must be as it was."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 30 * int(os.environ.get("JOBMILL_PATIENCE", "5"))
KEYS = {"UP": "\033OA", "DOWN": "\033OB", "ENTER": "\r", "ESC": "\033", "END": "\033OF"}


class Screen:
    """Enough of a terminal to know what stands where."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.clear()
        self.other = False
        self.rest = ""

    def clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0
        self.top, self.bottom = 0, self.rows

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def put(self, char):
        self.last = char
        if self.column < self.columns and self.row < self.rows:
            self.cells[self.row][self.column] = char
        self.column += 1

    def erase(self, row, first, last):
        for column in range(first, last):
            self.cells[row][column] = " "

    def scroll(self, first, step, down):
        lines = self.cells[first:self.bottom]
        blank = [[" "] * self.columns for _ in range(step)]
        moved = blank + lines if down else lines[step:] + blank
        self.cells[first:self.bottom] = moved[:self.bottom - first]

    def csi(self, numbers, letter):
        n = [int(x) if x.isdigit() else 0 for x in numbers.split(";")] if numbers else [0]
        if letter in "Hf":
            self.row, self.column = max(n[0], 1) - 1, (max(n[1], 1) if len(n) > 1 else 1) - 1
        elif letter == "d":
            self.row = max(n[0], 1) - 1
        elif letter == "G":
            self.column = max(n[0], 1) - 1
        elif letter in "ABCD":
            step = max(n[0], 1)
            self.row += {"A": -step, "B": step}.get(letter, 0)
            self.column += {"C": step, "D": -step}.get(letter, 0)
        elif letter == "K":
            self.erase(self.row, 0 if n[0] else self.column, self.columns if n[0] != 1 else self.column + 1)
        elif letter == "`":
            self.column = max(n[0], 1) - 1
        elif letter == "b":
            for _ in range(max(n[0], 1)):
                self.put(self.last)
        elif letter in "@P":
            step, line = max(n[0], 1), self.cells[self.row]
            blank = [" "] * step
            rest = blank + line[self.column:] if letter == "@" else line[self.column + step:] + blank
            self.cells[self.row] = (line[:self.column] + rest)[:self.columns]
        elif letter in "LM":
            self.scroll(self.row, max(n[0], 1), letter == "L")
        elif letter == "r":
            self.top, self.bottom = max(n[0], 1) - 1, n[1] if len(n) > 1 and n[1] else self.rows
            self.row = self.column = 0
        elif letter == "X":
            self.erase(self.row, self.column, min(self.columns, self.column + max(n[0], 1)))
        elif letter == "J":
            self.erase(self.row, self.column, self.columns)
            for row in range(self.row + 1, self.rows):
                self.erase(row, 0, self.columns)

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        at = 0
        while at < len(text):
            match = re.compile(r"\033\[(\?|>)?([0-9;]*)([A-Za-z@`])|\033[()][A-Z0-9]|\033[=>78M]").match(text, at)
            if match:
                if match.group(3) and not match.group(1):
                    self.csi(match.group(2), match.group(3))
                elif match.group(2) == "1049":
                    self.other = match.group(3) == "h"
                elif match.group(0) == "\033M":
                    if self.row == self.top:
                        self.scroll(self.top, 1, True)
                    else:
                        self.row = max(self.row - 1, 0)
                at = match.end()
                continue
            char = text[at]
            if char == "\033":
                self.rest = text[at:]
                return
            at += 1
            if char == "\r":
                self.column = 0
            elif char == "\n":
                if self.row == self.bottom - 1:
                    self.scroll(self.top, 1, False)
                else:
                    self.row = min(self.row + 1, self.rows - 1)
            elif char == "\t":
                self.column += 8 - self.column % 8
            elif char == "\b":
                self.column = max(self.column - 1, 0)
            elif char >= " ":
                self.put(char)


class Terminal:
    def __init__(self, command, rows=24, columns=100):
        self.screen = Screen(rows, columns)
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.code = None
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(slave, fd)
            os.environ["TERM"] = os.environ.get("TOP_TERM", "xterm")
            os.execvp(command[0], command)

    def resize(self, rows, columns):
        self.screen.rows, self.screen.columns = rows, columns
        self.screen.clear()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return
        try:
            self.screen.feed(os.read(self.master, 65536).decode("utf-8", "replace"))
        except OSError:
            pass

    def until(self, holds):
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                return False
            self.read(0.1)
        return True

    def ended(self):
        if self.code is not None:
            return True
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.code = os.waitstatus_to_exitcode(status)
        return pid != 0


def run(terminal, step):
    what, text = step.split(":", 1)
    if what == "keys":
        os.write(terminal.master, KEYS.get(text, text).encode())
    elif what == "size":
        terminal.resize(*map(int, text.split("x")))
    elif what == "signal":
        os.kill(terminal.pid, getattr(signal, "SIG" + text))
    elif what == "see":
        return terminal.until(lambda: text in terminal.screen.text())
    elif what == "gone":
        return terminal.until(lambda: text not in terminal.screen.text())
    elif what == "end":
        if not terminal.until(terminal.ended):
            return False
        terminal.read(0.2)
        if terminal.code != int(text):
            print("ended with", terminal.code)
            return False
        if terminal.screen.other or termios.tcgetattr(terminal.slave) != terminal.before:
            print("the terminal is not as it was")
            return False
    return True


def main():
    terminal = Terminal(["jobctl", "top", "--interval", "300ms"])
    for step in sys.argv[1:]:
        if not run(terminal, step):
            print("failed at", step)
            print(terminal.screen.text())
            if not terminal.ended():
                os.kill(terminal.pid, signal.SIGKILL)
            return 1
    return 0


sys.exit(main())
