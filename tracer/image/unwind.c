/*
 * unwind.c - hides who takes the steps up a stack, how the tracee's memory is read
 * for them, and the stacks that are kept.
 *
 * Programs for x86-64 are unwound by libunwind. It is given nothing but callbacks, so
 * that it never opens a file, reads a map or touches the tracee. Where an
 * unwind entry is, is found here; libunwind is shown a table of that one entry, at an
 * address (TABLE) that cannot be the tracee's. It unwinds the machine only that it was
 * built for: i386 programs' steps are taken by cfi.c.
 *
 * A kept stack is the list of all that was asked of the tracee while it was unwound (registers,
 * and words of the stack) with the answers. Unwinding is a function of these and of
 * the code's tables: the same answers give the same stack.
 *
 * Invariants: every table that libunwind was told of since its cache was
 * flushed is in `places`, since it reads expressions from them later on;
 * where the first window begins depends on the stack pointer only, so that a kept
 * word is found by its offset in it.
 */
#include "image/unwind.h"

#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "image/cfi.h"

/* As perf and others call it: exported for remote unwinders, and missing in the headers. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip,
                                              unw_dyn_info_t *di, unw_proc_info_t *pi,
                                              int need_unwind_info, void *arg);
#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)

enum {
    PAGE = 4096,         /* the smallest there is */
    WINDOW_MAX = 65536,  /* of the first window */
    WINDOW_STEP = 4096,  /* by which it is made longer */
    WINDOW_LEAST = 1024, /* read at first, if nothing is known */
    ASIDE = 2,           /* windows elsewhere: other stacks, frames with large arrays */
    ASIDE_BYTES = 4096,  /* of each */
    SETS = 64,           /* kept stacks: sets, by ip and sp, and how many in each */
    WAYS = 4,
    ASKED_MAX = 4096,     /* of what is remembered of one unwinding */
    DECREASES_MAX = 8,    /* a stack goes upwards, but for the changes to another one */
    CACHE_LOG = 12,       /* libunwind's own: 2^12 places in code */
    SIGNAL_CACHE = 1024,  /* whether an address is in what a signal handler returns to */
    FRAMED_MAX = 1024,    /* bytes of a frame that is left by its frame pointer */
    FRAME_POINTER_32 = 5, /* by DWARF number */
};

/* Where libunwind reads the table of one entry; not canonical, so never a tracee's. */
#define TABLE UINT64_C(0x7ead7ab1e0000000)

/* Something asked of the thread. */
struct asked {
    uint32_t where; /* offset in the first window; or REGISTER + number */
    uint64_t answer;
};
#define REGISTER UINT32_C(0x80000000)

struct kept {
    const struct machine *machine;
    vt_addr ip;
    vt_addr sp;
    size_t asked_count;
    struct asked *asked; /* owned; null: the place is free */
    size_t extent;       /* of the first window, to see all that was asked */
    size_t count;
    struct vt_unwound_frame *frames; /* in the same block as `asked` */
    enum vt_stack_end end;
    void *note;
};

struct window {
    vt_addr start;
    size_t length;
    unsigned char *bytes;
    bool at_end; /* what follows cannot be read */
};

struct vt_unwinder;

/* What differs between programs. */
struct machine {
    struct vt_cfi_machine cfi;
    size_t red_zone; /* a leaf function may keep things this far below its stack pointer */
    /* Begin at the thread's registers. Returns false if there is no memory. */
    bool (*begin)(struct vt_unwinder *u);
    /*
     * To the frame's caller. Returns above 0 if there is one, 0 if not, below 0 on failure;
     * u's `why`, `outermost` and `trampoline` say more.
     */
    int (*step)(struct vt_unwinder *u, vt_addr *ip, vt_addr *sp);
};

struct vt_unwinder {
    unw_accessors_t accessors;
    unw_addr_space_t space;
    unsigned depth;
    struct kept *kept; /* SETS x WAYS */
    unsigned next_way;
    struct vt_unwind_counts counts;
    struct vt_code_place *places;
    size_t place_count;
    size_t place_capacity;
    vt_addr *signal_ips; /* SIGNAL_CACHE addresses, see is_signal_code() */
    size_t extent;       /* how much of the stack the last unwindings needed */

