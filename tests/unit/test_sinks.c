/*
 * test_sinks.c - every cause and change through every format, compared with
 * tests/golden/; hostile names; the schema; outputs that fail.
 *
 * To accept what the sinks write now:  VASTRACE_UPDATE_GOLDEN=1 ctest -R sinks
 * and read the difference before you commit it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* after what it needs */

#include "base/base.h"
#include "base/buf.h"
#include "sinks/columns.h"
#include "sinks/sink.h"

#define GOLDEN SOURCE_DIR "/tests/golden/"
#define KIB(n) ((uint64_t)(n)*1024)
#define MIB(n) (KIB(n) * 1024)
#define MS(n)  ((int64_t)(n)*1000000)

/* ---- a made-up program and what it maps ---- */

static const struct vt_object heapy = {VT_OBJECT_FILE, 1, 0xfe, 0, 1234, 0, "/home/u/heapy"};
static const struct vt_object libc = {
    VT_OBJECT_FILE, 2, 0xfe, 0, 99, 0, "/usr/lib/x86_64-linux-gnu/libc.so.6"};
static const struct vt_object input = {VT_OBJECT_FILE,    3, 0x103, 0x1f, UINT64_C(1) << 40, 0,
                                       "/data/in put.bin"};
static const struct vt_object removed = {VT_OBJECT_FILE, 4, 0, 1, 7, 0, "/tmp/scratch (deleted)"};
static const struct vt_object zero = {VT_OBJECT_FILE, 5, 0, 1, 2048, 0, "/dev/zero (deleted)"};
static const struct vt_object memfd = {
    VT_OBJECT_FILE, 6, 0, 1, 3, 0, "/memfd:a/b\033[2J (deleted)"};
static const struct vt_object huge = {
    VT_OBJECT_FILE, 7, 0, 0xf, 8, MIB(2), "/anon_hugepage (deleted)"};
static const struct vt_object vdso = {VT_OBJECT_SPECIAL, 8, 0, 0, 0, 0, "[vdso]"};
static const struct vt_object vvar = {VT_OBJECT_SPECIAL, 9, 0, 0, 0, 0, "[vvar]"};
static const struct vt_object vsyscall = {VT_OBJECT_SPECIAL, 10, 0, 0, 0, 0, "[vsyscall]"};
static const struct vt_object named = {VT_OBJECT_SPECIAL, 11, 0, 0, 0, 0, "[anon:glibc: malloc]"};
static const struct vt_object hostile = {
    VT_OBJECT_FILE,
    12,
    0xfe,
    0,
    13,
    0,
    "/tmp/new\nline \033]0;title\007\033[31m\"q\" \\ \xff\xc0\xaf \xe2\x80\xae"
    "gpj.exe \xc2\x9b"
    "2J"};

#define R VT_PROT_READ
#define W VT_PROT_WRITE
#define X VT_PROT_EXEC

static struct vt_region region(vt_addr start, uint64_t size, uint8_t prot, uint8_t flags,
                               uint8_t kind, const struct vt_object *object, uint64_t offset)
{
    return (struct vt_region){start, start + size, offset, object, prot, flags, kind};
}

static struct vt_change made(struct vt_region after)
{
    return (struct vt_change){
        .op = VT_CHANGE_MADE, .start = after.start, .end = after.end, .after = after};
}

static struct vt_change gone(struct vt_region before)
{
    return (struct vt_change){
        .op = VT_CHANGE_GONE, .start = before.start, .end = before.end, .before = before};
}

static struct vt_change altered(struct vt_region before, uint8_t prot, uint8_t kind)
{
    struct vt_change change = {.op = VT_CHANGE_ALTERED,
                               .start = before.start,
                               .end = before.end,
                               .before = before,
                               .after = before};
    change.after.prot = prot;
    change.after.kind = kind;
    return change;
}

static struct vt_change moved(struct vt_region before, vt_addr to, bool source_stays)
{
    struct vt_change change = {.op = VT_CHANGE_MOVED,
                               .source_stays = source_stays,
                               .start = to,
                               .end = to + (before.end - before.start),
                               .before = before,
                               .after = before};
    change.after.start = change.start;
    change.after.end = change.end;
    return change;
}

/* Where things lie. */
#define EXE       UINT64_C(0x555555554000)
#define LIB       UINT64_C(0x7ffff7d80000)
#define MAP       UINT64_C(0x7ffff7a00000)
#define STACK_END UINT64_C(0x7ffffffff000)

static struct vt_region heap(uint64_t at, uint64_t size)
{
    return region(EXE + 0x5000 + at, size, R | W, 0, VT_KIND_HEAP, NULL, 0);
}

static struct vt_region anon(vt_addr start, uint64_t size)
{
    return region(start, size, R | W, 0, VT_KIND_ANON, NULL, 0);
}

static const char *const mmap_args[] = {"addr", "length", "prot", "flags", "fd", "offset"};
static const char *const mprotect_args[] = {"addr", "length", "prot"};
static const char *const madvise_args[] = {"addr", "length", "advice"};
static const char *const munmap_args[] = {"addr", "length"};
static const char *const mremap_args[] = {"old_address", "old_size", "new_size", "flags",
                                          "new_address"};
static const char *const brk_args[] = {"addr"};
static const char *const prctl_args[] = {"option", "arg2", "arg3", "arg4", "arg5"};

static const struct vt_call brk_call = {.name = "brk",
                                        .number = 12,
                                        .arg_count = 1,
                                        .arg_names = brk_args,
                                        .args = {EXE + 0x5000 + KIB(132)},
                                        .result = EXE + 0x5000 + KIB(132)};
static const struct vt_call brk_refused = {.name = "brk",
                                           .number = 12,
                                           .arg_count = 1,
                                           .arg_names = brk_args,
                                           .args = {EXE + 0x5000 + MIB(64)},
                                           .result = EXE + 0x5000 + KIB(132)};
static const struct vt_call mmap_call = {
    .name = "mmap",
    .number = 9,
    .arg_count = 6,
    .arg_names = mmap_args,
    .args = {0, MIB(1), R | W, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0},
    .result = MAP};
static const struct vt_call mmap_failed = {
    .name = "mmap",
    .number = 9,
    .arg_count = 6,
    .arg_names = mmap_args,
    .args = {0, UINT64_C(1) << 46, R | W, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | 0x8000000,
             UINT32_MAX, 0},
    .failed = true,
    .error = ENOMEM};
static const struct vt_call mprotect_call = {.name = "mprotect",
                                             .number = 10,
                                             .arg_count = 3,
                                             .arg_names = mprotect_args,
                                             .args = {LIB, KIB(16), R}};
