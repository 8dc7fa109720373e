/*
 * test_memop.c - each rule of what a system call does to a map, as exact
 * changes, layouts and ranges in doubt, for calls that succeed and calls that
 * fail; and the rules as a whole against this machine's kernel: thousands of
 * random calls on a piece of this process's own address space, after each of
 * which the model is what /proc/self/maps says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after what it needs */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "model/maps.h"
#include "model/memop.h"
#include "unit/layout_text.h"
#include "unit/nomem.h"

#define R   VT_PROT_READ
#define W   VT_PROT_WRITE
#define X   VT_PROT_EXEC
#define RW  (R | W)
#define RX  (R | X)
#define RWX (R | W | X)

#define ANON       (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGE       UINT64_C(4096)
#define HUGE_PAGE  (UINT64_C(2) << 20)
#define GROWSDOWN  0x01000000u /* PROT_GROWSDOWN of mprotect(2) */
#define DONTUNMAP  4u          /* MREMAP_DONTUNMAP */
#define NO_REPLACE 0x100000u   /* MAP_FIXED_NOREPLACE */
#define DROPPABLE  0x08u       /* MAP_DROPPABLE, a type of its own */
#define DOUBT_ALL  "0-ffffffffffffffff"

enum { FILE_F, FILE_G, DEV_ZERO, SHARED_ZERO, HUGE, SEGMENT, OTHER_SEGMENT, OBJECTS };

struct bench {
    struct vt_layout *layout;
    struct vt_objects *table;
    const struct vt_object *objects[OBJECTS];
    struct vt_changes changes;
    struct vt_outcome outcome;
    struct vt_told told;
    struct vt_doubt doubts[2];
};

static int setup(void **state)
{
    static const struct vt_object likes[OBJECTS] = {
        [FILE_F] = {.inode = 5, .dev_major = 8, .page_size = PAGE, .name = "/f"},
        [FILE_G] = {.inode = 6, .dev_major = 8, .name = "/g"}, /* page size not known */
        [DEV_ZERO] = {.inode = 4, .dev_minor = 6, .name = "/dev/zero"},
        [SHARED_ZERO] = {.inode = 900, .dev_minor = 1, .name = "/dev/zero (deleted)"},
        [HUGE] = {.inode = 7,
                  .dev_minor = 16,
                  .page_size = HUGE_PAGE,
                  .name = "/anon_hugepage (deleted)"},
        [SEGMENT] = {.inode = 1, .dev_minor = 1, .name = "/SYSV00000000 (deleted)"},
        [OTHER_SEGMENT] = {.inode = 2, .dev_minor = 1, .name = "/SYSV00000000 (deleted)"},
    };
    struct bench *b = calloc(1, sizeof(*b));

    *state = b;
    if (!b)
        return -1;
    b->outcome.page = PAGE;
    b->layout = vt_layout_create(NULL, NULL);
    b->table = vt_objects_create();
    for (int i = 0; i < OBJECTS; i++)
        b->objects[i] = vt_objects_intern(b->table, &likes[i]);
    return !b->layout;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    vt_layout_destroy(b->layout);
    vt_objects_destroy(b->table);
    vt_changes_deinit(&b->changes);
    free(b);
    return 0;
}

/* Lay something down before the call. */
static void put(struct bench *b, vt_addr start, vt_addr end, unsigned prot, unsigned flags,
                int object, uint64_t offset)
{
    struct vt_region r = {.start = start,
                          .end = end,
                          .offset = offset,
                          .object = object < 0 ? NULL : b->objects[object],
                          .prot = (uint8_t)prot,
                          .flags = (uint8_t)flags};
    assert_int_equal(vt_layout_map(b->layout, &r, NULL), 0);
}

static void put_anon(struct bench *b, vt_addr start, vt_addr end, unsigned prot)
{
    put(b, start, end, prot, 0, -1, 0);
}

static void clear(struct bench *b)
{
    assert_int_equal(vt_layout_unmap(b->layout, 0, UINT64_MAX, NULL), 0);
}

static void apply(struct bench *b, const struct vt_memop *op)
{
    memset(b->doubts, 0xff, sizeof(b->doubts)); /* they are set in any case */
    assert_int_equal(vt_memop_apply(b->layout, op, &b->outcome, &b->changes, b->doubts), 0);
}

static void succeeds(struct bench *b, const struct vt_memop *op, uint64_t result)
{
    b->outcome.failed = false;
    b->outcome.result = result;
    apply(b, op);
}

static void fails(struct bench *b, const struct vt_memop *op)
{
    b->outcome.failed = true;
    b->outcome.result = 0xbad000; /* means nothing */
    apply(b, op);
}

/* The kernel's word on the new mapping, where the call needs it. */
static void tell(struct bench *b, vt_addr start, vt_addr end, unsigned prot, unsigned flags,
                 int object, uint64_t offset, uint64_t page_size)
{
    b->told = (struct vt_told){.vma = {.start = start,
                                       .end = end,
                                       .offset = offset,
                                       .object = object < 0 ? NULL : b->objects[object],
                                       .prot = (uint8_t)prot,
                                       .flags = (uint8_t)flags},
                               .page_size = page_size};
    b->outcome.told = &b->told;
}

static void expect_doubts(const struct bench *b, const char *expected, const char *file, int line)
{
    struct vt_buf buf = {0};
    for (int i = 0; i < 2; i++)
        if (b->doubts[i].start != b->doubts[i].end)
            vt_buf_printf(&buf, "%s%" PRIx64 "-%" PRIx64, buf.length ? " " : "", b->doubts[i].start,
                          b->doubts[i].end);
    _assert_string_equal(vt_buf_cstr(&buf), expected, file, line);
    vt_buf_deinit(&buf);
}

#define expect(b, changes_text, layout_text, doubts_text)                                          \
    do {                                                                                           \
        assert_changes(&(b)->changes, changes_text);                                               \
        assert_layout((b)->layout, layout_text);                                                   \
        expect_doubts(b, doubts_text, __FILE__, __LINE__);                                         \
    } while (0)

#define expect_pages(b, changes_text, layout_text)                                                 \
    do {                                                                                           \
        assert_changes(&(b)->changes, changes_text);                                               \
        assert_layout((b)->layout, layout_text);                                                   \
    } while (0)

/* ---- mmap ------------------------------------------------------------------------- */

static void test_map_anonymous(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {
        .type = VT_MEMOP_MAP, .addr = 0x1234, .length = 1, .prot = RW, .flags = ANON, .fd = -1};

    succeeds(b, &op, 0x10000); /* the hint counts for nothing, the length is rounded */
    expect(b, "+ 10000-11000 rw-p anon\n", "10000-11000 rw-p anon\n", "");
    op.length = PAGE;
    op.prot = 0;
    succeeds(b, &op, 0x11000);
    expect(b, "+ 11000-12000 ---p reserve\n", "10000-11000 rw-p anon\n11000-12000 ---p reserve\n",
           "");
    op.length = PAGE + 1;
    op.prot = RW | 8 | GROWSDOWN | 0x02000000u; /* PROT_SEM and others show nowhere */
    succeeds(b, &op, 0x12000);
    expect(b, "+ 12000-14000 rw-p anon\n",
           "10000-11000 rw-p anon\n11000-12000 ---p reserve\n12000-14000 rw-p anon\n", "");
}

static void test_map_fixed_replaces(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {.type = VT_MEMOP_MAP,
                          .addr = 0x2000,
                          .length = 0x2000,
                          .prot = R,
                          .flags = ANON | MAP_FIXED,
                          .fd = -1};

    put_anon(b, 0x1000, 0x3000, RW);
    put(b, 0x3000, 0x5000, R, 0, FILE_F, 0x3000);
    succeeds(b, &op, 0x2000);
    expect(b,
           "- 2000-3000 rw-p anon\n"
           "- 3000-4000 r--p file /f+3000\n"
           "+ 2000-4000 r--p anon\n",
           "1000-2000 rw-p anon\n"
           "2000-4000 r--p anon\n"
           "4000-5000 r--p file /f+4000\n",
           "");
}

