"""Compare the events packed in an HTML page with those of a JSON Lines timeline of the same trace:
unpack.py PAGE TIMELINE

A second reader of the packed form (the first is sinks/page/data.js), in the order in which
sinks/html.c writes. Ends with 1 and says where they differ, if they do.
"""
import base64
import codecs
import json
import re
import sys

UNIT = 4096
(PAD, RUN, OBJECT, STATE, THREAD, CALL, FRAME, STACK, EVENT, END) = range(10)
SP, STACK_ID, HEAP, TOTAL, GAP, NOTE, EXTRA, DOUBT = (1 << i for i in range(8))
PLACES = [None, "own", "alternate", "other"]
FIRST_CALL = 16


def replaced(error):
    """As JSON Lines have bytes that are no UTF-8."""
    return "".join(f"\ufffd{byte:02x}" for byte in error.object[error.start:error.end]), error.end


codecs.register_error("vastrace", replaced)


def plain(text):
    """A name without the escapes of eyes: what JSON Lines have."""
    def one(match):
        if match[1]:
            return bytes([int(match[1], 16)])
        if match[2]:
            return chr(int(match[2], 16)).encode()
        return {"n": b"\n", "t": b"\t", "\\": b"\\"}[match[3].decode()]
    raw = re.sub(rb"\\(?:x(..)|u\{([0-9a-f]+)\}|(.))", one, text.encode())
    return raw.decode("utf-8", "vastrace")


def perm(prot, flags):
    return "".join(c if prot >> i & 1 else "-" for i, c in enumerate("rwx")) + "ps"[flags & 1]


