#!/usr/bin/env python3
"""What it matters on which processors a tracer's threads and the traced program run: the same
loads, unpinned and pinned in several ways, in turn; each placement's cost, and its ratio to the
floor in the same placement and to the unpinned floor.

    placement.py --vastrace FILE --bin DIR [--runs N]
"""
import os
import statistics
import sys
import tempfile
import time

import measure


def children(pid):
    """The processes that this one's threads started."""
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/children", encoding="ascii") as names:
            found += [int(word) for word in names.read().split()]
    return found


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as name:
        return name.read().strip()


def place(pid, writers, tracer_cpu, writer_cpu, load_cpu):
    """Once the load waits at its beginning, put each on its processor."""
    patience = time.monotonic() + 20
    while True:
        threads = [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]
        loads = [child for child in children(pid) if name_of(child) == "bench_load"]
        if len(threads) > writers and loads and waits(loads[0]):
            break
        if time.monotonic() > patience:
            raise measure.Failure(f"{name_of(pid)} has {len(threads)} threads and not "
                                  f"{writers + 1}, or its load does not wait: {loads}")
        time.sleep(0.005)
    for tid in threads:
        os.sched_setaffinity(tid, {tracer_cpu if tid == pid else writer_cpu})
    os.sched_setaffinity(loads[0], {load_cpu})


def waits(pid):
    """In its read of standard input, that is."""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as call:
        return call.read().split()[:2] == ["0", "0x0"]


def placements(first, second):
    """Name; the processors of the tracer, its writers and the load, or null for where they like;
    and the part of the calls that is enough, since waking another processor can be very slow."""
    return [
        ("unpinned", None, 1),
        ("all on one", (first, first, first), 1),
        ("writers apart", (first, second, first), 1),
        ("load apart", (first, first, second), 16),
        ("tracer apart", (first, second, second), 16),
    ]


def main():
    parser = measure.parser(__doc__, runs=7)
    options = measure.arguments(parser)
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        sys.exit("placement: needs two processors to choose from")
    loads = [("mmap, munmap", measure.load(options, "mmap"), 20000),
             ("8 threads", measure.load(options, "threads", 8), 16384)]
    table = placements(*processors[:2])
    with tempfile.TemporaryDirectory() as scratch:
        # Name, prefix and the threads beside the one that traces.
        tracers = [("floor", measure.floor(options), 0),
                   ("text", measure.vastrace(options, scratch, "txt"), 1),
                   ("jsonl", measure.vastrace(options, scratch, "jsonl"), 1),
                   ("vas", measure.vastrace(options, scratch, "vas"), 1),
                   ("-k", measure.vastrace(options, scratch, "txt", "-k"), 1)]
        print(f"us of one call, medians of {options.runs} rounds, at first {measure.loads()}")
        for title, command, calls in loads:
            costs = {}
            for _ in range(options.runs):
                for where, cpus, part in table:
                    for name, prefix, writers in tracers:
                        prepare = cpus and (lambda pid, w=writers, c=cpus: place(pid, w, *c))
                        cost = measure.run(prefix + command + [str(calls // part)],
                                           prepare=prepare)
                        costs.setdefault((where, name), []).append(
                            {"cpu": cost.cpu / calls * part * 1e6,
                             "wall": cost.wall / calls * part * 1e6})
            print(f"\n{title:16}{'':>8}{'cpu':>8}{'of floor':>9}{'of unpinned':>12}"
                  f"{'wall':>10}{'of floor':>9}{'of unpinned':>12}")
            for where, _, _ in table:
                for name, _, _ in tracers:
                    line = f"{where if name == 'floor' else '':16}{name:>8}"
                    for field, width in (("cpu", 8), ("wall", 10)):
                        values, here, free = (
                            [cost[field] for cost in costs[key]]
                            for key in ((where, name), (where, "floor"), ("unpinned", "floor")))
                        line += (f"{statistics.median(values):{width}.2f}"
                                 f"{measure.median_ratio(values, here):9.2f}"
                                 f"{measure.median_ratio(values, free):12.2f}")
                    print(line, flush=True)
    print(f"\nat last {measure.loads()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
