"""The HTML page in a real browser: test_html.py VASTRACE

A program is traced live with --verify into a page and a recording at once. What the page shows is
compared with what `vastrace layout`, `history` and `report` say of the recording. Then the mouse
and the keys, names that want to be markup, files that end early, and a page from `vastrace export`.
"""
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from page import Browser  # first: it skips where selenium is missing

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

HOSTILE = [
    b"</script><script>document.title='owned'</script>.so",
    b"\"><img src=x onerror=\"document.title='owned'\">",
    b"<!--<script>window.owned=1",
    b"bad \xff\xfe\xc0\xaf utf-8",
    "line\u2028separator 'q' & \u202e".encode(),
]

# Maps those files, resizes and protects memory, has threads and a child that runs a program.
PROGRAM = r"""
import mmap, os, subprocess, sys, threading
os.chdir(sys.argv[1])
maps = []
for name in sorted(os.listdir(b".")):
    with open(name, "r+b") as file:
        maps.append(mmap.mmap(file.fileno(), 0))
block = mmap.mmap(-1, 1 << 20)
for size in (2 << 20, 64 << 20, 1 << 16, 8 << 20):
    block.resize(size)
def work():
    for size in range(1, 40):
        bytes(size * 100000)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
subprocess.run(["/bin/sh", "-c", "true; /bin/true"], check=True)
maps[0].close()
"""

VASTRACE = None


def vastrace(*arguments):
    return subprocess.run([VASTRACE, *map(str, arguments)], check=True, stdout=subprocess.PIPE,
                          text=True, encoding="utf-8").stdout


class HtmlPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="vastrace-html.")
        cls.dir = pathlib.Path(cls.scratch.name)
        (cls.dir / "maps").mkdir()
        for name in HOSTILE:
            name = name.replace(b"/", b"\xe2\x88\x95")  # no file name has a slash
            with open(os.path.join(os.fsencode(cls.dir / "maps"), name), "wb") as file:
                file.write(bytes(8192))
        cls.page, cls.recording = cls.dir / "run.html", cls.dir / "run.vas"
        # Its command has markup, too.
        subprocess.run([VASTRACE, "-q", "--verify", "-o", cls.page, "-o", cls.recording, "--",
                        "/usr/bin/python3", "-c", PROGRAM, cls.dir / "maps", "</script><b>'x'"],
                       check=True)
        cls.report = json.loads(vastrace("report", cls.recording, "--format", "json"))
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.__exit__)
        cls.addClassCleanup(cls.scratch.cleanup)

    def setUp(self):
        self.browser.open(self.page)

    def tearDown(self):
        self.assertEqual(self.browser.errors(), [])

    def js(self, script, *arguments):
        return self.browser.run(script, *arguments)

    def text(self, name):
        return self.browser.driver.find_element(By.ID, name).text

    def key(self, *keys):
        ActionChains(self.browser.driver).send_keys(*keys).perform()
        self.browser.settle()

    def window(self):
        return self.js("const w = vastrace.window; return [w.x0, w.x1, w.u0, w.u1]")

    def assertClose(self, have, want):
        for a, b in zip(have, want, strict=True):
            self.assertAlmostEqual(a, b, delta=1e-6 + abs(b) * 1e-9)

    # ---- is it right? ----

    def test_head(self):
        facts = self.text("facts")
        self.assertRegex(facts, r"\d+ of \d+ stops agreed with the kernel")
        self.assertIn(os.uname().release, facts)
        events = sum(1 for _ in open_export(self.recording, "jsonl")) - 2
        self.assertEqual(self.js("return vastrace.trace.count"), events)
        self.assertIn(f"{events:,} events", facts)
        self.assertIn("/usr/bin/python3 -c", self.text("command"))

    def test_layouts_are_those_of_the_recording(self):
        pid, last = self.report["pid"], self.report["end"]["event"]
        moments = sorted({1, 2, self.report["peak"]["event"], last, *range(5, last, last // 9)})
        for seq in moments:
            told = json.loads(vastrace("layout", self.recording, "--pid", pid, "--at", f"#{seq}",
                                       "--format", "json"))
            want = [(int(r["start"], 16), int(r["end"], 16), r["perm"], r["kind"])
                    for r in told["regions"]]
            have = self.js("""
                const v = vastrace, event = v.trace.eventOfSeq(arguments[0]);
                return v.layout.regionsAt(event).map(r => [r.start, r.end, r.state.prot,
                    r.state.flags & 1, v.trace.run.kinds[r.state.kind]])""", seq)
            have = [(start * 4096, end * 4096, perm(prot, shared), kind)
                    for start, end, prot, shared, kind in have]
            self.assertEqual(joined(have), joined(want), f"at #{seq}")
            self.assertEqual(sum(r[1] - r[0] for r in have), told["totals"]["bytes"])

    def test_layout_panel_shows_the_moment(self):
        for when in ("peak", "end"):
            event = self.report[when]["event"]
            self.js("vastrace.select(vastrace.trace.eventOfSeq(arguments[0]))", event)
            self.browser.settle()
            told = json.loads(vastrace("layout", self.recording, "--at", when, "--format", "json"))
            rows = self.js("return [...document.querySelectorAll('#layout .box .at')].map(e => e.textContent)")
            starts = [r["start"][2:] for r in told["regions"]]
            self.assertEqual([s for s in starts if s not in rows], [])
            self.assertEqual(rows, sorted(rows, key=lambda a: -int(a, 16)))
            self.assertIn(f"#{event:,}", self.text("moment"))

    def test_history_is_that_of_the_recording(self):
        addresses = self.js("""
            const v = vastrace.view, found = new Set();
            for (let i = 0; i < v.count; i += Math.ceil(v.count / 14))
                found.add(v.start(i).toString(16) + '800');
            return [...found]""")
        many = 0
        for address in addresses:
            told = vastrace("history", self.recording, address, "--all", "--color", "never")
            times = int(re.search(r"mapped (\d+) time", told)[1])
            pattern = re.compile(r"^\s*[\d.]+\s+#(\d+)\s+(\S+)\s+(?:\? )?([-+~>]) "
                                 r"(made|gone|altered|moved here|moved away) ", re.M)
            want = sorted((int(m[1]), m[2], m[4]) for m in pattern.finditer(told))
            have = self.js("""
                vastrace.search(arguments[0]);
                vastrace.drawWanted();
                return [...document.querySelectorAll('#entries .entry')].map(row =>
                    ['seq', 'cause', 'op'].map(name => row.querySelector('.' + name).textContent))""",
                           address)
            have = sorted((int(seq[1:]), cause, op[2:]) for seq, cause, op in have)
            self.assertEqual(have, want, address)
            self.assertIn(f"mapped {times} time", self.text("history-title"))
            many += times > 1
        self.assertGreater(many, 0, "no address that was mapped twice was asked for")

    def test_flame_graph_totals_are_the_ledger(self):
        kinds = self.report["kinds"].values()
        made = sum(site["made_bytes"] for site in self.report["sites"])
        self.key("2")
        for button, want in (("flame-moment", sum(k["closing_bytes"] for k in kinds)),
                             ("flame-peak", self.report["peak_bytes"]), ("flame-all", made)):
            self.js("vastrace.select(vastrace.view.last)")
            self.browser.driver.find_element(By.ID, button).click()
            self.browser.settle()
            self.assertEqual(self.js("return vastrace.flame.root.bytes"), want, button)
        self.browser.driver.find_element(By.ID, "flame-peak").click()
        self.browser.settle()
        for name, kind in self.report["kinds"].items():
            have = self.js("""
                let sum = 0;
                const walk = node => { for (const child of node.children.values())
                    if (child.kind >= 0) sum += child.name === arguments[0] ? child.bytes : 0;
                    else walk(child); };
                walk(vastrace.flame.root);
                return sum""", name)
            self.assertEqual(have, kind["at_peak_bytes"], name)

    def test_bytes_by_kind(self):
        have = self.js("const v = vastrace; return [...v.view.bytesAt(v.view.peakEvent)]")
        names = self.js("return vastrace.trace.run.kinds")
        want = {name: kind["at_peak_bytes"] for name, kind in self.report["kinds"].items()}
        self.assertEqual({n: b for n, b in zip(names, have) if b},
                         {n: b for n, b in want.items() if b})
        self.assertEqual(self.js("return vastrace.trace.seq(vastrace.view.peakEvent)"),
                         self.report["peak"]["event"])

    # ---- is it safe? ----

    def test_names_cannot_be_markup(self):
        self.assertNotIn("owned", self.browser.driver.title)
        self.assertFalse(self.js("return 'owned' in window"))
        self.js("document.getElementById('filter').value = 'maps/'; vastrace.filter()")
        self.browser.settle()
        shown = self.text("body")
        self.assertIn("<script>document.title='owned'<", shown)
        self.assertIn("<img src=x", shown)
        self.assertIn(r"bad \xff\xfe\xc0\xaf utf-8", shown)
        self.assertIn(r"\u{2028}", shown)
        self.assertEqual(self.js("return document.querySelectorAll('img, b, iframe').length"), 0)
        self.assertEqual(self.js("return document.querySelectorAll('script').length"), 1)
        policy = self.js("return document.querySelector('meta[http-equiv]').content")
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        # The policy holds: what is not the page's own does not run.
        self.js("const s = document.createElement('script'); s.textContent = 'window.owned = 1';"
                "document.body.append(s)")
        self.assertFalse(self.js("return 'owned' in window"))
        self.assertEqual(len(self.browser.errors()), 1)

    def test_cut_short(self):
        whole = self.page.read_bytes()
        data = whole.index(b'class="trace">') + len(b'class="trace">')
        cut = self.dir / "cut.html"
        total = self.js("return vastrace.trace.count")
        counts = []
        for share in (0.3, 0.7, 0.9):
            cut.write_bytes(whole[:data + int((len(whole) - data) * share)])
            self.browser.open(cut)
            self.assertIn("cut short", self.text("facts"))
            counts.append(self.js("return vastrace.trace.count"))
        self.assertEqual(counts, sorted(counts))
        self.assertGreater(counts[0], 0)
        self.assertLess(counts[-1], total)
        cut.write_bytes(whole[:data])
        self.browser.open(cut)
        self.assertIn("no trace in this page", self.text("loading-text"))
        self.browser.errors()  # which tells the same in the log

    def test_export_is_the_same_page(self):
        vastrace("export", self.recording, "--to", "html", "-o", self.dir / "export.html")
        probe = """
            const t = vastrace.trace, sum = column => column.data.subarray(0, column.length)
                .reduce((a, b) => (a * 31 + b) % 1e9, 7);
            return [t.count, ...['time', 'thread', 'cause', 'sp', 'op', 'start', 'size', 'before',
                    'after', 'offset'].map(name => sum(t[name])), t.objects, t.end]"""
        live = self.js(probe)
        self.browser.open(self.dir / "export.html")
        self.assertEqual(self.js(probe), live)

    # ---- can it be used? ----

    def picture(self, x, y):
        """An action at a place of the plot, as shares of its width and height."""
        box = self.js("const p = vastrace.picture; return [116, p.plotWidth, p.plotHeight, p.width, p.height]")
        picture = self.browser.driver.find_element(By.ID, "picture")
        return ActionChains(self.browser.driver).move_to_element_with_offset(
            picture, int(box[0] + box[1] * x - box[3] / 2), int(box[2] * y - box[4] / 2))

    def test_mouse(self):
        whole = self.window()
        self.picture(0.5, 0.5).scroll_by_amount(0, 0).perform()
        wheel = """
            const c = document.getElementById('picture'), b = c.getBoundingClientRect();
            c.dispatchEvent(new WheelEvent('wheel', {deltaY: -200, shiftKey: arguments[0],
                clientX: b.left + 500, clientY: b.top + 150, bubbles: true, cancelable: true}))"""
        self.js(wheel, False)
        self.browser.settle()
        time_zoomed = self.window()
        self.assertLess(time_zoomed[1] - time_zoomed[0], whole[1] - whole[0])
        self.assertClose(time_zoomed[2:], whole[2:])
        self.js(wheel, True)
        self.browser.settle()
        zoomed = self.window()
        self.assertLess(zoomed[3] - zoomed[2], whole[3] - whole[2])
        self.assertClose(zoomed[:2], time_zoomed[:2])
        self.picture(0.5, 0.5).click_and_hold().move_by_offset(60, 20).release().perform()
        self.browser.settle()
        panned = self.window()
        self.assertLess(panned[0], zoomed[0])
        self.assertGreater(panned[2], zoomed[2])
        self.assertAlmostEqual(panned[1] - panned[0], zoomed[1] - zoomed[0], delta=1)
        ActionChains(self.browser.driver).key_down(Keys.SHIFT).perform()
        self.picture(0.3, 0.3).click_and_hold().move_by_offset(80, 60).release().perform()
        ActionChains(self.browser.driver).key_up(Keys.SHIFT).perform()
        self.browser.settle()
        boxed = self.window()
        self.assertLess(boxed[1] - boxed[0], (panned[1] - panned[0]) * 0.3)
        self.browser.driver.find_element(By.ID, "zoom-all").click()
        self.browser.settle()
        self.assertClose(self.window(), whole)

    def test_hover_and_pin(self):
        # Over the middle of the highest of the rectangles that are wide.
        spot = self.js("""
            const v = vastrace.view, w = vastrace.window, p = vastrace.picture;
            const left = r => p.toPx(w.xOf(v.t0[r])) - 116, right = r => p.toPx(w.xOf(v.t1[r])) - 116;
            const [best] = [...v.id.keys()].filter(r => right(r) - left(r) > p.plotWidth / 5)
                .sort((a, b) => v.u1[b] - v.u0[b] - v.u1[a] + v.u0[a]);
            return [best, (left(best) + right(best)) / 2 / p.plotWidth,
                    p.toPy((v.u0[best] + v.u1[best]) / 2) / p.plotHeight]""")
        self.picture(spot[1], spot[2]).perform()
        self.browser.settle()
        tip = self.text("tip")
        told = self.js("""
            const v = vastrace.view, r = arguments[0];
            return [v.start(r).toString(16) + '000-' + v.end(r).toString(16) + '000',
                    vastrace.trace.run.kinds[v.kind[r]]]""", spot[0])
        self.assertIn(told[0], tip)
        self.assertIn(told[1], tip)
        self.assertRegex(tip, r"lived from .* to ")
        self.assertRegex(tip, r"made by \w+ in thread \d+ \(#\d+\)|altered by")
        self.picture(spot[1], spot[2]).click().perform()
        self.browser.settle()
        self.assertEqual(self.js("return vastrace.pinned"), spot[0])
        self.assertIn("pinned", self.text("moment"))
        self.assertTrue(self.text("detail").startswith("#"))
        self.key(Keys.ESCAPE)
        self.assertIsNone(self.js("return vastrace.pinned"))

    def test_keys(self):
        dark = "document.documentElement.classList.contains('dark')"
        before = self.js("return getComputedStyle(document.body).backgroundColor")
        was = self.js("return " + dark)
        self.key("d")
        self.assertNotEqual(self.js("return " + dark), was)
        self.assertNotEqual(self.js("return getComputedStyle(document.body).backgroundColor"), before)
        whole = self.window()
        self.key("+")
        self.assertLess(self.window()[1] - self.window()[0], whole[1] - whole[0])
        self.key("0")
        self.assertClose(self.window(), whole)
        by_time = self.js("return vastrace.window.byTime")
        self.key("t")
        self.assertEqual(self.window()[1], self.js("return vastrace.window.endX"))
        self.assertNotEqual(self.js("return vastrace.window.byTime"), by_time)
        event = self.js("return vastrace.event")
        self.key(",")
        self.assertLess(self.js("return vastrace.event"), event)
        self.key("?")
        self.assertTrue(self.js("return document.getElementById('help').open"))
        self.key(Keys.ESCAPE)
        self.assertFalse(self.js("return document.getElementById('help').open"))
        self.key("a")
        start = self.js("return vastrace.view.start(0).toString(16) + '000'")
        self.key("0x" + start, Keys.ENTER)
        self.assertIn("address " + start, self.text("history-title"))
        self.assertIsNotNone(self.js("return vastrace.picture.highlight"))
        # Every control can be reached and has a name.
        self.assertEqual(self.js("""
            return [...document.querySelectorAll('button, input, select, canvas[tabindex]')].filter(e =>
                e.checkVisibility() && !(e.getAttribute('aria-label') || e.textContent.trim() ||
                                         (e.labels && e.labels.length))).map(e => e.id)"""), [])

    def test_calls_in_words(self):
        told = {line["seq"]: line for line in map(json.loads, open_export(self.recording, "jsonl"))
                if line.get("call")}
        some = [seq for seq in told if told[seq]["cause"] in ("mmap", "mremap", "mprotect")][:40]
        for seq in some:
            self.js("vastrace.detail(vastrace.trace.eventOfSeq(arguments[0]))", seq)
            call, shown = told[seq]["call"], self.text("detail")
            self.assertTrue(shown.startswith(f"#{seq} {call['name']}"))
            self.assertIn("addr" + "=" + call["args"].get("addr", "0x")[2:]
                          if "addr" in call["args"] else call["name"], shown)
            if call["name"] == "mmap":
                private = int(call["args"]["flags"], 16) & 15 == 2
                self.assertEqual("MAP_PRIVATE" in shown, private, shown)

    def test_filter_and_processes(self):
        self.assertGreaterEqual(self.js("return vastrace.processes.length"), 2)
        count = self.js("document.getElementById('filter').value = 'munmap';"
                        "vastrace.filter(); return vastrace.table.rows.length")
        lines = [json.loads(line) for line in open_export(self.recording, "jsonl")]
        pid = self.report["pid"]
        self.assertEqual(count, sum(line.get("cause") == "munmap" and line["pid"] == pid
                                    for line in lines))
        self.browser.driver.find_element(By.ID, "every").click()
        self.assertEqual(self.js("return vastrace.table.rows.length"),
                         sum(line.get("cause") == "munmap" for line in lines))
        self.key("]")
        child = self.js("const p = vastrace.view.process; return [p.pid, p.name]")
        self.assertNotEqual(child[0], pid)
        for moment in ("end", "start"):
            told = json.loads(vastrace("layout", self.recording, "--pid", child[0], "--at", moment,
                                       "--format", "json"))
            have = self.js("""
                const v = vastrace, e = arguments[0] === 'end' ? v.view.last : v.view.process.first;
                return [v.view.process.pid, v.layout.regionsAt(e).reduce((s, r) => s + r.end - r.start, 0) * 4096]""",
                           moment)
            self.assertEqual(have, [child[0], told["totals"]["bytes"]], moment)

    def test_kinds_hide(self):
        button = self.browser.driver.find_element(By.CSS_SELECTOR, "#legend button")
        name = button.text.split()[0]
        button.click()
        self.browser.settle()
        shown = self.js("return [...document.querySelectorAll('#layout .box .what')].map(e => e.firstChild.textContent)")
        self.assertNotIn(name, shown)
        self.assertTrue(shown)

    def test_narrow(self):
        try:
            for width, height in ((500, 800), (800, 700), (1920, 1080)):
                self.browser.resize(width, height)
                self.browser.open(self.page)
                self.assertEqual(self.js("return document.documentElement.scrollWidth"), width)
                self.assertGreater(self.js("return vastrace.picture.plotWidth"), 250)
                # Nothing lies over another, nor beyond the edge.
                boxes = self.js("""
                    return ['picture-box', 'bytes-box', 'layout', 'by-event', 'zoom-all', 'filter',
                            'tab-history', 'rows', 'address', 'theme'].map(id => {
                        const box = document.getElementById(id).getBoundingClientRect();
                        return [id, box.left, box.right, box.top, box.bottom];
                    })""")
                for name, left, right, top, bottom in boxes:
                    self.assertTrue(0 <= left < right <= width and top < bottom, (name, left, right))
                for (one, *a), (other, *b) in itertools.combinations(boxes, 2):
                    self.assertTrue(a[0] >= b[1] or b[0] >= a[1] or a[2] >= b[3] or b[2] >= a[3],
                                    (one, other, width))
        finally:
            self.browser.resize(1280, 800)


def perm(prot, shared):
    return "".join(c if prot >> i & 1 else "-" for i, c in enumerate("rwx")) + "ps"[shared]


def joined(regions):
    """Neighbours alike as one: where files differ is not compared here."""
    result = []
    for start, end, *rest in sorted(regions):
        if result and result[-1][1] == start and result[-1][2:] == rest:
            result[-1][1] = end
        else:
            result.append([start, end, *rest])
    return result


def open_export(recording, to):
    return vastrace("export", recording, "--to", to, "-o", "-").splitlines()


if __name__ == "__main__":
    VASTRACE = sys.argv.pop(1)
    unittest.main(verbosity=2)