    /* of the unwinding at hand */
    const struct vt_unwind_source *source;
    const struct vt_registers *registers;
    const struct machine *machine;
    unw_cursor_t cursor;       /* x86-64 */
    struct vt_cfi_frame frame; /* i386 */
    struct window top;
    struct window aside[ASIDE];
    unsigned next_aside;
    size_t needed;  /* of the first window */
    uint64_t table; /* the one entry */
    vt_addr frame_ip;
    bool interrupted; /* the frame at hand: it is at frame_ip, not in the call in front of it */
    enum vt_stack_end why;
    bool outermost;                      /* the frame at hand has no caller */
    const struct trampoline *trampoline; /* the frame at hand is a signal's without tables */
    struct vt_registers signalled;       /* what was interrupted by the last of these */
    struct asked *asked;
    size_t asked_count;
    bool unkept; /* something was asked that is not remembered */
    struct vt_unwound_frame *frames;
    vt_addr *sps;
};

/* ---- the thread's memory ---------------------------------------------------------- */

static void remember(struct vt_unwinder *u, uint32_t where, uint64_t answer)
{
    if (u->asked_count == ASKED_MAX)
        u->unkept = true;
    else
        u->asked[u->asked_count++] = (struct asked){where, answer};
}

/* Make the first window reach up to `extent` bytes, as far as there is memory. */
static void reach(struct vt_unwinder *u, size_t extent)
{
    struct window *w = &u->top;

    if (extent > WINDOW_MAX)
        extent = WINDOW_MAX;
    if (w->length >= extent || w->at_end)
        return;
    size_t n = u->source->read(u->source->context, w->start + w->length, w->bytes + w->length,
                               extent - w->length);
    w->at_end = n < extent - w->length;
    w->length += n;
}

/* Does a word of this many bytes lie in it? */
static bool in_window(const struct window *w, vt_addr addr, size_t bytes)
{
    return w->length >= bytes && addr >= w->start && addr - w->start <= w->length - bytes;
}

static uint64_t word_of(const unsigned char *from, size_t bytes)
{
    uint64_t word = 0;

    memcpy(&word, from, bytes); /* of a machine whose byte order is ours */
    return word;
}

/* A word of the stack, which is mostly what is asked for. */
static bool read_top(struct vt_unwinder *u, vt_addr addr, uint64_t *word)
{
    struct window *top = &u->top;
    size_t bytes = u->machine->cfi.word;

    if (addr < top->start || addr - top->start > WINDOW_MAX - bytes)
        return false;
    size_t end = (size_t)(addr - top->start) + bytes;
    if (end > top->length)
        reach(u, end + WINDOW_STEP);
    if (!in_window(top, addr, bytes))
        return false;
    *word = word_of(top->bytes + (addr - top->start), bytes);
    u->needed = vt_max(u->needed, end);
    remember(u, (uint32_t)(addr - top->start), *word);
    return true;
}

/* A word of the unwind tables. They do not change, so that this need not be remembered. */
static bool read_tables(struct vt_unwinder *u, vt_addr addr, uint64_t *word)
{
    for (size_t i = u->place_count; i-- > 0;)
        if (vt_unwind_tables_word(u->places[i].tables, addr - u->places[i].bias, word))
            return true;
    return false;
}

/* A word of whatever else the tables lead to. */
static bool read_aside(struct vt_unwinder *u, vt_addr addr, uint64_t *word)
{
    size_t bytes = u->machine->cfi.word;

    u->unkept = true;
    for (size_t i = 0; i < ASIDE; i++) {
        if (in_window(&u->aside[i], addr, bytes)) {
            *word = word_of(u->aside[i].bytes + (addr - u->aside[i].start), bytes);
            return true;
        }
    }
    struct window *w = &u->aside[u->next_aside++ % ASIDE];
    w->start = addr;
    w->length = u->source->read(u->source->context, addr, w->bytes, ASIDE_BYTES);
    if (!in_window(w, addr, bytes))
        return false;
    *word = word_of(w->bytes, bytes);
    return true;
}

