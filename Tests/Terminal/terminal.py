#!/usr/bin/env python3
"""Runs a command in a terminal of its own, as its controlling terminal, and does what a user would.

    terminal.py [--size ROWSxCOLUMNS] STEP... -- COMMAND [ARGUMENT...]

Steps are done one after the other:

    expect:REGEX       wait until the terminal gets a text, after the one that was expected before
    screen:REGEX       wait until a text is on the screen; ^ and $ are the ends of lines
    send:KEYS          type; Python's escapes, such as \\x03 for Ctrl-C and \\x1b[B for the down arrow
    resize:ROWSxCOLUMNS
    signal:NAME        send the command a signal
    shell:COMMAND      run something else

What the terminal gets goes to standard output. The exit status is the command's; 128 and the signal's number if one ended
it; 99, and the screen, if an expected text did not come before the command's end or within five minutes.
Standard error says whether the terminal's settings are, at the end, those of the beginning.

Origin: own. Licence: Apache-2.0.
"""
import codecs, fcntl, os, pty, re, select, signal, struct, sys, termios, time

LIMIT = 300


def set_size(terminal, size):
    rows, columns = map(int, size.split("x"))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Screen:
    """What is on the terminal: as much of an xterm as ncurses uses."""

    SEQUENCE = re.compile(r"\x1b(?:\[([?>]?)([\d;]*)([@-~])|[()].|[=>78cMDE]|\][^\x07\x1b]*(?:\x07|\x1b\\))")

    def __init__(self, rows, columns):
        self.rest = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.row = self.column = 0
        self.resize(rows, columns)
        self.last = " "

    def resize(self, rows, columns):
        old = getattr(self, "cells", [])
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        for row, cells in enumerate(old[:rows]):
            self.cells[row][:min(columns, len(cells))] = cells[:columns]
        self.top, self.bottom = 0, rows - 1

    def text(self):
        return "\n".join("".join(cells).rstrip() for cells in self.cells)

    def feed(self, data):
        text = self.rest + self.decoder.decode(data)
        position = 0
        while position < len(text):
            if text[position] == "\x1b":
                match = self.SEQUENCE.match(text, position)
                if not match:
                    # The rest of it comes later.
                    break
                position = match.end()
                if match[3]:
                    self.control(match[1], match[2], match[3])
                elif match[0] == "\x1bM":
                    self.reverse_line_feed()
            else:
                self.put(text[position])
                position += 1
        self.rest = text[position:]

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.line_feed()
        elif character == "\b":
            self.column = max(self.column - 1, 0)
        elif character >= " ":
            if self.column >= self.columns:
                self.column = 0
                self.line_feed()
            self.cells[self.row][self.column] = self.last = character
            self.column += 1

    def line_feed(self):
        if self.row == self.bottom:
            self.delete_lines(self.top, 1)
        elif self.row < self.rows - 1:
            self.row += 1

    def reverse_line_feed(self):
        if self.row == self.top:
            self.insert_lines(self.top, 1)
        else:
            self.row = max(self.row - 1, 0)

    def delete_lines(self, row, count):
        for _ in range(count):
            del self.cells[row]
            self.cells.insert(self.bottom, [" "] * self.columns)

    def insert_lines(self, row, count):
        for _ in range(count):
            del self.cells[self.bottom]
            self.cells.insert(row, [" "] * self.columns)

    def control(self, private, parameters, kind):
        numbers = [int(number) if number else 0 for number in parameters.split(";")]
        count = max(numbers[0], 1)
        cells, blank = self.cells[self.row], [" "] * self.columns
        if private:
            if kind in "hl" and numbers[0] == 1049:
                self.cells = [list(blank) for _ in range(self.rows)]
        elif kind in "Hf":
            self.row = min(count, self.rows) - 1
            self.column = min(max(numbers[1] if len(numbers) > 1 else 1, 1), self.columns) - 1
        elif kind == "d":
            self.row = min(count, self.rows) - 1
        elif kind in "G`":
            self.column = min(count, self.columns) - 1
        elif kind == "A":
            self.row = max(self.row - count, 0)
        elif kind == "B":
            self.row = min(self.row + count, self.rows - 1)
        elif kind == "C":
            self.column = min(self.column + count, self.columns - 1)
        elif kind == "D":
            self.column = max(self.column - count, 0)
        elif kind == "K":
            start, end = [(self.column, self.columns), (0, self.column + 1), (0, self.columns)][numbers[0]]
            cells[start:end] = blank[start:end]
        elif kind == "J":
            first, last = [(self.row + 1, self.rows), (0, self.row), (0, self.rows)][numbers[0]]
            for row in range(first, last):
                self.cells[row] = list(blank)
            if numbers[0] == 0:
                cells[self.column:] = blank[self.column:]
            elif numbers[0] == 1:
                cells[:self.column + 1] = blank[:self.column + 1]
        elif kind == "X":
            end = min(self.column + count, self.columns)
            cells[self.column:end] = blank[self.column:end]
        elif kind == "b":
            for _ in range(count):
                self.put(self.last)
        elif kind == "@":
            cells[self.column:self.column] = [" "] * count
            del cells[self.columns:]
        elif kind == "P":
            del cells[self.column:self.column + count]
            cells += [" "] * (self.columns - len(cells))
        elif kind == "L":
            self.insert_lines(self.row, count)
        elif kind == "M":
            self.delete_lines(self.row, count)
        elif kind == "S":
            self.delete_lines(self.top, count)
        elif kind == "T":
            self.insert_lines(self.top, count)
        elif kind == "r":
            self.top = max(numbers[0], 1) - 1
            self.bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
            self.row = self.column = 0