/* A failure of mmap changes nothing, but MAP_FIXED may have made room first. */
static void test_map_fails(void **state)
{
    struct bench *b = *state;
    static const struct {
        uint32_t flags;
        const char *doubts;
    } cases[] = {
        {ANON, ""},
        {MAP_PRIVATE, ""},
        {ANON | MAP_FIXED, "2000-5000"},
        {MAP_SHARED | MAP_FIXED, "2000-40002000"}, /* hugetlb's, for all that is known */
        {ANON | MAP_FIXED | MAP_HUGETLB, "2000-40002000"},
        {ANON | NO_REPLACE, ""},
    };

    put_anon(b, 0x1000, 0x3000, RW);
    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        struct vt_memop op = {.type = VT_MEMOP_MAP,
                              .addr = 0x2000,
                              .length = 0x2001,
                              .prot = R,
                              .flags = cases[i].flags,
                              .fd = 3};
        fails(b, &op);
        expect(b, "", "1000-3000 rw-p anon\n", cases[i].doubts);
    }
    /* An address that is no page's (EINVAL), a length beyond the end of all (ENOMEM). */
    fails(b, &(struct vt_memop){
                 .type = VT_MEMOP_MAP, .addr = 0x2001, .length = 0x1000, .flags = MAP_FIXED});
    expect(b, "", "1000-3000 rw-p anon\n", "2000-40003000");
    fails(b, &(struct vt_memop){
                 .type = VT_MEMOP_MAP, .addr = 0x2000, .length = UINT64_MAX, .flags = MAP_FIXED});
    expect(b, "", "1000-3000 rw-p anon\n", "2000-fffffffffffff000");
}

static void test_map_file(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {.type = VT_MEMOP_MAP,
                          .length = 0x1800,
                          .prot = RW,
                          .flags = MAP_SHARED,
                          .fd = 3,
                          .offset = 0x7000};

    tell(b, 0x10000, 0x12000, RW, VT_REGION_SHARED, FILE_F, 0x7000, PAGE);
    succeeds(b, &op, 0x10000);
    expect(b, "+ 10000-12000 rw-s file /f+7000\n", "10000-12000 rw-s file /f+7000\n", "");

    /* The kernel joined it to a neighbour: only its own pages are new. */
    tell(b, 0x10000, 0x16000, RW, VT_REGION_SHARED, FILE_F, 0x7000, PAGE);
    succeeds(b, &op, 0x12000);
    expect(b, "+ 12000-14000 rw-s file /f+9000\n", "10000-14000 rw-s file /f+7000\n", "");

    /* Permissions are what the kernel made of them, not what was asked for. */
    tell(b, 0x20000, 0x22000, RX, 0, FILE_F, 0, PAGE);
    op.flags = MAP_PRIVATE;
    op.prot = R;
    succeeds(b, &op, 0x20000);
    expect(b, "+ 20000-22000 r-xp file /f+0\n",
           "10000-14000 rw-s file /f+7000\n20000-22000 r-xp file /f+0\n", "");
}

/* Without the page size, the length cannot be rounded for certain. */
static void test_map_of_unknown_page_size(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {
        .type = VT_MEMOP_MAP, .length = 0x1000, .prot = R, .flags = MAP_PRIVATE, .fd = 3};

    tell(b, 0x10000, 0x14000, R, 0, FILE_G, 0, 0);
    succeeds(b, &op, 0x11000);
    expect(b, "+ 11000-12000 r--p file /g+1000\n", "11000-12000 r--p file /g+1000\n",
           "11000-14000");
    /* Memory without a file has base pages. */
    clear(b);
    tell(b, 0x10000, 0x14000, RW, 0, -1, 0, 0);
    op.flags = DROPPABLE | MAP_ANONYMOUS;
    succeeds(b, &op, 0x11000);
    expect(b, "+ 11000-12000 rw-p anon\n", "11000-12000 rw-p anon\n", "");
}

static void test_map_that_nobody_tells_about(void **state)
{
    struct bench *b = *state;
    put_anon(b, 0x1000, 0x2000, RW);
    succeeds(b, &(struct vt_memop){.type = VT_MEMOP_MAP, .length = 0x1000, .flags = MAP_SHARED},
             0x10000);
    expect(b, "", "1000-2000 rw-p anon\n", DOUBT_ALL);
}

static void test_map_shared_anonymous(void **state)
{
    struct bench *b = *state;
    tell(b, 0x10000, 0x12000, RW, VT_REGION_SHARED, SHARED_ZERO, 0, PAGE);
    succeeds(b,
             &(struct vt_memop){.type = VT_MEMOP_MAP,
                                .length = 0x2000,
                                .prot = RW,
                                .flags = MAP_SHARED | MAP_ANONYMOUS,
                                .fd = -1},
             0x10000);
    expect(b, "+ 10000-12000 rw-s shm /dev/zero (deleted)+0\n",
           "10000-12000 rw-s shm /dev/zero (deleted)+0\n", "");
}

static void test_map_huge(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {.type = VT_MEMOP_MAP,
                          .length = HUGE_PAGE + 1,
                          .prot = RW,
                          .flags = ANON | MAP_HUGETLB,
                          .fd = -1};

    tell(b, 0x40000000, 0x40400000, RW, 0, HUGE, 0, HUGE_PAGE);
    succeeds(b, &op, 0x40000000);
    expect(b, "+ 40000000-40400000 rw-p anon /anon_hugepage (deleted)+0\n",
           "40000000-40400000 rw-p anon /anon_hugepage (deleted)+0\n", "");
    /* A file on hugetlbfs needs no flag. */
    clear(b);
    op.flags = MAP_SHARED;
    op.length = 5;
    tell(b, 0x40000000, 0x40400000, RW, VT_REGION_SHARED, HUGE, HUGE_PAGE, HUGE_PAGE);
    succeeds(b, &op, 0x40200000);
    expect(b, "+ 40200000-40400000 rw-s shm /anon_hugepage (deleted)+400000\n",
           "40200000-40400000 rw-s shm /anon_hugepage (deleted)+400000\n", "");
}

static void test_map_stacks(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {
        .type = VT_MEMOP_MAP, .length = 0x1000, .prot = RW, .flags = ANON | MAP_STACK, .fd = -1};

    succeeds(b, &op, 0x11000);
    op.prot = 0;
    succeeds(b, &op, 0x10000);
    op.prot = RW;
    op.flags = ANON | MAP_GROWSDOWN;
    succeeds(b, &op, 0x20000);
    expect(b,
           "+ 11000-12000 rw-p thread-stack stack\n"
           "+ 10000-11000 ---p guard stack\n"
           "+ 20000-21000 rw-p thread-stack grows stack\n",
           "10000-11000 ---p guard stack\n"
           "11000-12000 rw-p thread-stack stack\n"
           "20000-21000 rw-p thread-stack grows stack\n",
           "");
}

static void test_map_read_implies_exec(void **state)
{
    struct bench *b = *state;
    static const uint8_t asked[] = {0, R, W, X, RW, RX, RWX};
    static const uint8_t given[] = {0, RX, W, X, RWX, RX, RWX};

    for (size_t i = 0; i < VT_COUNTOF(asked); i++) {
        struct vt_memop op = {
            .type = VT_MEMOP_MAP, .length = PAGE, .prot = asked[i], .flags = ANON, .fd = -1};
        b->outcome.read_implies_exec = true;
        succeeds(b, &op, 0x10000);
        assert_int_equal(vt_layout_find(b->layout, 0x10000)->prot, given[i]);
        b->outcome.read_implies_exec = false;
        succeeds(b, &op, 0x10000);
        assert_int_equal(vt_layout_find(b->layout, 0x10000)->prot, asked[i]);
        expect_doubts(b, "", __FILE__, __LINE__);
    }
}