/* Any word that is not of the tables. */
static bool read_memory(struct vt_unwinder *u, vt_addr addr, uint64_t *word)
{
    if (read_top(u, addr, word) || read_aside(u, addr, word))
        return true;
    u->why = VT_STACK_UNREADABLE;
    return false;
}

/* A register that unwinding began with. */
static uint64_t read_register(struct vt_unwinder *u, unsigned number)
{
    uint64_t value = u->registers->values[number];

    remember(u, REGISTER + number, value);
    return value;
}

/* Remember where tables lie, and make them the first to be looked at. */
static bool note_place(struct vt_unwinder *u, const struct vt_code_place *place)
{
    size_t i = 0;

    while (i < u->place_count &&
           (u->places[i].tables != place->tables || u->places[i].bias != place->bias))
        i++;
    if (i == u->place_count) {
        if (vt_reserve((void **)&u->places, &u->place_capacity, i + 1, sizeof(*u->places)))
            return false;
        u->place_count++;
    }
    u->places[i] = u->places[u->place_count - 1];
    u->places[u->place_count - 1] = *place;
    return true;
}

/* ---- the code ---------------------------------------------------------------------- */

/* Where the kernel puts registers for a signal handler, by DWARF number. */
static const unsigned char sigcontext_64[] = {104, 96, 112, 88, 72, 64, 80, 120, 0,
                                              8,   16, 24,  32, 40, 48, 56, 128};
static const unsigned char sigcontext_32[] = {44, 40, 36, 32, 28, 24, 20, 16, 56};

/*
 * Code without tables that nobody calls. What a signal handler returns to, where that is
 * not the kernel's or glibc's: other C libraries have no tables for it. And what the first function
 * of a stack of makecontext(3) returns to, in glibc for i386.
 */
static const struct trampoline {
    enum vt_machine_kind machine;
    size_t length;
    unsigned char code[9];
    const unsigned char *sigcontext; /* offsets, from where the context is; null: there is none */
    unsigned char context;           /* its offset from the stack pointer */
    unsigned char ucontext; /* 0; else a pointer is there, to what holds it at this offset */
} trampolines[] = {
    /* mov $15, %rax; syscall */
    {VT_MACHINE_X86_64, 9, {0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05}, sigcontext_64, 40, 0},
    /* pop %eax, the signal's number; mov $119, %eax; int $0x80 */
    {VT_MACHINE_I386, 8, {0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80}, sigcontext_32, 4, 0},
    /* mov $173, %eax; int $0x80: on the stack are the handler's three arguments */
    {VT_MACHINE_I386, 7, {0xb8, 173, 0, 0, 0, 0xcd, 0x80}, sigcontext_32, 8, 20},
    /* lea (%esp,%ebx,4), %esp; cmpl $0, (%esp): to the next context, if there is one */
    {VT_MACHINE_I386, 7, {0x8d, 0x24, 0x9c, 0x83, 0x3c, 0x24, 0}, NULL, 0, 0},
};

/* The one that the frame's code is, or null. */
static const struct trampoline *find_trampoline(struct vt_unwinder *u)
{
    unsigned char bytes[sizeof(trampolines[0].code)];

    u->unkept = true;
    size_t n = u->source->read(u->source->context, u->frame_ip, bytes, sizeof(bytes));
    for (const struct trampoline *t = trampolines; t < trampolines + VT_COUNTOF(trampolines); t++)
        if (t->machine == u->registers->machine && n >= t->length &&
            !memcmp(bytes, t->code, t->length))
            return t;
    return NULL;
}

/*
 * The entry for the code at ip, which is the frame's or lies just in front of it. Null if
 * there is none: `outermost`, `trampoline` or `why` is set.
 */
