#!/usr/bin/env python3
"""Does the cost of a memory call stay the same as the program grows? Its processor time against the
number of regions, of threads, of processes and of events so far, and the tracer's peak memory
against the events: for vastrace and for the floor under the same load, as a table and a plot.

    growth.py --vastrace FILE --bin DIR [--runs N] [--most-events N] [-o PICTURE]

All of a tracer and of what it traces is kept on one processor, so that what the scheduler makes of
it is no part of the figures; --all-cpus leaves it free.
"""
import os
import statistics
import sys
import tempfile
import threading
import time

import measure

# What grows, the load and its calls, and from which value on it should stay flat.
SERIES = [
    ("regions", "regions", 20000, (60, 600, 6000, 60000), 60),
    ("threads", "crew", 65536, (1, 8, 64, 512), 8),
    ("processes", "herd", 100000, (1, 10, 50, 200), 1),
]
EVENTS = 10000  # the first point of that series; each further one is ten times as many
# Okabe and Ito's colours, which colour-blind readers can tell apart.
LOOKS = {"floor": ("#7f7f7f", "s"), "text": ("#0072b2", "o"), "recording": ("#d55e00", "^"),
         "JSON Lines": ("#009e73", "v"), "-k": ("#cc79a7", "D")}


class Peak:
    """The peak memory of a process, read as long as it is there."""

    def __init__(self):
        self.bytes = 0

    def __call__(self, pid):
        threading.Thread(target=self.watch, args=(pid,), daemon=True).start()

    def watch(self, pid):
        try:
            while True:
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
                    peaks = [line for line in lines if line.startswith("VmHWM")]
                if not peaks:  # it has ended
                    return
                self.bytes = int(peaks[0].split()[1]) * 1024
                time.sleep(0.01)
        except OSError:
            return


def measure_point(tracers, command, calls, runs):
    """By tracer the costs of one call in microseconds, round by round, and the peak memory."""
    costs = {name: {"cpu": [], "wall": [], "peak": []} for name in tracers}
    for _ in range(runs):
        for name, prefix in tracers.items():
            peak = Peak()
            cost = measure.run(prefix + command + [str(calls)], limit=3600, prepare=peak)
            costs[name]["cpu"].append(cost.cpu / calls * 1e6)
            costs[name]["wall"].append(cost.wall / calls * 1e6)
            costs[name]["peak"].append(peak.bytes)
    return costs


def header(tracers):
    others = [name for name in tracers if name != "floor"]
    return (f"{'':20}{'floor us':>10}{'+-':>6}" + "".join(f"{name:>12}" for name in tracers
                                                          if name != "floor") +
            "   growth:" + "".join(f"{name:>12}" for name in tracers) +
            "   peak MiB:" + "".join(f"{name:>12}" for name in others))


def print_point(title, tracers, costs, base):
    floors = costs["floor"]["cpu"]
    line = f"{title:20}{statistics.median(floors):10.2f}{measure.spread(floors):6.0%}"
    for name in tracers:
        if name != "floor":
            line += f"{measure.median_ratio(costs[name]['cpu'], floors):12.2f}"
    line += "          "
    for name in tracers:
        growth = (statistics.median(costs[name]["cpu"]) / statistics.median(base[name]["cpu"])
                  if base else 0)
        line += f"{growth:12.2f}" if base else f"{'':>12}"
    line += "            "
    for name in tracers:
        if name != "floor":
            line += f"{max(costs[name]['peak']) / 2**20:12.1f}"
    print(line, flush=True)


def measure_all(options, scratch):
    """[(what grows, [(value, costs)])], printed as they come."""
    tracers = {"floor": measure.floor(options),
               "text": measure.vastrace(options, scratch, "txt"),
               "recording": measure.vastrace(options, scratch, "vas")}
    print(header(tracers))
    events = [EVENTS]
    while events[-1] * 10 <= options.most_events:
        events.append(events[-1] * 10)
    series = [(name, load, calls, values, base) for name, load, calls, values, base in SERIES
              if not options.only or name in options.only.split(",")]
    if not options.only or "events" in options.only.split(","):
        series.append(("events", "mmap", None, events, EVENTS))
    results = []
    for name, load, calls, values, base_value in series:
        points, base = [], None
        for value in values:
            command = measure.load(options, load, *([value] if calls else []))
            runs = 1 if value > 1000000 else options.runs
            costs = measure_point(tracers, command, calls or value, runs)
            points.append((value, costs))
            if value == base_value:
                base = costs
            print_point(f"{value:,} {name}", tracers, costs, base)
        results.append((name, points))
    return results


