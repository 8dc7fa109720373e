"""Check a Perfetto trace against the JSON Lines of the same run: check_perfetto.py FILE.pftrace
FILE.jsonl

The trace is read with code that protoc makes from perfetto.proto, beside this file. Every packet
is complete, whatever it refers to was told before, slices of a track do not overlap and all end;
instants say what the timeline's events say, counters what is mapped, and the open slices of a kind
add up to its counter. Ends with 1 and says what is wrong, if something is; 77 without protoc or
Python's module protobuf.
"""
import collections
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

from escapes import as_json_has_it, raw_name

CHANGES_SHOWN = 64
KINDS = (
    "text rodata data bss relro tls heap stack thread-stack anon file shm guard reserve vdso vvar "
    "vsyscall other"
).split()


def load_messages():
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["protoc", "-I", here, "--python_out", directory, "perfetto.proto"], check=True)
        sys.path.insert(0, directory)
        import perfetto_pb2
    return perfetto_pb2


def assert_known(message, where):
    """No field that the description does not have."""
    if len(message.UnknownFields()):
        raise ValueError(f"{where}: unknown fields in {message.DESCRIPTOR.name}")
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in value if field.label == field.LABEL_REPEATED else [value]:
                assert_known(part, where)


class Reader:
    """A trace as its packets tell it, one after another."""

    def __init__(self, messages, packets):
        self.event = messages.TrackEvent
        self.packets = iter(packets)
        self.tracks, self.open, self.now = {}, {}, 0
        self.tables = collections.defaultdict(dict)
        self.counters = {}
        self.slices = collections.Counter()  # open bytes by process track and kind
        self.count = 0

    def table(self, data):
        for name in ("event_categories", "event_names", "debug_annotation_names",
                     "debug_annotation_string_values"):
            for entry in getattr(data, name):
                text = entry.str.decode() if name.endswith("values") else entry.name
                if entry.iid in self.tables[name] or not text.isprintable():
                    raise ValueError(f"{name}: {entry.iid} {text!r}")
                self.tables[name][entry.iid] = text

    def value(self, annotation):
        if annotation.dict_entries:
            return self.annotations(annotation.dict_entries)
        if annotation.array_values:
            return [self.value(part) for part in annotation.array_values]
        kind = annotation.WhichOneof("value")
        value = getattr(annotation, kind)
        return self.tables["debug_annotation_string_values"][value] if kind == "string_value_iid" else value

    def annotations(self, entries):
        names = self.tables["debug_annotation_names"]
        found = {names[entry.name_iid]: self.value(entry) for entry in entries}
        if len(found) != len(entries):
            raise ValueError("an annotation twice")
        return found

    def describe(self, track):
        known = self.tracks.setdefault(track.uuid, track)
        if known is not track and known.process.pid != track.process.pid:
            raise ValueError(f"track {track.uuid} is told twice")
        if track.HasField("parent_uuid") and not self.tracks[track.parent_uuid].HasField("process"):
            raise ValueError(f"track {track.uuid} is not below a process")

    def next_instant(self):
        """Reads on to the next instant, or the end: its track, name and annotations, or None."""
        for packet in self.packets:
            self.count += 1
            assert_known(packet, f"packet {self.count}")
            first = self.count == 1
            if not packet.HasField("timestamp") or packet.trusted_packet_sequence_id != 1:
                raise ValueError("a packet without time or sequence")
            if packet.sequence_flags != (1 if first else 2) or packet.first_packet_on_sequence != first:
                raise ValueError("a packet's flags")
            if packet.timestamp < self.now:
                raise ValueError(f"{packet.timestamp} after {self.now}")
            self.now = packet.timestamp
            self.table(packet.interned_data)
            kind = packet.WhichOneof("data")
            if kind == "clock_snapshot":
                self.clocks = {c.clock_id: c.timestamp for c in packet.clock_snapshot.clocks}
            elif kind == "track_descriptor":
                self.describe(packet.track_descriptor)
            elif kind == "track_event":
                found = self.take(packet.track_event)
                if found:
                    return found
        return None

    def take(self, event):
        track = self.tracks[event.track_uuid]
        types = self.event
        if (event.type == types.TYPE_COUNTER) != track.HasField("counter"):
            raise ValueError("a counter's track")
        if event.type == types.TYPE_COUNTER:
            if track.counter.unit != 3:
                raise ValueError("a counter that is not of bytes")
            self.counters[track.parent_uuid, track.name] = event.counter_value
        elif event.type == types.TYPE_SLICE_BEGIN:
            if event.track_uuid in self.open or self.tables["event_categories"][event.category_iids[0]] != "memory":
                raise ValueError(f"two slices of track {event.track_uuid}")
            told = self.annotations(event.debug_annotations)
            if told["end"] - told["start"] != told["size"] or not self.tables["event_names"][event.name_iid]:
                raise ValueError(f"a slice: {told}")
            self.open[event.track_uuid] = told["size"]
            self.slices[track.parent_uuid, track.name] += told["size"]
        elif event.type == types.TYPE_SLICE_END:
            self.slices[track.parent_uuid, track.name] -= self.open.pop(event.track_uuid)
        elif event.type == types.TYPE_INSTANT:
            return track, self.tables["event_names"][event.name_iid], self.annotations(event.debug_annotations)
        return None


