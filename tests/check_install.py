#!/usr/bin/env python3
"""Install a build below a scratch folder and look at what is there.
Usage: check_install.py CMAKE BUILD_FOLDER PREFIX
"""
import os
import pathlib
import subprocess
import sys
import tempfile

# (where below the prefix, words that stand in it)
EXPECTED = [
    ("bin/vastrace", b"\x7fELF"),
    ("bin/vasplot", b"#!/usr/bin/env python3"),
    ("share/vastrace/kinds.gp", b"plot"),
    ("share/man/man1/vastrace.1", b".Dt VASTRACE 1"),
    ("share/bash-completion/completions/vastrace", b"complete -F _vastrace vastrace"),
    ("share/zsh/site-functions/_vastrace", b"#compdef vastrace"),
    ("share/fish/vendor_completions.d/vastrace.fish", b"complete -c vastrace"),
    ("share/doc/vastrace/README.md", b"# vastrace"),
    ("share/doc/vastrace/LICENSE", b"MIT"),
    ("share/vastrace/schema/recording.sql", b"CREATE TABLE"),
    ("share/vastrace/schema/timeline.schema.json", b"$schema"),
    ("share/vastrace/schema/layout.schema.json", b"$schema"),
    ("share/vastrace/schema/aslr.schema.json", b"$schema"),
]


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: check_install.py CMAKE BUILD_FOLDER PREFIX")
    cmake, build, prefix = sys.argv[1:]
    complaints = 0
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([cmake, "--install", build], check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, DESTDIR=scratch))
        root = pathlib.Path(scratch + prefix)
        found = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
        outside = {str(path) for path in pathlib.Path(scratch).rglob("*")
                   if not path.is_dir() and root not in path.parents}
        for name, words in EXPECTED:
            if name not in found:
                print(f"{name} was not installed")
            elif words not in (root / name).read_bytes():
                print(f"{name} does not hold {words!r}")
            elif b"@TABLE@" in (root / name).read_bytes():
                print(f"{name} is a template")
            else:
                continue
            complaints += 1
        for name in sorted(found - {name for name, _ in EXPECTED}) + sorted(outside):
            print(f"{name} was installed and is not expected")
            complaints += 1
        version = subprocess.run([root / "bin/vastrace", "--version"], stdout=subprocess.PIPE,
                                 check=True, encoding="utf-8").stdout
        if not version.startswith("vastrace "):
            print(f"the installed vastrace says {version!r}")
            complaints += 1
    print(f"{len(found)} files installed, {complaints} complaints")
    sys.exit(1 if complaints else 0)


main()
