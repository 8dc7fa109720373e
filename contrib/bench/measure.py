"""What the other scripts here share: tracers, and what one run of a command costs."""
import argparse
import ctypes
import dataclasses
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

PR_SET_CHILD_SUBREAPER = 36


class Failure(Exception):
    """A command that could not be measured; the text says why, in a few words."""


@dataclasses.dataclass
class Cost:
    """What was used between a load's `begin` and `end`; by other programs: in all."""
    wall: float      # seconds
    cpu: float       # seconds, user and system, of the tracer, its threads and all it traces
    switches: int    # context switches of the same, in all


def adopt_orphans():
    """A tracer may leave what it traced to be reaped by others; here it is counted all the same."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def keep_on_one_cpu():
    """This and all that is run from here on."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def run(command, limit=60.0, prepare=None):
    """Run it to its end; prepare(pid), if given, is called before a load begins to work."""
    start = time.monotonic_ns()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    late = threading.Event()

    def kill():
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(limit, kill)
    timer.start()
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    try:
        if prepare:
            prepare(process.pid)
        process.stdin.close()  # a load waits for this
        output = process.stdout.read()
        reader.join()
        # The first to be reaped is not always the tracer: all of the tree are waited for.
        used, switches, status = 0.0, 0, None
        while True:
            try:
                pid, code, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            end = time.monotonic_ns()
            used += usage.ru_utime + usage.ru_stime
            switches += usage.ru_nvcsw + usage.ru_nivcsw
            if pid == process.pid:
                status = code
                process.returncode = os.waitstatus_to_exitcode(code)
    except BaseException:
        kill()
        raise
    finally:
        timer.cancel()
        process.stdout.close()
        process.stderr.close()
    if late.is_set():
        raise Failure(f"over {limit:g} s a run")
    if status:
        words = errors[0].decode(errors="replace").strip().splitlines()
        raise Failure(f"status {process.returncode}" + (f": {words[-1][:90]}" if words else ""))
    marks = {}
    for line in output.splitlines():
        words = line.split()
        if words[:1] == [b"begin"] or words[:1] == [b"end"]:
            clock, own, parent, parents = map(int, words[1:])
            # Without a tracer in between, the parent is this script.
            marks[words[0]] = (clock, own + (parents if parent != os.getpid() else 0))
    if len(marks) == 2:
        start, end = marks[b"begin"][0], marks[b"end"][0]
        used = (marks[b"end"][1] - marks[b"begin"][1]) / 1e9
    return Cost((end - start) / 1e9, used, switches)


def vastrace(options, scratch, suffix, *more):
    """The prefix of a command traced by vastrace into a file of that format."""
    return [options.vastrace, "-q", *more, "-o", os.path.join(scratch, "run." + suffix), "--"]


def floor(options, *more):
    return [os.path.join(options.bin, "bench_floor"), *more]


def load(options, *words):
    return [os.path.join(options.bin, "bench_load"), *map(str, words)]


def median_ratio(values, floors):
    """The median of the ratios round by round: what disturbs a round disturbs both."""
    return statistics.median(v / f for v, f in zip(values, floors))


def spread(values):
    """The distance of the quartiles over the median."""
    if len(values) < 4:
        return (max(values) - min(values)) / statistics.median(values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle


def loads():
    return "load average " + " ".join(f"{value:.1f}" for value in os.getloadavg())


def parser(text, runs):
    result = argparse.ArgumentParser(description=text,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--vastrace", required=True, metavar="FILE", help="the program to measure")
    result.add_argument("--bin", required=True, metavar="DIR",
                        help="where bench_floor and bench_load are")
    result.add_argument("--runs", type=int, default=runs, metavar="N",
                        help="rounds, of which medians are taken (%(default)s)")
    return result


def arguments(result):
    """As typed, and before that what the environment adds (for the targets of the build)."""
    options = result.parse_args(os.environ.get("BENCH_OPTIONS", "").split() + sys.argv[1:])
    adopt_orphans()
    return options
