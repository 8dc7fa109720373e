"""Check a CSV timeline against the JSON Lines of the same run: check_csv.py FILE.csv FILE.jsonl

The table is as RFC 4180 has it, every cell is UTF-8 without control characters, names can be
turned back into the bytes they were, and each row says what the other format says of its change.
R and jq, where they are installed, read as many rows and events and the same numbers.
Ends with 1 and says what is wrong and where, if something is.
"""
import csv
import io
import json
import shutil
import subprocess
import sys

from escapes import as_json_has_it, raw_name

COLUMNS = (
    "seq time pid tid space cause uncertain result op start end size perm_before perm kind_before "
    "kind offset device inode name from sp mapped break stack source_stays"
).split()

def decimal(number):
    return "" if number is None else str(number)


def hexadecimal(text):
    return text or ""


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def expected_rows(event):
    """What the rows of an event must say, by column; columns of names as JSON has them."""
    call = event.get("call")
    result = ""
    if call:
        result = "-" + call["error"] if call["error"] else str(signed(int(call["result"], 16)))
    base = {
        "seq": str(event["seq"]),
        "time": f"{event['t'] // 10**9}.{event['t'] % 10**9:09d}",
        "pid": str(event["pid"]),
        "tid": str(event["tid"]),
        "cause": event["cause"],
        "uncertain": "1" if event.get("uncertain") else "0",
        "result": result,
        "sp": hexadecimal(event.get("sp")),
        "stack": decimal(event.get("stack")),
    }
    left_space = (event.get("exec") or {}).get("left_space")
    for change in event["changes"] or [None]:
        row = dict.fromkeys(COLUMNS, "")
        row.update(base)
        left = left_space and change and change["op"] == "-"
        row["space"] = str(left_space if left else event["space"])
        row["mapped"] = str(0 if left else event["mapped"])
        row.pop("break")  # the other format has it not
        if change:
            gone, made = change["op"] == "-", change["op"] == "+"
            start, end = int(change["start"], 16), int(change["end"], 16)
            row.update(
                op=change["op"],
                start=change["start"],
                end=change["end"],
                size=str(end - start),
                perm_before=change.get("was", ""),
                perm=change.get("perm", ""),
                kind_before="" if made else change["kind"] if gone else change["was_kind"],
                kind="" if gone else change["kind"],
            )
            file = change["object"]
            if file and file["type"] == "file":
                major, minor = (int(part, 16) for part in file["dev"].split(":"))
                row.update(
                    offset=str(int(change["offset"], 16)),
                    device=f"{major}:{minor}",
                    inode=str(file["inode"]),
                )
            if file:
                row["name"] = file["name"]
            if change["op"] == ">":
                row["from"] = change["from"][0]
                row["source_stays"] = "1" if change["source_stays"] else "0"
        yield row


# What prints the number of rows or events, the sum of all sizes of the table, and the most mapped.
READERS = (
    ("Rscript", "-e", """
        table <- read.csv(commandArgs(TRUE)[1])
        cat(nrow(table), sprintf("%.0f", c(sum(as.numeric(table$size), na.rm=TRUE),
                                           max(as.numeric(table$mapped)))))"""),
    ("jq", "-rn", """
        reduce (inputs | select(.type == "event")) as $event ([0, 0]; [.[0] + 1,
            ([.[1], $event.mapped] | max)]) | @text "\\(.[0]) \\(.[1])\""""),
)


def others_read(table, lines, rows, events):
    """Holds other programs' accounts against ours; returns which could be asked."""
    sizes = sum(int(row[COLUMNS.index("size")] or 0) for row in rows)
    most = max(int(row[COLUMNS.index("mapped")]) for row in rows)
    asked = []
    for (program, *words), path, want in zip(
            READERS, (table, lines), ((len(rows), sizes, most), (events, most))):
        if shutil.which(program):
            asked.append(program)
            result = subprocess.run([program, *words, path], stdout=subprocess.PIPE, check=True)
            have = tuple(map(int, result.stdout.split()))
            if have != want:
                sys.exit(f"{path}: {program} reads {have}, not {want}")
    return asked


def main():
    table, lines = sys.argv[1:]
    with open(table, "rb") as file:
        data = file.read()
    text = data.decode("utf-8")  # strictly
    odd = {hex(ord(c)) for c in text.replace("\r\n", "") if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0}
    if odd:
        sys.exit(f"{table}: control characters: {odd}")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    again = io.StringIO(newline="")
    csv.writer(again, lineterminator="\r\n").writerows(rows)
    if again.getvalue() != text:
        sys.exit(f"{table}: not as Python's csv writes the same cells")
    if rows.pop(0) != COLUMNS:
        sys.exit(f"{table}: the header is {text.splitlines()[0]}")
    at = events = 0
    with open(lines, encoding="utf-8", newline="\n") as file:
        for record in map(json.loads, file):
            if record["type"] != "event":
                continue
            events += 1
            for want in expected_rows(record):
                if at == len(rows):
                    sys.exit(f"{table}: no row for {want}")
                if len(rows[at]) != len(COLUMNS):
                    sys.exit(f"{table}: row {at + 1} has {len(rows[at])} cells")
                have = dict(zip(COLUMNS, rows[at]))
                for column in ("name", "cause"):
                    have[column] = as_json_has_it(raw_name(have[column]))
                for column, value in want.items():
                    if have[column] != value:
                        sys.exit(f"{table}: row {at + 1}, {column}: {have[column]!r}, not {value!r}")
                if not have["break"].isdigit():
                    sys.exit(f"{table}: row {at + 1}: break {have['break']!r}")
                at += 1
    if at != len(rows):
        sys.exit(f"{table}: {len(rows) - at} rows too many")
    if not at:
        sys.exit(f"{table}: nothing was compared")
    asked = others_read(table, lines, rows, events)
    print(f"{at} rows, read by {', '.join(['Python', *asked])}")


main()
