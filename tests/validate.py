"""Check a JSON Lines timeline against its schema: validate.py SCHEMA FILE

Every line has to be valid by itself, the first is the header and the last the
end, and sequence numbers rise. Needs the module jsonschema. Ends with 1 and
says what is wrong and where, if something is.
"""
import json
import sys

import jsonschema


def no_duplicates(pairs):
    """A member that appears twice in one object is a writer's mistake that json.loads hides."""
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError("a member appears twice: " + ", ".join(names))
    return dict(pairs)


def problems(schema, lines):
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.draft202012_format_checker
    )
    # One definition a record type: errors then name the member at fault rather than all of oneOf.
    by_type = {
        name: validator.evolve(schema={"$ref": "#/$defs/" + name, "$defs": schema["$defs"]})
        for name in ("header", "frame", "stack", "event", "end")
    }
    last_seq = 0
    told = {"frame": 0, "stack": 0}  # their ids count from 1
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line, object_pairs_hook=no_duplicates)
        except ValueError as error:
            yield number, str(error)
            continue
        kind = record.get("type") if isinstance(record, dict) else None
        for error in by_type.get(kind, validator).iter_errors(record):
            yield number, "/".join(map(str, error.absolute_path)) + ": " + error.message[:300]
        expected = "header" if number == 1 else "end" if number == len(lines) else "event"
        if kind in told and expected == "event":
            told[kind] += 1
            if record.get("id") != told[kind]:
                yield number, f"id {record.get('id')} of a {kind}, not {told[kind]}"
            if any(frame > told["frame"] for frame in record.get("frames", [])):
                yield number, "a frame that was not told before"
        elif kind != expected:
            yield number, f"is of type {kind}, not {expected}"
        if kind == "event" and record.get("stack", 0) > told["stack"]:
            yield number, "a stack that was not told before"
        if kind == "event" and isinstance(record.get("seq"), int):
            if record["seq"] <= last_seq:
                yield number, f"seq {record['seq']} after {last_seq}"
            last_seq = record["seq"]


def main():
    schema_path, path = sys.argv[1:]
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    with open(path, encoding="utf-8", newline="\n") as file:
        text = file.read()
    if not text.endswith("\n"):
        print(f"{path}: the last line is not whole")
        return 1
    count = 0
    for number, what in problems(schema, text[:-1].split("\n")):
        print(f"{path}:{number}: {what}")
        count += 1
        if count == 20:
            print("(more left out)")
            break
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