static const struct vt_unwind_entry *find_entry(struct vt_unwinder *u, vt_addr ip,
                                                struct vt_code_place *place)
{
    static const enum vt_stack_end ends[] = {
        [VT_CODE_IMAGE] = VT_STACK_NO_TABLES,  [VT_CODE_BARE] = VT_STACK_NO_TABLES,
        [VT_CODE_MISSING] = VT_STACK_NO_IMAGE, [VT_CODE_UNKNOWN] = VT_STACK_UNKNOWN_CODE,
        [VT_CODE_NOWHERE] = VT_STACK_CORRUPT,
    };
    const struct vt_unwind_entry *entry = NULL;

    enum vt_code code = u->source->find(u->source->context, ip, place);
    if (code == VT_CODE_IMAGE)
        entry = vt_unwind_tables_find(place->tables, ip - place->bias);
    if (entry)
        return entry;
    if (code == VT_CODE_IMAGE && ip == u->frame_ip - 1 &&
        (entry = vt_unwind_tables_find(place->tables, u->frame_ip - place->bias)) &&
        entry->start == u->frame_ip - place->bias)
        u->outermost = true; /* nobody calls from in front of a function: see makecontext(3) */
    else if (code == VT_CODE_NOWHERE || !(u->trampoline = find_trampoline(u)))
        u->why = ends[code];
    else if (!u->trampoline->sigcontext) {
        u->trampoline = NULL;
        u->outermost = true;
    }
    return NULL;
}

/* ---- what libunwind calls ----------------------------------------------------------- */

static int access_mem(unw_addr_space_t space, unw_word_t addr, unw_word_t *word, int write,
                      void *arg)
{
    struct vt_unwinder *u = arg;

    (void)space;
    if (write)
        return -UNW_EINVAL;
    if (addr == TABLE) {
        *word = u->table;
        return 0;
    }
    if (read_top(u, addr, word) || read_tables(u, addr, word) || read_aside(u, addr, word))
        return 0;
    u->why = VT_STACK_UNREADABLE;
    return -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write,
                      void *arg)
{
    struct vt_unwinder *u = arg;

    (void)space;
    if (write || number < 0 || number >= VT_REGISTERS_MAX)
        return -UNW_EBADREG;
    *value = read_register(u, (unsigned)number);
    return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write,
                        void *arg)
{
    (void)space, (void)number, (void)value, (void)write, (void)arg;
    return -UNW_EBADREG;
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *addr, void *arg)
{
    (void)space, (void)addr, (void)arg;
    return -UNW_ENOINFO;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
    (void)space, (void)cursor, (void)arg;
    return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t ip, char *name, size_t size,
                         unw_word_t *offset, void *arg)
{
    (void)space, (void)ip, (void)name, (void)size, (void)offset, (void)arg;
    return -UNW_ENOINFO;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
    (void)space, (void)info, (void)arg; /* its memory is libunwind's own */
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need,
                          void *arg)
{
    struct vt_unwinder *u = arg;
    struct vt_code_place place;

    const struct vt_unwind_entry *entry = find_entry(u, ip, &place);
    if (!entry)
        return -UNW_ESTOPUNWIND;
    int64_t distance = (int64_t)(entry->at - entry->start);
    if (distance != (int32_t)distance || !note_place(u, &place)) {
        u->why = VT_STACK_NO_TABLES;
        return -UNW_ESTOPUNWIND;
    }
    /* Two 32-bit words: the start of the code, and where its entry is; both from segbase. */
    u->table = (uint64_t)(uint32_t)distance << 32;
    unw_dyn_info_t table = {
        .start_ip = entry->start + place.bias,
        .end_ip = entry->end + place.bias,
        .format = UNW_INFO_FORMAT_REMOTE_TABLE,
        .u.rti = {.segbase = entry->start + place.bias, .table_len = 1, .table_data = TABLE},
    };
    int rc = search_unwind_table(space, ip, &table, info, need, u);
    if (rc < 0) { /* an entry that contradicts itself, or its personality routine's address */
        u->why = VT_STACK_NO_TABLES;
        return -UNW_ESTOPUNWIND;
    }
    return rc;
}

static bool begin_64(struct vt_unwinder *u)
{
    return unw_init_remote(&u->cursor, u->space, u) >= 0;
}