def signed(text):
    value = int(text, 16)
    return value - (1 << 64) if value >> 63 else value


def plain(told):
    return as_json_has_it(raw_name(told))


def expected_changes(event):
    for change in event["changes"][:CHANGES_SHOWN]:
        start, end = int(change["start"], 16), int(change["end"], 16)
        want = {"op": change["op"], "start": start, "end": end, "size": end - start}
        want.update({name: change[name] for name in ("perm", "was") if name in change})
        if change["op"] != "-":
            want["kind"] = change["kind"]
        if change["op"] != "+":
            want["was_kind"] = change.get("was_kind", change["kind"])
        if change["object"]:
            want["object"] = change["object"]["name"]
            if change["object"]["type"] == "file":
                want["offset"] = int(change["offset"], 16)
        if change["op"] == ">":
            want["from"] = int(change["from"][0], 16)
            want["source_stays"] = change["source_stays"]
        yield want


def compare(found, event, latest):
    track, name, told = found
    want = {"seq": event["seq"]}
    if "call" in event:
        call = event["call"]
        if call["error"]:
            want["error"] = call["error"]
        else:
            want["result"] = signed(call["result"])
    if event.get("uncertain"):
        want["uncertain"] = True
    if "note" in event:
        want["note"] = event["note"]
        told["note"] = plain(told["note"])
    if "stack" in event:
        want["stack"] = told.get("stack") or "a stack"
    if event["changes"]:
        want["changes"] = list(expected_changes(event))
        for change in told["changes"]:
            if "object" in change:
                change["object"] = plain(change["object"])
    if len(event["changes"]) > CHANGES_SHOWN:
        want["changes_left_out"] = len(event["changes"]) - CHANGES_SHOWN
    thread = (track.thread.pid, track.thread.tid)
    if told != want or plain(name) != event["cause"] or thread != (event["pid"], event["tid"]):
        raise ValueError(f"event {event['seq']}: {thread} {name} {told}, not {want}")
    if latest != max(latest, event["t"]):
        raise ValueError(f"event {event['seq']}: at {latest}")


def account(event, owners, kinds):
    """Bytes by owner and kind, from the changes."""
    space = event["space"]
    owner = owners.setdefault(space, event["pid"])
    left = (event.get("exec") or {}).get("left_space")
    for change in event["changes"]:
        size = int(change["end"], 16) - int(change["start"], 16)
        if change["op"] == "-":
            kinds[owners[left or space], change["kind"]] -= size
            continue
        kinds[owner, change["kind"]] += size
        if change["op"] != "+" and not change.get("source_stays"):
            kinds[owner, change["was_kind"]] -= size
    return owner


def main():
    path, lines = sys.argv[1:]
    if not shutil.which("protoc"):
        print("protoc is not installed (Debian: protobuf-compiler)")
        return 77
    try:
        importlib.import_module("google.protobuf")
    except ImportError:
        print("Python has no module protobuf (Debian: python3-protobuf)")
        return 77
    with open(path, "rb") as file:
        raw = subprocess.run(["protoc", "--decode_raw"], stdin=file, stdout=subprocess.PIPE, check=False)
    if raw.returncode:
        sys.exit(f"{path}: protoc cannot read it")
    messages = load_messages()
    trace = messages.Trace()
    with open(path, "rb") as file:
        trace.ParseFromString(file.read())
    reader = Reader(messages, trace.packet)
    owners, kinds, mapped = {}, collections.Counter(), {}
    found, events, latest = reader.next_instant(), 0, 0
    with open(lines, encoding="utf-8", newline="\n") as file:
        for event in map(json.loads, file):
            if event["type"] != "event":
                continue
            if not found:
                sys.exit(f"{path}: event {event['seq']} is missing")
            latest = max(latest, event["t"])
            if reader.now != latest:
                sys.exit(f"{path}: event {event['seq']} at {reader.now}, not {latest}")
            compare(found, event, latest)
            owner = account(event, owners, kinds)
            mapped[owner] = event["mapped"]
            track = max(u for u, t in reader.tracks.items()
                        if t.HasField("process") and t.process.pid == owner)
            found = reader.next_instant()
            events += 1
            for kind in KINDS:
                counter = reader.counters.get((track, "mapped: " + kind), 0)
                if counter != kinds[owner, kind] or counter != reader.slices[track, kind]:
                    if not found and counter == kinds[owner, kind]:
                        continue  # at the end slices end
                    sys.exit(f"{path}: after event {event['seq']}: {kind} {counter}, slices of "
                             f"{reader.slices[track, kind]}, not {kinds[owner, kind]}")
            if reader.counters.get((track, "mapped"), 0) != mapped[owner]:
                sys.exit(f"{path}: after event {event['seq']}: mapped "
                         f"{reader.counters.get((track, 'mapped'))}, not {mapped[owner]}")
    if found or not events:
        sys.exit(f"{path}: more than the {events} events of {lines}")
    if reader.open:
        sys.exit(f"{path}: {len(reader.open)} slices do not end")
    if reader.clocks.get(6) != 0 or not reader.clocks.get(1):
        sys.exit(f"{path}: clocks {reader.clocks}")
    print(f"{events} events, {reader.count} packets, {len(reader.tracks)} tracks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
