"""Tests of contrib/plot/vasplot on real traces: test_vasplot.py VASTRACE FIXTURES SOURCE

What is drawn is checked by facts: the rectangles against the recording's regions (by SQL of this
file's own) and against the bytes that vastrace tells with every event, the places of all texts by
their extents, colours by the pixels of the picture. Ends with 77 if matplotlib is missing.
"""
import contextlib
import importlib.machinery
import importlib.util
import itertools
import io
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

try:
    import matplotlib.image
    import numpy as np
except ImportError as missing:
    print(f"skipped: no Python module {missing.name} (Debian: python3-matplotlib)")
    sys.exit(77)

VASTRACE, FIXTURES, SOURCE = sys.argv[1:4]
SCRIPT = os.path.join(SOURCE, "contrib/plot/vasplot")


def load():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("vasplot", SCRIPT)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("vasplot", loader))
    loader.exec_module(module)
    return module


vasplot = load()
vasplot.settle_matplotlib(False)
FORMATS = ("jsonl", "csv", "vas")

# Programs with a life of which every picture has to be true.
PROGRAMS = (
    ("fixture", "brk"),
    ("fixture", "dlopen"),
    ("fixture", "fork"),
    ("fixture", "vfork"),
    ("fixture", "exec-chain", "2"),
    ("fixture", "mremap-fixed-over"),
    ("fixture", "mremap-dontunmap"),
    ("fixture", "names"),
    ("fixture", "exec-hostile"),
    ("fixture", "stack-deep"),
    ("fixture", "threads-map", "3", "50"),
    ("fixture-static", "brk"),
    ("fixture-nopie", "brk"),
    ("fixture-m32", "shmat"),
)


class Traced:
    """Traces made live, once for all tests, in all formats at once."""

    folder = tempfile.TemporaryDirectory(prefix="vasplot-")
    made = {}

    @classmethod
    def of(cls, *command):
        program = os.path.join(FIXTURES, command[0])
        if not os.path.exists(program):
            return None
        if command not in cls.made:
            base = os.path.join(cls.folder.name, str(len(cls.made)))
            outputs = [["-o", f"{base}.{name}"] for name in FORMATS]
            result = subprocess.run(
                [VASTRACE, "-q", "--verify", *itertools.chain(*outputs), "--", program]
                + list(command[1:]),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=600,
            )
            if result.returncode == 125:
                raise AssertionError(f"{command}: {result.stderr.decode()}")
            cls.made[command] = base
        return cls.made[command]

    @classmethod
    def all(cls):
        for command in PROGRAMS:
            base = cls.of(*command)
            if base:
                yield " ".join(command), base


def options(*words):
    return vasplot.parse([*words, "-o", "none.png"])


def draw(trace, *words):
    """The picture, laid out, as the program makes it."""
    picture = vasplot.picture_of(trace, options(*words))
    picture.figure.draw_without_rendering()
    return picture


def start(arguments, **more):
    """The program itself, as a process: its status and what it wrote."""
    result = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, timeout=600, **more
    )
    return result.returncode, result.stderr.decode()


def run(arguments, given=b""):
    """The same within this process, which saves the time that matplotlib takes to be loaded."""
    stdin, said = sys.stdin, io.StringIO()
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(given)))
    try:
        with contextlib.redirect_stderr(said):
            vasplot.main([*arguments, "--dpi", "60"])
        return 0, said.getvalue()
    except vasplot.Failure as failure:
        return 1, f"{said.getvalue()}vasplot: {failure}\n"
    finally:
        sys.stdin = stdin


def canonical(rows):
    """Rectangles (space, t0, t1, kind, perm, name, start, end), neighbours alike made one."""
    rows = sorted(rows)
    found = []
    for row in rows:
        if found and found[-1][:6] == row[:6] and found[-1][7] == row[6]:
            found[-1] = (*found[-1][:7], row[7])
        else:
            found.append(row)
    return found


def rectangles(trace):
    def word(words, number):
        return words[number] if number >= 0 else ""

    return canonical(
        (
            int(r["space"]),
            int(r["t0"]),
            int(r["t1"]),
            vasplot.KINDS[r["kind"]],
            word(trace.perms, r["perm"]),
            word(trace.names, r["name"]),
            int(r["start"]),
            int(r["end"]),
        )
        for r in trace.rectangles
    )