static int step_64(struct vt_unwinder *u, vt_addr *ip, vt_addr *sp)
{
    unw_word_t word;
    int rc = unw_step(&u->cursor);

    if (rc <= 0)
        return rc;
    if (unw_get_reg(&u->cursor, UNW_REG_IP, &word) < 0)
        return 0;
    *ip = word;
    if (unw_get_reg(&u->cursor, UNW_REG_SP, &word) < 0)
        return -UNW_EBADREG;
    *sp = word;
    return rc;
}

/* ---- what is unwound here ------------------------------------------------------------- */

static uint64_t cfi_own(void *context, unsigned number)
{
    return read_register(context, number);
}

static bool cfi_read(void *context, vt_addr addr, uint64_t *word)
{
    return read_memory(context, addr, word);
}

static bool begin_32(struct vt_unwinder *u)
{
    vt_cfi_begin(&u->frame);
    return true;
}

/* Is the word a return address: of executable memory, behind a call? */
static bool is_behind_call(struct vt_unwinder *u, uint64_t word)
{
    unsigned char before[7]; /* the longest call: its operand's address has a base and an index */
    struct vt_code_place place;
    size_t length = sizeof(before);

    if (word < length || u->source->find(u->source->context, word - 1, &place) == VT_CODE_NOWHERE)
        return false;
    u->unkept = true;
    if (u->source->read(u->source->context, word - length, before, length) != length)
        return true; /* who knows */
    if (before[length - 5] == 0xe8)
        return true;
    for (size_t size = 2; size <= length; size++) /* 0xff, and 2 in the middle of the next byte */
        if (before[length - size] == 0xff && (before[length - size + 1] & 0x38) == 0x10)
            return true;
    return false;
}

/*
 * Out of a function without tables that keeps a frame pointer, as C functions of the kernel's
 * 32-bit vdso do. On its first and last instructions the pointer is not its own but its caller's,
 * and the return address is elsewhere. They are not told by their code but by the stack: between
 * the stack pointer and a pointer that is the function's own there is no return address. Where one
 * seems to be there nothing is said.
 */
static int leave_framed(struct vt_unwinder *u, const struct vt_cfi_source *source, vt_addr *ip,
                        vt_addr *sp)
{
    const struct vt_cfi_machine *machine = source->machine;
    uint64_t base, top, word;

    if (!vt_cfi_value(source, &u->frame, FRAME_POINTER_32, &base) ||
        !vt_cfi_value(source, &u->frame, machine->sp, &top) || base < top ||
        base - top > FRAMED_MAX || (base - top) % machine->word)
        return -1;
    for (vt_addr at = top; at < base; at += machine->word)
        if (!read_top(u, at, &word) || is_behind_call(u, word))
            return -1;
    if (!read_top(u, base + machine->word, &word) || !is_behind_call(u, word))
        return -1;
    for (unsigned i = 0; i < machine->columns; i++)
        u->frame.registers[i].where = VT_CFI_LOST;
    *ip = word;
    *sp = base + 2 * (uint64_t)machine->word;
    u->frame.registers[FRAME_POINTER_32] = (struct vt_cfi_place){VT_CFI_MEMORY, base};
    u->frame.registers[machine->ip] = (struct vt_cfi_place){VT_CFI_VALUE, *ip};
    u->frame.registers[machine->sp] = (struct vt_cfi_place){VT_CFI_VALUE, *sp};
    return 1;
}