static const struct vt_call mprotect_failed = {.name = "mprotect",
                                               .number = 10,
                                               .arg_count = 3,
                                               .arg_names = mprotect_args,
                                               .args = {MAP, KIB(512), R | (1 << 24)},
                                               .failed = true,
                                               .error = EPERM};
static const struct vt_call munmap_call = {.name = "munmap",
                                           .number = 11,
                                           .arg_count = 2,
                                           .arg_names = munmap_args,
                                           .args = {MAP, MIB(1)}};
static const struct vt_call mremap_call = {.name = "mremap",
                                           .number = 25,
                                           .arg_count = 5,
                                           .arg_names = mremap_args,
                                           .args = {MAP, MIB(1), MIB(1), MREMAP_MAYMOVE | 4, 0},
                                           .result = MAP + MIB(16)};
static const struct vt_call mremap_odd = {.name = "mremap",
                                          .number = 163,
                                          .abi = VT_ABI_I386,
                                          .arg_count = 5,
                                          .arg_names = mremap_args,
                                          .args = {MAP, 4096, 8192, 0, 0},
                                          .failed = true,
                                          .error = 514};
static const struct vt_call madvise_call = {.name = "madvise",
                                            .number = 28,
                                            .arg_count = 3,
                                            .arg_names = madvise_args,
                                            .args = {MAP, MIB(1), 10}};
static const struct vt_call prctl_call = {.name = "prctl",
                                          .number = 157,
                                          .arg_count = 5,
                                          .arg_names = prctl_args,
                                          .args = {0x53564d41, 0, MAP, KIB(64), 0x555555556004}};
static const struct vt_call pkey_call = {
    .name = "remap_file_pages", .number = 216, .abi = VT_ABI_X32, .arg_count = 1, .args = {77}};
static const struct vt_call odd_error = {
    .name = "mystery", .number = 999, .failed = true, .error = 4000};

/* ---- telling it to a sink ---- */

struct teller {
    struct vt_sink *sink;
    struct vt_error err;
    uint64_t seq;
    int64_t time_ns;
    uint64_t mapped;
    uint64_t heap[8]; /* by space */
};

static uint64_t heap_size(const struct vt_change *change, bool after)
{
    bool is = after ? change->op != VT_CHANGE_GONE && change->after.kind == VT_KIND_HEAP
                    : change->op != VT_CHANGE_MADE && change->before.kind == VT_KIND_HEAP;
    return is ? change->end - change->start : 0;
}

/* One event some time after the last; what is not given is of pid 4242, space 1. */
static void tell(struct teller *teller, struct vt_event event, const struct vt_change *changes,
                 size_t count)
{
    static const struct vt_detail none[64];

    assert_true(count <= VT_COUNTOF(none));
    event.seq = ++teller->seq;
    event.time_ns = teller->time_ns += 123456;
    event.pid = event.pid ? event.pid : 4242;
    event.tid = event.tid ? event.tid : event.pid;
    event.space = event.space ? event.space : 1;
    event.changes = changes;
    event.change_count = count;
    event.details = event.details ? event.details : none;
    for (size_t i = 0; i < count; i++) {
        uint64_t size = changes[i].end - changes[i].start;
        teller->mapped += changes[i].op == VT_CHANGE_MADE ? size : 0;
        teller->mapped -= changes[i].op == VT_CHANGE_GONE ? size : 0;
        teller->heap[event.space % 8] += heap_size(&changes[i], true);
        teller->heap[event.space % 8] -= heap_size(&changes[i], false);
    }
    event.heap_bytes = teller->heap[event.space % 8];
    event.mapped_bytes = teller->mapped;
    assert_int_equal(vt_sink_event(teller->sink, &event, &teller->err), 0);
}

#define TELL(teller, event, ...)                                                                   \
    tell(teller, (struct vt_event)event, (const struct vt_change[]){__VA_ARGS__},                  \
         sizeof((const struct vt_change[]){__VA_ARGS__}) / sizeof(struct vt_change))
#define TELL_NO_CHANGE(teller, event) tell(teller, (struct vt_event)event, NULL, 0)
#define EVENT(...)                                                                                 \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static char *command[] = {"./heapy", "--size", "1 MiB", "it's", NULL};
static const struct vt_run run = {
    .version = "0.0-test",
    .command = command,
    .kernel = "6.1.0",
    .machine = "x86_64",
    .page_size = 4096,
    .aslr = 2,
    .aslr_disabled = true,
    .start_unix_ns = INT64_C(1700000000123456789),
    .verify = true,
};

static const struct vt_exec_info exec_info = {.path = "/home/u/heapy",
                                              .type = VT_PROGRAM_PIE,
                                              .class_bits = 64,
                                              .images = 2,
                                              .regions = 12,
                                              .left_space = 1};

static struct vt_process_totals some_totals(void)
{
    struct vt_process_totals totals = {
        .bytes = MIB(4) + KIB(152),
        .peak_bytes = MIB(5) + KIB(152),
        .usable_peak_bytes = MIB(3),
        .events = 61,
        .sp_first = 0x7fffffffe2d0,
        .sp_lowest = 0x7ffffff70128,
        .stack_low = 0x7ffffff6e000,
        .stack_high = STACK_END,
    };
    totals.kinds[VT_KIND_TEXT] = (struct vt_kind_totals){3, MIB(1), MIB(1), 3, MIB(1), 0, 0};
    totals.kinds[VT_KIND_HEAP] =
        (struct vt_kind_totals){1, KIB(132), KIB(1056), 5, KIB(1188), 4, KIB(1056)};
    totals.kinds[VT_KIND_STACK] = (struct vt_kind_totals){1, KIB(580), KIB(580), 3, KIB(580), 0, 0};
    totals.kinds[VT_KIND_THREAD_STACK] =
        (struct vt_kind_totals){0, 0, MIB(64), 1024, UINT64_C(8) << 33, 1024, UINT64_C(8) << 33};
    totals.kinds[VT_KIND_GUARD] = (struct vt_kind_totals){1, KIB(4), KIB(8), 2, KIB(8), 1, KIB(4)};
    totals.kinds[VT_KIND_RESERVE] = (struct vt_kind_totals){1, MIB(2), MIB(2), 1, MIB(2), 0, 0};
    return totals;
}

static void begin(struct teller *teller, struct vt_sink *sink, const struct vt_run *what)
{
    *teller = (struct teller){.sink = sink};
    assert_int_equal(vt_sink_begin(sink, what, &teller->err), 0);
}

