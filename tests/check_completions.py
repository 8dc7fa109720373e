#!/usr/bin/env python3
"""Check what a shell's completions offer against `vastrace --help` and what vastrace accepts.
Usage: check_completions.py SHELL VASTRACE FOLDER_OF_COMPLETIONS

SHELL is bash (with the package bash-completion), bash-alone, zsh or fish. Exit status 77: it is
not here.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent / "completions"
BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"
OPTION = re.compile(r"^  (?:-(?P<short>\w), |    )--(?P<long>[\w-]+)(?: (?P<value>\S+)|\[=\w+\])?  ")


def output(command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8",
                          stdin=subprocess.DEVNULL, timeout=600, **more).stdout


class Command:
    """What the help of one command says."""

    def __init__(self, vastrace, name):
        self.name = name
        self.line = f"vastrace {name} " if name else "vastrace "
        text = output([vastrace] + ([name] if name else []) + ["--help"])
        self.commands = sorted(set(re.findall(r"^  vastrace ([a-z]+) ", text, re.MULTILINE)))
        words = dict(re.findall(r"^([A-Z]+):((?: \S+|\n    \S+)+)$", text, re.MULTILINE))
        self.options = [m.groupdict() for m in map(OPTION.match, text.split("\n")) if m]
        for option in self.options:
            value = option["value"] or ""
            option["list"] = value.endswith(",...")
            option["words"] = set(value.split("|") if "|" in value else
                                  words.get(value.split(",")[0], "").split())

    def names(self):
        return {"--" + o["long"] for o in self.options} | {"-" + o["short"] for o in self.options
                                                           if o["short"]}


# ---- asking the shells: lines to sets of words -----------------------------------------------


class Bash:
    def __init__(self, folder, scratch, package):
        self.file, self.scratch, self.package = folder / "vastrace.bash", scratch, package

    def ask(self, lines):
        for line in lines:
            words = [part for word in line.split(" ")[1:]
                     for part in re.findall(r"=|[^=]+", word) or [""]]
            text = output(["bash", "--norc", HERE / "offers.bash", self.file, self.package] + words,
                          cwd=self.scratch)
            yield {word.split(" (")[0] for word in text.split("\n") if word}


class Zsh:
    def __init__(self, folder, scratch):
        self.folder, self.scratch = folder, scratch

    def ask(self, lines):
        text = output(["zsh", "-f", HERE / "offers.zsh", self.folder] + lines, cwd=self.scratch)
        answers = [set()]
        for word in text.split("\n")[:-1]:
            if word:
                answers[-1].add(word)
            else:
                answers.append(set())
        return answers[:-1]


class Fish:
    def __init__(self, folder, scratch):
        self.file, self.scratch = folder / "vastrace.fish", scratch

    def ask(self, lines):
        script = f"source {self.file}; complete -c sample-program -x -a 'alpha beta'\n"
        script += "".join(f"complete --do-complete='{line}'; echo ==\n" for line in lines)
        environment = dict(os.environ, HOME=str(self.scratch / "home"))
        environment = {k: v for k, v in environment.items() if not k.startswith("XDG_")}
        text = output(["fish", "-c", script], cwd=self.scratch, env=environment)
        for answer in text.split("==\n")[:len(lines)]:
            # Options come with their value's beginning: "--color=auto".
            yield {line.split("\t")[0] for line in answer.split("\n") if line}


def shell_of(name, folder, scratch):
    program = name.split("-")[0]
    if not shutil.which(program):
        print(f"skipped: no {program} here")
        sys.exit(77)
    if name == "bash" and not os.path.exists(BASH_COMPLETION):
        print("skipped: the package bash-completion is not here")
        sys.exit(77)
    if program == "bash":
        return Bash(folder, scratch, BASH_COMPLETION if name == "bash" else "")
    return {"zsh": Zsh, "fish": Fish}[name](folder, scratch)


# ---- what is to be offered --------------------------------------------------------------------


def is_all(expected):
    return lambda found: found == expected


def has(*words, without=()):
    return lambda found: set(words) <= found and not set(without) & found


def questions(commands, shell):
    """(line, what the words offered must fulfil, that in words)"""
    def ask(line, test, said):
        wanted.append((line, test, said))

    wanted = []
    trace = commands[0]
    names = {c.name for c in commands[1:]}
    ask("vastrace ", is_all(names), f"just the commands {names}")
    ask("vastrace sam", has("sample-program"), "programs")
    ask("vastrace " + sorted(names)[0][:2], has(sorted(names)[0]), "commands by their beginning")
    ask("vastrace -q sam", has("sample-program", without=names), "programs, no commands")
    ask("vastrace -q -- sam", has("sample-program"), "programs behind --")
    for command in commands:
        long_names = {name for name in command.names() if name.startswith("--")}
        ask(command.line + "--", lambda found, l=long_names: {f for f in found if f[:2] == "--"} == l,
            f"just the options {long_names}")
        ask(command.line + "-", is_all(command.names()), f"just {command.names()}")
        for option in command.options:
            words, name = option["words"], "--" + option["long"]
            if not words:
                continue
            ask(f"{command.line}{name} ", is_all(words), f"just {words}")
            first = sorted(words)[0]
            ask(f"{command.line}{name}={first[:1]}",
                lambda found, w=words, f=first: {x.split("=")[-1] for x in found} ==
                {x for x in w if x[0] == f[0]}, f"those of {words} that begin with {first[:1]}")
            if option["short"]:
                ask(f"{command.line}-{option['short']} ", is_all(words), f"just {words}")
            if option["list"]:
                ask(f"{command.line}{name} {first},",
                    lambda found, w=words, f=first: {x.split(",")[-1] for x in found} == w - {f},
                    f"{words} but for {first}")
    if trace.names() >= {"-q", "-F"}:
        ask("vastrace -qF ", is_all(next(o["words"] for o in trace.options if o["short"] == "F")),
            "values of bundled letters' last")
    mine = str(os.getpid())
    ask("vastrace -p ", has(mine), "processes")
    ask("vastrace -o ", has("run.vas", "notes.txt"), "files")
    ask("vastrace report ", has("run.vas", without=["notes.txt"]), "recordings")
    ask("vastrace layout ", has("run.vas", mine, without=["notes.txt"]), "recordings, processes")
    ask("vastrace layout run.vas --pid ", has(without=[mine]), "no running process")
    ask("vastrace history run.vas ", has(without=["notes.txt", "run.vas"]), "no file for an address")
    ask("vastrace diff run.vas ", has("start", "end", "peak", "run.vas"), "moments, recordings")
    ask("vastrace diff run.vas start ", is_all({"start", "end", "peak"}), "moments")
    ask("vastrace diff --color never run.vas start ", is_all({"start", "end", "peak"}),
        "moments behind an option with a value")
    ask("vastrace report run.vas --f", has("--format"), "options behind a recording")
    ask("vastrace aslr -n 5 sam", has("sample-program"), "programs")
    for line in ("vastrace sample-program -", "vastrace -q -k64 -- sample-program -",
                 "vastrace aslr sample-program --"):
        ask(line, lambda found: not found & trace.names(), "no option of vastrace's")
    if shell != "bash-alone":
        for line in ("sample-program ", "-q sample-program al", "-k -o x sample-program al",
                     "--stacks=9 --output=x -- sample-program al", "aslr -n 9 sample-program al"):
            ask("vastrace " + line, has("alpha"), "what the program itself takes")
    return wanted


def accepted(vastrace, commands, scratch):
    """Each word that help says, and completions offer, is one that the parser takes."""
    complaints = 0
    for option in commands[0].options:
        for word in option["words"]:
            text = subprocess.run([vastrace, "-o", scratch / "out", "--" + option["long"], word,
                                   "/nonexistent"], encoding="utf-8", stderr=subprocess.PIPE)
            if text.returncode != 127:
                print(f"--{option['long']} {word}: {text.stderr.strip()}")
                complaints += 1
    for command in commands[1:]:
        for option in command.options:
            for word in option["words"] if option["value"] and "|" in option["value"] else ():
                text = subprocess.run([vastrace, command.name, "--" + option["long"], word],
                                      encoding="utf-8", stderr=subprocess.PIPE)
                if not re.match(rf"vastrace: {command.name}: name ", text.stderr):
                    print(f"{command.name} --{option['long']} {word}: {text.stderr.strip()}")
                    complaints += 1
    return complaints


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: check_completions.py SHELL VASTRACE FOLDER_OF_COMPLETIONS")
    name, vastrace, folder = sys.argv[1], os.path.abspath(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder = folder.resolve()
    trace = Command(vastrace, "")
    commands = [trace] + [Command(vastrace, other) for other in trace.commands]
    if len(commands) < 5 or len(trace.options) < 10:
        sys.exit(f"help was not understood: {trace.commands}, {trace.options}")
    with tempfile.TemporaryDirectory() as folder_name:
        scratch = pathlib.Path(folder_name)
        for file in ("run.vas", "notes.txt", "bin/sample-program", "home/x"):
            (scratch / file).parent.mkdir(exist_ok=True)
            (scratch / file).touch()
        (scratch / "bin/sample-program").chmod(0o755)
        os.environ["PATH"] += f":{scratch}/bin"
        shell = shell_of(name, folder, scratch)
        wanted = questions(commands, name)
        complaints = accepted(vastrace, commands, scratch)
        for (line, test, said), found in zip(wanted, shell.ask([w[0] for w in wanted]), strict=True):
            if not test(found):
                print(f"{line!r}: expected {said}; offered: {sorted(found)[:50]}")
                complaints += 1
    print(f"{name}: {len(wanted)} lines completed, {complaints} complaints")
    sys.exit(1 if complaints else 0)


main()