static int step_32(struct vt_unwinder *u, vt_addr *ip, vt_addr *sp)
{
    const struct vt_cfi_machine *machine = &u->machine->cfi;
    const struct vt_cfi_source source = {machine, u, cfi_own, cfi_read};
    struct vt_code_place place = {0};
    struct vt_unwind_program program;
    vt_addr at = u->interrupted ? u->frame_ip : u->frame_ip - 1;

    const struct vt_unwind_entry *entry = find_entry(u, at, &place);
    if (!entry && u->why == VT_STACK_NO_TABLES && place.framed &&
        leave_framed(u, &source, ip, sp) > 0) {
        u->why = VT_STACK_COMPLETE;
        return 1;
    }
    if (!entry)
        return -1;
    enum vt_cfi_outcome outcome = vt_unwind_tables_program(place.tables, entry, &program)
                                      ? vt_cfi_step(&source, &program, at - place.bias, &u->frame)
                                      : VT_CFI_MALFORMED;
    if (outcome == VT_CFI_OUTERMOST)
        return 0;
    if (outcome == VT_CFI_MALFORMED)
        u->why = VT_STACK_NO_TABLES;
    if (outcome != VT_CFI_CALLER)
        return -1;
    if (!vt_cfi_value(&source, &u->frame, machine->ip, ip))
        return 0;
    return vt_cfi_value(&source, &u->frame, machine->sp, sp) ? 1 : -1;
}

static const struct machine machines[] = {
    [VT_MACHINE_X86_64] = {{8, 17, 7, 16}, 128, begin_64, step_64},
    [VT_MACHINE_I386] = {{4, 9, 4, 8}, 0, begin_32, step_32},
};

/* ---- making and keeping stacks ---------------------------------------------------------- */

/* Has this frame been seen before? Stack pointers go upwards, so that this is asked rarely. */
static bool repeats(const struct vt_unwinder *u, size_t count, vt_addr ip, vt_addr sp)
{
    for (size_t i = 0; i < count; i++)
        if (u->frames[i].ip == ip && u->sps[i] == sp)
            return true;
    return false;
}

/* Is the code at ip executable at all? A return address that is not shows a stack gone wrong. */
static bool is_code(struct vt_unwinder *u, vt_addr ip)
{
    struct vt_code_place place;

    return u->source->find(u->source->context, ip, &place) != VT_CODE_NOWHERE;
}

/*
 * Does a signal handler return to this code? Asked for each frame of each new
 * stack: the answers are kept, in the lowest bits of the addresses that they
 * are for, shifted.
 */
static bool is_signal_code(struct vt_unwinder *u, vt_addr ip)
{
    vt_addr *known = &u->signal_ips[(ip ^ ip >> 10) % SIGNAL_CACHE];
    struct vt_code_place place;
    const struct vt_unwind_entry *entry = NULL;

    if (*known >> 1 == ip)
        return *known & 1;
    if (u->source->find(u->source->context, ip, &place) == VT_CODE_IMAGE)
        entry = vt_unwind_tables_find(place.tables, ip - place.bias);
    bool answer = entry && entry->signal_frame;
    *known = ip << 1 | answer;
    return answer;
}

/* Out of a trampoline: unwinding begins once more, with the registers that were interrupted. */
static int leave_trampoline(struct vt_unwinder *u, vt_addr *ip, vt_addr *sp)
{
    const struct trampoline *t = u->trampoline;
    const struct vt_cfi_machine *machine = &u->machine->cfi;
    uint64_t base = *sp + t->context;

    if (t->ucontext) {
        if (!read_memory(u, base, &base))
            return -1;
        base += t->ucontext;
    }
    u->signalled.machine = t->machine;
    for (unsigned i = 0; i < machine->columns; i++)
        if (!read_memory(u, base + t->sigcontext[i], &u->signalled.values[i]))
            return -1;
    u->registers = &u->signalled;
    *ip = u->signalled.values[machine->ip];
    *sp = u->signalled.values[machine->sp];
    return u->machine->begin(u) ? 1 : -1;
}

static vt_addr thread_ip(const struct vt_unwinder *u)
{
    return u->registers->values[u->machine->cfi.ip];
}

static vt_addr thread_sp(const struct vt_unwinder *u)
{
    return u->registers->values[u->machine->cfi.sp];
}

static enum vt_stack_end walk(struct vt_unwinder *u, size_t *count)
{
    vt_addr ip = thread_ip(u), sp = thread_sp(u), next_sp = 0;
    unsigned decreases = 0;

