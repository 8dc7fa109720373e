#!/bin/sh
# Trace the kernel's own tests of memory management and of x86 under --verify: for each program its
# status untraced and traced, and how many of how many stops agreed with the kernel's map. Tests that
# do not compile here are left out; one that traces itself cannot be traced, and says so.
#
#     selftests.sh VASTRACE SOURCE     a kernel's source: a folder, or Debian's
#                                      /usr/src/linux-source-VERSION.tar.xz
#
# Ends with 1 if a stop disagreed or a program was not traced, else with 0. What the tests do to the
# machine is as harmless as kernel developers deem right: use one that may be restarted.
set -u
seconds=60 # for one run of one test

fail() {
    echo "selftests.sh: $*" >&2
    exit 125
}

vastrace=$(command -v "${1:?usage: selftests.sh VASTRACE SOURCE}") || fail "$1: no such program"
case $vastrace in
/*) ;;
*) vastrace=$PWD/$vastrace ;;
esac
source=${2:?usage: selftests.sh VASTRACE SOURCE}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ ! -d "$source" ]; then
    mkdir "$scratch/source"
    tar -C "$scratch/source" --strip-components=1 --wildcards -xf "$source" \
        '*/tools/testing/selftests' '*/tools/include' || fail "cannot unpack $source"
    source=$scratch/source
fi
tests=$(CDPATH='' cd -- "$source/tools/testing/selftests" && pwd) || fail "$source is no kernel's source"
mm=$tests/mm
[ -d "$mm" ] || mm=$tests/vm # before Linux 6.3
failed=0

# check NAME PROGRAM
check() {
    (cd "$scratch" && timeout $seconds "$2") >/dev/null 2>&1 </dev/null
    untraced=$?
    (cd "$scratch" && timeout $((2 * seconds)) "$vastrace" --verify -o log -- "$2") \
        >/dev/null 2>&1 </dev/null
    traced=$?
    verdict=$(grep '^verify: ' "$scratch/log" | tail -n 1)
    printf '%-32s untraced %-4s traced %-4s %s\n' "$1" $untraced $traced "${verdict:-not traced}"
    case "$traced $verdict" in
    "125 "* | *" ") failed=1 ;;
    esac
}

# build OUTPUT SOURCE OPTION...
build() {
    output=$1
    shift
    gcc -O1 -w -I"$tests" -idirafter "$tests/../../include/uapi" "$@" -o "$output" \
        -lpthread -lrt -ldl 2>/dev/null
}

for file in "$mm"/*.c "$tests"/x86/*.c; do
    name=$(basename "$file" .c)
    case $name in
    vm_util | pkey* | helpers) continue ;;
    compaction_test | thuge-gen | transhuge-stress) continue ;; # take all memory, or huge pages
    esac
    build "$scratch/$name" "$file" || build "$scratch/$name" "$file" "$mm/vm_util.c" || continue
    check "$name" "$scratch/$name"
    case $file in
    */x86/*) build "$scratch/${name}_32" -m32 "$file" && check "$name, 32 bits" "$scratch/${name}_32" ;;
    esac
done
exit $failed