static void test_asks_first(void **state)
{
    (void)state;
    static const struct {
        enum vt_memop_type type;
        uint32_t flags;
        bool asks;
    } cases[] = {
        {VT_MEMOP_MAP, ANON, false},
        {VT_MEMOP_MAP, ANON | MAP_FIXED | MAP_STACK | MAP_NORESERVE | MAP_GROWSDOWN, false},
        {VT_MEMOP_MAP, MAP_SHARED | MAP_ANONYMOUS, true},
        {VT_MEMOP_MAP, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, true},
        {VT_MEMOP_MAP, DROPPABLE | MAP_ANONYMOUS, true},
        {VT_MEMOP_MAP, ANON | MAP_HUGETLB, true},
        {VT_MEMOP_MAP, MAP_PRIVATE, true},
        {VT_MEMOP_MAP, MAP_SHARED, true},
        {VT_MEMOP_SHM_ATTACH, 0, true},
        {VT_MEMOP_SHM_DETACH, 0, false},
        {VT_MEMOP_REMAP, 0, false},
        {VT_MEMOP_BRK, 0, false},
        {VT_MEMOP_ANYWHERE, 0, false},
        {VT_MEMOP_NONE, 0, false},
    };

    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        struct vt_memop op = {.type = cases[i].type, .flags = cases[i].flags, .addr = 0x99000};
        struct vt_outcome outcome = {.result = 0x7000, .page = PAGE};
        vt_addr addr = 0;
        assert_int_equal(vt_memop_asks_first(&op, &outcome, &addr), cases[i].asks);
        if (cases[i].asks)
            assert_int_equal(addr, 0x7000);
        outcome.failed = true;
        assert_false(vt_memop_asks_first(&op, &outcome, &addr));
    }
}

/* ---- munmap, mprotect ---------------------------------------------------------------- */

static void test_unmap(void **state)
{
    struct bench *b = *state;
    put_anon(b, 0x1000, 0x4000, RW);
    put(b, 0x5000, 0x6000, R, 0, FILE_F, 0);
    put_anon(b, 0x8000, 0xb000, R);

    succeeds(b, &(struct vt_memop){.type = VT_MEMOP_UNMAP, .addr = 0x9000, .length = 1}, 0);
    expect(b, "- 9000-a000 r--p anon\n",
           "1000-4000 rw-p anon\n5000-6000 r--p file /f+0\n8000-9000 r--p anon\n"
           "a000-b000 r--p anon\n",
           "");
    succeeds(b, &(struct vt_memop){.type = VT_MEMOP_UNMAP, .addr = 0x3000, .length = 0x5001}, 0);
    expect(b, "- 3000-4000 rw-p anon\n- 5000-6000 r--p file /f+0\n- 8000-9000 r--p anon\n",
           "1000-3000 rw-p anon\na000-b000 r--p anon\n", "");
    succeeds(b, &(struct vt_memop){.type = VT_MEMOP_UNMAP, .addr = 0x4000, .length = 0x1000}, 0);
    expect(b, "", "1000-3000 rw-p anon\na000-b000 r--p anon\n", "");
    fails(b, &(struct vt_memop){.type = VT_MEMOP_UNMAP, .addr = 0x1000, .length = 0x1001});
    expect(b, "", "1000-3000 rw-p anon\na000-b000 r--p anon\n", "1000-3000");
    fails(b, &(struct vt_memop){.type = VT_MEMOP_UNMAP, .addr = 0x1000, .length = 0});
    expect(b, "", "1000-3000 rw-p anon\na000-b000 r--p anon\n", "");
    fails(b, &(struct vt_memop){.type = VT_MEMOP_UNMAP, .addr = 0x1800, .length = 0x1000});
    expect(b, "", "1000-3000 rw-p anon\na000-b000 r--p anon\n", "1000-3000");
}

static void test_protect(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {.type = VT_MEMOP_PROTECT, .addr = 0x2000, .length = 0x1001, .prot = R};

    put_anon(b, 0x1000, 0x3000, RW);
    put_anon(b, 0x3000, 0x5000, 0);
    succeeds(b, &op, 0);
    expect(b,
           "~ 2000-3000 rw-p anon => 2000-3000 r--p anon\n"
           "~ 3000-4000 ---p reserve => 3000-4000 r--p anon\n",
           "1000-2000 rw-p anon\n2000-4000 r--p anon\n4000-5000 ---p reserve\n", "");
    succeeds(b, &op, 0); /* again: nothing to tell */
    expect(b, "", "1000-2000 rw-p anon\n2000-4000 r--p anon\n4000-5000 ---p reserve\n", "");
    op.length = 0;
    op.prot = RWX;
    succeeds(b, &op, 0);
    expect(b, "", "1000-2000 rw-p anon\n2000-4000 r--p anon\n4000-5000 ---p reserve\n", "");
    op.length = 0x7001; /* a prefix may have changed before the hole was met */
    fails(b, &op);
    expect(b, "", "1000-2000 rw-p anon\n2000-4000 r--p anon\n4000-5000 ---p reserve\n",
           "2000-a000");
}

static void test_protect_read_implies_exec(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {.type = VT_MEMOP_PROTECT, .addr = 0x1000, .length = 0x1000, .prot = R};

    put_anon(b, 0x1000, 0x3000, RW);
    b->outcome.read_implies_exec = true;
    succeeds(b, &op, 0); /* in doubt: a noexec mount is spared */
    expect(b, "~ 1000-2000 rw-p anon => 1000-2000 r-xp anon\n",
           "1000-2000 r-xp anon\n2000-3000 rw-p anon\n", "1000-2000");
    op.prot = W;
    succeeds(b, &op, 0);
    expect(b, "~ 1000-2000 r-xp anon => 1000-2000 -w-p anon\n",
           "1000-2000 -w-p anon\n2000-3000 rw-p anon\n", "");
}

/* From the start of the VMA down below: all that may be that VMA is in doubt. */
static void test_protect_growsdown(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {
        .type = VT_MEMOP_PROTECT, .addr = 0x5000, .length = 0x1000, .prot = R | GROWSDOWN};
    const char *layout = "1000-2000 rw-p anon\n"
                         "2000-3000 r--p thread-stack grows stack\n"
                         "3000-6000 rw-p thread-stack grows stack\n"
                         "9000-a000 rw-p anon\n";

    put_anon(b, 0x1000, 0x2000, RW);
    put(b, 0x2000, 0x3000, R, VT_REGION_GROWSDOWN | VT_REGION_STACK, -1, 0);
    put(b, 0x3000, 0x6000, RW, VT_REGION_GROWSDOWN | VT_REGION_STACK, -1, 0);
    put_anon(b, 0x9000, 0xa000, RW);
    succeeds(b, &op, 0);
    expect(b, "", layout, "2000-6000");
    fails(b, &op);
    expect(b, "", layout, "2000-6000");
    op.addr = 0x9000; /* not a stack: EINVAL */
    fails(b, &op);
    expect(b, "", layout, "9000-a000");
    op.addr = 0x7000; /* a hole */
    fails(b, &op);
    expect(b, "", layout, "7000-8000");
    /* Another stack below it, but not next to it, is another VMA. */
    clear(b);
    put(b, 0x1000, 0x2000, RW, VT_REGION_GROWSDOWN, -1, 0);
    put(b, 0x3000, 0x6000, RW, VT_REGION_GROWSDOWN, -1, 0);
    op.addr = 0x5000;
    succeeds(b, &op, 0);
    expect(b, "", "1000-2000 rw-p stack grows\n3000-6000 rw-p stack grows\n", "3000-6000");
}

/* ---- mremap ----------------------------------------------------------------------------- */

static struct vt_memop remap(vt_addr addr, uint64_t length, uint64_t new_length, uint32_t flags,
                             vt_addr new_addr)
{
    return (struct vt_memop){.type = VT_MEMOP_REMAP,
                             .addr = addr,
                             .length = length,
                             .new_length = new_length,
                             .flags = flags,
                             .new_addr = new_addr,
                             .fd = -1};
}