static void start_program(struct teller *teller)
{
    static const struct vt_part data_parts[] = {
        {0x3de0, 0x3df0, VT_KIND_TLS},  {0x3df0, 0x4000, VT_KIND_RELRO},
        {0x4000, 0x4010, VT_KIND_DATA}, {0x4010, 0x4018, VT_KIND_DATA},
        {0x4018, 0x4040, VT_KIND_BSS},
    };
    static const struct vt_part one_part[] = {{0x1000, 0x2000, VT_KIND_TEXT}};
    struct vt_detail details[12] = {
        [1] = {one_part, 1, EXE, &heapy},
        [3] = {data_parts, VT_COUNTOF(data_parts), EXE, &heapy},
        [4] = {NULL, 0, EXE, &heapy},
    };

    TELL(teller,
         EVENT(.cause = VT_CAUSE_EXEC, .exec = &exec_info, .details = details, .sp = 0x7fffffffe2d0,
               .ip = 0x7ffff7fe5730),
         made(region(EXE, KIB(4), R, 0, VT_KIND_RODATA, &heapy, 0)),
         made(region(EXE + 0x1000, KIB(4), R | X, 0, VT_KIND_TEXT, &heapy, 0x1000)),
         made(region(EXE + 0x2000, KIB(4), R, 0, VT_KIND_RODATA, &heapy, 0x2000)),
         made(region(EXE + 0x3000, KIB(8), R | W, 0, VT_KIND_DATA, &heapy, 0x2000)),
         made(region(EXE + 0x5000, KIB(4), R | W, 0, VT_KIND_BSS, NULL, 0)),
         made(region(LIB, KIB(16), R | W, 0, VT_KIND_DATA, &libc, 0x1000)),
         made(region(0x7ffff7fc9000, KIB(16), R, 0, VT_KIND_VVAR, &vvar, 0)),
         made(region(0x7ffff7fcd000, KIB(8), R | X, 0, VT_KIND_VDSO, &vdso, 0)),
         made(region(STACK_END - KIB(132), KIB(132), R | W, 0, VT_KIND_STACK, NULL, 0)),
         made(region(UINT64_C(0xffffffffff600000), KIB(4), X, 0, VT_KIND_VSYSCALL, &vsyscall, 0)));
}

static void end(struct teller *teller, const struct vt_summary *summary)
{
    assert_int_equal(vt_sink_end(teller->sink, summary, &teller->err), 0);
}

/* One process, nothing out of the ordinary: what most people see. */
static void tell_plain(struct vt_sink *sink)
{
    struct teller teller;
    struct vt_process_totals totals = some_totals();
    struct vt_exit_info exit_info = {.lifetime_ns = 12345678,
                                     .name = "heapy",
                                     .totals = &totals,
                                     .root = true,
                                     .exactness = {.stops = 61, .compared = 61, .agreed = 61}};
    struct vt_summary summary = {.duration_ns = MS(13),
                                 .events = 6,
                                 .processes = 1,
                                 .threads = 1,
                                 .exactness = exit_info.exactness};

    begin(&teller, sink, &run);
    start_program(&teller);
    TELL(&teller, EVENT(.call = &brk_call), made(heap(KIB(4), KIB(132))));
    TELL(&teller, EVENT(.call = &mmap_call), made(anon(MAP, MIB(1))));
    TELL(&teller, EVENT(.call = &mprotect_call),
         altered(region(LIB, KIB(16), R | W, 0, VT_KIND_RELRO, &libc, 0x1000), R, VT_KIND_RELRO));
    TELL(&teller, EVENT(.cause = VT_CAUSE_FAULT, .sp = 0x7ffffff70128),
         made(region(STACK_END - KIB(196), KIB(64), R | W, 0, VT_KIND_STACK, NULL, 0)));
    TELL_NO_CHANGE(&teller, EVENT(.cause = VT_CAUSE_EXIT, .exit = &exit_info));
    end(&teller, &summary);
}