    *count = 0;
    u->interrupted = true;
    if (!u->machine->begin(u))
        return VT_STACK_NO_MEMORY;
    for (;;) {
        u->frames[*count] = (struct vt_unwound_frame){ip, u->interrupted};
        u->sps[*count] = sp;
        ++*count;
        u->why = VT_STACK_COMPLETE;
        u->trampoline = NULL;
        u->outermost = false;
        u->frame_ip = ip;
        int rc = u->machine->step(u, &ip, &next_sp);
        if (u->trampoline) {
            next_sp = sp;
            rc = leave_trampoline(u, &ip, &next_sp);
        }
        if (u->outermost)
            u->frames[*count - 1].interrupted = true;
        /* A program's first function is assembly, often without tables. */
        if (rc < 0 && (u->outermost || sp == u->source->outermost_sp))
            return VT_STACK_COMPLETE;
        if (rc < 0 && u->why == VT_STACK_CORRUPT && *count > 1)
            --*count; /* that frame was none */
        if (rc < 0)
            return u->why != VT_STACK_COMPLETE ? u->why : VT_STACK_CORRUPT;
        if (rc == 0 || ip == 0)
            return u->why;
        if (next_sp <= sp && (++decreases > DECREASES_MAX || repeats(u, *count, ip, next_sp)))
            return VT_STACK_CORRUPT;
        sp = next_sp;
        if (*count == u->depth)
            return is_code(u, ip - 1) ? VT_STACK_DEPTH : VT_STACK_CORRUPT;
        u->interrupted = u->trampoline || is_signal_code(u, u->frame_ip);
        if (u->interrupted) /* nobody called this code: the kernel made its return address */
            u->frames[*count - 1].interrupted = true;
    }
}

static size_t set_of(vt_addr ip, vt_addr sp)
{
    uint64_t hash = (ip ^ sp << 13) * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(hash >> 32) % SETS * WAYS;
}

/* Is all as it was when this stack was unwound? */
static bool still_holds(struct vt_unwinder *u, const struct kept *k)
{
    reach(u, k->extent);
    if (u->top.length < k->extent)
        return false;
    for (size_t i = 0; i < k->asked_count; i++) {
        const struct asked *a = &k->asked[i];
        uint64_t answer = a->where & REGISTER
                              ? u->registers->values[a->where & ~REGISTER]
                              : word_of(u->top.bytes + a->where, u->machine->cfi.word);
        if (answer != a->answer)
            return false;
    }
    return true;
}

static struct kept *keep(struct vt_unwinder *u, size_t count, enum vt_stack_end end)
{
    struct kept *set = &u->kept[set_of(thread_ip(u), thread_sp(u))];
    struct kept *k = &set[u->next_way++ % WAYS];
    size_t asked = u->asked_count * sizeof(*u->asked), frames = count * sizeof(*u->frames);

    free(k->asked);
    *k = (struct kept){
        .machine = u->machine,
        .ip = thread_ip(u),
        .sp = thread_sp(u),
        .asked_count = u->asked_count,
        .asked = malloc(asked + frames),
        .extent = u->needed,
        .count = count,
        .end = end,
    };
    if (!k->asked)
        return NULL;
    memcpy(k->asked, u->asked, asked);
    k->frames = (struct vt_unwound_frame *)(k->asked + u->asked_count);
    memcpy(k->frames, u->frames, frames);
    return k;
}

static void open_windows(struct vt_unwinder *u)
{
    vt_addr sp = thread_sp(u);

    /* Never from the page below: it may be a guard, or where the stack would have to grow. */
    u->top.start = vt_max(vt_round_down(sp, 8) - u->machine->red_zone, vt_round_down(sp, PAGE));
    u->top.length = 0;
    u->top.at_end = false;
    for (size_t i = 0; i < ASIDE; i++)
        u->aside[i].length = 0;
    u->needed = 0;
    reach(u, vt_max(u->extent, WINDOW_LEAST));
}

