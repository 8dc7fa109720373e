"""Check exports of single processes: check_pids.py VASTRACE RUN.vas FILE.jsonl

Each has the process's own events and no others, all of them; stacks and frames are told before
they are referred to, numbered from 1, and are those of the whole timeline.
Ends with 1 and says what is wrong, if something is.
"""
import json
import subprocess
import sys


def read(lines):
    """Events, with their stacks as lists of frames without numbers."""
    frames, stacks, events = {}, {}, []
    for record in map(json.loads, lines):
        if record["type"] == "frame":
            if record["id"] != len(frames) + 1:
                sys.exit(f"frame {record['id']} after {len(frames)}")
            frames[record.pop("id")] = record
        elif record["type"] == "stack":
            if record["id"] != len(stacks) + 1:
                sys.exit(f"stack {record['id']} after {len(stacks)}")
            stacks[record["id"]] = [frames[frame] for frame in record["frames"]] + [record["end"]]
        elif record["type"] == "event":
            if "stack" in record:
                record["stack"] = stacks[record["stack"]]
            events.append(record)
    return events


def main():
    program, run, whole = sys.argv[1:]
    with open(whole, encoding="utf-8") as file:
        events = read(file)
    pids = sorted({event["pid"] for event in events})
    if len(pids) < 4 or not any("stack" in event for event in events):
        sys.exit(f"{whole}: too little to check: {pids}")
    for pid in pids:
        out = subprocess.run([program, "export", run, "--to", "jsonl", "--pid", str(pid)],
                             stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout
        if read(out.splitlines()) != [event for event in events if event["pid"] == pid]:
            sys.exit(f"{run}: the events of {pid} are not those of the whole")


main()
