#!/bin/sh
# Trace programs of this system, which nobody here wrote, under --verify: for each its status and how
# many of how many stops agreed with the kernel's map. Programs that are not installed are left out.
#
#     verify.sh VASTRACE
#
# Ends with 1 if a stop disagreed or a program was not traced, else with 0.
# shellcheck disable=SC2016 # what is in single quotes is for the shell that is traced
set -u
vastrace=$(command -v "${1:?usage: verify.sh VASTRACE}") || {
    echo "verify.sh: $1: no such program; build it, and name it as in build/release/vastrace" >&2
    exit 125
}
case $vastrace in
/*) ;;
*) vastrace=$PWD/$vastrace ;;
esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 125
printf '#include <stdio.h>\nint main(void) { return puts("hi") < 0; }\n' >t.c
failed=0

# check NAME PROGRAM [ARG...]
check() {
    name=$1
    shift
    command -v "$1" >/dev/null || return
    "$vastrace" --verify -o "$name.log" -- "$@" >"$name.out" 2>"$name.err" </dev/null
    status=$?
    verdict=$(grep '^verify: ' "$name.log" | tail -n 1)
    printf '%-12s status %-4s %s\n' "$name" "$status" "${verdict:-not traced}"
    case "$status $verdict" in
    "125 "* | *" ") failed=1 ;;
    esac
}

check true true
check ls ls -lR /usr/share/doc
check find find /usr/lib -name '*.so'
check grep grep -rl main /usr/include --include='*.h'
check bash bash -c 'for i in 1 2 3; do (echo $i | cat); done; x=$(ls); echo ${#x}'
check pipeline sh -c 'seq 100000 | sort -rn | uniq | awk "{s += \$1} END {print s}" | md5sum'
check tar sh -c 'tar -cf - /usr/include 2>/dev/null | xz -0 -T2 | wc -c'
check busybox busybox sh -c 'ls / | wc; busybox gzip -c /bin/busybox | busybox wc -c'
check xz xz -9 -k -c /bin/bash
check gcc gcc -O2 t.c -o t.gcc
check clang clang -O2 t.c -o t.clang
check as as --version
check ld ld --verbose
check make make --version
check cmake cmake --version
check git git --version
check python3 python3 -c 'import json, ssl, sqlite3, ctypes; print(sum(range(100000)))'
check threads python3 -c '
import threading
def work():
    for _ in range(200):
        bytearray(1000000)
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]'
check processes python3 -c 'import multiprocessing as m; print(m.Pool(4).map(abs, range(-10, 0)))'
check perl perl -MPOSIX -e 'print join(",", map { $_ * 2 } 1 .. 10), "\n"'
check node node -e 'console.log([...Array(1000).keys()].map(x => x * x).length)'
check java java -version
check sqlite3 sqlite3 :memory: 'with recursive c(x) as (select 1 union all select x + 1 from c
    where x < 100000) select sum(x) from c'
check openssl openssl version
check vim vim --version
check gdb gdb -batch -ex 'info line main' /bin/true
check rustc rustc -vV
check cargo cargo --version
check tclsh tclsh /dev/null
exit $failed
