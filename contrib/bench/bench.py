#!/usr/bin/env python3
"""What tracing costs: vastrace, the bare floor of ptrace and the peers that are installed, over the
same programs, in turn in one run. Prints one table of ratios to the floor; README.md tells how to
read it.

    bench.py --vastrace FILE --bin DIR [--runs N] [--rows WORDS] [--tracers WORDS] [--one-cpu]
"""
import dataclasses
import os
import shutil
import statistics
import sys
import tempfile

import measure


@dataclasses.dataclass
class Tracer:
    name: str
    prefix: list          # of the command
    slow: bool = False    # gets a row's `slow_part` of the calls, and no more than two rounds
    skips: dict = dataclasses.field(default_factory=dict)  # row to why it is not run


@dataclasses.dataclass
class Row:
    name: str
    command: list         # with the number of calls to come behind it, if there are any
    calls: int = 0        # 0: the whole program is one
    slow_part: int = 50


def tracers(options, scratch):
    calls = "mmap,munmap,mprotect,mremap,brk"
    cpu = str(max(os.sched_getaffinity(0)))
    strace = ["strace", "--seccomp-bpf", "-f", "-qq", "-o", os.path.join(scratch, "strace"),
              "-e", "trace=" + calls]
    return [
        Tracer("floor", measure.floor(options)),
        Tracer("untraced", []),
        Tracer("text", measure.vastrace(options, scratch, "txt")),
        Tracer("jsonl", measure.vastrace(options, scratch, "jsonl")),
        Tracer("vas", measure.vastrace(options, scratch, "vas")),
        Tracer("-k", measure.vastrace(options, scratch, "txt", "-k")),
        Tracer("-k lines", measure.vastrace(options, scratch, "txt", "-k", "--debug-files")),
        Tracer("text --cpu", measure.vastrace(options, scratch, "txt", "--cpu", cpu)),
        Tracer("vas --cpu", measure.vastrace(options, scratch, "vas", "--cpu", cpu)),
        Tracer("strace", strace),
        Tracer("strace -k", strace + ["-k"], slow=True, skips={
            "512 threads": "too few calls a thread to tell them from its start",
            "60,000 regions": "reads the whole map again at each of the calls that make them"}),
        Tracer("perf trace", ["perf", "trace", "-o", os.path.join(scratch, "perf"), "-e", calls,
                              "--"]),
        Tracer("massif", ["valgrind", "--tool=massif", "--pages-as-heap=yes", "--max-threads=600",
                          f"--massif-out-file={scratch}/massif.%p"],
               skips={"60,000 regions": "is built for fewer segments"}),
    ]


def rows(options, scratch):
    def load(*words):
        return measure.load(options, *words)
    table = [
        Row("mmap, munmap", load("mmap"), 10000),
        Row("brk", load("brk"), 10000),
        Row("mprotect splits", load("mprotect"), 10000),
        Row("no memory call", load("getppid"), 500000),
        Row("16 frames", load("deep"), 10000),
        Row("60 regions", load("regions", 60), 10000),
        Row("60,000 regions", load("regions", 60000), 10000),
        Row("8 threads", load("threads", 8), 8192),
        Row("512 threads", load("threads", 512), 8192),
        Row("50 processes", load("processes", 50), 10000, slow_part=10),
        Row("python3 starts", [sys.executable, "-I", "-c", "import json, decimal, argparse"]),
    ]
    if shutil.which("gcc"):
        source = os.path.join(scratch, "source.c")
        write_source(source)
        table.append(Row("gcc -O1 -c", ["gcc", "-O1", "-c", source, "-o", source + ".o"]))
    return table


def write_source(name):
    """A C file that takes a compiler some tenths of a second."""
    with open(name, "w", encoding="ascii") as out:
        out.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n")
        for i in range(150):
            out.write(f"""
struct s{i} {{ int key; char name[{i + 8}]; struct s{i} *next; }};
int f{i}(struct s{i} *list, const char *name)
{{
    int sum = {i};
    for (struct s{i} *s = list; s; s = s->next) {{
        switch (s->key % 5) {{
        case 0: sum += (int)strlen(s->name); break;
        case 1: sum ^= s->key << {i % 7}; break;
        case 2: sum -= strcmp(s->name, name); break;
        default: printf("%d %s\\n", sum, s->name);
        }}
    }}
    return sum;
}}
""")