/* Everything there is to tell. */
static void tell_all(struct vt_sink *sink)
{
    struct teller teller;
    struct vt_process_totals totals = some_totals();
    char long_name[4001];

    begin(&teller, sink, &run);
    start_program(&teller);

    /* the heap: grown, grown again, shrunk, a hole in it, refused */
    TELL(&teller, EVENT(.call = &brk_call), made(heap(KIB(4), KIB(132))));
    TELL(&teller, EVENT(.call = &brk_call), made(heap(KIB(136), KIB(1024))));
    TELL(&teller, EVENT(.call = &brk_call), gone(heap(KIB(136), KIB(1024))));
    TELL(&teller, EVENT(.call = &munmap_call), gone(heap(KIB(8), KIB(4))));
    TELL_NO_CHANGE(&teller,
                   EVENT(.call = &brk_refused, .note = "refused by a mapping at 7ffff7a00000"));

    /* mappings of every sort */
    TELL(&teller, EVENT(.call = &mmap_call),
         made(region(MAP, MIB(1), R, 0, VT_KIND_FILE, &input, 0x3000)));
    TELL(&teller, EVENT(.call = &mmap_call, .note = "replaced part of a file"),
         gone(region(MAP, KIB(64), R, 0, VT_KIND_FILE, &input, 0x3000)), made(anon(MAP, KIB(64))));
    TELL(&teller, EVENT(.call = &mmap_call),
         made(region(MAP + MIB(2), MIB(1), R | W, VT_REGION_SHARED, VT_KIND_SHM, &zero, 0)));
    TELL(&teller, EVENT(.call = &mmap_call),
         made(region(MAP + MIB(3), KIB(8), R | W, VT_REGION_SHARED, VT_KIND_SHM, &memfd, 0x1000)));
    TELL(&teller, EVENT(.call = &mmap_call),
         made(region(MAP + MIB(4), MIB(4), R | W, 0, VT_KIND_ANON, &huge, 0)));
    TELL(&teller, EVENT(.call = &mmap_call),
         made(region(0x400000, KIB(8), R, 0, VT_KIND_FILE, &removed, 0)));
    TELL(&teller, EVENT(.call = &mmap_call),
         made(region(MAP + MIB(32), UINT64_C(14) << 40, 0, 0, VT_KIND_RESERVE, NULL, 0)));
    TELL(&teller, EVENT(.call = &mmap_call),
         made(region(MAP + MIB(10), KIB(4), R, 0, VT_KIND_FILE, &hostile, 0)));
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[0] = long_name[2000] = '/';
    long_name[sizeof(long_name) - 1] = '\0';
    struct vt_object long_object = {VT_OBJECT_FILE, 20, 1, 1, 1, 0, long_name};
    TELL(&teller, EVENT(.call = &mmap_call),
         made(region(MAP + MIB(11), KIB(4), R, 0, VT_KIND_OTHER, &long_object, 0)));

    /* alterations */
    TELL(&teller, EVENT(.call = &mprotect_call),
         altered(region(LIB, KIB(16), R | W, 0, VT_KIND_DATA, &libc, 0x1000), R, VT_KIND_RELRO));
    struct vt_change renamed = altered(anon(MAP, KIB(64)), R | W, VT_KIND_ANON);
    renamed.after.object = &named;
    TELL(&teller, EVENT(.call = &prctl_call), renamed);
    struct vt_change unnamed = renamed;
    unnamed.before.object = &named;
    unnamed.after.object = NULL;
    TELL(&teller, EVENT(.call = &prctl_call), unnamed);

    /* moves */
    TELL(&teller, EVENT(.call = &mremap_call), moved(anon(MAP, KIB(64)), MAP + MIB(16), false));
    TELL(&teller, EVENT(.call = &mremap_call),
         moved(anon(MAP + MIB(16), KIB(64)), MAP + MIB(24), true));

    /* failures, one of which changed something, and calls that change no map */
    TELL_NO_CHANGE(&teller, EVENT(.call = &mmap_failed));
    TELL(&teller, EVENT(.call = &mprotect_failed),
         altered(anon(MAP + MIB(24), KIB(4)), R, VT_KIND_ANON),
         altered(anon(MAP + MIB(24) + KIB(8), KIB(4)), R, VT_KIND_ANON));
    TELL_NO_CHANGE(&teller, EVENT(.call = &mremap_odd));
    TELL_NO_CHANGE(&teller, EVENT(.call = &odd_error));
    TELL_NO_CHANGE(&teller, EVENT(.call = &madvise_call));
    TELL_NO_CHANGE(&teller, EVENT(.call = &prctl_call));
    TELL(&teller, EVENT(.call = &pkey_call), made(anon(0x10000, KIB(4))));
    TELL_NO_CHANGE(&teller, EVENT(.call = &pkey_call));

    /* growth without a call, doubt, and being set right */
    TELL(&teller, EVENT(.cause = VT_CAUSE_FAULT, .sp = 0x7ffffff70128),
         made(region(STACK_END - KIB(196), KIB(64), R | W, 0, VT_KIND_STACK, NULL, 0)));
    TELL(&teller, EVENT(.call = &munmap_call, .uncertain = true), gone(anon(0x10000, KIB(4))));
    TELL(&teller, EVENT(.cause = VT_CAUSE_RESYNC, .uncertain = true, .note = "after a late stop"),
         made(anon(0x20000, KIB(4))), gone(anon(MAP + MIB(24), KIB(4))));
    TELL_NO_CHANGE(&teller, EVENT(.cause = VT_CAUSE_RESYNC));
    TELL_NO_CHANGE(&teller, EVENT(.cause = VT_CAUSE_FAULT));

    /* a fault, with all that can be said of one */
    struct vt_fault_info fault = {
        .signal = SIGSEGV,
        .code = 1,
        .has_addr = true,
        .addr = MAP + KIB(80),
        .verdict = VT_FAULT_UNMAPPED,
        .here = region(MAP + KIB(80), KIB(4), 0, 0, VT_KIND_GUARD, NULL, 0),
        .below = anon(MAP, KIB(64)),
        .above = region(MAP + MIB(1), MIB(1), R, 0, VT_KIND_FILE, &input, 0),
        .has_past = true,
        .past = {.seq = 3,
                 .time_ns = 200000,
                 .pid = 4242,
                 .tid = 4242,
                 .cause = "munmap",
                 .op = VT_CHANGE_GONE,
                 .before = anon(MAP + KIB(64), KIB(64))}};
    for (int verdict = 0; verdict < VT_FAULT_COUNT; verdict++) {
        fault.verdict = (enum vt_fault_verdict)verdict;
        TELL_NO_CHANGE(&teller, EVENT(.cause = VT_CAUSE_SIGNAL, .fault = &fault));
    }
    fault = (struct vt_fault_info){.signal = SIGBUS, .verdict = VT_FAULT_SENT, .sender = 77};
    TELL_NO_CHANGE(&teller, EVENT(.cause = VT_CAUSE_SIGNAL, .fault = &fault));

    /* a thread, with its stack recognised; a fork; a vfork child; an exec of it */
    TELL(&teller, EVENT(.cause = VT_CAUSE_THREAD, .tid = 4243, .parent = 4242),
         altered(anon(MAP + MIB(40), MIB(8)), R | W, VT_KIND_THREAD_STACK),
         altered(region(MAP + MIB(40) - KIB(4), KIB(4), 0, 0, VT_KIND_RESERVE, NULL, 0), 0,
                 VT_KIND_GUARD));
    TELL(&teller, EVENT(.cause = VT_CAUSE_FORK, .pid = 4244, .space = 2, .parent = 4243),
         made(heap(KIB(4), KIB(132))), made(anon(MAP, MIB(2))));
    TELL(&teller, EVENT(.call = &brk_call, .pid = 4244, .space = 2), gone(heap(KIB(72), KIB(64))));
    TELL(&teller,
         EVENT(.cause = VT_CAUSE_THREAD, .pid = 4245, .parent = 4242, .shares_space = true),
         made(anon(0x30000, KIB(4))));
    struct vt_exec_info other_exec = {.path = "/bin/\033[1mother",
                                      .type = VT_PROGRAM_STATIC,
                                      .class_bits = 32,
                                      .images = 1,
                                      .regions = 1};
    TELL(&teller, EVENT(.cause = VT_CAUSE_EXEC, .pid = 4244, .space = 3, .exec = &other_exec),
         gone(heap(KIB(4), KIB(68))), gone(anon(MAP, MIB(2))),
         made(region(0x8048000, KIB(64), R | X, 0, VT_KIND_TEXT, &hostile, 0)));
    /* the heap of a space whose beginning was not told is not known */
    TELL(&teller, EVENT(.call = &brk_call, .pid = 4245, .space = 9), made(heap(0, KIB(4))));
    struct vt_exec_info unknown = {.path = "", .type = VT_PROGRAM_UNKNOWN, .regions = 2};
    TELL(&teller, EVENT(.cause = VT_CAUSE_ATTACH, .pid = 4300, .space = 4, .exec = &unknown),
         made(heap(0, KIB(132))), made(anon(MAP, MIB(2))));

    /* ends */
    struct vt_process_totals small = {.peak_bytes = KIB(64), .events = 3};
    struct vt_exit_info exit_info = {.wait_status = SIGSEGV | 0x80,
                                     .lifetime_ns = MS(1500),
                                     .name = "other\n",
                                     .totals = &small,
                                     .exactness = {.stops = 3, .compared = 3, .agreed = 3}};
    TELL(&teller, EVENT(.cause = VT_CAUSE_EXIT, .pid = 4244, .space = 3, .exit = &exit_info),
         gone(region(0x8048000, KIB(64), R | X, 0, VT_KIND_TEXT, &hostile, 0)));
    for (int i = 0; i < 10; i++) {
        small.peak_bytes = MIB(1 + (uint64_t)(i * 7) % 10);
        exit_info = (struct vt_exit_info){
            .wait_status = i << 8, .lifetime_ns = MS(70000), .name = "sh", .totals = &small};
        TELL_NO_CHANGE(&teller, EVENT(.cause = VT_CAUSE_EXIT, .pid = 5000 + i, .space = 10,
                                      .exit = &exit_info));
    }
    exit_info = (struct vt_exit_info){
        .lifetime_ns = 850000,
        .name = "heapy",
        .totals = &totals,
        .root = true,
        .exactness = {.stops = 61, .compared = 61, .agreed = 58, .resyncs = 1, .uncertain = 2}};
    TELL_NO_CHANGE(&teller, EVENT(.cause = VT_CAUSE_DETACH, .exit = &exit_info));
    exit_info.wait_status = SIGKILL;
    exit_info.lifetime_ns = INT64_C(3725) * 1000000000;
    exit_info.name = "second";
    exit_info.exactness = (struct vt_exactness){.stops = 4, .compared = 3, .agreed = 3};
    TELL_NO_CHANGE(&teller,
                   EVENT(.cause = VT_CAUSE_EXIT, .pid = 4300, .space = 4, .exit = &exit_info));

    struct vt_summary summary = {
        .duration_ns = INT64_C(192) * 1000000000,
        .events = teller.seq,
        .processes = 15,
        .threads = 16,
        .interrupted = "SIGINT",
        .exactness = {
            .stops = 200, .compared = 190, .agreed = 187, .resyncs = 2, .uncertain = 2, .lost = 1}};
    end(&teller, &summary);
}