static void test_remap_in_place(void **state)
{
    struct bench *b = *state;
    struct vt_memop op;

    put(b, 0x10000, 0x14000, RW, 0, FILE_F, 0x1000);
    op = remap(0x10000, 0x4000, 0x2001, 0, 0);
    succeeds(b, &op, 0x10000);
    expect(b, "- 13000-14000 rw-p file /f+4000\n", "10000-13000 rw-p file /f+1000\n", "");
    op = remap(0x11000, 0x1fff, 0x4000, 0, 0); /* from its middle */
    succeeds(b, &op, 0x11000);
    expect(b, "+ 13000-15000 rw-p file /f+4000\n", "10000-15000 rw-p file /f+1000\n", "");
    op = remap(0x10000, 0x4fff, 0x4001, MREMAP_MAYMOVE, 0); /* alike after rounding */
    succeeds(b, &op, 0x10000);
    expect(b, "", "10000-15000 rw-p file /f+1000\n", "");
    put_anon(b, 0x16000, 0x17000, R); /* shrinking crosses holes and other regions */
    op = remap(0x11000, 0x7000, 0x1000, 0, 0);
    succeeds(b, &op, 0x11000);
    expect(b, "- 12000-15000 rw-p file /f+3000\n- 16000-17000 r--p anon\n",
           "10000-12000 rw-p file /f+1000\n", "");
}

static void test_remap_stack_keeps_its_flags(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x10000, 0x1000, 0x2000, MREMAP_MAYMOVE, 0);
    put(b, 0x10000, 0x11000, RW, VT_REGION_STACK, -1, 0);
    succeeds(b, &op, 0x10000);
    expect(b, "+ 11000-12000 rw-p thread-stack stack\n", "10000-12000 rw-p thread-stack stack\n",
           "");
}

/* One region moves: the kernel need not be asked about anything. */
static void test_remap_moves(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x11000, 0x1000, 0x1000, MREMAP_MAYMOVE | MREMAP_FIXED, 0x20000);

    put(b, 0x10000, 0x13000, RW, 0, FILE_F, 0);
    put_anon(b, 0x1f000, 0x22000, R);
    succeeds(b, &op, 0x20000);
    expect(b,
           "- 20000-21000 r--p anon\n"
           "> 11000-12000 rw-p file /f+1000 => 20000-21000 rw-p file /f+1000\n",
           "10000-11000 rw-p file /f+0\n"
           "12000-13000 rw-p file /f+2000\n"
           "1f000-20000 r--p anon\n"
           "20000-21000 rw-p file /f+1000\n"
           "21000-22000 r--p anon\n",
           "");
}

static void test_remap_moves_and_grows(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x11000, 0x2000, 0x4000, MREMAP_MAYMOVE, 0);

    put(b, 0x10000, 0x13000, RW, 0, FILE_F, 0);
    succeeds(b, &op, 0x20000);
    expect(b,
           "> 11000-13000 rw-p file /f+1000 => 20000-22000 rw-p file /f+1000\n"
           "+ 22000-24000 rw-p file /f+3000\n",
           "10000-11000 rw-p file /f+0\n"
           "20000-24000 rw-p file /f+1000\n",
           "");
    /* Over a target that reaches into the part by which it grows. */
    put_anon(b, 0x30000, 0x34000, R);
    op = remap(0x20000, 0x1000, 0x2000, MREMAP_MAYMOVE | MREMAP_FIXED, 0x31000);
    succeeds(b, &op, 0x31000);
    expect(b,
           "- 31000-32000 r--p anon\n"
           "> 20000-21000 rw-p file /f+1000 => 31000-32000 rw-p file /f+1000\n"
           "- 32000-33000 r--p anon\n"
           "+ 32000-33000 rw-p file /f+2000\n",
           "10000-11000 rw-p file /f+0\n"
           "21000-24000 rw-p file /f+2000\n"
           "30000-31000 r--p anon\n"
           "31000-33000 rw-p file /f+1000\n"
           "33000-34000 r--p anon\n",
           "");
}

static void test_remap_moves_and_shrinks(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x10000, 0x3000, 0x1000, MREMAP_MAYMOVE | MREMAP_FIXED, 0x20000);

    put_anon(b, 0x10000, 0x14000, RW);
    succeeds(b, &op, 0x20000);
    expect(b,
           "- 11000-13000 rw-p anon\n"
           "> 10000-11000 rw-p anon => 20000-21000 rw-p anon\n",
           "13000-14000 rw-p anon\n"
           "20000-21000 rw-p anon\n",
           "");
}

static void test_remap_keeps_the_source(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x11000, 0x2000, 0x2000, MREMAP_MAYMOVE | DONTUNMAP, 0);

    put_anon(b, 0x10000, 0x14000, RW);
    succeeds(b, &op, 0x20000);
    expect(b, "> 11000-13000 rw-p anon => 20000-22000 rw-p anon stays\n",
           "10000-14000 rw-p anon\n20000-22000 rw-p anon\n", "");
    op = remap(0x11000, 0x1000, 0x1000, MREMAP_MAYMOVE | MREMAP_FIXED | DONTUNMAP, 0x14000);
    succeeds(b, &op, 0x14000); /* right behind: one region then */
    expect(b, "> 11000-12000 rw-p anon => 14000-15000 rw-p anon stays\n",
           "10000-15000 rw-p anon\n20000-22000 rw-p anon\n", "");
}

static void test_remap_duplicates(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x11000, 0, 0x1001, MREMAP_MAYMOVE, 0);

    put(b, 0x10000, 0x14000, RW, VT_REGION_SHARED, FILE_F, 0x5000);
    succeeds(b, &op, 0x20000);
    expect(b, "+ 20000-22000 rw-s file /f+6000\n",
           "10000-14000 rw-s file /f+5000\n20000-22000 rw-s file /f+6000\n", "");
    op = remap(0x10000, 0, 0x1000, MREMAP_MAYMOVE | MREMAP_FIXED, 0x21000);
    succeeds(b, &op, 0x21000);
    expect(b, "- 21000-22000 rw-s file /f+7000\n+ 21000-22000 rw-s file /f+5000\n",
           "10000-14000 rw-s file /f+5000\n"
           "20000-21000 rw-s file /f+6000\n"
           "21000-22000 rw-s file /f+5000\n",
           "");
}

/* Several regions, with a hole that stays (Linux 6.17): where the kernel put them is asked. */
static void test_remap_several(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x10000, 0x4000, 0x4000, MREMAP_MAYMOVE | MREMAP_FIXED, 0x20000);

    put_anon(b, 0x10000, 0x11000, RW);
    put_anon(b, 0x11000, 0x12000, R);
    put(b, 0x13000, 0x15000, RW, 0, FILE_F, 0);
    put_anon(b, 0x22000, 0x23000, X);
    succeeds(b, &op, 0x20000);
    expect(b,
           "> 10000-11000 rw-p anon => 20000-21000 rw-p anon\n"
           "> 11000-12000 r--p anon => 21000-22000 r--p anon\n"
           "> 13000-14000 rw-p file /f+0 => 23000-24000 rw-p file /f+0\n",
           "14000-15000 rw-p file /f+1000\n"
           "20000-21000 rw-p anon\n"
           "21000-22000 r--p anon\n"
           "22000-23000 --xp anon\n"
           "23000-24000 rw-p file /f+0\n",
           "20000-24000");
    /* The source stays: as much in doubt. */
    clear(b);
    put_anon(b, 0x10000, 0x11000, RW);
    put_anon(b, 0x11000, 0x12000, R);
    op = remap(0x10000, 0x2000, 0x2000, MREMAP_MAYMOVE | MREMAP_FIXED | DONTUNMAP, 0x20000);
    succeeds(b, &op, 0x20000);
    expect(b,
           "> 10000-11000 rw-p anon => 20000-21000 rw-p anon stays\n"
           "> 11000-12000 r--p anon => 21000-22000 r--p anon stays\n",
           "10000-11000 rw-p anon\n"
           "11000-12000 r--p anon\n"
           "20000-21000 rw-p anon\n"
           "21000-22000 r--p anon\n",
           "20000-22000");
}