void vt_unwind(struct vt_unwinder *u, const struct vt_unwind_source *source,
               const struct vt_registers *registers, struct vt_unwound *unwound)
{
    *unwound = (struct vt_unwound){.count = 1, .frames = u->frames};
    u->source = source;
    u->registers = registers;
    u->machine = &machines[registers->machine];
    open_windows(u);
    struct kept *set = &u->kept[set_of(thread_ip(u), thread_sp(u))];
    for (struct kept *k = set; k < set + WAYS; k++) {
        if (!k->asked || k->machine != u->machine || k->ip != thread_ip(u) ||
            k->sp != thread_sp(u) || !still_holds(u, k))
            continue;
        u->counts.kept++;
        *unwound = (struct vt_unwound){k->count, k->frames, k->end, &k->note};
        return;
    }
    u->counts.made++;
    u->asked_count = 0;
    u->unkept = false;
    unwound->end = walk(u, &unwound->count);
    /* Shrinks slowly, so that a deep stack now and then is not read in pieces. */
    u->extent = vt_max(vt_round_up(u->needed + 256, 256), u->extent - u->extent / 16);
    if (u->unkept || unwound->end == VT_STACK_UNREADABLE || unwound->end == VT_STACK_NO_MEMORY)
        return;
    struct kept *k = keep(u, unwound->count, unwound->end);
    if (k)
        *unwound = (struct vt_unwound){k->count, k->frames, k->end, &k->note};
}

void vt_unwinder_code_changed(struct vt_unwinder *u, bool removed)
{
    for (size_t i = 0; i < SETS * WAYS; i++) {
        free(u->kept[i].asked);
        u->kept[i].asked = NULL;
    }
    memset(u->signal_ips, 0, SIGNAL_CACHE * sizeof(*u->signal_ips));
    if (removed) {
        unw_flush_cache(u->space, 0, 0);
        u->place_count = 0;
    }
}

struct vt_unwind_counts vt_unwinder_counts(const struct vt_unwinder *u)
{
    return u->counts;
}

struct vt_unwinder *vt_unwinder_create(unsigned depth)
{
    struct vt_unwinder *u = calloc(1, sizeof(*u));

    if (!u)
        return NULL;
    u->depth = depth < 1 ? 1 : depth > VT_STACK_MAX ? VT_STACK_MAX : depth;
    u->accessors = (unw_accessors_t){
        .find_proc_info = find_proc_info,
        .put_unwind_info = put_unwind_info,
        .get_dyn_info_list_addr = get_dyn_info_list_addr,
        .access_mem = access_mem,
        .access_reg = access_reg,
        .access_fpreg = access_fpreg,
        .resume = resume,
        .get_proc_name = get_proc_name,
    };
    u->kept = calloc(SETS * WAYS, sizeof(*u->kept));
    u->signal_ips = calloc(SIGNAL_CACHE, sizeof(*u->signal_ips));
    u->asked = malloc(ASKED_MAX * sizeof(*u->asked));
    u->frames = malloc(u->depth * sizeof(*u->frames));
    u->sps = malloc(u->depth * sizeof(*u->sps));
    u->top.bytes = malloc(WINDOW_MAX);
    bool complete = u->kept && u->signal_ips && u->asked && u->frames && u->sps && u->top.bytes;
    for (size_t i = 0; i < ASIDE; i++)
        complete &= (u->aside[i].bytes = malloc(ASIDE_BYTES)) != NULL;
    if (complete)
        u->space = unw_create_addr_space(&u->accessors, 0);
    if (!u->space) {
        vt_unwinder_destroy(u);
        return NULL;
    }
    unw_set_caching_policy(u->space, UNW_CACHE_GLOBAL);
    unw_set_cache_size(u->space, (size_t)1 << CACHE_LOG, 0);
    return u;
}

void vt_unwinder_destroy(struct vt_unwinder *u)
{
    if (!u)
        return;
    if (u->space)
        unw_destroy_addr_space(u->space);
    for (size_t i = 0; u->kept && i < SETS * WAYS; i++)
        free(u->kept[i].asked);
    free(u->kept);
    free(u->signal_ips);
    free(u->places);
    free(u->asked);
    free(u->frames);
    free(u->sps);
    free(u->top.bytes);
    for (size_t i = 0; i < ASIDE; i++)
        free(u->aside[i].bytes);
    free(u);
}