/* Attached to one process, without --verify, left at the end. */
static void tell_attached(struct vt_sink *sink)
{
    struct teller teller;
    struct vt_run attached = run;
    struct vt_process_totals totals = some_totals();
    struct vt_exit_info exit_info = {
        .lifetime_ns = MS(2500), .name = "heapy", .totals = &totals, .root = true};
    struct vt_summary summary = {.duration_ns = MS(2600),
                                 .events = 3,
                                 .processes = 1,
                                 .threads = 1,
                                 .interrupted = "SIGINT"};

    attached.command = NULL;
    attached.verify = false;
    attached.aslr = -1;
    attached.aslr_disabled = false;
    begin(&teller, sink, &attached);
    TELL(&teller, EVENT(.cause = VT_CAUSE_ATTACH, .exec = &exec_info, .sp = 0x7fffffffe000),
         made(heap(KIB(4), KIB(132))), made(anon(MAP, MIB(1))));
    TELL(&teller, EVENT(.call = &brk_call), made(heap(KIB(136), KIB(132))));
    TELL_NO_CHANGE(&teller, EVENT(.cause = VT_CAUSE_DETACH, .exit = &exit_info));
    end(&teller, &summary);
}

/* ---- files ---- */

static char directory[] = "/tmp/vastrace-sinks.XXXXXX";

static const char *scratch(const char *name)
{
    static char path[sizeof(directory) + 64];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return mkdtemp(directory) ? 0 : -1;
}

static int clean_up(void **state)
{
    (void)state;
    char rm[sizeof(directory) + 16];

    snprintf(rm, sizeof(rm), "rm -rf %s", directory);
    return system(rm);
}

static void read_file(const char *path, struct vt_buf *to)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    vt_buf_clear(to);
    if (fd < 0)
        return;
    do {
        char *room = vt_buf_room(to, 65536);
        assert_non_null(room);
        got = read(fd, room, 65536);
        assert_true(got >= 0);
        to->length += (size_t)got;
    } while (got > 0);
    close(fd);
}

static struct vt_sink *create(const char *path, const char *format, enum vt_color color, bool quiet)
{
    struct vt_sink_config config = {
        .path = path,
        .format = format,
        .color = color,
        .quiet = quiet,
    };
    struct vt_sink *sink = NULL;
    struct vt_error err;

    if (vt_sink_create(&config, &sink, &err) < 0)
        fail_msg("%s", err.text);
    return sink;
}

static void compare_golden(const char *written, const char *golden)
{
    struct vt_buf have = {0}, want = {0};
    char path[4096];

    snprintf(path, sizeof(path), GOLDEN "%s", golden);
    read_file(written, &have);
    const char *update = getenv("VASTRACE_UPDATE_GOLDEN");
    if (update && *update) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, have.data, have.length), have.length);
        close(fd);
        print_message("updated %s\n", path);
    }
    read_file(path, &want);
    if (have.length != want.length || memcmp(have.data, want.data, have.length) != 0) {
        char diff[8300];
        snprintf(diff, sizeof(diff), "diff -u %s %s | cat -v | head -40 >&2", path, written);
        if (system(diff) != 0)
            print_message("(no diff)\n");
        fail_msg("%s is not as %s; VASTRACE_UPDATE_GOLDEN=1 accepts it", written, path);
    }
    vt_buf_deinit(&want);
    vt_buf_deinit(&have);
}

/* One story in one format, against its golden file. */
static void check(void (*story)(struct vt_sink *), const char *golden, enum vt_color color,
                  bool quiet)
{
    const char *path = scratch(golden);
    struct vt_sink *sink = create(path, NULL, color, quiet);

    story(sink);
    vt_sink_destroy(sink);
    compare_golden(path, golden);
}

static void test_text_plain(void **state)
{
    (void)state;
    check(tell_plain, "plain.txt", VT_COLOR_NEVER, false);
}

static void test_text_plain_color(void **state)
{
    (void)state;
    check(tell_plain, "plain-color.txt", VT_COLOR_ALWAYS, false);
}

static void test_text_quiet(void **state)
{
    (void)state;
    check(tell_plain, "plain-quiet.txt", VT_COLOR_NEVER, true);
}

static void test_text_all(void **state)
{
    (void)state;
    check(tell_all, "all.txt", VT_COLOR_NEVER, false);
}

static void test_text_all_color(void **state)
{
    (void)state;
    check(tell_all, "all-color.txt", VT_COLOR_ALWAYS, false);
}

static void test_text_attached(void **state)
{
    (void)state;
    check(tell_attached, "attached.txt", VT_COLOR_NEVER, false);
}

static void test_jsonl(void **state)
{
    (void)state;
    check(tell_plain, "plain.jsonl", VT_COLOR_ALWAYS, false);
    check(tell_all, "all.jsonl", VT_COLOR_AUTO, false);
    check(tell_attached, "attached.jsonl", VT_COLOR_AUTO, true);
}

