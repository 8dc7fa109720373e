"""How quickly pages open and move: measure.py VASTRACE LOAD [EVENTS...]

LOAD is contrib/bench's bench_load. For each number of events (100000 and 1000000 if none is given)
a program that maps and unmaps, and one that changes permissions, are traced into pages. Printed are
the size per event, the time from the page's start to its first picture, and the time that one frame
of panning and of zooming takes to draw (median and 95th percentile of 60). The same frames are
drawn five times, and of each the quickest counts: what a busy machine adds is left out, what the
page itself takes at that place is not.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from page import Browser

FRAMES = """
    const v = vastrace, w = v.window, times = [];
    w.reset();
    v.frame = -1; // no frames but these
    w.zoomX((w.x0 + w.x1) / 2, 0.4);
    for (let i = 0; i < 60; i++) {
        if (arguments[0])
            v.panPixels(i < 30 ? 12 : -12, 0);
        else
            w.zoomX((w.x0 + w.x1) / 2, i < 30 ? 0.85 : 1 / 0.85);
        v.want('picture');
        const begun = performance.now();
        v.drawWanted();
        times.push(performance.now() - begun);
    }
    v.frame = 0;
    return times"""


def main():
    vastrace, load = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as scratch, Browser() as browser:
        print(f"{'page':24} {'bytes/event':>11} {'opens in':>9}   pan: median, 95 %     zoom: median, 95 %")
        for events in [int(text) for text in sys.argv[3:]] or [100000, 1000000]:
            for what, count in (("mmap", events // 2), ("mprotect", events)):
                page = pathlib.Path(scratch, "page.html")
                subprocess.run([vastrace, "-q", "-o", page, "--", load, what, str(count)], check=True)
                browser.open(page)
                told = browser.run("return [vastrace.trace.count, vastrace.loadTime]")
                line = f"{what + ' ' + str(told[0]):24} {os.path.getsize(page) / told[0]:11.1f} {told[1] / 1000:7.2f} s"
                for pan in (True, False):
                    rounds = [browser.run(FRAMES, pan) for _ in range(5)]
                    times = sorted(min(frame) for frame in zip(*rounds))
                    line += f"   {statistics.median(times):6.1f}, {times[57]:5.1f} ms    "
                print(line, flush=True)


main()
