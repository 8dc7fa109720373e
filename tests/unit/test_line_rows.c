/*
 * test_line_rows.c - line number programs: what each instruction does, malformed ones, and all of
 * some real ones, where libdw has to say the same.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "base/base.h"
#include "image/line_rows.h"

/* ---- programs made by hand ------------------------------------------------------------- */

/* A head of each version: lines advance by -3 to 8, instructions from 13 on are special. */
#define ARGUMENTS   "\0\1\1\1\1\0\0\0\1\0\0\1"
#define MACHINE     "\1\1\xfd\x0c\x0d" ARGUMENTS /* address unit, is_stmt, base, range, first special */
#define MACHINE_4   "\1\1\1\xfd\x0c\x0d" ARGUMENTS /* the same with operations an instruction */
#define TABLES      "\0f.c\0\0\0\0\0"
#define VERSION_2   "\2\0", MACHINE TABLES
#define VERSION_3   "\3\0", MACHINE TABLES
#define VERSION_4   "\4\0", MACHINE_4 TABLES
#define VERSION_5   "\5\0\x08\0", MACHINE_4 "\0\0\0\0"
#define BYTES(text) (text), sizeof(text) - 1

#define AT_1000      "\0\x09\x02\0\x10\0\0\0\0\0\0"
#define SEQUENCE_END "\0\1\1"

/* A number of the given width, or the one that stands for a wider one. */
static size_t put(unsigned char *to, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        to[i] = (unsigned char)(value >> 8 * i);
    return width;
}

/* Build a program; returns its size. `head` and `version` are as in the macros above. */
static size_t build(unsigned char *to, bool wide, const char *version, size_t version_length,
                    const char *head, size_t head_length, const char *code, size_t code_length)
{
    size_t word = wide ? 8 : 4, at = 0;

    if (wide)
        at += put(to, UINT32_MAX, 4);
    at += put(to + at, version_length + word + head_length + code_length, word);
    memcpy(to + at, version, version_length);
    at += version_length;
    at += put(to + at, head_length, word);
    memcpy(to + at, head, head_length);
    memcpy(to + at + head_length, code, code_length);
    return at + head_length + code_length;
}

static void assert_rows(const struct vt_line_rows *rows, const struct vt_line_row *wanted,
                        size_t count)
{
    assert_int_equal(rows->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows->items[i].address, wanted[i].address);
        assert_int_equal(rows->items[i].file, wanted[i].file);
        assert_int_equal(rows->items[i].line, wanted[i].line);
    }
}

static const struct {
    const char *code;
    size_t length;
    struct vt_line_row rows[6];
    size_t count;
} programs[] = {
    {BYTES(""), {{0}}, 0},
    {BYTES(AT_1000 SEQUENCE_END), {{0}}, 0}, /* nothing but an end */
    /* code that the linker left out, in each way in which that is said */
    {BYTES("\0\x09\x02\0\0\0\0\0\0\0\0\1\2\x10" SEQUENCE_END
           "\0\x09\x02\xff\xff\xff\xff\xff\xff\xff\xff\1\2\x80\x40" SEQUENCE_END
           "\0\x05\x02\xfe\xff\xff\xff\1\2\x10" SEQUENCE_END AT_1000 "\1\2\1" SEQUENCE_END),
     {{0x1000, 1, 1}, {0x1001, VT_LINE_NONE, 0}},
     2},
    {BYTES(AT_1000 "\1\2\x10" SEQUENCE_END), {{0x1000, 1, 1}, {0x1010, VT_LINE_NONE, 0}}, 2},
    /* advance_line -2, set_file 3; const_add_pc: (255 - 13) / 12 = 20 */
    {BYTES(AT_1000 "\3\x09\1\x08\3\x7e\4\3\1\2\1" SEQUENCE_END),
     {{0x1000, 1, 10}, {0x1014, 3, 8}, {0x1015, VT_LINE_NONE, 0}},
     3},
    /* special: 13 + 12 * 2 + (3 + 5), 2 bytes and 5 lines on; 13: 3 lines back at one address */
    {BYTES(AT_1000 "\3\x09\x01\x2d\x0d\2\4" SEQUENCE_END),
     {{0x1000, 1, 10}, {0x1002, 1, 12}, {0x1006, VT_LINE_NONE, 0}},
     3},
    /* fixed_advance_pc, and instructions that change no row that is looked up */
    {BYTES(AT_1000 "\1\x09\x34\x12\5\x07\6\7\x0a\x0b\x0c\x01\3\1\1\2\1" SEQUENCE_END),
     {{0x1000, 1, 1}, {0x2234, 1, 2}, {0x2235, VT_LINE_NONE, 0}},
     3},
    /* an unknown extended one, and a discriminator */
    {BYTES(AT_1000 "\0\4\x80"
                   "abc"
                   "\0\2\4\x05\1\2\1" SEQUENCE_END),
     {{0x1000, 1, 1}, {0x1001, VT_LINE_NONE, 0}},
     2},
    /* equal lines are one row; without an end the last row is one */
    {BYTES(AT_1000 "\1\2\1\1\2\1\1\3\1\2\1\1"), {{0x1000, 1, 1}, {0x1003, VT_LINE_NONE, 0}}, 2},
    /* sequences out of order, one of them right behind the other */
    {BYTES(AT_1000 "\1\2\x10" SEQUENCE_END "\0\x09\x02\0\x0f\0\0\0\0\0\0\3\4\1\2\x80\2" SEQUENCE_END
                   "\0\5\x02\0\x20\0\0\3\6\1\2\1" SEQUENCE_END),
     {{0xf00, 1, 5},
      {0x1000, VT_LINE_NONE, 0},
      {0x1000, 1, 1},
      {0x1010, VT_LINE_NONE, 0},
      {0x2000, 1, 7},
      {0x2001, VT_LINE_NONE, 0}},
     6},
};

