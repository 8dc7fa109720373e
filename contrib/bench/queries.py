#!/usr/bin/env python3
"""Measure what questions to a recording of a million events cost: medians of several runs, in turn.

    queries.py --vastrace FILE --bin DIR [--runs N] [--events N] [--keep DIR] [--only WORD]

Recordings are made by tracing bench_load (a minute or so each), and kept and used again with
--keep. Beside each time stands the processor's, which other work on the machine disturbs less.
"""
import argparse
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time


def shapes(load, events):
    """Name, options of the trace, and program of each recording."""
    pairs = str(events // 2)
    regions = min(60000, events // 4)
    return [
        ("one process", [], [load, "mmap", pairs]),
        ("splits", [], [load, "mprotect", str(events)]),
        ("stacks", ["-k"], [load, "deep", pairs]),
        ("eight processes", [], ["sh", "-c", f'for i in 1 2 3 4 5 6 7 8; do "$0" mprotect '
                                             f'{events // 8} & done; wait', load]),
        ("60,000 regions", [], [load, "regions", str(regions), str(events // 2 - regions // 2)]),
    ]


def questions(run, pid, addr):
    """Name and arguments of each question; those of two moments get the start and the peak."""
    process = ["--pid", str(pid)]
    return [
        ("report", ["report", run] + process),
        ("layout", ["layout", run, "--at", "peak"] + process),
        ("history", ["history", run, addr] + process),
        ("range", ["history", run, "0-ffffffffffffffff"] + process),
        ("diff", ["diff", run, "start", "peak"] + process),
    ]


def record(vastrace, options, program, path):
    done = subprocess.run([vastrace, "-q", "-o", path] + options + ["--"] + program,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(program)}: status {done.returncode}")


def ask(command):
    """Seconds on the clock and of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    clock = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: "
                           f"{done.stderr.decode(errors='replace').strip()[:200]}")
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def facts(path):
    """Events, and the process that has most of them with an address it used last."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        events, = db.execute("SELECT count(*) FROM events").fetchone()
        process, pid = db.execute(
            "SELECT p.id, p.pid FROM events e JOIN processes p ON p.id = e.process "
            "GROUP BY e.process ORDER BY count(*) DESC LIMIT 1").fetchone()
        start, = db.execute(
            "SELECT r.start FROM regions r JOIN process_spaces s ON s.space = r.space "
            "WHERE s.process = ? AND r.kind = 'anon' ORDER BY r.made_event DESC LIMIT 1",
            (process,)).fetchone()
    return events, pid, f"{start:x}"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vastrace", required=True)
    parser.add_argument("--bin", required=True, help="where bench_load is")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--events", type=int, default=1000000)
    parser.add_argument("--keep", help="a folder for the recordings")
    parser.add_argument("--only", default="", help="recordings whose name holds this")
    options = parser.parse_args()
    load = os.path.abspath(os.path.join(options.bin, "bench_load"))
    print(f"medians of {options.runs} runs in seconds; below each the processor's")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or scratch
        os.makedirs(folder, exist_ok=True)
        for name, trace_options, program in shapes(load, options.events):
            if options.only not in name:
                continue
            path = os.path.join(folder, f"{name.replace(' ', '-')}-{options.events}.vas")
            if not os.path.exists(path):
                record(options.vastrace, trace_options, program, path)
            events, pid, addr = facts(path)
            table = questions(path, pid, addr)
            times = {question: [] for question, _ in table}
            for _ in range(options.runs):
                for question, arguments in table:  # in turn: what disturbs one disturbs all
                    times[question].append(ask([options.vastrace] + arguments))
            print(f"{name}: {events} events, {os.path.getsize(path) / events:.1f} bytes each")
            print("".join(f"{question:>10}" for question, _ in table))
            for part in range(2):
                print("".join(f"{statistics.median(t[part] for t in times[question]):10.3f}"
                              for question, _ in table), flush=True)
            if not options.keep:
                os.remove(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