/* The table is sound, and says what the JSON Lines of the same events say. */
static void test_csv(void **state)
{
    (void)state;
    static const char *const stories[] = {"plain", "all", "attached"};
    char line[8192];

    check(tell_plain, "plain.csv", VT_COLOR_ALWAYS, false);
    check(tell_all, "all.csv", VT_COLOR_AUTO, false);
    check(tell_attached, "attached.csv", VT_COLOR_AUTO, true);
    for (size_t i = 0; i < VT_COUNTOF(stories); i++) {
        snprintf(line, sizeof(line), "'%s' '%s/tests/check_csv.py' '%s%s.csv' '%s%s.jsonl'",
                 PYTHON3, SOURCE_DIR, GOLDEN, stories[i], GOLDEN, stories[i]);
        assert_int_equal(system(line), 0);
    }
}

/* Colours add sequences and change nothing else, so columns stay where they are. */
static void test_colors_only_add(void **state)
{
    (void)state;
    struct vt_buf plain = {0}, colored = {0}, stripped = {0};
    struct vt_sink *sink = create(scratch("a.txt"), NULL, VT_COLOR_NEVER, false);

    tell_all(sink);
    vt_sink_destroy(sink);
    read_file(scratch("a.txt"), &plain);
    sink = create(scratch("b.txt"), NULL, VT_COLOR_ALWAYS, false);
    tell_all(sink);
    vt_sink_destroy(sink);
    read_file(scratch("b.txt"), &colored);

    for (size_t i = 0; i < colored.length; i++) {
        if (colored.data[i] != '\033') {
            vt_buf_char(&stripped, colored.data[i]);
            continue;
        }
        assert_int_equal(colored.data[i + 1], '[');
        while (colored.data[i] != 'm')
            i++;
    }
    assert_int_equal(stripped.length, plain.length);
    assert_memory_equal(stripped.data, plain.data, plain.length);
    vt_buf_deinit(&stripped);
    vt_buf_deinit(&colored);
    vt_buf_deinit(&plain);
}

/* The story as on a terminal of so many columns; 0: as in a file. */
static void tell_at_width(void (*story)(struct vt_sink *), unsigned width, enum vt_color color,
                          struct vt_buf *to)
{
    struct vt_sink *sink = create(scratch("width.txt"), NULL, color, false);

    assert_int_equal(sink->width, 0);
    sink->width = width;
    story(sink);
    vt_sink_destroy(sink);
    read_file(scratch("width.txt"), to);
}

/* The words of a text, whatever stands between them. */
static void words_of(struct vt_buf *text, struct vt_buf *words)
{
    vt_buf_clear(words);
    for (char *rest, *word = strtok_r((char *)vt_buf_cstr(text), " \n", &rest); word;
         word = strtok_r(NULL, " \n", &rest)) {
        vt_buf_str(words, word);
        vt_buf_char(words, ' ');
    }
}

/* No line is wider than the terminal but for one long word at its end, or one that is for copying. */
static void check_width(struct vt_buf *text, unsigned width)
{
    for (char *line = (char *)vt_buf_cstr(text), *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        const char *word = strrchr(line, ' ');
        if (vt_columns(line) > width && strncmp(line, "next: ", 6) != 0 &&
            vt_columns(word ? word + 1 : line) <= width / 2)
            fail_msg("in %u columns: %s", width, line);
        *end = '\n';
    }
}

static void test_text_folds(void **state)
{
    (void)state;
    void (*const stories[])(struct vt_sink *) = {tell_plain, tell_all, tell_attached};
    struct vt_buf text = {0}, words = {0}, usual = {0}, narrow = {0};

    for (size_t i = 0; i < VT_COUNTOF(stories); i++) {
        tell_at_width(stories[i], 0, VT_COLOR_NEVER, &text);
        words_of(&text, &usual);
        tell_at_width(stories[i], 127, VT_COLOR_NEVER, &text);
        words_of(&text, &narrow);
        for (unsigned width = 1; width < 250; width += width < 75 ? 7 : 1) {
            tell_at_width(stories[i], width, VT_COLOR_ALWAYS, &text);
            if (width >= 80) /* a terminal that is narrower is not filled, but nothing is lost */
                check_width(&text, width);
            tell_at_width(stories[i], width, VT_COLOR_NEVER, &text);
            if (width >= 80)
                check_width(&text, width);
            words_of(&text, &words);
            assert_string_equal(vt_buf_cstr(&words), vt_buf_cstr(width < 128 ? &narrow : &usual));
        }
    }
    vt_buf_deinit(&text);
    vt_buf_deinit(&words);
    vt_buf_deinit(&usual);
    vt_buf_deinit(&narrow);
}

static void tell_all_narrow(struct vt_sink *sink)
{
    sink->width = 80;
    tell_all(sink);
}

static void test_text_narrow(void **state)
{
    (void)state;
    check(tell_all_narrow, "all-80.txt", VT_COLOR_NEVER, false);
    check(tell_all_narrow, "all-80-color.txt", VT_COLOR_ALWAYS, false);
}

static void test_width_of_terminal(void **state)
{
    (void)state;
    struct winsize size = {.ws_row = 24, .ws_col = 93};
    int master, slave;
    char name[64];

    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    assert_int_equal(ttyname_r(slave, name, sizeof(name)), 0);
    struct vt_sink *sink = create(name, "text", VT_COLOR_AUTO, false);
    assert_int_equal(sink->width, 93);
    vt_sink_destroy(sink);
    close(slave);
    close(master);
}

/* Nothing that a traced program names its files reaches the terminal as it is. */
static void test_text_is_tame(void **state)
{
    (void)state;
    struct vt_buf have = {0};
    struct vt_sink *sink = create(scratch("tame.txt"), NULL, VT_COLOR_AUTO, false);

    tell_all(sink);
    vt_sink_destroy(sink);
    read_file(scratch("tame.txt"), &have);
    assert_true(have.length > 4000);
    for (size_t i = 0; i < have.length; i++) {
        unsigned char c = (unsigned char)have.data[i];
        assert_true(c == '\n' || (c >= 0x20 && c < 0x7f));
    }
    vt_buf_deinit(&have);
}

/* ---- the schema ---- */

/* A python3 that has the module, or null. */
static const char *validator_python(void)
{
    static const char *const pythons[] = {PYTHON3, "/usr/bin/python3"};
    char probe[4096];

    for (size_t i = 0; i < VT_COUNTOF(pythons); i++) {
        snprintf(probe, sizeof(probe), "'%s' -c 'import jsonschema' 2>/dev/null", pythons[i]);
        if (system(probe) == 0)
            return pythons[i];
    }
    return NULL;
}

