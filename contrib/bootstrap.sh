#!/bin/sh
# From a fresh checkout to a running vastrace, in one command. As root, or as a user who may sudo.
# shellcheck disable=SC2086 # lists of package names are meant to be split
set -eu

usage() {
    cat <<'END'
usage: sh contrib/bootstrap.sh run [PROGRAM [ARG...]]   install what is needed, build, trace PROGRAM
                                                        (without one: a demonstration)
       sh contrib/bootstrap.sh test [PRESET [OPTION...]]
                                                        install, build, run all tests, or those
                                                        that the options choose (of ctest)
       sh contrib/bootstrap.sh build [PRESET]           install, build
Presets are those of CMakePresets.json: release (default), dev, asan, ci, ci-asan, ci-clang.
Builds go to build/PRESET.
END
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)

say() { printf 'bootstrap: %s\n' "$*" >&2; }
fail() { say "$*"; exit 125; }

build_packages='gcc libc6-dev cmake ninja-build pkg-config libelf-dev libsqlite3-dev libdw-dev libunwind-dev libiberty-dev zlib1g-dev libzstd-dev'
faster_packages='libdeflate-dev'
test_packages='libcmocka-dev python3 python3-jsonschema binutils xz-utils busybox-static python3-matplotlib gnuplot-nox valgrind protobuf-compiler python3-protobuf chromium chromium-driver python3-selenium bash-completion zsh fish man-db mandoc jq'

# Is a Debian package there, itself or by another name that provides it?
installed() {
    case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in
    *' installed') return 0 ;;
    esac
    dpkg-query -W -f '${Status}|${Provides}\n' 2>/dev/null |
        grep -q "^install ok installed|.*\b$1\b"
}

# install PACKAGE...: what is missing of them, by apt-get; nothing runs when nothing is missing.
install() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        for tool in cc cmake pkg-config; do
            command -v $tool >/dev/null || fail "this is no Debian system and $tool is missing:" \
                "install by hand what Debian calls: $*"
        done
        for library in libelf libdw libunwind-generic zlib; do
            pkg-config --exists $library || fail "this is no Debian system and $library is" \
                "missing: install by hand what Debian calls: $*"
        done
        say "no Debian system: building with what is here (Debian's names for the needs: $*)"
        return
    fi
    missing=
    for package; do
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "not root and no sudo: as root, run" \
            "apt-get install --no-install-recommends$missing"
        as_root=sudo
    fi
    say "installing$missing"
    # Lists that are old but there often suffice; fetching them anew is the second try.
    apt_install $missing && return
    $as_root apt-get -q update >&2 || fail "apt-get update failed: is there a network?"
    apt_install $missing || fail "apt-get could not install$missing"
}

# prefer PACKAGE...: as install, but what cannot be had is done without.
prefer() {
    for package; do
        (install "$package") || say "going on without $package"
    done
}

apt_install() {
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y install --no-install-recommends "$@" >&2
}

# quietly WHAT COMMAND...: shows the command's output only if it fails.
quietly() {
    what=$1
    shift
    say "$what"
    mkdir -p "$here/build"
    log=$here/build/bootstrap.log
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        fail "$what failed (its output is above, and in $log)"
    }
}

# build PRESET OPTION...
build() {
    preset=$1
    shift
    # A build folder keeps the generator it was made with.
    if [ ! -e "$here/build/$preset/CMakeCache.txt" ] && command -v ninja >/dev/null; then
        set -- -G Ninja "$@"
    fi
    # Debian's Python, to which its packages belong; another may come first in PATH.
    [ ! -x /usr/bin/python3 ] || set -- "$@" -DPython3_EXECUTABLE=/usr/bin/python3
    cd "$here"
    quietly "configuring build/$preset" cmake --preset "$preset" "$@"
    quietly "building build/$preset" cmake --build "build/$preset" -j "$jobs"
    cd - >/dev/null
}

demonstrate() {
    vastrace=$1
    say 'demonstration 1: sort(1) with a buffer of 4 MiB and two threads, its map while it runs'
    seq 20000 | "$vastrace" -- sort -R -S 4M --parallel=2 >/dev/null
    say 'demonstration 2: the address space of this shell'
    "$vastrace" layout $$
    say "your turn: $vastrace PROGRAM [ARG...]; $vastrace --help"
}

# Programs for 32 bits are tested where the machine can run them.
case $(uname -m) in
x86_64) test_packages="$test_packages gcc-multilib" ;;
esac

command=${1-}
[ $# -eq 0 ] || shift
case $command in
run)
    install $build_packages
    prefer $faster_packages
    build release -DVASTRACE_TESTS=OFF
    vastrace=$here/build/release/vastrace
    [ $# -gt 0 ] || {
        demonstrate "$vastrace"
        exit
    }
    exec "$vastrace" -- "$@"
    ;;
build)
    install $build_packages $test_packages
    build "${1:-release}" -DVASTRACE_TESTS=ON
    ;;
test)
    preset=${1:-release}
    [ $# -eq 0 ] || shift
    install $build_packages $test_packages
    build "$preset" -DVASTRACE_TESTS=ON
    say "testing build/$preset"
    # One more than there are processors: tests that trace wait about as much as they work.
    exec ctest --test-dir "$here/build/$preset" -j "$((jobs + 1))" --output-on-failure \
        --no-tests=error "$@"
    ;;
-h | --help | help)
    usage
    ;;
*)
    usage >&2
    exit 125
    ;;
esac