/*
 * Private memory of /dev/zero is anonymous to the kernel, though its file shows: where it has not
 * been touched (which no call tells), a move sets the offset that shows to its new address.
 */
static void test_remap_of_private_dev_zero(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x10000, 0x1000, 0x1000, MREMAP_MAYMOVE, 0);

    put(b, 0x10000, 0x11000, RW, 0, DEV_ZERO, 0);
    succeeds(b, &op, 0x20000);
    assert_layout(b->layout, "20000-21000 rw-p anon /dev/zero+0\n");
    expect_doubts(b, "20000-21000", __FILE__, __LINE__);
    op = remap(0x20000, 0x1000, 0x1000, MREMAP_MAYMOVE | DONTUNMAP, 0);
    succeeds(b, &op, 0x30000);
    expect_doubts(b, "30000-31000", __FILE__, __LINE__);
}

static void test_remap_huge(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x40000000, HUGE_PAGE + PAGE, PAGE, MREMAP_MAYMOVE, 0);

    put(b, 0x40000000, 0x40400000, RW, 0, HUGE, 0);
    succeeds(b, &op, 0x40000000);
    expect(b, "- 40200000-40400000 rw-p anon /anon_hugepage (deleted)+200000\n",
           "40000000-40200000 rw-p anon /anon_hugepage (deleted)+0\n", "");
    fails(b, &op);
    expect_doubts(b, "40000000-40400000", __FILE__, __LINE__);
}

static void test_remap_fails(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x10000, 0x1001, 0x3000, MREMAP_MAYMOVE, 0x20000);
    const char *layout = "10000-12000 rw-p anon\n";

    put_anon(b, 0x10000, 0x12000, RW);
    fails(b, &op); /* it may have moved a part, but where to is not known */
    expect(b, "", layout, "10000-12000");
    op.flags |= MREMAP_FIXED;
    fails(b, &op);
    expect(b, "", layout, "10000-12000 20000-23000");
    op.length = 0;
    fails(b, &op);
    expect(b, "", layout, "20000-23000");
}

/* A call that succeeds on what the model does not have: the model is wrong. */
static void test_remap_of_what_is_not_there(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x10000, 0x1000, 0x2000, MREMAP_MAYMOVE, 0);

    put_anon(b, 0x11000, 0x12000, RW);
    succeeds(b, &op, 0x20000);
    expect(b, "", "11000-12000 rw-p anon\n", "10000-11000 20000-22000");
}

/* ---- brk ------------------------------------------------------------------------------------ */

static void set_break(struct bench *b, vt_addr start, vt_addr end)
{
    b->outcome.break_known = true;
    vt_layout_set_marks(b->layout, &(struct vt_layout_marks){.heap_start = start, .heap_end = end});
}

static void brk_to(struct bench *b, vt_addr addr, vt_addr result)
{
    succeeds(b, &(struct vt_memop){.type = VT_MEMOP_BRK, .addr = addr, .fd = -1}, result);
    assert_int_equal(vt_layout_marks(b->layout)->heap_end, result);
}

static void test_brk(void **state)
{
    struct bench *b = *state;
    set_break(b, 0x50000, 0x50000);
    brk_to(b, 0, 0x50000); /* a question */
    expect(b, "", "", "");
    brk_to(b, 0x52001, 0x52001);
    expect(b, "+ 50000-53000 rw-p heap\n", "50000-53000 rw-p heap\n", "");
    brk_to(b, 0x53000, 0x53000); /* the same page */
    expect(b, "", "50000-53000 rw-p heap\n", "");
    brk_to(b, 0x53001, 0x53001);
    expect(b, "+ 53000-54000 rw-p heap\n", "50000-54000 rw-p heap\n", "");
    brk_to(b, 0x60000000, 0x53001); /* refused: the old break comes back */
    expect(b, "", "50000-54000 rw-p heap\n", "");
    brk_to(b, 0x51fff, 0x51fff);
    expect(b, "- 52000-54000 rw-p heap\n", "50000-52000 rw-p heap\n", "");
    brk_to(b, 0x50000, 0x50000);
    expect(b, "- 50000-52000 rw-p heap\n", "", "");
}

/* A start that is no page's, as bss has it without ASLR: the first page is not the heap's own. */
static void test_brk_from_within_a_page(void **state)
{
    struct bench *b = *state;
    put(b, 0x4f000, 0x51000, RW, 0, FILE_F, 0);
    set_break(b, 0x50800, 0x50800);
    brk_to(b, 0x50c00, 0x50c00);
    expect(b, "", "4f000-51000 rw-p file /f+0\n", "");
    brk_to(b, 0x52000, 0x52000);
    expect(b, "+ 51000-52000 rw-p heap\n", "4f000-51000 rw-p file /f+0\n51000-52000 rw-p heap\n",
           "");
    brk_to(b, 0x50900, 0x50900);
    expect(b, "- 51000-52000 rw-p heap\n", "4f000-51000 rw-p file /f+0\n", "");
}

static void test_brk_shrinks_across_anything(void **state)
{
    struct bench *b = *state;
    set_break(b, 0x50000, 0x50000);
    brk_to(b, 0x58000, 0x58000);
    succeeds(b, &(struct vt_memop){.type = VT_MEMOP_UNMAP, .addr = 0x53000, .length = 0x1000}, 0);
    succeeds(
        b,
        &(struct vt_memop){.type = VT_MEMOP_PROTECT, .addr = 0x55000, .length = 0x1000, .prot = R},
        0);
    put(b, 0x56000, 0x57000, R, 0, FILE_F, 0);
    put_anon(b, 0x58000, 0x59000, RW); /* beyond the break: stays */
    b->changes.count = 0;
    brk_to(b, 0x51000, 0x51000);
    expect(b,
           "- 51000-53000 rw-p heap\n"
           "- 54000-55000 rw-p heap\n"
           "- 55000-56000 r--p heap\n"
           "- 56000-57000 r--p file /f+0\n"
           "- 57000-58000 rw-p heap\n",
           "50000-51000 rw-p heap\n58000-59000 rw-p anon\n", "");
}

static void test_brk_read_implies_exec(void **state)
{
    struct bench *b = *state;
    b->outcome.read_implies_exec = true;
    set_break(b, 0x50000, 0x50000);
    brk_to(b, 0x51000, 0x51000);
    expect(b, "+ 50000-51000 rwxp heap\n", "50000-51000 rwxp heap\n", "");
}

/* Where the break was is not known, or not even where the heap begins: the kernel is asked. */
static void test_brk_unknown(void **state)
{
    struct bench *b = *state;
    set_break(b, 0x50000, 0x52000);
    b->outcome.break_known = false;
    brk_to(b, 0x54100, 0x54100);
    expect(b, "", "", DOUBT_ALL);
    brk_to(b, 0x51000, 0x51000); /* shrinks, maybe from far above the mark */
    expect(b, "", "", DOUBT_ALL);
    brk_to(b, 0x90000, 0x51000); /* refused */
    expect(b, "", "", DOUBT_ALL);
    set_break(b, 0, 0);
    brk_to(b, 0x54000, 0x54000);
    expect(b, "", "", DOUBT_ALL);
}

static void test_brk_never_fails(void **state)
{
    struct bench *b = *state;
    set_break(b, 0x50000, 0x52000);
    fails(b, &(struct vt_memop){.type = VT_MEMOP_BRK, .addr = 0x54000, .fd = -1});
    expect(b, "", "", "");
    assert_int_equal(vt_layout_marks(b->layout)->heap_end, 0x52000);
}

/* ---- System V shared memory -------------------------------------------- */

static void attach(struct bench *b, vt_addr start, vt_addr end, unsigned prot, int segment)
{
    struct vt_memop op = {.type = VT_MEMOP_SHM_ATTACH, .fd = 1};
    tell(b, start, end, prot, VT_REGION_SHARED, segment, 0, PAGE);
    succeeds(b, &op, start);
}

