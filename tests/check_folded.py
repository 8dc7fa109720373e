"""Check folded stacks against a run: check_folded.py VASTRACE RUN.vas FILE.folded FILE.jsonl

Every line is as flame graph tools read it. The sums are those of two other accounts: the
report's (of one process), and one that is drawn up here from the JSON Lines, page by page.
Ends with 1 and says what is wrong, if something is.
"""
import json
import re
import subprocess
import sys

LINE = re.compile(r"^(.+) (\d+)$")
KINDS = (
    "text rodata data bss relro tls heap stack thread-stack anon file shm guard reserve vdso vvar "
    "vsyscall other"
).split()


def parse(text, where):
    """Frames and bytes of each line."""
    if text and not text.endswith("\n"):
        sys.exit(f"{where}: the last line is not whole")
    stacks = {}
    for line in text.split("\n")[:-1]:
        found = LINE.match(line)
        if not found or not line.isprintable():
            sys.exit(f"{where}: {line!r} is no line")
        frames = tuple(found[1].split(";"))
        if len(frames) < 3 or not all(frames) or any(" " in frame for frame in frames):
            sys.exit(f"{where}: the frames of {line!r}")
        if frames in stacks:
            sys.exit(f"{where}: {line!r} is there twice")
        stacks[frames] = int(found[2])
    if list(stacks) != sorted(stacks, key=lambda frames: ";".join(frames).encode()):
        sys.exit(f"{where}: the lines are not sorted")
    return stacks


def pages_of(path):
    """Bytes mapped after each event and those ever made, from the changes alone."""
    spaces, live, peak, made = {}, 0, 0, 0
    history = {}
    with open(path, encoding="utf-8") as file:
        for record in map(json.loads, file):
            if record["type"] != "event":
                continue
            left = (record.get("exec") or {}).get("left_space") or record["space"]
            for change in record["changes"]:
                of = left if change["op"] == "-" else record["space"]
                pages = spaces.setdefault(of, set())
                span = set(range(int(change["start"], 16) >> 12, int(change["end"], 16) >> 12))
                before = len(pages)
                if change["op"] == "-":
                    pages -= span
                    live += len(pages) - before
                    continue
                if change["op"] == ">" and not change["source_stays"]:
                    low, high = (int(bound, 16) >> 12 for bound in change["from"])
                    pages -= set(range(low, high))
                elif change["op"] != "~":
                    made += len(span)
                pages |= span
                live += len(pages) - before
            peak = max(peak, live)
            history[record["seq"]] = live
    return {"peak": peak << 12, "made": made << 12}, {k: v << 12 for k, v in history.items()}


def main():
    program, run, live_file, lines = sys.argv[1:]

    def folded(*options):
        return subprocess.run(
            [program, "export", run, "--to", "folded", *options],
            stdout=subprocess.PIPE, check=True, encoding="utf-8",
        ).stdout

    def equal(what, have, want):
        if have != want:
            sys.exit(f"{run}: {what}: {have}, not {want}")

    with open(live_file, encoding="utf-8") as file:
        traced = file.read()
    equal("the default is the peak", folded("--of", "peak"), traced)
    sums = {of: parse(folded("--of", of), of) for of in ("peak", "live", "made")}
    totals, history = pages_of(lines)
    equal("peak", sum(sums["peak"].values()), totals["peak"])
    equal("made", sum(sums["made"].values()), totals["made"])
    for seq in list(history)[:: max(1, len(history) // 7)]:
        stacks = parse(folded("--of", "live", "--at", f"#{seq}"), "live") if history[seq] else {}
        equal(f"live after #{seq}", sum(stacks.values()), history[seq])

    report = json.loads(
        subprocess.run([program, "report", run, "--format", "json"],
                       stdout=subprocess.PIPE, check=True).stdout)
    pid = str(report["pid"])
    for of in sums:  # of one process, if there are several
        sums[of] = parse(folded("--of", of, "--pid", pid), of)
    equal("the process's peak", sum(sums["peak"].values()), report["peak_bytes"])
    for kind in KINDS:
        closing = sum(
            size for frames, size in sums["live"].items()
            if next(f for f in reversed(frames) if f in KINDS) == kind
        )
        ledger = report["kinds"].get(kind, {"closing_bytes": 0})
        equal(f"live {kind}", closing, ledger["closing_bytes"])
    print(f"{len(sums['made'])} sites")


main()