static int validate(const char *python, const char *file)
{
    char line[8192];

    snprintf(line, sizeof(line), "'%s' '%s/tests/validate.py' '%s' '%s'", python, SOURCE_DIR,
             SOURCE_DIR "/contrib/schema/timeline.schema.json", file);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_schema(void **state)
{
    (void)state;
    static const char *const files[] = {"plain.jsonl", "all.jsonl", "attached.jsonl"};
    const char *python = validator_python();
    char path[4096];

    if (!python) {
        print_message("skipped: no python3 here has the module jsonschema "
                      "(Debian: python3-jsonschema)\n");
        skip();
    }
    for (size_t i = 0; i < VT_COUNTOF(files); i++) {
        snprintf(path, sizeof(path), GOLDEN "%s", files[i]);
        assert_int_equal(validate(python, path), 0);
    }
}

/* A validator that accepts anything would prove nothing. */
static void test_schema_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *with;
    } wrongs[] = {
        {"\"page_size\":", "\"pagesize\":"},
        {"\"start\":\"0x", "\"start\":\"x"},
        {"\"op\":\"+\"", "\"op\":\"*\""},
        {"\"kind\":\"heap\"", "\"kind\":\"hope\""},
        {"\"mapped\":", "\"extra\":1,\"mapped\":"},
        {"\"seq\":2,", "\"seq\":7,"},
        {"{\"type\":\"end\"", "{\"type\":\"event\""},
    };
    const char *python = validator_python();
    struct vt_buf good = {0};

    if (!python) {
        print_message("skipped: no python3 here has the module jsonschema\n");
        skip();
    }
    read_file(GOLDEN "plain.jsonl", &good);
    for (size_t i = 0; i < VT_COUNTOF(wrongs); i++) {
        const char *text = vt_buf_cstr(&good);
        const char *at = strstr(text, wrongs[i].what);
        assert_non_null(at);
        FILE *file = fopen(scratch("wrong.jsonl"), "w");
        assert_non_null(file);
        fwrite(text, 1, (size_t)(at - text), file);
        fputs(wrongs[i].with, file);
        fputs(at + strlen(wrongs[i].what), file);
        fclose(file);
        char line[8192];
        snprintf(line, sizeof(line), "'%s' '%s/tests/validate.py' '%s' '%s' >/dev/null 2>&1",
                 python, SOURCE_DIR, SOURCE_DIR "/contrib/schema/timeline.schema.json",
                 scratch("wrong.jsonl"));
        int status = system(line);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) != 1)
            fail_msg("%s was accepted", wrongs[i].with);
    }
    vt_buf_deinit(&good);
}

/* ---- outputs ---- */

/* The packed events of a page are those of the JSON Lines of the same story, to a second reader. */
static void check_page(void (*story)(struct vt_sink *), const char *timeline)
{
    static const char page[] = "page.html";
    char command_line[4096];
    struct vt_sink *sink = create(scratch(page), NULL, VT_COLOR_NEVER, false);

    story(sink);
    vt_sink_destroy(sink);
    snprintf(command_line, sizeof(command_line),
             PYTHON3 " " SOURCE_DIR "/tests/browser/unpack.py %s " GOLDEN "%s >&2", scratch(page),
             timeline);
    assert_int_equal(system(command_line), 0);
}

static void test_html(void **state)
{
    (void)state;
    check_page(tell_plain, "plain.jsonl");
    check_page(tell_all, "all.jsonl");
    check_page(tell_attached, "attached.jsonl");
}

static void test_formats(void **state)
{
    (void)state;
    struct vt_sink_config config = {.path = scratch("kept.txt"), .format = "jsonk"};
    struct vt_sink *sink = NULL;
    struct vt_error err;
    struct vt_buf kept = {0};

    assert_string_equal(vt_sink_format_names()[0], "text");
    FILE *file = fopen(config.path, "w");
    fputs("precious", file);
    fclose(file);
    assert_int_equal(vt_sink_create(&config, &sink, &err), -EINVAL);
    assert_string_equal(err.text, "unknown format \"jsonk\"; known are: text, jsonl, csv, folded, "
                                  "massif, perfetto, vas, html");
    assert_null(sink);
    read_file(config.path, &kept); /* an error in the options must cost no file */
    assert_int_equal(kept.length, 8);
    vt_buf_deinit(&kept);
}

static void test_format_beats_name(void **state)
{
    (void)state;
    struct vt_buf have = {0};
    struct vt_sink *sink = create(scratch("odd.jsonl"), "text", VT_COLOR_NEVER, false);

    tell_plain(sink);
    vt_sink_destroy(sink);
    read_file(scratch("odd.jsonl"), &have);
    assert_memory_equal(have.data, "      time", 10);
    vt_buf_deinit(&have);
    sink = create(scratch("odd.txt"), "jsonl", VT_COLOR_NEVER, false);
    tell_plain(sink);
    vt_sink_destroy(sink);
    read_file(scratch("odd.txt"), &have);
    assert_memory_equal(have.data, "{\"type\"", 7);
    vt_buf_deinit(&have);
}

static void test_open_errors(void **state)
{
    (void)state;
    struct vt_sink *sink = NULL;
    struct vt_error err;

    struct vt_sink_config missing = {.path = "/nonexistent/out.txt"};
    assert_int_equal(vt_sink_create(&missing, &sink, &err), -ENOENT);
    assert_string_equal(err.text, "cannot open \"/nonexistent/out.txt\" for writing: "
                                  "No such file or directory");
    struct vt_sink_config folder = {.path = "/tmp"};
    assert_int_equal(vt_sink_create(&folder, &sink, &err), -EISDIR);
    assert_null(sink);
}

/* The tracee must not find our outputs among its descriptors, nor in the places of 0, 1, 2. */
static void test_descriptors_are_hidden(void **state)
{
    (void)state;
    int saved[3];

    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        if (i != 1)
            close(i);
    }
    int first_free = fcntl(1, F_DUPFD, 3);
    close(first_free);
    struct vt_sink_config config = {.path = scratch("fd.txt")};
    struct vt_sink *sink = NULL;
    struct vt_error err;
    int result = vt_sink_create(&config, &sink, &err);
    bool standard_free = fcntl(0, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
    int flags = fcntl(first_free, F_GETFD);
    vt_sink_destroy(sink);

    struct vt_sink_config stderr_config = {0};
    struct vt_sink *none = NULL;
    int closed = vt_sink_create(&stderr_config, &none, &err);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    assert_int_equal(result, 0);
    assert_true(standard_free);
    assert_true(flags >= 0 && (flags & FD_CLOEXEC));
    assert_int_equal(closed, -EBADF);
    assert_string_equal(err.text, "cannot open standard error for writing: Bad file descriptor");
    assert_null(none);
}

