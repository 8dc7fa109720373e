#!/usr/bin/env python3
"""Measure what tracing costs: vastrace, the floor and the peers that are installed, over the same
programs, in turn in one run; medians, and ratios to the floor.

    bench.py --vastrace FILE --bin DIR [--runs N] [--only WORD]

Times of a shared machine are noisy: compare the ratios of one run, not figures of two.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def tracers(options, scratch):
    """Name and command prefix of each; the floor comes first."""
    vastrace = [options.vastrace, "-q"]
    table = [
        ("floor", [os.path.join(options.bin, "bench_floor")]),
        ("untraced", []),
        ("text", vastrace + ["-o", os.path.join(scratch, "t.txt"), "--"]),
        ("jsonl", vastrace + ["-o", os.path.join(scratch, "t.jsonl"), "--"]),
        ("vas", vastrace + ["-o", os.path.join(scratch, "t.vas"), "--"]),
        ("-k", vastrace + ["-k", "-o", os.path.join(scratch, "k.txt"), "--"]),
    ]
    strace = shutil.which("strace")
    if strace:
        common = [strace, "--seccomp-bpf", "-f", "-qq", "-o", os.path.join(scratch, "s.txt"),
                  "-e", "trace=mmap,munmap,mprotect,mremap,brk"]
        table.append(("strace", common))
        table.append(("strace -k", common + ["-k"]))
    return table


def programs(load):
    """Name, command, and by how much fewer calls the slow peers get."""
    return [
        ("mmap+munmap", [load, "mmap"], 20000),
        ("brk", [load, "brk"], 20000),
        ("mprotect splits", [load, "mprotect"], 20000),
        ("no memory call", [load, "getppid"], 500000),
        ("16 frames", [load, "deep"], 10000),
        ("60 regions", [load, "regions", "60"], 20000),
        ("60,000 regions", [load, "regions", "60000"], 20000),
        ("8 threads", [load, "threads", "8"], 16000),
        ("512 threads", [load, "threads", "512"], 16000),
        ("python3 start", [sys.executable, "-c", "import json, decimal, argparse"], 0),
    ]


def seconds(command):
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: "
                           f"{done.stderr.decode(errors='replace').strip()[:200]}")
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vastrace", required=True)
    parser.add_argument("--bin", required=True, help="where bench_floor and bench_load are")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="programs whose name holds this")
    options = parser.parse_args()
    load = os.path.join(options.bin, "bench_load")
    with tempfile.TemporaryDirectory() as scratch:
        table = tracers(options, scratch)
        print(f"medians of {options.runs} runs in seconds; below each its ratio to the floor")
        print(f"{'':18}" + "".join(f"{name:>11}" for name, _ in table))
        for name, command, count in programs(load):
            if options.only not in name:
                continue
            times = {tracer: [] for tracer, _ in table}
            for _ in range(options.runs):
                for tracer, prefix in table:  # in turn: what disturbs one disturbs all
                    # strace -k takes milliseconds a call: it gets a tenth, and ten times the time
                    part = 10 if tracer == "strace -k" and count else 1
                    calls = [str(count // part)] if count else []
                    times[tracer].append(part * seconds(prefix + command + calls))
            medians = {tracer: statistics.median(t) for tracer, t in times.items()}
            floor = medians["floor"]
            print(f"{name:18}" + "".join(f"{medians[t]:11.3f}" for t, _ in table))
            print(f"{'':18}" + "".join(f"{medians[t] / floor:11.2f}" for t, _ in table), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
