/*
 * test_maps.c - the text of /proc/PID/maps as regions: this process's own, odd
 * names, every sort of malformed line with its exact error, and thousands of
 * mutations, none of which may crash or give regions that do not ascend.
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
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "model/maps.h"
#include "unit/nomem.h"

struct parse {
    struct vt_objects *objects;
    struct vt_regions regions;
    struct vt_error err;
};

static int setup(void **state)
{
    struct parse *p = calloc(1, sizeof(*p));
    *state = p;
    if (p)
        p->objects = vt_objects_create();
    return !p || !p->objects;
}

static int teardown(void **state)
{
    struct parse *p = *state;
    vt_regions_deinit(&p->regions);
    vt_objects_destroy(p->objects);
    free(p);
    return 0;
}

/* From a block of the exact length, so that a sanitizer sees a read beyond its end. */
static int parse(struct parse *p, const char *text, size_t length)
{
    char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    int rc = vt_maps_parse(copy, length, p->objects, &p->regions, &p->err);
    free(copy);
    return rc;
}

static const struct vt_region *parse_one(struct parse *p, const char *line)
{
    if (parse(p, line, strlen(line)))
        fail_msg("\"%s\": %s", line, p->err.text);
    assert_int_equal(p->regions.count, 1);
    return &p->regions.items[0];
}

static void test_one_line(void **state)
{
    struct parse *p = *state;
    const struct vt_region *r = parse_one(
        p, "7f0012345000-7f0012349000 r-xs 0001f000 fe:1b 3934212      /usr/lib/libx.so\n");

    assert_true(r->start == 0x7f0012345000 && r->end == 0x7f0012349000);
    assert_int_equal(r->prot, VT_PROT_READ | VT_PROT_EXEC);
    assert_int_equal(r->flags, VT_REGION_SHARED);
    assert_int_equal(r->offset, 0x1f000);
    assert_non_null(r->object);
    assert_int_equal(r->object->type, VT_OBJECT_FILE);
    assert_int_equal(r->object->dev_major, 0xfe);
    assert_int_equal(r->object->dev_minor, 0x1b);
    assert_int_equal(r->object->inode, 3934212);
    assert_int_equal(r->object->page_size, 0);
    assert_string_equal(r->object->name, "/usr/lib/libx.so");
}

static void test_permissions(void **state)
{
    struct parse *p = *state;
    for (unsigned bits = 0; bits < 16; bits++) {
        char line[80];
        snprintf(line, sizeof(line), "1000-2000 %c%c%c%c 00000000 00:00 0 ", bits & 1 ? 'r' : '-',
                 bits & 2 ? 'w' : '-', bits & 4 ? 'x' : '-', bits & 8 ? 's' : 'p');
        const struct vt_region *r = parse_one(p, line);
        assert_int_equal(r->prot, bits & 7);
        assert_int_equal(r->flags, bits & 8 ? VT_REGION_SHARED : 0);
    }
}

static void test_names(void **state)
{
    struct parse *p = *state;
    static const struct {
        const char *tail; /* from the device on */
        const char *name; /* null: no object */
        enum vt_object_type type;
    } cases[] = {
        {"00:00 0", NULL, 0},
        {"00:00 0 \n", NULL, 0},
        {"00:00 0                          [heap]\n", NULL, 0},
        {"00:00 0                          [stack]\n", NULL, 0},
        {"00:00 0                          [stack:1234]\n", NULL, 0},
        {"00:00 0                          [vdso]\n", "[vdso]", VT_OBJECT_SPECIAL},
        {"00:00 0                          [heaps]\n", "[heaps]", VT_OBJECT_SPECIAL},
        {"00:00 0 [anon:a [odd] name ]\n", "[anon:a [odd] name ]", VT_OBJECT_SPECIAL},
        {"08:01 7                          [heap]\n", "[heap]", VT_OBJECT_FILE},
        {"08:01 7 \n", "", VT_OBJECT_FILE},
        {"08:01 7", "", VT_OBJECT_FILE},
        {"00:00 7 /only an inode\n", "/only an inode", VT_OBJECT_FILE},
        {"00:01 0 /only a device\n", "/only a device", VT_OBJECT_FILE},
        {"01:00 0 /only a major\n", "/only a major", VT_OBJECT_FILE},
        {"08:01 7 /a  b c \n", "/a  b c ", VT_OBJECT_FILE},
        {"08:01 7 /gone (deleted)\n", "/gone (deleted)", VT_OBJECT_FILE},
        {"08:01 7 /a\\012b\n", "/a\nb", VT_OBJECT_FILE},
        {"08:01 7 /\\012\n", "/\n", VT_OBJECT_FILE},
        {"08:01 7 /\\012", "/\n", VT_OBJECT_FILE},
        {"08:01 7 /a\\012\\012b (deleted)\n", "/a\n\nb (deleted)", VT_OBJECT_FILE},
        {"08:01 7 /a\\01", "/a\\01", VT_OBJECT_FILE},
        {"08:01 7 /a\\0", "/a\\0", VT_OBJECT_FILE},
        {"08:01 7 /a\\", "/a\\", VT_OBJECT_FILE},
        {"08:01 7 /a\\040\\134\\011\\013\n", "/a\\040\\134\\011\\013", VT_OBJECT_FILE},
        {"08:01 7 /a\\\\012\n", "/a\\\n", VT_OBJECT_FILE},
        {"08:01 7 /tab\there\r\n", "/tab\there\r", VT_OBJECT_FILE},
        {"08:01 7 /\xff\xfe\x1b[31m\n", "/\xff\xfe\x1b[31m", VT_OBJECT_FILE},
        {"00:01 2048 /memfd:x (deleted)\n", "/memfd:x (deleted)", VT_OBJECT_FILE},
    };

    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        char line[200];
        snprintf(line, sizeof(line), "1000-2000 r--p 00000000 %s", cases[i].tail);
        const struct vt_region *r = parse_one(p, line);
        if (!cases[i].name) {
            assert_null(r->object);
            continue;
        }
        assert_non_null(r->object);
        assert_int_equal(r->object->type, cases[i].type);
        assert_string_equal(r->object->name, cases[i].name);
    }
}

