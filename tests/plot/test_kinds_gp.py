"""Tests of contrib/plot/kinds.gp: test_kinds_gp.py VASTRACE FIXTURES SOURCE

The picture's texts have to tell what the recording of the same run knows, and its pixels have to
be of the kinds' colours. Ends with 77 if gnuplot is missing.
"""
import contextlib
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
import zlib

VASTRACE, FIXTURES, SOURCE = sys.argv[1:4]
SCRIPT = os.path.join(SOURCE, "contrib/plot/kinds.gp")

if not shutil.which("gnuplot"):
    print("skipped: no gnuplot (Debian: gnuplot-nox)")
    sys.exit(77)


def human(count):
    if count >= 1 << 20:
        return f"{count / (1 << 20):.1f} MiB"
    return f"{count / 1024:.0f} KiB"


def pixels(path):
    """The colours of a PNG without interlacing, and how often each occurs; without libraries."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, palette = 8, b"", None
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if name == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", body[:10])
        elif name == b"PLTE":
            palette = [body[i : i + 3] for i in range(0, length, 3)]
        elif name == b"IDAT":
            packed += body
        at += 12 + length
    assert depth == 8
    step = {2: 3, 3: 1, 6: 4}[color]
    raw, line, counts = zlib.decompress(packed), bytes(width * step), {}
    for y in range(height):
        begin = y * (width * step + 1)
        kind, row = raw[begin], bytearray(raw[begin + 1 : begin + 1 + width * step])
        for i, _ in enumerate(row):
            left, up = row[i - step] if i >= step else 0, line[i]
            corner = line[i - step] if i >= step else 0
            if kind == 4:
                guess = left + up - corner
                near = sorted((abs(guess - v), n) for n, v in enumerate((left, up, corner)))[0][1]
                add = (left, up, corner)[near]
            else:
                add = (0, left, up, (left + up) // 2)[kind]
            row[i] = (row[i] + add) & 255
        line = bytes(row)
        for i in range(0, len(line), step):
            pixel = palette[line[i]] if palette else line[i : i + 3]
            counts[pixel] = counts.get(pixel, 0) + 1
    return counts


class Gnuplot(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kinds-gp-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def trace(self, *command):
        base = os.path.join(self.folder, "run")
        subprocess.run(
            [
                VASTRACE,
                "-q",
                "--verify",
                "-o",
                base + ".csv",
                "-o",
                base + ".vas",
                "--",
                os.path.join(FIXTURES, command[0]),
                *command[1:],
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=600,
        )
        with contextlib.closing(sqlite3.connect(base + ".vas")) as db:
            totals = db.execute(
                "SELECT p.pid, k.kind, k.peak_bytes FROM kind_totals k "
                "JOIN processes p ON p.id = k.process"
            ).fetchall()
            usable = dict(db.execute("SELECT pid, usable_peak_bytes FROM processes").fetchall())
        return base, totals, usable

    def plot(self, base, ending, pid=None):
        out = f"{base}.{ending}"
        settings = f"csv='{base}.csv'; out='{out}'" + (f"; pid={pid}" if pid else "")
        result = subprocess.run(
            ["gnuplot", "-e", settings, SCRIPT], capture_output=True, timeout=600
        )
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return out

    def check_texts(self, base, totals, usable, pid, given):
        tree = xml.etree.ElementTree.parse(self.plot(base, "svg", given))
        texts = " | ".join(
            re.sub(r"\s+", " ", "".join(node.itertext()))
            for node in tree.iter()
            if node.tag.endswith("}text")
        )
        self.assertIn(f"process {pid}: {human(usable[pid])} usable at most", texts)
        closed = 0
        for process, kind, peak in totals:
            if process == pid and kind in ("guard", "reserve"):
                closed += peak
            elif process == pid and peak:
                self.assertRegex(texts, rf"(^| ){kind} {re.escape(human(peak))}( |$)")
        self.assertEqual("PROT_NONE" in texts, closed > 0, texts)

    def test_peaks_are_those_of_the_recording(self):
        base, totals, usable = self.trace("fixture", "brk")
        pid = totals[0][0]
        self.check_texts(base, totals, usable, pid, None)

    def test_a_process_can_be_chosen(self):
        base, totals, usable = self.trace("fixture", "fork")
        self.assertGreater(len(usable), 1)
        for pid in usable:
            self.check_texts(base, totals, usable, pid, pid)

    def test_what_is_reserved_is_apart(self):
        base, totals, usable = self.trace("fixture", "threads-map", "3", "20")
        self.assertTrue(any(kind in ("guard", "reserve") and peak for _, kind, peak in totals))
        self.check_texts(base, totals, usable, totals[0][0], None)

    def test_the_pixels_are_of_the_kinds(self):
        base, _, _ = self.trace("fixture", "brk")
        counts = pixels(self.plot(base, "png"))
        for color in ("0c5ca4", "34acf9"):  # text, rodata: most of a small program
            self.assertGreater(counts.get(bytes.fromhex(color), 0), 5000, color)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
