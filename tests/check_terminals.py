"""Check what terminals of several widths show: check_terminals.py VASTRACE FIXTURE

No line is wider than the terminal but for a word that is; no word is lost by that; and the tables
of totals stand in whole lines.
Ends with 1 and says what is wrong, if something is.
"""
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

WIDTHS = (60, 80, 100, 140)
MARGIN = 26  # the widest that a line begins with, before a word that cannot be folded


def show(width, command):
    """What the command writes to a terminal this wide, in lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    environment = {**os.environ, "TERM": "dumb", "LC_ALL": "C"}
    environment.pop("COLUMNS", None)
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                          env=environment) as process:
        os.close(slave)
        said = b""
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            if not more:
                break
            said += more
    os.close(master)
    if process.returncode:
        sys.exit(f"{command}: status {process.returncode}\n{said.decode()}")
    return re.sub(r"\r\x1b\[K", "", said.decode()).splitlines()


def words_of(lines):
    return [word for line in lines for word in line.split() if set(word) != {"#"}]


def check_width(name, width, lines):
    for line in lines:
        longest = max(map(len, line.split()), default=0)
        if len(line) > width and longest <= width - MARGIN:
            sys.exit(f"{name} at {width} has a line of {len(line)} columns:\n{line}")


def check_whole(name, width, lines, first, last, beginnings=r"\S"):
    """From the line that begins with `first` on to that with `last`, all begin so."""
    begin = next(i for i, line in enumerate(lines) if re.match(first, line))
    for line in lines[begin:]:
        if re.match(last, line):
            return
        if not re.match(beginnings, line):
            sys.exit(f"{name} at {width} has a row in two lines:\n{line}")
    sys.exit(f"{name} at {width} has no line {last}")


def main():
    program, fixture = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        run = os.path.join(directory, "run.vas")
        command = [program, "-q", "-k", "-o", run, "--", fixture, "threads-map"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows = subprocess.run([program, "diff", run, "start", "end"], check=True, encoding="utf-8",
                              stdout=subprocess.PIPE).stdout
        address = re.search(r"made    anon .* ([0-9a-f]+)-", rows).group(1)
        questions = {
            "report": [program, "report", run],
            "history": [program, "history", run, address],
            "diff": [program, "diff", run, "start", "end"],
        }
        for name, question in questions.items():
            plain = subprocess.run(question, check=True, encoding="utf-8",
                                   stdout=subprocess.PIPE).stdout
            for width in WIDTHS:
                lines = show(width, question)
                check_width(name, width, lines)
                if (name, width) != ("report", 60) and words_of(lines) != words_of([plain]):
                    sys.exit(f"{name} at {width} says something else than to a pipe")
                if name == "report":
                    check_whole(name, width, lines, "kind", "balanced:")
                if name == "report" and width >= 80:
                    check_whole(name, width, lines, "cause", "$", r"\S|    [^#]")
        for width in WIDTHS:
            check_width("aslr", width, show(width, [program, "aslr", "-n", "5", fixture]))
            lines = show(width, [program, fixture, "fork-many", "2"])
            check_whole("the summary", width, lines, "kind ", "usable:")


main()
