"""A terminal of the simplest kind, to see what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

TOKENS = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([^\x1b])", re.DOTALL)


class Screen:
    """Rows of text, and the escape codes that `wharf` uses: up, erase line, erase below, colours.
    Anything else is an error."""

    def __init__(self, columns=80):
        self.columns = columns
        self.rows = [""]
        self.row = 0
        self.column = 0
        self.colors = 0

    def feed(self, text):
        position = 0
        while position < len(text):
            token = TOKENS.match(text, position)
            assert token, f"unknown escape code: {text[position:position + 10]!r}"
            position = token.end()
            if token.group(3) is not None:
                self._put(token.group(3))
            else:
                self._escape(token.group(1), token.group(2))

    def text(self):
        return [row.rstrip() for row in self.rows]

    def _put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
            if self.row == len(self.rows):
                self.rows.append("")
        else:
            if self.column == self.columns:
                self._put("\r")
                self._put("\n")
            row = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = row[: self.column] + character + row[self.column + 1 :]
            self.column += 1

    def _escape(self, numbers, letter):
        if letter == "m":
            self.colors += 1
        elif letter == "A":
            self.row = max(0, self.row - int(numbers or 1))
        elif letter == "K":
            self.rows[self.row] = self.rows[self.row][: self.column]
        elif letter == "J":
            self.rows[self.row] = self.rows[self.row][: self.column]
            del self.rows[self.row + 1 :]
        else:
            raise AssertionError(f"unknown escape code: {numbers}{letter}")


class Terminal:
    """A pseudo terminal; give `slave` to a process."""

    def __init__(self, columns=80, rows=24):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.screen = Screen(columns)
        self.received = ""

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, condition, seconds=10):
        """Shows what comes until `condition(self)` holds."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, "\n".join(self.screen.text())
            if select.select([self.master], [], [], 0.05)[0]:
                text = os.read(self.master, 65536).decode()
                self.received += text
                self.screen.feed(text)

    def read_rest(self, process):
        """Shows what comes until the process has ended and said all."""
        while True:
            ended = process.poll() is not None
            if select.select([self.master], [], [], 0.05)[0]:
                text = os.read(self.master, 65536).decode()
                self.received += text
                self.screen.feed(text)
            elif ended:
                return

    def close(self):
        os.close(self.master)
        os.close(self.slave)