/* More rows than were asked for are none. */
static void test_most(void **state)
{
    static const char code[] = AT_1000
        "\1\3\1\2\1\1\2\1" SEQUENCE_END; /* three rows with its end */
    struct vt_line_rows rows = {0};
    unsigned char bytes[512];

    (void)state;
    size_t size = build(bytes, false, BYTES("\4\0"), BYTES(MACHINE_4 TABLES), BYTES(code));
    assert_true(vt_line_rows_read(&rows, bytes, size, 3) > 0);
    assert_int_equal(rows.count, 3);
    vt_line_rows_deinit(&rows);
    assert_int_equal(vt_line_rows_read(&rows, bytes, size, 2), 0);
    assert_true(rows.count <= 2);
    vt_line_rows_deinit(&rows);
}

static void test_instructions(void **state)
{
    static const struct {
        const char *version;
        size_t version_length;
        const char *head;
        size_t head_length;
    } heads[] = {
#define HEAD(...)            HEAD_(__VA_ARGS__)
#define HEAD_(version, head) {BYTES(version), BYTES(head)}
        HEAD(VERSION_2),
        HEAD(VERSION_3),
        HEAD(VERSION_4),
        HEAD(VERSION_5),
    };

    (void)state;
    for (size_t h = 0; h < VT_COUNTOF(heads); h++) {
        for (size_t i = 0; i < 2 * VT_COUNTOF(programs); i++) {
            unsigned char *bytes = malloc(512); /* of its size, for a sanitizer to see */
            struct vt_line_rows rows = {0};
            size_t p = i / 2;

            size_t size = build(bytes, i % 2, heads[h].version, heads[h].version_length,
                                heads[h].head, heads[h].head_length, programs[p].code,
                                programs[p].length);
            bytes = realloc(bytes, size);
            assert_int_equal(vt_line_rows_read(&rows, bytes, size, 1000),
                             size - programs[p].length);
            assert_rows(&rows, programs[p].rows, programs[p].count);
            vt_line_rows_deinit(&rows);
            /* Cut short, it is malformed; so it is with any byte changed, or else it ends. */
            for (size_t cut = 0; cut < size; cut++) {
                unsigned char *less = malloc(cut ? cut : 1);
                memcpy(less, bytes, cut);
                assert_int_equal(vt_line_rows_read(&rows, less, cut, 1000), 0);
                vt_line_rows_deinit(&rows);
                free(less);
            }
            for (size_t at = 0; at < 8 * size; at++) {
                bytes[at / 8] ^= (unsigned char)(1 << at % 8);
                vt_line_rows_read(&rows, bytes, size, 1000);
                assert_true(rows.count <= size);
                for (size_t k = 1; k < rows.count; k++)
                    assert_true(rows.items[k - 1].address <= rows.items[k].address);
                vt_line_rows_deinit(&rows);
                bytes[at / 8] ^= (unsigned char)(1 << at % 8);
            }
            free(bytes);
        }
    }
}

static void test_find(void **state)
{
    static struct vt_line_row items[] = {{0x1000, 1, 1},
                                         {0x1008, 2, 7},
                                         {0x1010, VT_LINE_NONE, 0},
                                         {0x2000, 1, 9},
                                         {0x2001, VT_LINE_NONE, 0}};
    const struct vt_line_rows rows = {items, VT_COUNTOF(items), VT_COUNTOF(items)};

    (void)state;
    assert_null(vt_line_rows_at(&rows, 0xfff));
    assert_ptr_equal(vt_line_rows_at(&rows, 0x1000), &items[0]);
    assert_ptr_equal(vt_line_rows_at(&rows, 0x1007), &items[0]);
    assert_ptr_equal(vt_line_rows_at(&rows, 0x100f), &items[1]);
    assert_null(vt_line_rows_at(&rows, 0x1010));
    assert_null(vt_line_rows_at(&rows, 0x1fff));
    assert_ptr_equal(vt_line_rows_at(&rows, 0x2000), &items[3]);
    assert_null(vt_line_rows_at(&rows, UINT64_MAX));
    assert_null(vt_line_rows_at(&(struct vt_line_rows){0}, 0x1000));
}

