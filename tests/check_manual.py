#!/usr/bin/env python3
"""Check the manual page: content VASTRACE PAGE SOURCES, or mandoc PAGE, or man PAGE.

content: it documents every command, option, format, kind, cause, moment and variable of the
environment that there is, and none that there is not; measured by what vastrace says of itself and
by the sources' getenv(). mandoc, man: that formatter has nothing to complain about; exit status 77
where it is not here.
"""
import pathlib
import re
import shutil
import subprocess
import sys

OPTION = re.compile(r"^  (?:-(?P<short>\w), |    )--(?P<long>[\w-]+)(?P<value> \S+|\[=\w+\])?  ")


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, encoding="utf-8", timeout=600, **more)


# ---- what there is ---------------------------------------------------------------------------


def help_of(vastrace, name):
    return run(vastrace, *([name] if name else []), "--help").stdout


def options_of(text):
    """{(short or None, long, value as in "FILE", "auto|always" or "[=DEPTH]" or None)}"""
    return {(m["short"], m["long"], m["value"].strip() if m["value"] else None)
            for m in map(OPTION.match, text.split("\n")) if m}


def words_of(text, name):
    found = re.search(rf"^{name}:((?: \S+|\n    \S+)+)$", text, re.MULTILINE)
    return set(found[1].split()) if found else set()


# ---- what the page says ----------------------------------------------------------------------


def sections_of(page):
    """{(section, subsection or ""): its lines}"""
    sections, at = {}, ("", "")
    for line in page.split("\n"):
        if line.startswith(".Sh "):
            at = (line[4:], "")
        elif line.startswith(".Ss "):
            at = (at[0], line[4:])
        sections.setdefault(at, []).append(line)
    return sections


def plain(macros):
    """mdoc's macros of one .It as text: "Fl k Ns Oo Ar DEPTH Oc" is "-k[DEPTH]"."""
    text, glue = "", True
    for word in macros.split():
        if word == "Ns":
            glue = True
        elif word == "Oo":
            text += ("" if glue else " ") + "["
            glue = True
        elif word in ("Oc",):
            text += "]"
        elif word == "Fl":
            text += ("" if glue or not text else " ") + "-"
            glue = True
        elif word not in ("Ar", "Cm", "Op"):
            text += ("" if glue or word == "," or not text else " ") + word
            glue = False
    return text


def documented_options(lines):
    found = set()
    for line in lines:
        if not line.startswith(".It Fl "):
            continue
        text = plain(line[4:])
        match = re.match(r"(?:-(?P<short>\w)(?:\[\w+\])?, )?--(?P<long>[\w-]+)(?P<value>.*)$", text)
        value = match["value"].strip().replace(" | ", "|") if match else None
        # "CAUSE Ns Op , Ns Ar ..." is CAUSE,...
        value = re.sub(r"^(\w+) ?, ?\.\.\.$", r"\1,...", value) if value else None
        found.add((match["short"], match["long"], value) if match else text)
    return found


def items(lines, macro):
    """The words of a section's .It lines of one macro."""
    return {word for line in lines if line.startswith(f".It {macro} ")
            for word in line[len(f".It {macro} "):].replace(",", " ").split()}


def content(vastrace, page_file, sources):
    page = pathlib.Path(page_file).read_text(encoding="utf-8")
    sections = sections_of(page)
    complaints = []

    def compare(what, there, documented):
        for name in sorted(map(str, there - documented)):
            complaints.append(f"{what}: {name} is not documented")
        for name in sorted(map(str, documented - there)):
            complaints.append(f"{what}: there is no {name}")
        if not there:
            complaints.append(f"{what}: vastrace does not say what there is")

    def lines(section, below=""):
        return sections.get((section, below), [])

    trace = help_of(vastrace, "")
    commands = set(re.findall(r"^  vastrace ([a-z]+) ", trace, re.MULTILINE))
    common = {o for o in options_of(trace) if o[1] in ("help", "version")}
    compare("commands", commands, {key[1].removeprefix("vastrace ") for key in sections
                                   if key[0] == "COMMANDS" and key[1]})
    compare("SYNOPSIS", commands, items([l.replace(".Cm", ".It Cm") for l in lines("SYNOPSIS")
                                         if l.startswith(".Cm ")], "Cm"))
    compare("options", options_of(trace), documented_options(lines("OPTIONS")))
    everything = {f"-{o[0]}" for o in options_of(trace)} | {f"--{o[1]}" for o in options_of(trace)}
    when = set()
    for command in commands:
        text = help_of(vastrace, command)
        compare(f"{command}'s options", options_of(text) - common,
                documented_options(lines("COMMANDS", f"vastrace {command}")))
        everything |= {f"-{o[0]}" for o in options_of(text)} | {f"--{o[1]}" for o in
                                                                options_of(text)}
        when |= words_of(text, "WHEN")
    compare("options named anywhere", everything | {"--"},
            everything | {"-" + name for name in re.findall(r"\bFl (-?[\w-]+)", page)})
    compare("moments", when, items(lines("COMMANDS"), "Cm"))
    compare("formats", words_of(trace, "FORMAT"), items(lines("FORMATS"), "Cm"))
    compare("kinds", words_of(trace, "KIND"), items(lines("KINDS"), "Cm"))
    refusal = run(vastrace, "--events", "nosuch", "true").stderr
    compare("causes", set(re.search(r"nor one of (.*)", refusal)[1].split()),
            items(lines("CAUSES"), "Cm"))
    used = {name for file in pathlib.Path(sources).rglob("*.c")
            for name in re.findall(r'getenv\("(\w+)"\)', file.read_text(encoding="utf-8"))}
    # Those that libraries read for us.
    compare("ENVIRONMENT", used | {"DEBUGINFOD_URLS", "LC_ALL", "LC_CTYPE", "LANG"},
            items(lines("ENVIRONMENT"), "Ev"))
    return complaints


def formatter(name, page):
    if not shutil.which(name):
        print(f"skipped: no {name} here")
        sys.exit(77)
    if name == "mandoc":
        result = run("mandoc", "-T", "lint", "-W", "warning", page)
    else:
        result = run("man", "--warnings", "-l", page)
    said = result.stderr if name == "man" else result.stdout + result.stderr
    return said.strip().split("\n") if said.strip() else (
        [f"{name} ended with status {result.returncode}"] if result.returncode else [])


def main():
    if sys.argv[1:2] == ["content"] and len(sys.argv) == 5:
        complaints = content(*sys.argv[2:])
    elif sys.argv[1:2] in (["mandoc"], ["man"]) and len(sys.argv) == 3:
        complaints = formatter(*sys.argv[1:])
    else:
        sys.exit("usage: check_manual.py content VASTRACE PAGE SOURCES | mandoc PAGE | man PAGE")
    print("\n".join(complaints + [f"{len(complaints)} complaints"]))
    sys.exit(1 if complaints else 0)


main()
