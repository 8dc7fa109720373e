"""Check a massif file: check_massif.py FILE.massif FILE.folded

The grammar is that of ms_print and massif-visualizer. The folded stacks of the same run are of
its peak: both have the same sum. ms_print, where it is installed, reads the file and agrees.
Ends with 1 and says what is wrong, if something is.
"""
import re
import shutil
import subprocess
import sys

SNAPSHOT = re.compile(
    r"#-----------\nsnapshot=(\d+)\n#-----------\ntime=(\d+\.\d+)\nmem_heap_B=(\d+)\n"
    r"mem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=(empty|detailed|peak)\n((?: *n\d+: .*\n)*)"
)
NODE = re.compile(r"^( *)n(\d+): (\d+) (.+)$")
SMALL = re.compile(r"^in (\d+) places?, (?:all )?below massif's threshold \(1\.00%\)$")


def tree(lines, depth, total):
    """Takes a node and its children off the lines; returns its bytes."""
    found = NODE.match(lines.pop(0))
    spaces, children, size, label = found.groups()
    if len(spaces) != depth:
        raise ValueError(f"{label}: at depth {len(spaces)}, not {depth}")
    if depth and not SMALL.match(label) and int(size) * 100 < total:
        raise ValueError(f"{label}: below the threshold")
    if "#" in label:
        raise ValueError(f"{label}: a comment for ms_print")
    parts = [tree(lines, depth + 1, total) for _ in range(int(children))]
    if sum(parts) > int(size) or (depth == 0 and sum(parts) != int(size)):
        raise ValueError(f"{label}: {size} bytes, its children {sum(parts)}")
    return int(size)


def main():
    path, folded = sys.argv[1:]
    with open(path, encoding="utf-8", newline="\n") as file:
        text = file.read()
    head = re.match(r"desc: .+\ncmd: .+\ntime_unit: ms\n", text)
    if not head or "#" in head[0]:
        sys.exit(f"{path}: the head is {text[:200]!r}")
    snapshots = SNAPSHOT.findall(text)
    if head.end() + sum(len(found[0]) for found in SNAPSHOT.finditer(text)) != len(text):
        sys.exit(f"{path}: something between the snapshots")
    last, peaks = 0.0, []
    for number, (index, time, size, kind, lines) in enumerate(snapshots):
        if int(index) != number or float(time) < last:
            sys.exit(f"{path}: snapshot {index} at {time} after {last}")
        last = float(time)
        lines = lines.split("\n")[:-1]
        if kind == "empty" and not lines:
            continue
        if kind == "empty" or tree(lines, 0, int(size)) != int(size) or lines:
            sys.exit(f"{path}: the tree of snapshot {index}")
        if kind == "peak":
            peaks.append((number, int(size)))
    if not 1 <= len(snapshots) <= 100 or len(peaks) != 1:
        sys.exit(f"{path}: {len(snapshots)} snapshots, {len(peaks)} peaks")
    number, peak = peaks[0]
    if peak != max(int(size) for _, _, size, _, _ in snapshots):
        sys.exit(f"{path}: the peak is not the largest")
    with open(folded, encoding="utf-8") as file:
        total = sum(int(line.rsplit(" ", 1)[1]) for line in file)
    if peak != total:
        sys.exit(f"{path}: peak {peak}, of the folded stacks {total}")
    printer = shutil.which("ms_print")
    if printer:
        result = subprocess.run([printer, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                encoding="utf-8", check=False)
        if result.returncode or result.stderr:
            sys.exit(f"ms_print {path}: {result.stderr}")
        if not re.search(rf"\b{number} \(peak\)", result.stdout) or not re.search(
                rf"^ *{number} +[\d.,]+ +{peak:,} +{peak:,} +0 +0$", result.stdout, re.M):
            sys.exit(f"ms_print {path}: no peak {number} of {peak:,}")
    print(f"{len(snapshots)} snapshots" + ("" if printer else ", ms_print is not installed"))


main()
