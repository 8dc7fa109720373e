"""What can be said of the sources without running them: usage: lint.py SOURCE BUILD [CHECK...]

Runs all checks, or those named, and prints one line for each, and its findings before it. Ends with
1 if there were any, and with 77 if none of the checks could run. BUILD is a build folder whose
compile_commands.json tells clang-tidy how a file is compiled.
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time

# Output differs from one version to the next: .clang-format is written for this one.
FORMAT_VERSION = 14
SKIPPED = 77


def sources(root, *endings):
    """The files that end so, but for the hostile ones of the fuzz targets."""
    found = []
    for folder in ".ci", "contrib", "fixtures", "include", "tests", "tracer":
        for where, _, names in os.walk(os.path.join(root, folder)):
            if "corpus" not in where.split(os.sep):
                found += [os.path.join(where, name) for name in names if name.endswith(endings)]
    return sorted(os.path.relpath(path, root) for path in found)


def compiled(root, build):
    """The C files of ours that are compiled in this build folder, once each."""
    with open(os.path.join(build, "compile_commands.json")) as commands:
        paths = {os.path.relpath(entry["file"], root) for entry in json.load(commands)}
    return sorted(path for path in paths if not path.startswith(("..", "build")))


def clang_format(root, _):
    version = re.search(r"version (\d+)", subprocess.check_output(["clang-format", "--version"],
                                                                  text=True))
    if int(version.group(1)) != FORMAT_VERSION:
        return f"version {FORMAT_VERSION} is wanted, version {version.group(1)} is installed"
    return [["clang-format", "--dry-run", "-Werror", *sources(root, ".c", ".h")]]


def shellcheck(root, _):
    return [["shellcheck", ".ci/run", *sources(root, ".sh", ".bash")]]


def pyflakes(root, _):
    return [["pyflakes3", "contrib/plot/vasplot", *sources(root, ".py")]]


def cppcheck(root, build):
    options = ["--quiet", "--error-exitcode=1", "--suppressions-list=.cppcheck",
               "--enable=warning,performance,portability", "-D_GNU_SOURCE", "-Iinclude",
               "-Itracer", "-Itests", "-Ifixtures"]
    return [["cppcheck", *options, path] for path in compiled(root, build)]


def clang_tidy(root, build):
    return [["clang-tidy", "-p", build, "--quiet", path] for path in compiled(root, build)]


# By name: the tool, and what makes its commands, or says why there are none. Slow ones last.
CHECKS = {
    "format": ("clang-format", clang_format),
    "shell": ("shellcheck", shellcheck),
    "python": ("pyflakes3", pyflakes),
    "cppcheck": ("cppcheck", cppcheck),
    "tidy": ("clang-tidy", clang_tidy),
}


def run(root, command):
    """What the command has to say, or None if it is content."""
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    return done.stdout if done.returncode else None


def main():
    root, build = map(os.path.abspath, sys.argv[1:3])
    ran = failed = 0
    for name in sys.argv[3:] or CHECKS:
        tool, make = CHECKS[name]
        begun = time.monotonic()
        commands = make(root, build) if shutil.which(tool) else f"{tool} is not installed"
        if isinstance(commands, str):
            print(f"{name}: skipped: {commands}", flush=True)
            continue
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            findings = [said for said in pool.map(lambda c: run(root, c), commands)
                        if said is not None]
        print("".join(findings), end="")
        print(f"{name}: {'findings, above' if findings else 'clean'}"
              f" ({time.monotonic() - begun:.1f} s)", flush=True)
        ran += 1
        failed += bool(findings)
    sys.exit(1 if failed else 0 if ran else SKIPPED)


main()