/* One object for one file, whatever the line; another for the same inode under a new name. */
static void test_objects_are_shared(void **state)
{
    struct parse *p = *state;
    const char *text = "1000-2000 r--p 00000000 08:01 7 /f\n"
                       "2000-3000 rw-p 00001000 08:01 7 /f\n"
                       "3000-4000 rw-p 00001000 08:01 7 /f (deleted)\n";
    assert_int_equal(parse(p, text, strlen(text)), 0);
    const struct vt_region *r = p->regions.items;
    assert_int_equal(p->regions.count, 3);
    assert_ptr_equal(r[0].object, r[1].object);
    assert_ptr_not_equal(r[0].object, r[2].object);
    assert_true(vt_object_same(r[0].object, r[2].object));
}

static void test_limits(void **state)
{
    struct parse *p = *state;
    const struct vt_region *r = parse_one(p,
                                          "fffffffffffff000-ffffffffffffffff rwxp ffffffffffffffff "
                                          "ffffffff:ffffffff 18446744073709551615 /x");
    assert_true(r->start == UINT64_MAX - 4095 && r->end == UINT64_MAX);
    assert_true(r->offset == UINT64_MAX && r->object->inode == UINT64_MAX);
    assert_true(r->object->dev_major == UINT32_MAX && r->object->dev_minor == UINT32_MAX);
    r = parse_one(p, "0-1000 ---p 0 0:0 0");
    assert_true(r->start == 0 && r->end == 0x1000);
    r = parse_one(p,
                  "000000000000000000001000-000000000000000000002000 ---p 0000000000000000000000 "
                  "00000000000000:00 00000000000000000000000000000");
    assert_true(r->start == 0x1000 && r->end == 0x2000 && !r->object);
}

static void test_nothing(void **state)
{
    struct parse *p = *state;
    assert_int_equal(parse(p, "1000-2000 r--p 0 0:0 0\n", 23), 0);
    assert_int_equal(p->regions.count, 1);
    assert_int_equal(parse(p, "", 0), 0);
    assert_int_equal(p->regions.count, 0);
}

/* A name as long as no path is, and a NUL in a name (which the kernel never writes). */
static void test_long_and_broken_names(void **state)
{
    struct parse *p = *state;
    struct vt_buf buf = {0};

    vt_buf_str(&buf, "1000-2000 r--p 00000000 08:01 7 /");
    for (int i = 0; i < 100000; i++)
        vt_buf_char(&buf, 'n');
    assert_int_equal(parse(p, buf.data, buf.length), 0);
    assert_int_equal(strlen(p->regions.items[0].object->name), 100001);
    vt_buf_clear(&buf);
    vt_buf_add(&buf, "1000-2000 r--p 00000000 08:01 7 /a\0b\n", 37);
    assert_int_equal(parse(p, buf.data, buf.length), 0);
    assert_string_equal(p->regions.items[0].object->name, "/a");
    vt_buf_deinit(&buf);
}