static struct vt_memop detach(vt_addr addr)
{
    return (struct vt_memop){.type = VT_MEMOP_SHM_DETACH, .addr = addr, .fd = -1};
}

#define SYSV "/SYSV00000000 (deleted)"

static void test_shm_attach(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = {.type = VT_MEMOP_SHM_ATTACH, .fd = 1};

    attach(b, 0x10000, 0x13000, RX, SEGMENT); /* SHM_RDONLY|SHM_EXEC */
    expect(b, "+ 10000-13000 r-xs shm " SYSV "+0\n", "10000-13000 r-xs shm " SYSV "+0\n", "");
    put_anon(b, 0x14000, 0x16000, RW);
    attach(b, 0x12000, 0x15000, RW, OTHER_SEGMENT); /* SHM_REMAP */
    expect(b,
           "- 12000-13000 r-xs shm " SYSV "+2000\n"
           "- 14000-15000 rw-p anon\n"
           "+ 12000-15000 rw-s shm " SYSV "+0\n",
           "10000-12000 r-xs shm " SYSV "+0\n"
           "12000-15000 rw-s shm " SYSV "+0\n"
           "15000-16000 rw-p anon\n",
           "");
    clear(b);
    fails(b, &op);
    expect(b, "", "", "");
    b->outcome.told = NULL;
    succeeds(b, &op, 0x10000);
    expect(b, "", "", DOUBT_ALL);
    tell(b, 0x0f000, 0x13000, RW, VT_REGION_SHARED, SEGMENT, 0, PAGE);
    succeeds(b, &op, 0x10000); /* an attach is a VMA of its own: this cannot be it */
    expect(b, "", "", DOUBT_ALL);
}

static void test_shm_detach(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = detach(0x10000);

    attach(b, 0x10000, 0x13000, RW, SEGMENT);
    attach(b, 0x13000, 0x16000, RW, SEGMENT); /* the same one again */
    attach(b, 0x20000, 0x22000, RW, OTHER_SEGMENT);
    b->changes.count = 0;
    fails(b, &op);
    expect_pages(b, "",
                 "10000-13000 rw-s shm " SYSV "+0\n"
                 "13000-16000 rw-s shm " SYSV "+0\n"
                 "20000-22000 rw-s shm " SYSV "+0\n");
    succeeds(b, &op, 0);
    expect_pages(b, "- 10000-13000 rw-s shm " SYSV "+0\n",
                 "13000-16000 rw-s shm " SYSV "+0\n"
                 "20000-22000 rw-s shm " SYSV "+0\n");
    op.addr = 0x20000;
    succeeds(b, &op, 0);
    expect_pages(b, "- 20000-22000 rw-s shm " SYSV "+0\n", "13000-16000 rw-s shm " SYSV "+0\n");
}

/* Only what still belongs to the attach goes. */
static void test_shm_detach_of_what_is_left(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = detach(0x10000);

    attach(b, 0x10000, 0x19000, RW, SEGMENT);
    succeeds(b, &(struct vt_memop){.type = VT_MEMOP_UNMAP, .addr = 0x10000, .length = 0x1000}, 0);
    succeeds(
        b,
        &(struct vt_memop){.type = VT_MEMOP_PROTECT, .addr = 0x12000, .length = 0x1000, .prot = R},
        0);
    put_anon(b, 0x14000, 0x15000, RW);               /* mapped over */
    put(b, 0x16000, 0x17000, RW, 0, FILE_F, 0x6000); /* a private file, though it fits */
    attach(b, 0x17000, 0x18000, RW, OTHER_SEGMENT);  /* another one inside, */
    put(b, 0x18000, 0x19000, RW, VT_REGION_SHARED, OTHER_SEGMENT, 0x8000); /* and where it fits */
    put(b, 0x19000, 0x1a000, RW, VT_REGION_SHARED, SEGMENT, 0x1000); /* moved away by mremap */
    b->changes.count = 0;
    succeeds(b, &op, 0);
    expect_pages(b,
                 "- 11000-12000 rw-s shm " SYSV "+1000\n"
                 "- 12000-13000 r--s shm " SYSV "+2000\n"
                 "- 13000-14000 rw-s shm " SYSV "+3000\n"
                 "- 15000-16000 rw-s shm " SYSV "+5000\n",
                 "14000-15000 rw-p anon\n"
                 "16000-17000 rw-p file /f+6000\n"
                 "17000-18000 rw-s shm " SYSV "+0\n"
                 "18000-19000 rw-s shm " SYSV "+8000\n"
                 "19000-1a000 rw-s shm " SYSV "+1000\n");
}

/* A shared file mapped into an attach, at the very offset, is no part of the segment. */
static void test_shm_detach_spares_shared_files(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = detach(0x10000);

    attach(b, 0x10000, 0x14000, RW, SEGMENT);
    put(b, 0x10000, 0x11000, RW, VT_REGION_SHARED, FILE_F, 0);
    put(b, 0x12000, 0x13000, RW, VT_REGION_SHARED, FILE_F, 0x2000);
    b->changes.count = 0;
    succeeds(b, &op, 0);
    expect_pages(b,
                 "- 11000-12000 rw-s shm " SYSV "+1000\n"
                 "- 13000-14000 rw-s shm " SYSV "+3000\n",
                 "10000-11000 rw-s file /f+0\n"
                 "12000-13000 rw-s file /f+2000\n");
}

/*
 * Two attaches of one segment look alike in maps, and a piece of the one can lie where it would
 * continue the other (mremap): only the kernel knows which of them went, even of one region.
 */
static void test_shm_detach_asks_the_kernel(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = detach(0x10000);

    attach(b, 0x10000, 0x14000, RW, SEGMENT);
    put_anon(b, 0x11000, 0x12000, RW);
    succeeds(b, &op, 0);
    assert_true(b->doubts[0].start <= 0x10000 && b->doubts[0].end >= 0x14000);
    attach(b, 0x10000, 0x14000, RW, SEGMENT);
    succeeds(b, &op, 0);
    assert_true(b->doubts[0].start <= 0x10000 && b->doubts[0].end >= 0x14000);
}

/* ---- the rest -------------------------------------------- */

static void test_others(void **state)
{
    struct bench *b = *state;
    static const struct {
        enum vt_memop_type type;
        const char *doubts;
    } cases[] = {
        {VT_MEMOP_NONE, ""},        {VT_MEMOP_RANGE, "10000-13000"}, {VT_MEMOP_ADVISE, ""},
        {VT_MEMOP_PERSONALITY, ""}, {VT_MEMOP_ANYWHERE, DOUBT_ALL},  {VT_MEMOP_EXEC, ""},
        {VT_MEMOP_CLONE, ""},       {VT_MEMOP_SIGSTACK, ""},         {VT_MEMOP_LISTEN, ""},
    };

    put_anon(b, 0x10000, 0x12000, RW);
    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        struct vt_memop op = {.type = cases[i].type, .addr = 0x10000, .length = 0x2001};
        succeeds(b, &op, 0);
        expect(b, "", "10000-12000 rw-p anon\n", cases[i].doubts);
        fails(b, &op);
        expect(b, "", "10000-12000 rw-p anon\n", cases[i].doubts);
    }
}

static void test_changes_may_be_null(void **state)
{
    struct bench *b = *state;
    struct vt_memop op = remap(0x10000, 0x1000, 0x2000, MREMAP_MAYMOVE, 0);
    struct vt_outcome outcome = {.result = 0x20000, .page = PAGE};

    put_anon(b, 0x10000, 0x11000, RW);
    assert_int_equal(vt_memop_apply(b->layout, &op, &outcome, NULL, b->doubts), 0);
    assert_layout(b->layout, "20000-22000 rw-p anon\n");
}

