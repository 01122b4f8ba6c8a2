#!/usr/bin/env python3
"""Runs a command in a terminal of its own, as its controlling terminal, and does what a user would.

    terminal.py [--size ROWSxCOLUMNS] STEP... -- COMMAND [ARGUMENT...]

Steps are done one after the other:

    expect:REGEX       wait until the terminal gets a text, after the one that was expected before
    send:KEYS          type; Python's escapes, such as \\x03 for Ctrl-C and \\x1b[B for the down arrow
    resize:ROWSxCOLUMNS
    signal:NAME        send the command a signal

What the terminal gets goes to standard output. The exit status is the command's; 128 and the signal's number if one ended
it; 99 if an expected text did not come before the command's end or within 90 seconds. Standard error says whether the
terminal's settings are, at the end, those of the beginning.

Origin: own. Licence: Apache-2.0.
"""
import codecs, fcntl, os, pty, re, select, signal, struct, sys, termios, time

LIMIT = 90


def set_size(terminal, size):
    rows, columns = map(int, size.split("x"))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Session:
    def __init__(self, command, size):
        # The other end stays open here, so that its settings can be read when the command has ended.
        self.terminal, self.end = pty.openpty()
        set_size(self.terminal, size)
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

    def do(self, step):
        kind, _, what = step.partition(":")
        if kind == "expect":
            self.expect(what)
        elif kind == "send":
            os.write(self.terminal, codecs.decode(what, "unicode_escape").encode("latin-1"))
        elif kind == "resize":
            set_size(self.terminal, what)
        elif kind == "signal":
            os.kill(self.process, getattr(signal, what))
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
