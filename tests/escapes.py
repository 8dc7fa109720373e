"""Names as vastrace escapes them for eyes, turned back, and as JSON Lines have them."""
import re

ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u\{([0-9a-f]+)\}|([nt\\]))")


def raw_name(cell):
    """The bytes that a cell's text was made from. \\xHH stands for one byte, others for UTF-8."""
    out, at = b"", 0
    while at < len(cell):
        if cell[at] != "\\":
            out += cell[at].encode()
            at += 1
            continue
        found = ESCAPE.match(cell, at)
        if not found:
            raise ValueError(f"a backslash that begins nothing in {cell!r}")
        byte, point, letter = found.groups()
        if byte:
            out += bytes([int(byte, 16)])
        elif point:
            out += chr(int(point, 16)).encode()
        else:
            out += {"n": b"\n", "t": b"\t", "\\": b"\\"}[letter]
        at = found.end()
    return out


def as_json_has_it(raw):
    """As the other format writes what is not UTF-8: U+FFFD and two digits a byte."""
    text = raw.decode("utf-8", errors="surrogateescape")
    return "".join(
        f"\ufffd{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text
    )