#define GOOD "1000-2000 r--p 00000000 00:00 0 \n"

static void test_malformed(void **state)
{
    struct parse *p = *state;
    static const char *const lines[] = {
        "",
        " ",
        "garbage",
        "2000",
        "2000-",
        "-3000 r--p 00000000 00:00 0",
        "2000-3000",
        "2000-3000 ",
        "2000 3000 r--p 00000000 00:00 0",
        "2000-3000r--p 00000000 00:00 0",
        " 2000-3000 r--p 00000000 00:00 0",
        "0x2000-0x3000 r--p 00000000 00:00 0",
        "2000-300G r--p 00000000 00:00 0",
        "2000-300A r--p 00000000 00:00 0", /* upper-case digits */
        "2000-3000 r--",
        "2000-3000 r-- 00000000 00:00 0",
        "2000-3000 r--q 00000000 00:00 0",
        "2000-3000 w--p 00000000 00:00 0",
        "2000-3000 rr-p 00000000 00:00 0",
        "2000-3000 rwwp 00000000 00:00 0",
        "2000-3000 R--p 00000000 00:00 0",
        "2000-3000  r--p 00000000 00:00 0",
        "2000-3000 r--p",
        "2000-3000 r--p ",
        "2000-3000 r--p 00000000",
        "2000-3000 r--p 00000000 ",
        "2000-3000 r--p -0000000 00:00 0",
        "2000-3000 r--p 00000000 00",
        "2000-3000 r--p 00000000 00:",
        "2000-3000 r--p 00000000 00:00",
        "2000-3000 r--p 00000000 00:00 ",
        "2000-3000 r--p 00000000 0000 0",
        "2000-3000 r--p 00000000 :00 0",
        "2000-3000 r--p 00000000 00:00 x",
        "2000-3000 r--p 00000000 00:00 -1",
        "2000-3000 r--p 00000000 00:00 a1", /* the inode is decimal */
        "2000-3000 r--p 00000000 00:00\t0",
        "10000000000000000-10000000000001000 r--p 0 00:00 0", /* 65 bits */
        "2000-10000000000000000 r--p 0 00:00 0",
        "2000-3000 r--p 10000000000000000 00:00 0",
        "2000-3000 r--p 0 100000000:00 0", /* 33 bits */
        "2000-3000 r--p 0 00:100000000 0",
        "2000-3000 r--p 0 00:00 18446744073709551616",
        "3000-3000 r--p 00000000 00:00 0", /* empty, backwards */
        "3000-2000 r--p 00000000 00:00 0",
        "fffffffffffff000-0 r--p 00000000 00:00 0",
    };

    for (size_t i = 0; i < VT_COUNTOF(lines); i++) {
        for (int before = 0; before < 3; before++) {
            char text[400] = "";
            if (before > 0)
                strcat(text, GOOD);
            if (before > 1)
                strcat(text, "1f000-20000 r--p 00000000 00:00 0 \n");
            strcat(text, lines[i]);
            strcat(text, "\n30000-40000 r--p 00000000 00:00 0 \n");
            char wanted[100];
            snprintf(wanted, sizeof(wanted),
                     "line %d of a maps file is not what proc_pid_maps(5) says", before + 1);
            if (parse(p, text, strlen(text)) != -EINVAL)
                fail_msg("taken for a good line: \"%s\"", lines[i]);
            assert_int_equal(p->err.errnum, EINVAL);
            assert_string_equal(p->err.text, wanted);
            assert_int_equal(p->regions.count, before);
        }
    }
    assert_int_equal(vt_maps_parse("x", 1, p->objects, &p->regions, NULL), -EINVAL);
}

static void test_out_of_order(void **state)
{
    struct parse *p = *state;
    static const struct {
        const char *text;
        int line; /* 0: good */
    } cases[] = {
        {GOOD "2000-3000 r--p 0 00:00 0\n", 0},
        {GOOD GOOD, 2},
        {GOOD "1fff-3000 r--p 0 00:00 0\n", 2},
        {GOOD "0-1000 r--p 0 00:00 0\n", 2},
        {GOOD "0-8000 r--p 0 00:00 0\n", 2},
        {GOOD "1800-1900 r--p 0 00:00 0\n", 2},
        {GOOD "5000-6000 r--p 0 00:00 0\n3000-4000 r--p 0 00:00 0\n", 3},
        {GOOD "\n", 2},
        {"\n" GOOD, 1},
    };
    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        char wanted[100];
        int rc = parse(p, cases[i].text, strlen(cases[i].text));
        assert_int_equal(rc, cases[i].line ? -EINVAL : 0);
        if (!rc)
            continue;
        snprintf(wanted, sizeof(wanted), "line %d of a maps file is not what proc_pid_maps(5) says",
                 cases[i].line);
        assert_string_equal(p->err.text, wanted);
    }
}