static void test_out_of_memory(void **state)
{
    struct bench *b = *state;
    const struct vt_memop ops[] = {
        {.type = VT_MEMOP_MAP, .length = PAGE, .prot = RW, .flags = ANON},
        {.type = VT_MEMOP_UNMAP, .addr = 0x10000, .length = PAGE},
        {.type = VT_MEMOP_PROTECT, .addr = 0x10000, .length = PAGE, .prot = R},
        remap(0x10000, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0),
        {.type = VT_MEMOP_BRK, .addr = 0x52000},
        {.type = VT_MEMOP_SHM_ATTACH},
        {.type = VT_MEMOP_SHM_DETACH, .addr = 0x60000},
    };
    static const uint64_t results[] = {0x20000, 0, 0, 0x20000, 0x52000, 0x20000, 0};

    for (size_t i = 0; i < VT_COUNTOF(ops); i++) {
        size_t failures = 0;
        for (;; failures++) {
            struct vt_changes changes = {0};
            struct vt_layout *from = b->layout;
            clear(b);
            put_anon(b, 0x10000, 0x12000, RW);
            put(b, 0x60000, 0x61000, RW, VT_REGION_SHARED, SEGMENT, 0);
            set_break(b, 0x50000, 0x50000);
            tell(b, 0x20000, 0x21000, RW, VT_REGION_SHARED, SEGMENT, 0, PAGE);
            b->outcome.result = results[i];
            b->layout = vt_layout_create(NULL, NULL); /* one without room to spare */
            assert_non_null(b->layout);
            assert_int_equal(vt_layout_copy(b->layout, from), 0);
            vt_layout_destroy(from);
            nomem_after(failures);
            int rc = vt_memop_apply(b->layout, &ops[i], &b->outcome, &changes, b->doubts);
            size_t refused = nomem_never();
            vt_changes_deinit(&changes);
            assert_int_equal(rc, refused ? -ENOMEM : 0);
            if (!refused)
                break;
            expect_doubts(b, DOUBT_ALL, __FILE__, __LINE__);
        }
        assert_true(failures > 0);
    }
}

/* ---- against the kernel -------------------------------------------- */

#define ARENA       UINT64_C(0x200000000000) /* nothing of ours or of a sanitizer lies there */
#define ARENA_PAGES 48

struct arena {
    struct vt_layout *layout;
    struct vt_objects *objects;
    struct vt_regions kernel;
    struct vt_buf text;
    struct vt_changes changes;
    uint64_t random;
    vt_addr attached; /* the last shmat in the arena */
    int files[3];     /* a memfd, the same read-only, /dev/zero */
    int segments[2];
};