/* ---- programs made by compilers ------------------------------------------------------------ */

static Elf_Data *section(Elf *elf, const char *name)
{
    GElf_Shdr header;
    size_t names;

    if (elf_getshdrstrndx(elf, &names))
        return NULL;
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));)
        if (gelf_getshdr(scn, &header) && !strcmp(elf_strptr(elf, names, header.sh_name), name))
            return header.sh_flags & SHF_COMPRESSED ? NULL : elf_getdata(scn, NULL);
    return NULL;
}

/* Does a sequence end there, by libdw's rows? */
static bool ends_at(Dwarf_Lines *lines, size_t count, Dwarf_Addr at)
{
    for (size_t i = 0; i < count; i++) {
        Dwarf_Line *line = dwarf_onesrcline(lines, i);
        Dwarf_Addr address = 0;
        bool ends = false;
        if (!dwarf_lineaddr(line, &address) && address == at &&
            !dwarf_lineendsequence(line, &ends) && ends)
            return true;
    }
    return false;
}

/*
 * At each of libdw's rows, beside it and behind it both must say the same. But a row at which its
 * sequence ends is of no code: libdw takes it for the last word, on all that comes behind it. How
 * many were asked.
 */
static size_t compare_unit(Dwarf_Die *unit, const Elf_Data *data)
{
    Dwarf_Attribute attribute;
    Dwarf_Word offset;
    Dwarf_Lines *lines;
    Dwarf_Files *files;
    size_t count, file_count, asked = 0;
    struct vt_line_rows rows = {0};

    if (dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attribute), &offset) ||
        dwarf_getsrclines(unit, &lines, &count) || dwarf_getsrcfiles(unit, &files, &file_count))
        return 0;
    assert_true(offset < data->d_size);
    assert_true(vt_line_rows_read(&rows, (const unsigned char *)data->d_buf + offset,
                                  data->d_size - (size_t)offset, 1 << 24) > 0);
    for (size_t i = 0; i < count; i++) {
        Dwarf_Addr address = 0;
        assert_int_equal(dwarf_lineaddr(dwarf_onesrcline(lines, i), &address), 0);
        /* From 0 on lies what the linker has left out, one upon the other. */
        for (Dwarf_Addr at = address - 1; address > 65536 && at < address + 2; at++, asked++) {
            const struct vt_line_row *row = vt_line_rows_at(&rows, at);
            Dwarf_Line *line = dwarf_getsrc_die(unit, at);
            int number = 0;
            if (line)
                dwarf_lineno(line, &number);
            const char *name = row ? dwarf_filesrc(files, row->file, NULL, NULL) : NULL;
            const char *wanted = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
            Dwarf_Addr start = 0;
            if (!row && line && !dwarf_lineaddr(line, &start) && ends_at(lines, count, start))
                continue;
            if (!row != !line || (row && ((int)row->line != number || !name != !wanted ||
                                          (name && strcmp(name, wanted) != 0))))
                fail_msg("%llx: %s:%u, and libdw says %s:%d", (unsigned long long)at,
                         name ? name : "?", row ? row->line : 0, wanted ? wanted : "?", number);
        }
    }
    vt_line_rows_deinit(&rows);
    return asked;
}

static void test_real(void **state)
{
    static const char *const files[] = {"/proc/self/exe", VASTRACE_PROGRAM, FIXTURE_DIR "/stacks",
                                        FIXTURE_DIR "/stacks-m32", FIXTURE_DIR "/stacks-static"};
    size_t asked = 0;

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(files); i++) {
        int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        Dwarf *dwarf = fd >= 0 ? dwarf_begin(fd, DWARF_C_READ) : NULL;
        Elf_Data *data = dwarf ? section(dwarf_getelf(dwarf), ".debug_line") : NULL;
        Dwarf_Off at = 0, next;
        size_t head;
        for (; data && !dwarf_nextcu(dwarf, at, &next, &head, NULL, NULL, NULL); at = next) {
            Dwarf_Die unit;
            if (dwarf_offdie(dwarf, at + head, &unit))
                asked += compare_unit(&unit, data);
        }
        if (dwarf)
            dwarf_end(dwarf);
        if (fd >= 0)
            close(fd);
    }
    if (!asked)
        skip(); /* built without debug information */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_most),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_real),
    };
    elf_version(EV_CURRENT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