/* Buffered until a flush; what is there is whole lines. */
static void test_flush(void **state)
{
    (void)state;
    struct vt_buf have = {0};
    struct vt_sink *sink = create(scratch("flush.jsonl"), NULL, VT_COLOR_NEVER, false);
    struct vt_error err;

    assert_int_equal(vt_sink_begin(sink, &run, &err), 0);
    read_file(scratch("flush.jsonl"), &have);
    assert_int_equal(have.length, 0);
    assert_int_equal(vt_sink_flush(sink, &err), 0);
    read_file(scratch("flush.jsonl"), &have);
    assert_true(have.length > 0 && have.data[have.length - 1] == '\n');

    /* never more than 64 KiB and one event is held back */
    struct vt_event event = {.pid = 1, .tid = 1, .space = 1, .call = &madvise_call};
    for (int i = 0; i < 1000; i++) {
        event.seq++;
        assert_int_equal(vt_sink_event(sink, &event, &err), 0);
    }
    read_file(scratch("flush.jsonl"), &have);
    assert_true(have.length > 65536 && have.data[have.length - 1] == '\n');
    vt_sink_destroy(sink);
    vt_buf_deinit(&have);
}

/* Tell a story to an output that fails: how many failures were reported, and the last. */
static int failures(struct vt_sink *sink, int *result, struct vt_error *err)
{
    struct vt_event event = {.pid = 1, .tid = 1, .space = 1, .call = &madvise_call};
    struct vt_summary summary = {0};
    int count = 0;
    int got[5] = {vt_sink_begin(sink, &run, err), vt_sink_flush(sink, err),
                  vt_sink_event(sink, &event, err), vt_sink_flush(sink, err),
                  vt_sink_end(sink, &summary, err)};

    for (size_t i = 0; i < VT_COUNTOF(got); i++) {
        if (got[i] < 0) {
            count++;
            *result = got[i];
        }
    }
    return count;
}

static void test_full_disk(void **state)
{
    (void)state;
    static const char *const formats[] = {"text", "jsonl", "html"};
    struct vt_error err;
    int result = 0;

    for (size_t i = 0; i < VT_COUNTOF(formats); i++) {
        struct vt_sink *sink = create("/dev/full", formats[i], VT_COLOR_NEVER, false);
        assert_int_equal(failures(sink, &result, &err), 1);
        assert_int_equal(result, -ENOSPC);
        assert_string_equal(err.text, "cannot write \"/dev/full\": No space left on device");
        vt_sink_destroy(sink);
    }
}

static void test_closed_pipe(void **state)
{
    (void)state;
    struct vt_error err;
    int result = 0, ends[2];
    int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);

    fflush(stdout);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDOUT_FILENO);
    struct vt_sink *sink = create("-", "jsonl", VT_COLOR_AUTO, false);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(ends[1]);
    close(ends[0]);
    assert_int_equal(failures(sink, &result, &err), 1);
    assert_int_equal(result, -EPIPE);
    assert_string_equal(err.text, "cannot write to standard output: Broken pipe");
    vt_sink_destroy(sink);
}

/* A small non-blocking pipe with a slow reader: everything arrives, in order. */
static void test_slow_reader(void **state)
{
    (void)state;
    enum { EVENTS = 2000 };
    struct vt_error err;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    pid_t reader = fork();
    assert_true(reader >= 0);
    if (reader == 0) {
        char bytes[1000];
        size_t lines = 0;
        ssize_t got;
        close(ends[1]);
        while ((got = read(ends[0], bytes, sizeof(bytes))) > 0) {
            for (ssize_t i = 0; i < got; i++)
                lines += bytes[i] == '\n';
            usleep(50);
        }
        _exit(lines == EVENTS + 2 ? 0 : 1);
    }
    close(ends[0]);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
    struct vt_sink *sink = create(path, "jsonl", VT_COLOR_NEVER, false);
    close(ends[1]);
    /* The sink's own descriptor, made non-blocking as a shared terminal can become. */
    for (int fd = 3; fd < 64; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
            (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    assert_int_equal(vt_sink_begin(sink, &run, &err), 0);
    struct vt_event event = {.pid = 1, .tid = 1, .space = 1, .call = &madvise_call};
    for (int i = 0; i < EVENTS; i++) {
        event.seq++;
        assert_int_equal(vt_sink_event(sink, &event, &err), 0);
    }
    struct vt_summary summary = {0};
    assert_int_equal(vt_sink_end(sink, &summary, &err), 0);
    vt_sink_destroy(sink);
    int status = 0;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
}

/* Standard error gets the advice that a file does not; the command in it survives a shell. */
static void test_next_command(void **state)
{
    (void)state;
    char *words[] = {"./a b", "", "it's", "$HOME", "x\n\033[1m\\\'\xc3\xa9", NULL};
    struct vt_run hostile_run = run;
    struct vt_buf have = {0};
    struct vt_error err;
    struct vt_summary summary = {0};
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
    int fd = open(scratch("stderr.txt"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    hostile_run.command = words;
    hostile_run.verify = false;
    dup2(fd, STDERR_FILENO);
    struct vt_sink *sink = create(NULL, NULL, VT_COLOR_AUTO, false);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    assert_int_equal(vt_sink_begin(sink, &hostile_run, &err), 0);
    assert_int_equal(vt_sink_end(sink, &summary, &err), 0);
    vt_sink_destroy(sink);
    read_file(scratch("stderr.txt"), &have);
    assert_string_equal(vt_buf_cstr(&have),
                        "next: vastrace -o run.vas -- './a b' '' 'it'\\''s' '$HOME' "
                        "$'x\\012\\033[1m\\\\\\'\\303\\251'\n");
    vt_buf_deinit(&have);
}

/* A run in which nothing happened says nothing but how it ended. */
static void test_no_events(void **state)
{
    (void)state;
    struct vt_buf have = {0};
    struct vt_error err;
    struct vt_sink *sink = create(scratch("none.txt"), NULL, VT_COLOR_NEVER, false);
    struct vt_run quiet_run = run;
    struct vt_summary summary = {0};

    quiet_run.verify = false;
    assert_int_equal(vt_sink_begin(sink, &quiet_run, &err), 0);
    assert_int_equal(vt_sink_end(sink, &summary, &err), 0);
    vt_sink_destroy(sink);
    read_file(scratch("none.txt"), &have);
    assert_int_equal(have.length, 0);
    vt_buf_deinit(&have);
    vt_sink_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_plain),
        cmocka_unit_test(test_text_plain_color),
        cmocka_unit_test(test_text_quiet),
        cmocka_unit_test(test_text_all),
        cmocka_unit_test(test_text_all_color),
        cmocka_unit_test(test_text_attached),
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_colors_only_add),
        cmocka_unit_test(test_text_folds),
        cmocka_unit_test(test_text_narrow),
        cmocka_unit_test(test_width_of_terminal),
        cmocka_unit_test(test_text_is_tame),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_schema_is_strict),
        cmocka_unit_test(test_html),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_format_beats_name),
        cmocka_unit_test(test_open_errors),
        cmocka_unit_test(test_descriptors_are_hidden),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_closed_pipe),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_next_command),
        cmocka_unit_test(test_no_events),
    };

    return cmocka_run_group_tests(tests, set_up, clean_up);
}