def regions(path):
    """The same from the recording, by SQL."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes
        last = db.execute("SELECT max(time) + 1 FROM events").fetchone()[0]
        rows = db.execute(
            "SELECT r.space, m.time, x.time, r.kind, r.perm, o.name, r.start, r.end FROM regions r "
            "JOIN events m ON m.seq = r.made_event LEFT JOIN events x ON x.seq = r.ended_event "
            "LEFT JOIN objects o ON o.id = r.object"
        ).fetchall()

    def name(raw):
        return "" if raw is None else raw.decode("utf-8", "bad-bytes")

    return canonical(
        (
            space,
            t0,
            last if t1 is None else t1,
            kind.decode(),
            perm.decode(),
            name(thing),
            start % 2**64,
            end % 2**64 or 2**64,
        )
        for space, t0, t1, kind, perm, thing, start, end in rows
        if t1 is None or t0 < t1
    )


def bad_bytes(error):
    """As JSON Lines writes them: U+FFFD and two digits."""
    raw = error.object[error.start : error.end]
    return "".join(f"\ufffd{byte:02x}" for byte in raw), error.end


__import__("codecs").register_error("bad-bytes", bad_bytes)


class Reading(unittest.TestCase):
    def test_rectangles_are_the_recordings_regions(self):
        for title, base in Traced.all():
            with self.subTest(title):
                wanted = regions(base + ".vas")
                self.assertGreater(len(wanted), 10)
                self.assertEqual(rectangles(vasplot.read(base + ".jsonl")), wanted)
                self.assertEqual(rectangles(vasplot.read(base + ".vas")), wanted)

    def test_csv_gives_the_same(self):
        for title, base in Traced.all():
            with self.subTest(title):
                self.assertEqual(
                    *(rectangles(vasplot.read(f"{base}.{x}")) for x in ("csv", "jsonl"))
                )

    def test_bytes_are_those_that_vastrace_tells(self):
        """Of each space after each event; --verify held them against the kernel."""
        for title, base in Traced.all():
            trace = vasplot.read(base + ".jsonl")
            told = {}
            with open(base + ".jsonl", encoding="utf-8") as file:
                for record in map(json.loads, file):
                    if record["type"] == "event" and record["space"]:
                        told[record["space"], record["t"]] = record["mapped"]
            with self.subTest(title):
                self.assertGreater(len(told), 5)
                r = trace.rectangles
                for (space, t), mapped in told.items():
                    there = (r["space"] == space) & (r["t0"] <= t) & (t < r["t1"])
                    self.assertEqual(int((r["end"] - r["start"])[there].sum()), mapped, (space, t))

    def test_peaks_are_those_of_the_recording(self):
        for title, base in Traced.all():
            trace = vasplot.read(base + ".vas")
            with contextlib.closing(sqlite3.connect(base + ".vas")) as db:
                peaks = db.execute(
                    "SELECT peak_bytes, usable_peak_bytes FROM processes ORDER BY id"
                ).fetchall()
            for number, (peak, usable) in enumerate(peaks):
                if not all(life.own for life in trace.processes[number].lives):
                    continue  # a vfork child is not drawn with what it borrows
                with self.subTest(title, process=number):
                    view = vasplot.View(trace, number, 0, trace.end + 1)
                    useful = view.of_kinds(vasplot.NO_ACCESS, other=True)
                    self.assertEqual(vasplot.steps(view.rectangles)[1].max(), peak)
                    self.assertEqual(vasplot.steps(useful)[1].max(), usable)

    def test_the_three_inputs_give_one_picture(self):
        base = Traced.of("fixture", "threads-map", "3", "50")
        for what in ("map", "kinds", "layout"):
            pictures = set()
            for name in FORMATS:
                out = os.path.join(Traced.folder.name, "same.png")
                result = run([f"{base}.{name}", "-o", out, "--what", what, "--title", "t"])
                self.assertEqual(result, (0, ""))
                with open(out, "rb") as file:
                    pictures.add(file.read())
            self.assertEqual(len(pictures), 1, what)

    def test_a_pipe_is_as_good_as_a_file(self):
        base = Traced.of("fixture", "brk")
        pictures = set()
        for name in FORMATS:
            out = os.path.join(Traced.folder.name, "piped.svg")
            with open(f"{base}.{name}", "rb") as file:
                self.assertEqual(start(["-o", out, "--title", "t"], stdin=file), (0, ""))
            with open(out, "rb") as file:
                pictures.add(file.read())
        self.assertEqual(len(pictures), 1)

    def test_the_program_may_write_between(self):
        """vastrace -o - and the traced program share standard output; a real pipe."""
        out = os.path.join(Traced.folder.name, "mixed.png")
        command = (
            f'"{VASTRACE}" -q -F jsonl -o - -- /bin/sh -c "echo one; echo two; printf three" | '
            f'"{sys.executable}" "{SCRIPT}" -o "{out}"'
        )
        result = subprocess.run(["/bin/bash", "-c", command], capture_output=True, timeout=600)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"skipped 3 lines that are no record", result.stderr)
        self.assertEqual(matplotlib.image.imread(out).ndim, 3)

    def test_a_cut_trace_is_drawn_and_said_to_be_cut(self):
        base = Traced.of("fixture", "brk")
        out = os.path.join(Traced.folder.name, "cut.png")
        for name in FORMATS:
            if name == "vas":
                continue
            with open(f"{base}.{name}", "rb") as file:
                whole = file.read()
            with self.subTest(name):
                half = whole[: len(whole) // 2]
                status, said = run(["-o", out], half)
                self.assertEqual(status, 0, said)
                self.assertIn("the trace was cut short", said)
                path = os.path.join(Traced.folder.name, "half")
                with open(path, "wb") as file:
                    file.write(half)
                wanted = [row for row in rectangles(vasplot.read(f"{base}.{name}"))]
                found = rectangles(vasplot.read(path))
                last = max(row[2] for row in found)
                self.assertTrue(found)
                # What had ended by then is the same; nothing is there that was not.
                self.assertEqual(
                    [r for r in wanted if r[2] < last - 1], [r for r in found if r[2] < last - 1]
                )

    def test_others_files_are_refused_in_one_line(self):
        folder = Traced.folder.name

        def database(name, *statements):
            path = os.path.join(folder, name)
            with contextlib.closing(sqlite3.connect(path)) as db:
                for statement in ("CREATE TABLE t (a)", *statements):
                    db.execute(statement)
                db.commit()
            return path

        def text(name, content):
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(content)
            return path

        ours = f"PRAGMA application_id = {vasplot.APPLICATION_ID}"
        with open(Traced.of("fixture", "brk") + ".vas", "rb") as file:
            recording = file.read()
        rows = (
            (database("foreign.db"), "no recording of vastrace"),
            (database("newer.vas", ours, "PRAGMA user_version = 999"), "newer than this vasplot"),
            (database("damaged.vas", ours, "PRAGMA user_version = 1"), "cannot read the recording"),
            (text("short.vas", recording[: len(recording) // 3]), "cannot read the recording"),
            (text("empty", b""), "the input is empty"),
            (text("prose", b"once upon a time\n" * 9), "neither JSON Lines nor CSV"),
            (
                text("newer.jsonl", b'{"type":"header","schema":7,"command":null}\n'),
                "newer than this",
            ),
            (text("foreign.csv", b"seq,time,pid,weather\n1,2,3,4\n"), "none of vastrace's"),
            (text("bytes", bytes(range(256)) * 50), "neither JSON Lines nor CSV"),
            (folder, "Is a directory"),
            (os.path.join(folder, "missing"), "No such file"),
        )
        # As a process it says the same, and ends with 1.
        words = [rows[0][0], "-o", "none.png"]
        self.assertEqual(start(words), run(words))
        for path, wanted in rows:
            with self.subTest(path):
                status, said = run([path, "-o", os.path.join(folder, "refused.png")])
                self.assertEqual(status, 1, said)
                self.assertIn(wanted, said)
                self.assertEqual(said.count("\n"), 1, said)
                self.assertTrue(said.startswith("vasplot: "))

    def test_wrong_words_are_refused(self):
        base = Traced.of("fixture", "brk")
        for words in (
            ["--at", "noon"],
            ["--kinds", "heap,soap"],
            ["--size", "0x0"],
            ["--pid", "1"],
            ["--from", "2", "--to", "1"],
            ["--from", "#99999"],
            ["--what", "layout", "--at", "99999"],
            ["--panels", "0"],
        ):
            status, said = run([base + ".jsonl", "-o", "x.png", *words])
            self.assertEqual((status, said.count("\n")), (1, 1), (words, said))
        status, said = run([base + ".jsonl", "-o", "picture.bmp"])
        self.assertEqual((status, said.count("\n")), (1, 1))
        without = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        status, said = start([base + ".jsonl"], env=without)
        self.assertEqual(status, 1)
        self.assertIn("-o picture.png", said)


class Analysis(unittest.TestCase):
    def views(self):
        for title, base in Traced.all():
            trace = vasplot.read(base + ".jsonl")
            for number in range(len(trace.processes)):
                view = vasplot.View(trace, number, 0, trace.end + 1, one=True)
                if len(view.rectangles):
                    yield f"{title}, process {number}", view

    def test_the_scale_keeps_order_and_holds_everything(self):
        for title, view in self.views():
            for most in (30, 8, 1):
                with self.subTest(title, most=most):
                    found = vasplot.areas(view, most)
                    self.assertLessEqual(len(found), most)
                    scale = vasplot.Scale(found, 400.0)
                    r = view.rectangles
                    covered = np.zeros(len(r), bool)
                    for area in found:
                        for run_ in area.runs:
                            covered |= (run_.start <= r["start"]) & (r["end"] <= run_.end)
                        # Each is as large as what was mapped in it.
                        self.assertEqual(area.size, sum(x.end - x.start for x in area.runs))
                    whole = scale.area_of(r["start"]) >= 0
                    self.assertTrue(whole.all())
                    low, high = scale.y(r["start"]), scale.y(r["end"], "left")
                    self.assertTrue((low < high).all())
                    self.assertTrue((low >= 0).all() and (high <= 400.001).all())
                    order = np.argsort(r["start"], kind="stable")
                    self.assertTrue((np.diff(low[order]) >= -1e-9).all())
                    if most == 30:
                        self.assertTrue(covered.any())

    def test_the_areas_have_their_names(self):
        trace = vasplot.read(Traced.of("fixture", "threads-map", "3", "50") + ".jsonl")
        kinds = set(range(len(vasplot.KINDS))) - {vasplot.KIND["vsyscall"]}
        view = vasplot.View(trace, 0, 0, trace.end + 1, kinds, one=True)
        titles = [vasplot.area_title(area) for area in vasplot.areas(view, 30)]
        self.assertEqual(titles[0], "fixture (program)")
        self.assertIn("heap", titles)
        self.assertTrue(any(title.startswith("libc.so.6") for title in titles), titles)
        self.assertTrue(any("thread stack" in title for title in titles), titles)
        self.assertTrue(any(title.startswith("stack") for title in titles), titles)

    def test_the_break_is_that_of_the_recording(self):
        base = Traced.of("fixture", "brk")
        view = vasplot.View(vasplot.read(base + ".jsonl"), 0, 0, 1 << 62)
        times, sizes = vasplot.steps(view.rectangles[view.brk_heap])
        with contextlib.closing(sqlite3.connect(base + ".vas")) as db:
            rows = db.execute("SELECT time, heap FROM events WHERE cause = 'brk'").fetchall()
        self.assertGreater(len(rows), 2)
        for t, heap in rows:
            at = np.searchsorted(times, t, "right") - 1
            self.assertEqual(sizes[at] if at >= 0 else 0, heap, t)

    def test_spread_keeps_the_distance(self):
        dice = random.Random(7)
        for _ in range(300):
            wanted = sorted(dice.uniform(0, 100) for _ in range(dice.randint(1, 9)))
            got = vasplot.spread(wanted, 10, 0, 100)
            self.assertTrue(all(b - a >= 10 - 1e-9 for a, b in zip(got, got[1:])), (wanted, got))
            self.assertTrue(-1e-9 <= got[0] and got[-1] <= 100 + 1e-9, (wanted, got))
            if all(b - a >= 10 for a, b in zip(wanted, wanted[1:])):
                self.assertTrue(np.allclose(wanted, got))

    def test_many_rectangles_become_no_more_than_can_be_seen(self):
        count = 200000
        x = np.sort(np.random.default_rng(1).uniform(0, 1000, count))
        y = np.random.default_rng(2).integers(0, 4, count) * 50.0
        made = vasplot.coarse(x, x + 0.001, y, y + 40, np.full(count, 3))
        self.assertLess(len(made[0]), 4 * 1001 * 2)
        # Every place that had something has it still.
        self.assertEqual(
            {(int(a), b) for a, b in zip(x, y)}, {(int(a), b) for a, b in zip(made[0], made[2])}
        )

    def test_words(self):
        sizes = {
            0: "0 B",
            4096: "4 KiB",
            135168: "132 KiB",
            1992294: "1.9 MiB",
            1 << 30: "1 GiB",
            (1 << 20) - 1: "1.0 MiB",
            2**64 - 1: "16 EiB",
        }
        for count, text in sizes.items():
            self.assertEqual(vasplot.size_text(count), text)
        self.assertEqual(vasplot.parse_when("350ms"), ("time", 350_000_000))
        self.assertEqual(vasplot.parse_when("1.25"), ("time", 1_250_000_000))
        self.assertEqual(vasplot.parse_when("#812"), ("seq", 812))


class Drawing(unittest.TestCase):
    def check_labels(self, picture):
        renderer = picture.figure.canvas.get_renderer()
        page = picture.figure.bbox
        boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in picture.labels]
        self.assertGreater(len(boxes), 5)
        for text, box in boxes:
            self.assertTrue(
                page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1,
                f"{text!r} leaves the page",
            )
        for (one, a), (other, b) in itertools.combinations(boxes, 2):
            # What is touched is a label's line of text; half a pixel is rounding.
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            tall = min(a.y1, b.y1) - max(a.y0, b.y0)
            self.assertFalse(
                wide > 0.5 and tall > 0.25 * min(a.height, b.height), f"{one!r} over {other!r}"
            )

    def test_no_label_touches_another(self):
        for title, base in Traced.all():
            trace = vasplot.read(base + ".vas")
            for words in (
                ["--by", "events"],
                ["--what", "kinds", "--size", "6x4"],
                ["--what", "layout", "--at", "end"],
            ):
                with self.subTest(title, words=words):
                    self.check_labels(draw(trace, *words))

    def test_colours_are_where_the_memory_is(self):
        """The pixel in the middle of a heap's rectangle is of the heap's colour."""
        trace = vasplot.read(Traced.of("fixture", "brk") + ".jsonl")
        for theme in ([], ["--dark"]):
            picture = draw(trace, *theme)
            picture.figure.canvas.draw()
            pixels = np.asarray(picture.figure.canvas.buffer_rgba())
            axes = picture.figure.axes[1]  # the first one is the paper
            heaps = [
                c
                for c in axes.collections
                if len(c.get_paths()) and hasattr(c, "kind") and c.kind == vasplot.KIND["heap"]
            ]
            self.assertTrue(heaps)
            path = max(heaps[0].get_paths(), key=lambda p: np.prod(np.ptp(p.vertices, axis=0)))
            low, high = path.vertices.min(axis=0), path.vertices.max(axis=0)
            x, y = axes.transData.transform(low + (high - low) * [0.41, 0.45])
            wanted = matplotlib.colors.to_rgb(picture.color(vasplot.KIND["heap"]))
            found = pixels[len(pixels) - 1 - int(y), int(x), :3] / 255
            self.assertTrue(np.allclose(found, wanted, atol=0.02), (found, wanted))

    def test_processes_have_panels(self):
        trace = vasplot.read(Traced.of("fixture", "fork") + ".jsonl")
        count = len(trace.processes)
        self.assertGreater(count, 1)
        texts = [text.get_text() for text in draw(trace, "--panels", str(count)).labels]
        self.assertEqual(
            sum("pid " in text and "mapped at most" in text for text in texts), count
        )
        # Without a word, the ones that are not minor beside the largest.
        views = [vasplot.View(trace, n, 0, trace.end + 1, one=True) for n in range(count)]
        weights = [view.weight for view in views]
        major = sum(weight >= vasplot.MINOR * max(weights) for weight in weights)
        self.assertEqual(len(vasplot.chosen(trace, options())[0]), min(major, 4))
        texts = [text.get_text() for text in draw(trace, "--panels", "1").labels]
        self.assertTrue(any(f"the largest of {count} processes" in text for text in texts), texts)
        pid = trace.processes[-1].pid
        texts = [text.get_text() for text in draw(trace, "--pid", str(pid)).labels]
        self.assertTrue(any(f"pid {pid}" in text for text in texts), texts)

    def test_bands_are_named_within(self):
        """A band's name stands on that band's colour."""
        base = Traced.of("fixture", "threads-map", "3", "50")
        picture = draw(vasplot.read(base + ".jsonl"), "--what", "kinds")
        picture.figure.canvas.draw()
        pixels = np.asarray(picture.figure.canvas.buffer_rgba())
        named = [text for text in picture.labels if text.get_text() in vasplot.KINDS]
        self.assertIn("text", [text.get_text() for text in named])
        for text in named:
            kind = vasplot.KIND[text.get_text()]
            box = text.get_window_extent(picture.figure.canvas.get_renderer())
            for x in (int(box.x0) - 2, int(box.x1) + 2):
                found = pixels[len(pixels) - 1 - int((box.y0 + box.y1) / 2), x, :3] / 255
                wanted = matplotlib.colors.to_rgb(picture.color(kind))
                if vasplot.PALETTE[kind][2] is None:
                    self.assertTrue(np.allclose(found, wanted, atol=0.02), (kind, found, wanted))

    def test_hostile_names_harm_no_picture(self):
        names = [
            "/$\\frac{1}{$",
            "/_hidden",
            "/a$b$c",
            "/x\x1b[2J\x07\n\t",
            "/\u202egpj.exe",
            "/\ud800 alone",
            "/" + "n" * 5000,
            "/&<>\"'",
            "/%s%n{}",
            "/\U0001f600",
            "/\ufffdff",
            "/",
            "",
            "//",
        ]
        lines = ['{"type":"header","schema":1,"command":["$\\\\x$","\\u001b[0m","\\ud800"]}']
        changes = [
            {
                "op": "+",
                "start": hex(0x7F0000000000 + i * 0x40000000),
                "end": hex(0x7F0000000000 + i * 0x40000000 + 0x20000),
                "perm": "r-xp",
                "kind": "text",
                "object": {"type": "file", "name": name, "dev": "0:0", "inode": 1},
            }
            for i, name in enumerate(names)
        ]
        for t in (1000, 2000000):
            event = {
                "type": "event",
                "seq": t,
                "t": t,
                "pid": 1,
                "tid": 1,
                "space": 1,
                "cause": "exec" if t == 1000 else "$^_{",
                "changes": changes if t == 1000 else [],
                "mapped": 0,
            }
            lines.append(json.dumps(event, separators=(",", ":")))
        # Others' records that nobody should trust: each is skipped and counted.
        lines += [
            '{"type":"event"}',
            '{"type":"event","seq":"x"}',
            '{"type":"event","seq":1e400}',
            '{"type":[]}',
            lines[1].replace("0x7f", "0x-7f"),
            lines[1].replace('"pid":1', '"pid":99999999999999'),
        ]
        source = "\n".join(lines).encode()
        for what, kind in itertools.product(("map", "kinds", "layout"), ("png", "svg", "pdf")):
            out = os.path.join(Traced.folder.name, "hostile." + kind)
            status, said = run(["-o", out, "--what", what], source)
            self.assertEqual(status, 0, said)
            self.assertNotIn("Traceback", said)
            self.assertNotIn("Warning", said)
            if kind == "svg":
                with open(out, "rb") as file:
                    xml.etree.ElementTree.fromstring(file.read())
        trace = vasplot.read(self.file(source))
        picture = draw(trace)
        self.check_labels(picture)
        texts = " ".join(text.get_text() for text in picture.labels)
        self.assertIn("$\\frac{1}{$", texts)
        self.assertTrue(texts.isprintable())

    def file(self, content):
        path = os.path.join(Traced.folder.name, "input")
        with open(path, "wb") as file:
            file.write(content)
        return path

    def test_the_palette_keeps_apart(self):
        """Kinds that lie side by side differ for readers who lack a cone type, and in grey."""
        # Machado, Oliveira, Fernandes 2009: severity 1, on linear RGB.
        lacks = {
            "deuteranopia": [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
            "protanopia": [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
            "tritanopia": [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        }

        def lab(color, matrix):
            c = np.array(matplotlib.colors.to_rgb(color))
            c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
            c = np.clip(np.array(matrix) @ c, 0, 1)
            xyz = (
                np.array(
                    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
                )
                @ c
            )
            f = np.cbrt(xyz / [0.9505, 1, 1.089])
            return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

        # vdso, vvar, vsyscall and guard are a few pages: all dark; the rest must be told apart.
        kinds = [
            k for k in vasplot.KINDS if k not in ("vdso", "vvar", "vsyscall", "guard", "other")
        ]
        for name, matrix in {**lacks, "all cones": np.eye(3)}.items():
            for one, other in itertools.combinations(kinds, 2):
                a, b = (vasplot.PALETTE[vasplot.KIND[k]] for k in (one, other))
                apart = np.linalg.norm(lab(a[1], matrix) - lab(b[1], matrix))
                # A hatch tells the rest.
                self.assertGreater(apart, 9 if a[2] != b[2] else 16, (name, one, other))
        for side in (
            ("text", "rodata", "relro"),
            ("data", "bss", "tls"),
            ("stack", "heap", "anon", "reserve"),
        ):
            light = [lab(vasplot.PALETTE[vasplot.KIND[k]][1], np.eye(3))[0] for k in side]
            self.assertTrue(all(b - a > 8 for a, b in zip(light, light[1:])), (side, light))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