class Session:
    def __init__(self, command, size):
        # The other end stays open here, so that its settings can be read when the command has ended.
        self.terminal, self.end = pty.openpty()
        set_size(self.terminal, size)
        self.screen = Screen(*map(int, size.split("x")))
        self.settings = termios.tcgetattr(self.end)
        self.process = os.fork()
        if self.process == 0:
            os.setsid()
            fcntl.ioctl(self.end, termios.TIOCSCTTY, 0)
            for descriptor in 0, 1, 2:
                os.dup2(self.end, descriptor)
            # Tests' own processes may have them blocked or ignored.
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGWINCH:
                signal.signal(number, signal.SIG_DFL)
            os.closerange(3, 256)
            os.execvp(command[0], command)
        self.received = b""
        self.matched = 0
        self.status = None
        self.deadline = time.monotonic() + LIMIT

    def read(self):
        """Takes what has come, waiting a moment; false when the command has ended and all was read."""
        if select.select([self.terminal], [], [], 0.05)[0]:
            data = os.read(self.terminal, 65536)
            self.received += data
            self.screen.feed(data)
            sys.stdout.buffer.write(data)
            return True
        if self.status is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                self.status = status
                return True
        return self.status is None

    def fail(self, problem):
        if self.status is None:
            os.kill(self.process, signal.SIGKILL)
        sys.stdout.flush()
        print(f"terminal.py: {problem}", file=sys.stderr)
        sys.exit(99)

    def expect(self, pattern):
        pattern = re.compile(pattern.encode())
        while not (match := pattern.search(self.received, self.matched)):
            if not self.read():
                self.fail(f"the command ended without {pattern.pattern}")
            if time.monotonic() > self.deadline:
                self.fail(f"there was no {pattern.pattern} in {LIMIT} s")
        self.matched = match.end()

    def expect_on_screen(self, pattern):
        pattern = re.compile(pattern, re.MULTILINE)
        while not pattern.search(self.screen.text()):
            if not self.read() or time.monotonic() > self.deadline:
                self.fail(f"{pattern.pattern} did not come on the screen, which is\n{self.screen.text()}")

    def type(self, keys):
        os.write(self.terminal, codecs.decode(keys, "unicode_escape").encode("latin-1"))

    def do(self, step):
        kind, _, what = step.partition(":")
        if kind == "expect":
            self.expect(what)
        elif kind == "screen":
            self.expect_on_screen(what)
        elif kind == "send":
            self.type(what)
        elif kind == "resize":
            set_size(self.terminal, what)
            self.screen.resize(*map(int, what.split("x")))
        elif kind == "signal":
            os.kill(self.process, getattr(signal, what))
        elif kind == "shell":
            os.system(what)
        else:
            self.fail(f"no such step: {step}")

    def finish(self):
        while self.read():
            if time.monotonic() > self.deadline:
                self.fail(f"the command did not end in {LIMIT} s")
        sys.stdout.flush()
        same = termios.tcgetattr(self.end) == self.settings
        print("terminal: " + ("as before" if same else "changed"), file=sys.stderr)
        status = self.status
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main():
    arguments, size = sys.argv[1:], "24x80"
    if arguments[0] == "--size":
        size, arguments = arguments[1], arguments[2:]
    split = arguments.index("--")
    session = Session(arguments[split + 1:], size)
    for step in arguments[:split]:
        session.do(step)
    sys.exit(session.finish())


main()
