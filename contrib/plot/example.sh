#!/bin/sh
# example.sh - makes contrib/plot/example.png, the picture in README.md: Python with three threads.
# usage: sh contrib/plot/example.sh [VASTRACE [PICTURE]]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
vastrace=${1:-$here/../../build/release/vastrace}
picture=${2:-$here/example.png}
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT

# Threads that fill malloc arenas of their own, a list that the heap grows for, a large array.
cat >"$run/example.py" <<'END'
import threading, time

def work(count):
    kept = []
    for _ in range(count):
        kept.append(bytearray(60000))
        time.sleep(0.001)

threads = [threading.Thread(target=work, args=(80 * n,)) for n in (2, 3, 4)]
for thread in threads:
    thread.start()
    time.sleep(0.06)
rows = [bytes(1000) for _ in range(20000)]
time.sleep(0.03)
table = bytearray(24 << 20)
for thread in threads:
    thread.join()
del rows
time.sleep(0.05)
END
case $vastrace in
/*) ;;
*/*) vastrace=$PWD/$vastrace ;;
esac
(cd "$run" && "$vastrace" -q --no-aslr -o run.vas -- python3 example.py)
"$here/vasplot" "$run/run.vas" --title 'vastrace -o run.vas -- python3 example.py' \
    --size 10.6x6.4 --dpi 110 -o "$picture"