/* ---- the kernel's own ------------------------------------------------------------ */

static void read_maps(struct vt_buf *buf)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    assert_true(fd >= 0);
    vt_buf_clear(buf);
    do {
        char *room = vt_buf_room(buf, 1 << 16);
        assert_non_null(room);
        got = read(fd, room, 1 << 16);
        assert_true(got >= 0);
        buf->length += (size_t)got;
    } while (got > 0);
    close(fd);
}

static const struct vt_region *region_at(const struct parse *p, const void *pointer)
{
    uint64_t addr = (uintptr_t)pointer;
    for (size_t i = 0; i < p->regions.count; i++)
        if (p->regions.items[i].start <= addr && addr < p->regions.items[i].end)
            return &p->regions.items[i];
    fail_msg("no region at %p", pointer);
    return NULL;
}

static void test_own_maps(void **state)
{
    struct parse *p = *state;
    struct vt_buf buf = {0}, again = {0};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char dir[] = "/tmp/vastrace-maps-XXXXXX";
    char path[64];
    int on_stack = 0;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/odd \n\\name", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)(4 * page)), 0);
    char *file = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, (off_t)page);
    char *anon = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(file != MAP_FAILED && anon != MAP_FAILED && shared != MAP_FAILED);

    read_maps(&buf);
    assert_int_equal(parse(p, buf.data, buf.length), 0);
    const struct vt_region *r = region_at(p, file);
    assert_true(r->start == (uintptr_t)file && r->end == (uintptr_t)file + 2 * page);
    assert_int_equal(r->prot, VT_PROT_READ);
    assert_int_equal(r->flags, VT_REGION_SHARED);
    assert_int_equal(r->offset, page);
    assert_string_equal(r->object->name, path);
    r = region_at(p, anon);
    assert_int_equal(r->prot, VT_PROT_NONE);
    assert_null(r->object);
    r = region_at(p, shared);
    assert_string_equal(r->object->name, "/dev/zero (deleted)");
    assert_int_equal(r->flags, VT_REGION_SHARED);
    assert_int_equal(region_at(p, &on_stack)->prot & VT_PROT_WRITE, VT_PROT_WRITE);
    assert_null(region_at(p, &on_stack)->object); /* [stack] is derived */
    assert_int_equal(region_at(p, (const void *)(uintptr_t)setup)->prot & VT_PROT_EXEC,
                     VT_PROT_EXEC);

    /* Written again as the kernel does, each line begins the same and ends in the same name. */
    const char *line = vt_buf_cstr(&buf);
    for (size_t i = 0; i < p->regions.count; i++, line = strchr(line, '\n') + 1) {
        static const struct vt_object none = {.name = ""};
        r = &p->regions.items[i];
        const struct vt_object *object = r->object ? r->object : &none;
        char perm[5];
        vt_buf_clear(&again);
        vt_buf_printf(&again, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " %02x:%02x %" PRIu64 " ",
                      r->start, r->end, vt_prot_text(r->prot, r->flags, perm), r->offset,
                      object->dev_major, object->dev_minor, object->inode);
        assert_memory_equal(line, again.data, again.length);
        const char *name = line + again.length + strspn(line + again.length, " ");
        if (!r->object) {
            assert_true(*name == '\n' || !strncmp(name, "[heap]\n", 7) ||
                        !strncmp(name, "[stack]\n", 8));
        } else if (!strchr(object->name, '\n')) { /* the escaped one was compared above */
            assert_memory_equal(name, object->name, strlen(object->name));
            assert_int_equal(name[strlen(object->name)], '\n');
        }
    }
    assert_string_equal(line, "");

    assert_int_equal(unlink(path), 0);
    read_maps(&buf);
    assert_int_equal(parse(p, buf.data, buf.length), 0);
    strcat(path, " (deleted)");
    assert_string_equal(region_at(p, file)->object->name, path);

    assert_int_equal(rmdir(dir), 0);
    munmap(file, 2 * page);
    munmap(anon, page);
    munmap(shared, page);
    close(fd);
    vt_buf_deinit(&again);
    vt_buf_deinit(&buf);
}

/* ---- mutations ---------------------------------------------------------------------- */

static uint64_t random_state = 42;

static uint32_t draw(uint32_t limit) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % limit;
}