def wanted(table, words):
    return [entry for entry in table
            if not words or any(word in entry.name for word in words.split(","))]


def usable(table, notes):
    """The tracers that can trace here; of the others a note says why not."""
    result = []
    for tracer in table:
        try:
            if tracer.prefix and not shutil.which(tracer.prefix[0]):
                raise measure.Failure("not installed")
            measure.run(tracer.prefix + ["true"])
            result.append(tracer)
        except measure.Failure as failure:
            if tracer.name == "floor":
                sys.exit(f"bench: the floor cannot trace here: {failure}")
            notes.append(f"{tracer.name}: {failure}")
    return result


def measure_row(row, table, options, notes):
    """Costs of one call by tracer name, each a list by rounds."""
    costs = {}
    given_up = set()
    for turn in range(options.runs):
        for i in range(len(table)):  # each round begins with another: none always follows the same
            tracer = table[(turn + i) % len(table)]
            why = tracer.skips.get(row.name)
            calls = row.calls // (row.slow_part if tracer.slow else 1)
            if why and not turn:
                notes.append(f"{tracer.name}, {row.name}: not run: {why}")
            if why or tracer.name in given_up or (tracer.slow and turn > 1):
                continue
            try:
                cost = measure.run(tracer.prefix + row.command + ([str(calls)] if calls else []),
                                   options.limit)
            except measure.Failure as failure:
                notes.append(f"{tracer.name}, {row.name}: {failure}")
                given_up.add(tracer.name)
                costs.pop(tracer.name, None)
                continue
            costs.setdefault(tracer.name, []).append(
                (cost.cpu / max(calls, 1), cost.wall / max(calls, 1)))
    return costs


def print_row(row, table, costs):
    for which, word in enumerate(("cpu", "wall")):
        floors = [cost[which] for cost in costs["floor"]]
        middle = statistics.median(floors)
        text = f"{middle * 1e6:9.2f} us" if row.calls else f"{middle * 1e3:9.1f} ms"
        line = f"{row.name if not which else '':16}{word:>5}{text}{measure.spread(floors):6.0%}"
        for tracer in table:
            if tracer.name != "floor":
                values = [cost[which] for cost in costs.get(tracer.name, [])]
                ratio = f"{measure.median_ratio(values, floors):.2f}" if values else "-"
                line += f"{ratio:>11}"
        print(line, flush=True)


def main():
    parser = measure.parser(__doc__, runs=5)
    parser.add_argument("--rows", default="", metavar="WORDS",
                        help="only programs whose name holds one of these, with commas between")
    parser.add_argument("--tracers", default="", metavar="WORDS",
                        help="only such tracers (the floor is always there)")
    parser.add_argument("--limit", type=float, default=30, metavar="S",
                        help="leave a tracer out where a run takes longer (%(default)s s)")
    parser.add_argument("--one-cpu", action="store_true",
                        help="keep all of a tracer and what it traces on one processor")
    options = measure.arguments(parser)
    if options.one_cpu:
        measure.keep_on_one_cpu()
    notes = []
    with tempfile.TemporaryDirectory() as scratch:
        table = tracers(options, scratch)
        table = usable(table[:1] + wanted(table[1:], options.tracers), notes)
        print(f"cost of one call (of a whole program: of its run), medians of {options.runs} "
              f"rounds, at first {measure.loads()}\n"
              "floor: what the bare tracer and what it traces take, and the spread of that; "
              "others: their ratio to it\n")
        print(f"{'':16}{'':5}{'floor':>12}{'+-':>6}" +
              "".join(f"{tracer.name:>11}" for tracer in table[1:]))
        chosen = wanted(rows(options, scratch), options.rows)
        for row in chosen:
            print_row(row, table, measure_row(row, table, options, notes))
    for tracer in table:
        if tracer.slow:
            parts = ", ".join(f"1/{row.slow_part} ({row.name})" for row in chosen
                              if row.calls and row.name not in tracer.skips)
            notes.append(f"{tracer.name}: 2 rounds at most, and so much of the calls: {parts}; "
                         "a call's cost is shown, as of all")
    print(f"\nat last {measure.loads()}")
    for note in notes:
        print("note:", note)
    return 0


if __name__ == "__main__":
    sys.exit(main())
