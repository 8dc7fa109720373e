#!/usr/bin/env python3
"""Check that includes go one way: cli -> session -> sinks -> {engine, image, recording} ->
model -> base. Usage: check_layers.py SOURCE_DIR

Also: only engine/ names ptrace, only image/ knows libelf and libunwind, only recording/ knows
SQLite, public headers know only each other. Comments and string literals do not count.

Before it judges the sources it judges examples that it must refuse (and one that it must not),
so that a check that has stopped working fails as well.
"""
import pathlib
import re
import sys

ORDER = [["cli"], ["session"], ["sinks"], ["engine", "image", "recording"], ["model"], ["base"]]
LAYERS = {name for rank in ORDER for name in rank}
# What a layer may include: itself and every layer of a later rank. Siblings are of one rank.
ALLOWED = {
    name: {name} | {low for rank in ORDER[i + 1:] for low in rank}
    for i, names in enumerate(ORDER)
    for name in names
}
PUBLIC = "include"

# (what, how it looks in a file, the only layers where it may stand)
OWNED = [
    ("ptrace", re.compile(r"\bptrace\b|\bPTRACE_\w+"), {"engine"}),
    ("libelf", re.compile(r"#\s*include\s*<(libelf|gelf|nlist|elfutils/[^>]*)(\.h)?>"), {"image"}),
    ("libunwind", re.compile(r"#\s*include\s*<libunwind[^>]*>"), {"image"}),
    ("SQLite", re.compile(r"#\s*include\s*<sqlite3(ext)?\.h>"), {"recording"}),
]

TOKEN = re.compile(
    r"""(?P<include>^[ \t]*\#[ \t]*include[^\n]*)   # kept whole: its "..." is no string
      | (?P<drop>/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*')""",
    re.VERBOSE | re.DOTALL | re.MULTILINE)


def code_of(text):
    """The text without comments and literals, with the same line numbers."""
    def kept(match):
        if match["include"]:
            return match["include"]
        return " " + "\n" * match["drop"].count("\n")
    return TOKEN.sub(kept, text)


def check(layer, text):
    """Yield (line, complaint) for a file of this layer."""
    code = code_of(text)
    for number, line in enumerate(code.split("\n"), 1):
        include = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if include:
            quote, path = include.groups()
            target = path.split("/")[0] if "/" in path else None
            generated = path.endswith(".inc") and "/" not in path  # a table the build makes
            if quote == '"' and not generated and (
                    target not in LAYERS or ".." in path.split("/")):
                yield number, f'"{path}" does not begin with the name of a layer'
            elif target in LAYERS and (layer == PUBLIC or target not in ALLOWED[layer]):
                yield number, f"{layer} must not include {path}"
        for what, pattern, owners in OWNED:
            if layer not in owners and pattern.search(line):
                yield number, f"{what} belongs to {' and '.join(sorted(owners))}, not to {layer}"


EXAMPLES = [  # (layer, text, complaints expected)
    ("model", '#include "engine/wait.h"\n', 1),              # upwards
    ("engine", '#include "image/elf.h"\n', 1),               # sideways
    ("base", '#include "model/maps.h"\n', 1),
    ("sinks", '#include "session/kernel_half.h"\n', 1),
    ("sinks", '#include "../session/live.h"\n', 1),          # around the rule
    ("session", '#include "live.h"\n', 1),                   # no layer to see
    ("include", '#include "base/buf.h"\n', 1),
    ("session", "#include <sys/ptrace.h>\n", 1),
    ("cli", "int f(void) { return ptrace(PTRACE_CONT, 1, 0, 0); }\n", 1),
    ("session", "#include <gelf.h>\n", 1),
    ("session", "#include <sqlite3.h>\n", 1),
    ("sinks", '/* ptrace */ // ptrace\nconst char *s = "ptrace";\n#include "image/elf.h"\n'
              '#include <elf.h>\n#include <vastrace/event.h>\n', 0),
    ("engine", '#include "syscall_names.inc"\n', 0),
    ("engine", "long f(void) { return ptrace(0); } /* \" */\n#include <sys/ptrace.h>\n", 0),
]


def check_examples():
    for layer, text, expected in EXAMPLES:
        found = list(check(layer, text))
        if len(found) != expected:
            sys.exit(f"check_layers: self-check failed: {layer}: {text!r} gave {found}, "
                     f"expected {expected}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_layers.py SOURCE_DIR")
    check_examples()
    root = pathlib.Path(sys.argv[1])
    files = [(PUBLIC, path) for path in sorted((root / "include").rglob("*.h"))]
    complaints = 0
    for path in sorted((root / "tracer").rglob("*.[ch]")):
        layer = path.relative_to(root / "tracer").parts[0]
        if layer not in LAYERS:
            print(f"{path.relative_to(root)}: not in a layer's folder")
            complaints += 1
        else:
            files.append((layer, path))
    for layer, path in files:
        for line, text in check(layer, path.read_text(encoding="utf-8")):
            print(f"{path.relative_to(root)}:{line}: {text}")
            complaints += 1
    if not files:
        sys.exit(f"check_layers: no sources below {root}")
    print(f"{len(files)} files, {complaints} complaints")
    sys.exit(1 if complaints else 0)


main()
