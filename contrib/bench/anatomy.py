#!/usr/bin/env python3
"""What a memory call costs, taken apart: why vastrace is not the floor. Three tables:

1. steps from the bare floor to vastrace, each with one thing more that has to be done at a stop;
2. system calls of the tracer's own thread a memory call (strace -c), and context switches;
3. instructions of our own a memory call, by thread and function (valgrind --tool=callgrind).

    anatomy.py --vastrace FILE --bin DIR [--runs N] [--load NAME] [--top N]

What starting and ending take is left out: 2 and 3 are the difference of a long run and a short one.
"""
import collections
import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import measure

CALLS = 20000         # of a measured run
FEW, MANY = 1000, 5000  # of the two whose difference is taken
THREADS = ["tracer", "writer of events", "writer of a recording"]  # as they are started


def steps(options, scratch):
    """Name and command prefix, each with more to do than the one before."""
    return [
        ("untraced", []),
        ("floor: two stops", measure.floor(options)),
        ("+ what is the call (GET_SYSCALL_INFO)", measure.floor(options, "-i")),
        ("+ has a stack grown (PROCMAP_QUERY)", measure.floor(options, "-i", "-m")),
        ("vastrace, nothing told (-e exit)",
         measure.vastrace(options, scratch, "txt", "-e", "exit")),
        ("vastrace, text", measure.vastrace(options, scratch, "txt")),
        ("vastrace, JSON Lines", measure.vastrace(options, scratch, "jsonl")),
        ("vastrace, recording", measure.vastrace(options, scratch, "vas")),
        ("vastrace -k, text", measure.vastrace(options, scratch, "txt", "-k")),
    ]


def command(options, prefix, calls):
    return prefix + measure.load(options, *options.load.split(), calls)


def print_steps(options, scratch):
    table = steps(options, scratch)
    costs = {name: [] for name, _ in table}
    for _ in range(options.runs):
        for name, prefix in table:
            costs[name].append(measure.run(command(options, prefix, CALLS)))
    print(f"{'us of one call':42}{'cpu':>8}{'step':>8}{'ratio':>8}{'+-':>6}"
          f"{'wall':>10}{'ratio':>8}")
    floors = costs["floor: two stops"]
    before = 0
    for name, _ in table:
        cpu = [cost.cpu / CALLS * 1e6 for cost in costs[name]]
        wall = [cost.wall / CALLS * 1e6 for cost in costs[name]]
        middle = statistics.median(cpu)
        print(f"{name:42}{middle:8.2f}{middle - before:8.2f}"
              f"{measure.median_ratio(cpu, [f.cpu / CALLS * 1e6 for f in floors]):8.2f}"
              f"{measure.spread(cpu):6.0%}{statistics.median(wall):10.2f}"
              f"{measure.median_ratio(wall, [f.wall / CALLS * 1e6 for f in floors]):8.2f}")
        before = middle


def count_system_calls(options, scratch, prefix, calls):
    """By name, of the thread that traces: strace follows no child, which would be ours to trace."""
    summary = os.path.join(scratch, "summary")
    measure.run(["strace", "-c", "-o", summary, *command(options, prefix, calls)])
    counts = collections.Counter()
    with open(summary, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if len(words) >= 5 and words[0].replace(".", "").isdigit() and words[-1] != "total":
                counts[words[-1]] = int(words[3])
    return counts


def print_system_calls(options, scratch):
    names, table = ["wait4", "ptrace", "ioctl", "process_vm_readv", "futex", "timer_settime"], []
    for name, prefix in steps(options, scratch)[1:]:
        few, many = (count_system_calls(options, scratch, prefix, n) for n in (FEW, MANY))
        difference = collections.Counter({k: (many[k] - few[k]) / (MANY - FEW) for k in many})
        switches = [measure.run(command(options, prefix, n)).switches for n in (FEW, MANY)]
        table.append((name, difference, (switches[1] - switches[0]) / (MANY - FEW)))
    print(f"{'system calls of one call':42}{'all':>6}" + "".join(f"{n:>17}" for n in names) +
          f"{'others':>8}{'switches':>10}")
    for name, counts, switches in table:
        others = sum(counts.values()) - sum(counts[n] for n in names)
        print(f"{name:42}{sum(counts.values()):6.2f}" +
              "".join(f"{counts[n]:17.2f}" for n in names) + f"{others:8.2f}{switches:10.2f}")


def count_instructions(options, scratch, prefix, calls):
    """By thread a counter of functions. valgrind has no seccomp: every call stops, but a load's
    calls are memory calls all."""
    out = os.path.join(scratch, "callgrind")
    for name in glob.glob(out + "*"):
        os.unlink(name)
    measure.run(["valgrind", "--tool=callgrind", "--separate-threads=yes", "-q",
                 "--callgrind-out-file=" + out, prefix[0], "--all-syscalls",
                 *command(options, prefix[1:], calls)], limit=300)
    threads = {}
    for name in sorted(glob.glob(out + "-*")):
        text = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", name],
                              capture_output=True, text=True, check=True).stdout
        number = int(name[len(out) + 1:])
        title = THREADS[number - 1] if number <= len(THREADS) else f"thread {number}"
        threads[title] = collections.Counter()
        for count, where in re.findall(r"^ *([\d,]+) \([ \d.]+%\)  (.*)$", text, re.MULTILINE):
            file, colon, function = re.sub(r" \[[^]]*\]$", "", where).rpartition(":")
            if colon:  # else it is the sum of all
                threads[title][f"{function} ({os.path.basename(file)})"] += int(
                    count.replace(",", ""))
    return threads


def print_instructions(options, scratch):
    for name, prefix in steps(options, scratch)[5:]:
        few, many = (count_instructions(options, scratch, prefix, n) for n in (FEW, MANY))
        for thread, counts in many.items():
            before = few.get(thread, collections.Counter())
            each = collections.Counter({f: (n - before[f]) / (MANY - FEW)
                                        for f, n in counts.items()})
            print(f"\n{name}, {thread}: {sum(each.values()):.0f} instructions of one call")
            for function, count in each.most_common(options.top):
                print(f"{count:10.0f}  {function}")


def main():
    parser = measure.parser(__doc__, runs=7)
    parser.add_argument("--load", default="mmap", metavar="WORDS",
                        help="what calls: mmap, brk, deep, 'crew 512' ... of load.c (%(default)s)")
    parser.add_argument("--top", type=int, default=25, metavar="N",
                        help="functions to show of each thread (%(default)s)")
    options = measure.arguments(parser)
    print(f"at first {measure.loads()}; load: {options.load}\n")
    with tempfile.TemporaryDirectory() as scratch:
        print_steps(options, scratch)
        print(flush=True)
        if shutil.which("strace"):
            print_system_calls(options, scratch)
        else:
            print("system calls: not counted, strace is not installed")
        sys.stdout.flush()
        if shutil.which("callgrind_annotate"):
            print_instructions(options, scratch)
        else:
            print("instructions: not counted, valgrind is not installed")
    print(f"\nat last {measure.loads()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