def highest(points):
    return max(statistics.median(by_field["cpu"]) for _, costs in points
               for by_field in costs.values())


def draw(results, picture, runs):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullLocator

    def short(value, _=None):
        for limit, unit in ((10**6, "M"), (10**3, "k")):
            if value >= limit:
                return f"{value / limit:g}{unit}"
        return f"{value:g}"

    panels = [(name, points, "cpu") for name, points in results]
    panels += [(name, points, "peak") for name, points in results if name == "events"]
    columns = min(len(panels) + 1, 3)
    lines = len(panels) // columns + 1  # one place at least is left for the legend
    figure, axes = pyplot.subplots(lines, columns, figsize=(4.6 * columns, 4 * lines),
                                   squeeze=False, layout="constrained")
    axes = [axis for line in axes for axis in line]
    for axis, (grows, points, field) in zip(axes, panels):
        values = [value for value, _ in points]
        top = 0
        for name in points[0][1]:
            if field == "peak" and name == "floor":
                continue
            colour, marker = LOOKS[name]
            heights = [statistics.median(costs[name][field]) if field == "cpu" else
                       max(costs[name][field]) / 2**20 for _, costs in points]
            top = max(top, *heights)
            axis.plot(values, heights, color=colour, marker=marker, label=name, linewidth=1.8)
            for (value, costs), height in zip(points, heights):
                text = f"{height:.1f}"
                if field == "cpu" and name != "floor":
                    ratio = measure.median_ratio(costs[name]["cpu"], costs["floor"]["cpu"])
                    text = f"{ratio:.2f}x"
                place = {"xytext": (0, 7 if name == "recording" else -14), "ha": "center"}
                floor = statistics.median(costs["floor"]["cpu"])
                if name == "text" and field == "cpu" and height - floor < 0.1 * highest(points):
                    place = {"xytext": (8, -4), "ha": "left"}  # the floor's mark is below it
                axis.annotate(text, (value, height), textcoords="offset points", fontsize=8.5,
                              color=colour, bbox={"color": "white", "pad": 0.5}, zorder=1.5,
                              **place)
        axis.set_xscale("log")
        axis.set_xlim(values[0] / 1.9, values[-1] * 1.9)
        axis.set_xticks(values)
        axis.xaxis.set_major_formatter(FuncFormatter(short))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_ylim(0, 1.15 * top)
        axis.set_title({"cpu": f"Cost of a memory call by {grows}",
                        "peak": "Memory of the tracer by events"}[field], fontsize=11)
        axis.set_xlabel({"events": "events traced"}.get(grows, grows))
        axis.set_ylabel({"cpu": "processor time of one call, us",
                         "peak": "peak of the tracer, MiB"}[field])
        axis.grid(axis="y", color="#dddddd", linewidth=0.7)
        axis.set_axisbelow(True)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    for axis in axes[len(panels):]:
        axis.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    words = {"floor": "floor: the bare two stops\n(its numbers: us)"}
    axes[-1].legend(handles, [words.get(label, f"vastrace, {label}\n(its numbers: times the floor)")
                              for label in labels],
                    loc="center", frameon=False, fontsize=10, labelspacing=1.2)
    axes[-1].text(0.5, 0.12, "user and system time of the tracer,\nits threads and the traced "
                  f"program,\nmedians of {runs} rounds, taken in turn", ha="center",
                  fontsize=9, color="#555555", transform=axes[-1].transAxes)
    figure.savefig(picture, dpi=110)


def main():
    parser = measure.parser(__doc__, runs=3)
    parser.add_argument("--only", default="", metavar="WORDS",
                        help="regions, threads, processes, events, with commas between")
    parser.add_argument("--most-events", type=int, default=1000000, metavar="N",
                        help="the end of the series of events (%(default)s)")
    parser.add_argument("--all-cpus", action="store_true", help="do not keep all on one processor")
    parser.add_argument("-o", "--output", default="growth.png", metavar="PICTURE",
                        help="what to draw, by its ending a PNG, SVG or PDF (%(default)s)")
    options = measure.arguments(parser)
    if not options.all_cpus:
        measure.keep_on_one_cpu()
    print(f"processor time of one call, medians of {options.runs} rounds, at first "
          f"{measure.loads()}\nfloor in us and its spread; others as times the floor; growth: "
          "times its own cost at the series' base\n")
    with tempfile.TemporaryDirectory() as scratch:
        results = measure_all(options, scratch)
    print(f"\nat last {measure.loads()}")
    try:
        draw(results, options.output, options.runs)
    except ImportError as why:
        sys.exit(f"growth: cannot draw: {why} (install python3-matplotlib)")
    print(f"drawn: {os.path.abspath(options.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