static const char corpus[] =
    "555555554000-555555558000 r--p 00000000 08:01 1057031                    /usr/bin/prog\n"
    "555555558000-55555556a000 r-xp 00004000 08:01 1057031                    /usr/bin/prog\n"
    "55555556a000-555555570000 rw-p 00000000 00:00 0                          [heap]\n"
    "7ffff7c00000-7ffff7c28000 r--p 00000000 08:01 1068311                    /lib/libc.so.6\n"
    "7ffff7c28000-7ffff7d93000 r-xp 00028000 08:01 1068311                    /lib/libc.so.6\n"
    "7ffff7d93000-7ffff7d95000 rw-s 00000000 00:01 1024                       /dev/zero (deleted)\n"
    "7ffff7fbd000-7ffff7fc0000 rw-p 00000000 00:00 0 \n"
    "7ffff7fc0000-7ffff7fc4000 r--p 00000000 00:00 0                          [vvar]\n"
    "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

static void mutate(char *text, size_t *length, size_t capacity)
{
    static const char likely[] = "0123456789abcdef-: \nrwxps\\[]/";
    size_t at = *length ? draw((uint32_t)*length) : 0;
    size_t span = 1 + draw(30);

    switch (draw(6)) {
    case 0: /* another byte */
        text[at] = (char)draw(256);
        break;
    case 1:
        text[at] = likely[draw(sizeof(likely) - 1)];
        break;
    case 2: /* one less */
        span = vt_min(span, *length - at);
        memmove(text + at, text + at + span, *length - at - span);
        *length -= span;
        break;
    case 3: /* a piece twice */
        span = vt_min(span, vt_min(*length - at, capacity - *length));
        memmove(text + at + span, text + at, *length - at);
        *length += span;
        break;
    case 4: /* cut short */
        if (draw(4) == 0)
            *length = at;
        break;
    default: /* two bytes change places */
        span = draw((uint32_t)*length);
        char c = text[at];
        text[at] = text[span];
        text[span] = c;
    }
}

static void test_mutations(void **state)
{
    struct parse *p = *state;
    char text[2 * sizeof(corpus)];
    unsigned good = 0, bad = 0;

    assert_int_equal(parse(p, corpus, sizeof(corpus) - 1), 0);
    assert_int_equal(p->regions.count, 10);
    for (unsigned round = 0; round < 20000; round++) {
        size_t length = sizeof(corpus) - 1;
        memcpy(text, corpus, length);
        for (uint32_t n = 1 + draw(3); n > 0 && length; n--)
            mutate(text, &length, sizeof(text));
        int rc = parse(p, text, length);
        if (rc) {
            assert_int_equal(rc, -EINVAL);
            bad++;
        } else {
            good++;
        }
        uint64_t at = 0;
        for (size_t i = 0; i < p->regions.count; i++) {
            const struct vt_region *r = &p->regions.items[i];
            if (r->start < at || r->start >= r->end)
                fail_msg("round %u: region %zu does not ascend", round, i);
            assert_true(r->prot <= 7 && (r->flags & ~VT_REGION_SHARED) == 0);
            at = r->end;
        }
    }
    assert_true(good > 1000 && bad > 1000); /* the mutations are of both sorts */
}

static void test_out_of_memory(void **state)
{
    (void)state;
    size_t failures = 0;

    for (;; failures++) {
        struct parse p = {.objects = vt_objects_create()};
        char wanted[100];
        assert_non_null(p.objects);
        nomem_after(failures);
        int rc = vt_maps_parse(corpus, sizeof(corpus) - 1, p.objects, &p.regions, &p.err);
        size_t refused = nomem_never();
        assert_int_equal(rc, refused ? -ENOMEM : 0);
        snprintf(wanted, sizeof(wanted),
                 "cannot store a memory map of %zu regions: Cannot allocate memory",
                 p.regions.count);
        if (refused) {
            assert_string_equal(p.err.text, wanted);
            assert_int_equal(parse(&p, corpus, sizeof(corpus) - 1), 0);
        }
        assert_int_equal(p.regions.count, 10);
        vt_regions_deinit(&p.regions);
        vt_objects_destroy(p.objects);
        if (!refused)
            break;
    }
    assert_true(failures >= 5);
}

#define parse_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        parse_test(test_one_line),
        parse_test(test_permissions),
        parse_test(test_names),
        parse_test(test_objects_are_shared),
        parse_test(test_limits),
        parse_test(test_nothing),
        parse_test(test_long_and_broken_names),
        parse_test(test_malformed),
        parse_test(test_out_of_order),
        parse_test(test_own_maps),
        parse_test(test_mutations),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