class Page:
    def __init__(self, path):
        with open(path, "rb") as file:
            elements = re.findall(rb'<script type="text/plain" class="trace">([A-Za-z0-9+/]*)</script>',
                                  file.read())
        self.bytes = base64.b64decode(b"".join(elements), validate=True)
        self.at = 0
        self.objects, self.states, self.threads, self.calls, self.sps = [None], [], [], [], []
        self.frames, self.stacks, self.mapped = {}, {}, {}
        self.last = self.time = self.seq = 0

    def byte(self):
        self.at += 1
        return self.bytes[self.at - 1]

    def number(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return value

    def signed(self):
        value = self.number()
        return -(value + 1) // 2 if value & 1 else value // 2

    def text(self):
        length = self.number()
        self.at += length
        return self.bytes[self.at - length:self.at].decode()

    def events(self):
        while self.at < len(self.bytes):
            kind = self.byte()
            if kind == RUN:
                self.run = json.loads(self.text())
            elif kind == OBJECT:
                file, major, minor, inode = self.byte(), self.number(), self.number(), self.number()
                told = {"type": "file" if file else "special", "name": plain(self.text())}
                if file:
                    told.update(dev=f"{major:02x}:{minor:02x}", inode=inode)
                self.objects.append(told)
            elif kind == STATE:
                self.states.append((self.byte(), self.byte(), self.byte(), self.number()))
            elif kind == THREAD:
                self.threads.append((self.number(), self.number(), self.number()))
                self.sps.append(0)
            elif kind == CALL:
                name, abi = plain(self.text()), self.text()
                self.calls.append((name, abi, [self.text() for _ in range(self.number())]))
            elif kind == FRAME:
                frame = json.loads(self.text())
                self.frames[frame["id"]] = frame
            elif kind == STACK:
                number = self.number()
                self.stacks[number] = [self.number() for _ in range(self.number())]
                self.text()
            elif kind == EVENT:
                yield self.event()
            elif kind == END:
                self.end = json.loads(self.text())
            elif kind != PAD:
                raise ValueError(f"a record of type {kind} before byte {self.at}")

    def event(self):
        has = self.number()
        self.time += self.signed()
        thread, cause = self.number(), self.number()
        pid, tid, space = self.threads[thread]
        event = {"t": self.time, "pid": pid, "tid": tid, "space": space}
        event["changes"] = [self.change() for _ in range(self.number())]
        if cause >= FIRST_CALL:
            event["cause"], event["call"] = self.call(cause - FIRST_CALL)
        else:
            event["cause"] = self.run["causes"][cause]
        if has & SP:
            self.sps[thread] += self.signed()
            event["sp"] = hex(self.sps[thread] % (1 << 64))
        event["sp_on"] = PLACES[has >> 8 & 3]
        event["stack"] = self.number() if has & STACK_ID else None
        if has & HEAP:
            self.number()
        extra_total = self.signed() * UNIT if has & TOTAL else 0
        self.seq = self.number() if has & GAP else self.seq + 1
        event["seq"] = self.seq
        event["note"] = plain(self.text()) if has & NOTE else None
        event["uncertain"] = bool(has & DOUBT)
        extra = json.loads(self.text()) if has & EXTRA else {}
        leaves = bool(extra.get("left"))
        mapped = self.mapped.get(space, 0) + extra_total
        for change in event["changes"]:
            size = int(change["end"], 16) - int(change["start"], 16)
            leaves = leaves and change["op"] == "-"
            if change["op"] == "+" or change.get("source_stays"):
                mapped += size
            elif change["op"] == "-" and not leaves:
                mapped -= size
        self.mapped[space] = event["mapped"] = mapped
        return event

    def change(self):
        bits = self.byte()
        op = "+-~>"[bits & 3]
        self.last += self.signed() * UNIT
        start, end = self.last, self.last + self.number() * UNIT
        told = {"op": op, "start": hex(start), "end": hex(end)}
        source = start + self.signed() * UNIT if op == ">" else 0
        before = self.states[self.number()] if op != "+" else None
        after = self.states[self.number()] if op != "-" else None
        if after:
            told["perm"] = perm(*after[:2])
        if before:
            told["was"] = perm(*before[:2])
        kinds = self.run["kinds"]
        told["kind"] = kinds[(after or before)[2]]
        if before and after:
            told["was_kind"] = kinds[before[2]]
        told["object"] = self.objects[(after or before)[3]]
        if told["object"] and told["object"]["type"] == "file":
            told["offset"] = hex(self.number())
        if op == ">":
            told["from"] = [hex(source), hex(source + end - start)]
            told["source_stays"] = bool(bits & 4)
        if bits & 8:
            told["image"] = self.objects[self.number()]["name"]
            parts = []
            for _ in range(self.number()):
                kind, low = self.byte(), self.number()
                parts.append({"kind": kinds[kind], "start": hex(start + low),
                              "end": hex(start + low + self.number())})
            if parts:
                told["parts"] = parts
        return told

    def call(self, number):
        name, abi, names = self.calls[number]
        near = self.byte()
        values = [(self.signed() + (self.last if near >> i & 1 else 0)) % (1 << 64)
                  for i in range(len(names) + 1)]
        failed = bool(near & 128)
        return name, {"name": name, "abi": abi, "error": failed, "args": [hex(v) for v in values[:-1]],
                      "result": None if failed else hex(values[-1])}


def expected(record):
    """The same members of a JSON Lines record."""
    event = {name: record.get(name) for name in ("t", "pid", "tid", "space", "cause", "seq", "mapped",
                                                 "note", "stack", "sp_on")}
    if "sp" in record:
        event["sp"] = record["sp"]
    event["uncertain"] = record.get("uncertain", False)
    if "call" in record and record["cause"] == record["call"]["name"]:
        call = record["call"]
        event["call"] = {"name": call["name"], "abi": call["abi"], "error": call["error"] is not None,
                         "args": list(call["args"].values()), "result": call["result"]}
    event["changes"] = []
    for told in record["changes"]:
        change = {name: told[name] for name in told if name != "inferred"}
        change["object"] = told["object"] and {name: value for name, value in told["object"].items()
                                               if name != "page_size"}
        event["changes"].append(change)
    return event


def main():
    page, count = Page(sys.argv[1]), 0
    with open(sys.argv[2], encoding="utf-8", newline="\n") as file:
        records = [json.loads(line) for line in file.read().split("\n") if line]
    told = [record for record in records if record["type"] == "event"]
    for have, record in zip(page.events(), told):
        want = expected(record)
        if have != want:
            print(f"event {record['seq']} differs:\n page     {have}\n timeline {want}")
            return 1
        count += 1
    if list(page.events()) or count != len(told) or page.at != len(page.bytes):
        print(f"{count} events in the page of {len(told)}")
        return 1
    want = {r["id"]: r["frames"] for r in records if r["type"] == "stack"}
    if page.stacks != want:
        print(f"stacks differ: {page.stacks} {want}")
        return 1
    want = {r["id"]: r["function"] for r in records if r["type"] == "frame"}
    have = {number: f["name"] and plain(f["name"]) for number, f in page.frames.items()}
    if have != want:
        print(f"frames differ: {have} {want}")
        return 1
    head = [r for r in records if r["type"] == "header"][0]
    command = page.run["command"] and [plain(word) for word in page.run["command"]]
    if command != head["command"] or page.end["exactness"] != records[-1]["exactness"]:
        print("the head or the end differs")
        return 1
    print(f"{count} events alike, {len(page.bytes) / max(count, 1):.1f} packed bytes each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