static unsigned draw(struct arena *a, unsigned limit)
{
    a->random ^= a->random >> 12;
    a->random ^= a->random << 25;
    a->random ^= a->random >> 27;
    return (unsigned)((a->random * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % limit;
}

static void ask_kernel(struct arena *a)
{
    struct vt_error err;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    assert_true(fd >= 0);
    vt_buf_clear(&a->text);
    do {
        char *room = vt_buf_room(&a->text, 1 << 15);
        assert_non_null(room);
        got = read(fd, room, 1 << 15);
        assert_true(got >= 0);
        a->text.length += (size_t)got;
    } while (got > 0);
    close(fd);
    assert_int_equal(vt_maps_parse(a->text.data, a->text.length, a->objects, &a->kernel, &err), 0);
    size_t kept = 0;
    for (size_t i = 0; i < a->kernel.count; i++)
        if (a->kernel.items[i].end > ARENA && a->kernel.items[i].start < ARENA + ARENA_PAGES * PAGE)
            a->kernel.items[kept++] = a->kernel.items[i];
    a->kernel.count = kept;
}

struct call {
    struct vt_memop op;
    long number;
    long args[6];
    bool exec_persona;
};

static void draw_range(struct arena *a, vt_addr *start, uint64_t *length)
{
    unsigned first = draw(a, ARENA_PAGES);
    *start = ARENA + first * PAGE;
    *length = (1 + draw(a, (unsigned)vt_min(ARENA_PAGES - first, 12))) * PAGE - draw(a, 2) * 77;
}

static void draw_map(struct arena *a, struct call *call)
{
    static const uint32_t prots[] = {0, R, RW, RW, W, RX, RWX};
    struct vt_memop *op = &call->op;

    op->type = VT_MEMOP_MAP;
    op->prot = prots[draw(a, VT_COUNTOF(prots))];
    op->flags = draw(a, 8) ? MAP_FIXED : MAP_FIXED | NO_REPLACE;
    op->fd = -1;
    if (draw(a, 2)) {
        op->flags |= MAP_ANONYMOUS | (draw(a, 4) ? MAP_PRIVATE : MAP_SHARED);
        if (draw(a, 6) == 0)
            op->flags |= MAP_STACK;
        if (draw(a, 6) == 0)
            op->flags |= MAP_GROWSDOWN;
    } else {
        op->flags |= draw(a, 2) ? MAP_PRIVATE : MAP_SHARED;
        op->fd = a->files[draw(a, 3)];
        op->offset = draw(a, 10) * PAGE;
        /* What a detach that looks at offsets alone would take for its own. */
        if (a->attached && op->addr > a->attached && draw(a, 2))
            op->offset = op->addr - a->attached;
    }
    call->number = SYS_mmap;
    memcpy(call->args,
           (long[6]){(long)op->addr, (long)op->length, (long)op->prot, (long)op->flags,
                     (long)op->fd, (long)op->offset},
           sizeof(call->args));
}

static void draw_remap(struct arena *a, struct call *call)
{
    static const uint32_t flags[] = {0, MREMAP_MAYMOVE | MREMAP_FIXED,
                                     MREMAP_MAYMOVE | MREMAP_FIXED,
                                     MREMAP_MAYMOVE | MREMAP_FIXED | DONTUNMAP};
    struct vt_memop *op = &call->op;
    uint64_t other;

    op->type = VT_MEMOP_REMAP;
    op->flags = flags[draw(a, VT_COUNTOF(flags))];
    draw_range(a, &op->new_addr, &other);
    op->new_length = op->flags & DONTUNMAP || draw(a, 3) ? op->length : other;
    if (draw(a, 12) == 0)
        op->length = 0;
    /* Neither side may grow out of the arena. */
    vt_addr from = op->flags & MREMAP_FIXED ? op->new_addr : op->addr;
    op->new_length = vt_min(op->new_length, ARENA + ARENA_PAGES * PAGE - from);
    call->number = SYS_mremap;
    memcpy(call->args,
           (long[6]){(long)op->addr, (long)op->length, (long)op->new_length, (long)op->flags,
                     (long)op->new_addr},
           sizeof(call->args));
}

static void draw_shm(struct arena *a, struct call *call)
{
    struct vt_memop *op = &call->op;

    if (draw(a, 2)) {
        op->type = VT_MEMOP_SHM_ATTACH;
        op->fd = a->segments[draw(a, 2)];
        op->flags = SHM_REMAP | (draw(a, 3) ? 0 : SHM_RDONLY) | (draw(a, 4) ? 0 : SHM_EXEC);
        op->addr = vt_min(op->addr, ARENA + (ARENA_PAGES - 6) * PAGE);
        call->number = SYS_shmat;
        memcpy(call->args, (long[6]){(long)op->fd, (long)op->addr, (long)op->flags},
               sizeof(call->args));
        return;
    }
    op->type = VT_MEMOP_SHM_DETACH;
    if (a->attached && draw(a, 4))
        op->addr = a->attached;
    call->number = SYS_shmdt;
    memcpy(call->args, (long[6]){(long)op->addr}, sizeof(call->args));
}

static struct call draw_call(struct arena *a)
{
    struct call call = {.exec_persona = draw(a, 12) == 0};
    struct vt_memop *op = &call.op;

    draw_range(a, &op->addr, &op->length);
    switch (draw(a, 11)) {
    case 0:
    case 1:
    case 2:
        draw_map(a, &call);
        return call;
    case 3:
    case 4:
        draw_remap(a, &call);
        return call;
    case 5:
    case 6:
        draw_shm(a, &call);
        return call;
    case 7:
    case 8:
        op->type = VT_MEMOP_PROTECT;
        op->prot = draw(a, 8) | (draw(a, 10) ? 0 : GROWSDOWN);
        call.number = SYS_mprotect;
        break;
    case 9:
        op->type = VT_MEMOP_RANGE;
        call.number = SYS_remap_file_pages;
        break;
    default:
        op->type = VT_MEMOP_UNMAP;
        call.number = SYS_munmap;
    }
    memcpy(call.args, (long[6]){(long)op->addr, (long)op->length, (long)op->prot, draw(a, 4)},
           sizeof(call.args));
    if (op->type == VT_MEMOP_RANGE)
        call.args[2] = 0;
    return call;
}

/* Make the call, apply it to the model, ask about what is in doubt; true if they agree. */
static bool call_agrees(struct arena *a, struct call *call, struct vt_outcome *outcome)
{
    struct vt_told told = {.page_size = PAGE};
    struct vt_doubt doubts[2];
    struct vt_region ours, theirs;
    vt_addr addr;
    int persona = call->exec_persona ? personality(0xffffffff) : -1;

    if (persona >= 0)
        personality((unsigned)persona | READ_IMPLIES_EXEC);
    long result = syscall(call->number, call->args[0], call->args[1], call->args[2], call->args[3],
                          call->args[4], call->args[5]);
    if (persona >= 0)
        personality((unsigned)persona);
    *outcome = (struct vt_outcome){.failed = result == -1,
                                   .result = (uint64_t)result,
                                   .read_implies_exec = persona >= 0,
                                   .page = PAGE};
    ask_kernel(a);
    if (vt_memop_asks_first(&call->op, outcome, &addr)) {
        for (size_t i = 0; i < a->kernel.count; i++)
            if (a->kernel.items[i].start <= addr && addr < a->kernel.items[i].end)
                told.vma = a->kernel.items[i];
        assert_true(told.vma.end > addr);
        outcome->told = &told;
    }
    if (call->op.type == VT_MEMOP_SHM_ATTACH && !outcome->failed)
        a->attached = outcome->result;
    a->changes.count = 0;
    assert_int_equal(vt_memop_apply(a->layout, &call->op, outcome, &a->changes, doubts), 0);
    outcome->told = NULL;
    for (int i = 0; i < 2; i++)
        assert_int_equal(vt_layout_assign(a->layout, doubts[i].start, doubts[i].end,
                                          a->kernel.items, a->kernel.count, &a->changes),
                         0);
    return vt_layout_agrees(a->layout, a->kernel.items, a->kernel.count, &ours, &theirs);
}

/* The regions of a layout from the first on, or `count` of an array. */
static void print_regions(const char *title, const struct vt_region *r,
                          const struct vt_layout *layout, size_t count)
{
    print_message("%s:\n", title);
    for (size_t i = 0; layout ? r != NULL : i < count; i++) {
        struct vt_buf buf = {0};
        text_region(&buf, r);
        print_message("    %s\n", vt_buf_cstr(&buf));
        vt_buf_deinit(&buf);
        r = layout ? vt_layout_at_or_above(layout, r->end) : r + 1;
    }
}

static void random_calls(uint64_t seed)
{
    struct arena a = {.random = seed, .segments = {-1, -1}};
    char path[64];
    unsigned good = 0, failed = 0;

    a.layout = vt_layout_create(NULL, NULL);
    a.objects = vt_objects_create();
    assert_true(a.layout && a.objects);
    a.files[0] = memfd_create("arena", MFD_CLOEXEC);
    assert_true(a.files[0] >= 0);
    assert_int_equal(ftruncate(a.files[0], 100 * PAGE), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", a.files[0]);
    a.files[1] = open(path, O_RDONLY | O_CLOEXEC);
    a.files[2] = open("/dev/zero", O_RDWR | O_CLOEXEC);
    assert_true(a.files[1] >= 0 && a.files[2] >= 0);
    for (unsigned i = 0; i < 2; i++) /* where there is no System V memory, its calls all fail */
        a.segments[i] = shmget(IPC_PRIVATE, (3 + 3 * i) * PAGE, IPC_CREAT | 0600);

    for (unsigned step = 0; step < 12000; step++) {
        struct call call = draw_call(&a);
        struct vt_outcome outcome;
        bool agrees = call_agrees(&a, &call, &outcome);
        if (!agrees) {
            for (unsigned i = 0; i < 2; i++)
                shmctl(a.segments[i], IPC_RMID, NULL);
            print_regions("the model", vt_layout_at_or_above(a.layout, 0), a.layout, 0);
            print_regions("the kernel", a.kernel.items, NULL, a.kernel.count);
            fail_msg("seed %lu, step %u: call %ld(%lx, %lx, %lx, %lx, %lx, %lx) %s",
                     (unsigned long)seed, step, call.number, call.args[0], call.args[1],
                     call.args[2], call.args[3], call.args[4], call.args[5],
                     outcome.failed ? "failed" : "succeeded");
        }
        outcome.failed ? failed++ : good++;
    }
    assert_true(good > 3000 && failed > 500);

    munmap((void *)(uintptr_t)ARENA, ARENA_PAGES * PAGE);
    for (unsigned i = 0; i < 2; i++)
        shmctl(a.segments[i], IPC_RMID, NULL);
    for (unsigned i = 0; i < 3; i++)
        close(a.files[i]);
    vt_changes_deinit(&a.changes);
    vt_regions_deinit(&a.kernel);
    vt_buf_deinit(&a.text);
    vt_layout_destroy(a.layout);
    vt_objects_destroy(a.objects);
}

static void test_against_the_kernel(void **state)
{
    (void)state;
    void *probe = MAP_FAILED;

    if ((uint64_t)sysconf(_SC_PAGESIZE) == PAGE)
        probe = mmap((void *)(uintptr_t)ARENA, ARENA_PAGES * PAGE, PROT_NONE,
                     (int)(ANON | NO_REPLACE | MAP_NORESERVE), -1, 0);
    if (probe != (void *)(uintptr_t)ARENA) {
        print_message("there is no room for the arena at its address\n");
        skip();
    }
    munmap(probe, ARENA_PAGES * PAGE);
    for (uint64_t seed = 9; seed <= 12; seed++) /* some that have found something before */
        random_calls(seed);
}

#define bench_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_map_anonymous),
        bench_test(test_map_fixed_replaces),
        bench_test(test_map_fails),
        bench_test(test_map_file),
        bench_test(test_map_of_unknown_page_size),
        bench_test(test_map_that_nobody_tells_about),
        bench_test(test_map_shared_anonymous),
        bench_test(test_map_huge),
        bench_test(test_map_stacks),
        bench_test(test_map_read_implies_exec),
        cmocka_unit_test(test_asks_first),
        bench_test(test_unmap),
        bench_test(test_protect),
        bench_test(test_protect_read_implies_exec),
        bench_test(test_protect_growsdown),
        bench_test(test_remap_in_place),
        bench_test(test_remap_stack_keeps_its_flags),
        bench_test(test_remap_moves),
        bench_test(test_remap_moves_and_grows),
        bench_test(test_remap_moves_and_shrinks),
        bench_test(test_remap_keeps_the_source),
        bench_test(test_remap_duplicates),
        bench_test(test_remap_several),
        bench_test(test_remap_of_private_dev_zero),
        bench_test(test_remap_huge),
        bench_test(test_remap_fails),
        bench_test(test_remap_of_what_is_not_there),
        bench_test(test_brk),
        bench_test(test_brk_from_within_a_page),
        bench_test(test_brk_shrinks_across_anything),
        bench_test(test_brk_read_implies_exec),
        bench_test(test_brk_unknown),
        bench_test(test_brk_never_fails),
        bench_test(test_shm_attach),
        bench_test(test_shm_detach),
        bench_test(test_shm_detach_of_what_is_left),
        bench_test(test_shm_detach_spares_shared_files),
        bench_test(test_shm_detach_asks_the_kernel),
        bench_test(test_others),
        bench_test(test_changes_may_be_null),
        bench_test(test_out_of_memory),
        cmocka_unit_test(test_against_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
