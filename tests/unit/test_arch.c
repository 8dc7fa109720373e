/*
 * test_arch.c - the table of system calls that can change a map, and the
 * seccomp filter made from it: the filter, run by a small interpreter here,
 * decides for every number and many arguments as the table does; the kernel
 * takes it, and acts upon it. The numbers are those of the kernel's headers,
 * and each call of each convention is decoded to what it asks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after what it needs */

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "engine/arch.h"

#define X32_BIT UINT32_C(0x40000000)

enum { NUMBERS = 601 };

static const uint32_t number_bit[VT_ABI_COUNT] = {0, 0, X32_BIT};

static uint64_t random_state;

static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static const struct vt_syscall *row_of(enum vt_abi abi, const char *name)
{
    for (uint32_t n = 0; n < NUMBERS; n++) {
        const struct vt_syscall *row = vt_arch_syscall(abi, n | number_bit[abi]);
        if (row && !strcmp(row->name, name))
            return row;
    }
    return NULL;
}

/* ---- the filter, interpreted ------------------------------------------------------ */

/* Run a classic BPF program as seccomp(2) does; anything unsound fails the test. */
static uint32_t run_filter(const struct sock_filter *code, size_t length,
                           const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (size_t pc = 0; pc < length; pc++) {
        const struct sock_filter *i = &code[pc];
        bool taken;
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k % 4 == 0 && i->k + 4 <= sizeof(*data));
            memcpy(&a, (const char *)data + i->k, 4);
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            continue;
        case BPF_RET | BPF_K:
            return i->k;
        case BPF_JMP | BPF_JA:
            assert_true(i->k < length - pc - 1);
            pc += i->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            taken = a == i->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            taken = a > i->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            taken = a >= i->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            taken = a & i->k;
            break;
        default:
            fail_msg("instruction %zu has the code 0x%x, which this test does not know", pc,
                     i->code);
            return 0;
        }
        assert_true((size_t)(taken ? i->jt : i->jf) < length - pc - 1);
        pc += taken ? i->jt : i->jf;
    }
    fail_msg("the filter ends without a return");
    return 0;
}

struct filter {
    struct sock_filter code[VT_FILTER_MAX];
    size_t length;
};

static struct filter make_filter(void)
{
    struct filter filter;
    memset(filter.code, 0xee, sizeof(filter.code));
    filter.length = vt_arch_filter(filter.code);
    assert_true(filter.length > 0);
    assert_true(filter.length < VT_FILTER_MAX);
    return filter;
}

static void check_decision(const struct filter *filter, uint32_t arch, uint32_t number,
                           const uint64_t args[6], bool stop)
{
    struct seccomp_data data = {.nr = (int)number, .arch = arch, .instruction_pointer = draw()};
    memcpy(data.args, args, sizeof(data.args));
    uint32_t action = run_filter(filter->code, filter->length, &data);
    if (action != (stop ? SECCOMP_RET_TRACE | VT_FILTER_MARK : SECCOMP_RET_ALLOW))
        fail_msg("arch 0x%x, call 0x%x(0x%lx, 0x%lx, 0x%lx, 0x%lx, ...): the filter says 0x%x, "
                 "though it is %s",
                 arch, number, (unsigned long)args[0], (unsigned long)args[1],
                 (unsigned long)args[2], (unsigned long)args[3], action,
                 stop ? "to stop" : "not to stop");
}

/* As the table says, by way of the functions that the stops themselves use. */
static void check_call(const struct filter *filter, uint32_t arch, uint32_t number,
                       const uint64_t args[6])
{
    int abi = vt_arch_abi(arch, number);
    const struct vt_syscall *row = abi < 0 ? NULL : vt_arch_syscall((enum vt_abi)abi, number);
    check_decision(filter, arch, number, args, row && vt_arch_wanted(row, args));
}

/* Values that a test of this row could take for one of its own. */
static size_t telling_values(const struct vt_arg_test *test, uint64_t values[256])
{
    size_t count = 0;
    for (size_t i = 0; i < VT_COUNTOF(test->values); i++) {
        uint64_t v = test->values[i];
        const uint64_t near[] = {v,
                                 v - 1,
                                 v + 1,
                                 v << 1,
                                 v | UINT64_C(0x100000000),
                                 v | UINT64_C(0xffffffff00000000),
                                 v | 0x10000,
                                 v | 0x80000000,
                                 v << 32,
                                 ~v,
                                 v & ~test->mask};
        for (size_t k = 0; k < VT_COUNTOF(near); k++)
            values[count++] = near[k];
    }
    for (unsigned bit = 0; bit < 64; bit++)
        values[count++] = UINT64_C(1) << bit;
    values[count++] = 0;
    values[count++] = UINT64_MAX;
    return count;
}

static void test_filter_decides_as_the_table(void **state)
{
    (void)state;
    struct filter filter = make_filter();
    static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386};

    random_state = 1;
    for (size_t i = 0; i < VT_COUNTOF(arches); i++) {
        for (uint32_t n = 0; n < 2 * NUMBERS; n++) {
            uint32_t number = n < NUMBERS ? n : (n - NUMBERS) | X32_BIT;
            uint64_t args[6] = {0}, values[256];
            int abi = vt_arch_abi(arches[i], number);
            const struct vt_syscall *row = abi < 0 ? NULL : vt_arch_syscall(abi, number);

            check_call(&filter, arches[i], number, args);
            for (unsigned round = 0; round < 40; round++) {
                for (unsigned k = 0; k < 6; k++)
                    args[k] = round % 2 ? draw() : draw() % 128;
                check_call(&filter, arches[i], number, args);
            }
            if (!row || row->test.type == VT_TEST_NONE)
                continue;
            size_t count = telling_values(&row->test, values);
            for (size_t v = 0; v < count; v++) {
                for (unsigned k = 0; k < 6; k++) {
                    for (unsigned other = 0; other < 6; other++)
                        args[other] = draw();
                    args[k] = values[v];
                    check_call(&filter, arches[i], number, args);
                }
            }
        }
    }
}

/* Numbers that no call has, and the ends of the number's range. */
static void test_filter_allows_what_is_no_call(void **state)
{
    (void)state;
    struct filter filter = make_filter();
    static const uint32_t numbers[] = {601,        4095,       0x3fffffff, 0x40000000 | 4095,
                                       0x7fffffff, 0x80000000, 0x80000009, 0xc0000009,
                                       0xffffffff};
    const uint64_t args[6] = {0};

    for (size_t i = 0; i < VT_COUNTOF(numbers); i++) {
        check_decision(&filter, AUDIT_ARCH_X86_64, numbers[i], args, false);
        check_decision(&filter, AUDIT_ARCH_I386, numbers[i], args, false);
    }
    /* On i386 the bit of x32 is but a wrong number. */
    check_decision(&filter, AUDIT_ARCH_I386, 192 | X32_BIT, args, false);
    assert_int_equal(vt_arch_abi(AUDIT_ARCH_I386, 192 | X32_BIT), -1);
}

static void test_filter_traces_foreign_architectures(void **state)
{
    (void)state;
    struct filter filter = make_filter();
    static const uint32_t foreign[] = {AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM,
                                       AUDIT_ARCH_RISCV64, 0,
                                       UINT32_MAX,         AUDIT_ARCH_X86_64 & 0xffff};

    random_state = 2;
    for (size_t i = 0; i < VT_COUNTOF(foreign); i++) {
        for (uint32_t n = 0; n < NUMBERS; n++) {
            const uint64_t args[6] = {draw(), draw(), draw(), draw(), draw(), draw()};
            check_decision(&filter, foreign[i], n, args, true);
            assert_int_equal(vt_arch_abi(foreign[i], n), -1);
        }
    }
}

/* By hand, without the table: what must stop and what must not. */
static void test_filter_by_example(void **state)
{
    (void)state;
    static const struct {
        uint32_t arch, number;
        unsigned arg;
        uint64_t value;
        bool stop;
    } cases[] = {
        {AUDIT_ARCH_X86_64, 9, 0, 0, true},             /* mmap */
        {AUDIT_ARCH_X86_64, 0, 0, 0, false},            /* read */
        {AUDIT_ARCH_X86_64, 60, 0, 0, false},           /* exit */
        {AUDIT_ARCH_X86_64, 9 | X32_BIT, 0, 0, true},   /* mmap */
        {AUDIT_ARCH_X86_64, 59 | X32_BIT, 0, 0, false}, /* not x32's execve */
        {AUDIT_ARCH_X86_64, 520 | X32_BIT, 0, 0, true}, /* this is */
        {AUDIT_ARCH_X86_64, 520, 0, 0, false},
        {AUDIT_ARCH_I386, 9, 0, 0, false},                        /* link */
        {AUDIT_ARCH_I386, 11, 0, 0, true},                        /* execve */
        {AUDIT_ARCH_I386, 59, 0, 0, false},                       /* olduname */
        {AUDIT_ARCH_I386, 90, 0, 0, true},                        /* old_mmap */
        {AUDIT_ARCH_I386, 192, 0, 0, true},                       /* mmap2 */
        {AUDIT_ARCH_I386, 117, 0, 21, true},                      /* ipc: shmat */
        {AUDIT_ARCH_I386, 117, 0, 0x10000 | 22, true},            /* ipc: shmdt, another version */
        {AUDIT_ARCH_I386, 117, 0, 23, false},                     /* ipc: shmget */
        {AUDIT_ARCH_X86_64, 28, 2, 4, false},                     /* madvise: MADV_DONTNEED */
        {AUDIT_ARCH_X86_64, 28, 2, 10, true},                     /* madvise: MADV_DONTFORK */
        {AUDIT_ARCH_X86_64, 28, 2, 103, true},                    /* madvise: MADV_GUARD_REMOVE */
        {AUDIT_ARCH_X86_64, 28, 2, UINT64_C(1) << 32 | 18, true}, /* an int in a dirty register */
        {AUDIT_ARCH_X86_64, 157, 0, 38, false},                   /* prctl: PR_SET_NO_NEW_PRIVS */
        {AUDIT_ARCH_X86_64, 157, 0, 35, true},                    /* prctl: PR_SET_MM */
        {AUDIT_ARCH_X86_64, 157, 0, 0x53564d41, true},            /* prctl: PR_SET_VMA */
        {AUDIT_ARCH_X86_64, 158, 0, 0x1002, false},               /* arch_prctl: ARCH_SET_FS */
        {AUDIT_ARCH_X86_64, 158, 0, 0x2003, true},                /* arch_prctl: ARCH_MAP_VDSO_64 */
        {AUDIT_ARCH_X86_64, 135, 0, 0xffffffff, false},           /* personality: a question */
        {AUDIT_ARCH_X86_64, 135, 0, 0x0400000, true},             /* personality */
        {AUDIT_ARCH_X86_64, 56, 0, SIGCHLD, false},               /* clone, as fork does it */
        {AUDIT_ARCH_X86_64, 56, 0, CLONE_UNTRACED, true},
        {AUDIT_ARCH_X86_64, 435, 0, 0, true}, /* clone3: its flags are in memory */
        {AUDIT_ARCH_X86_64, 57, 0, 0, false}, /* fork */
        {AUDIT_ARCH_X86_64, 58, 0, 0, false}, /* vfork */
    };
    struct filter filter = make_filter();

    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        uint64_t args[6] = {0};
        args[cases[i].arg] = cases[i].value;
        check_decision(&filter, cases[i].arch, cases[i].number, args, cases[i].stop);
    }
}

/* ---- the filter in the kernel -------------------------------------------------------- */

/* Not _exit(): a sanitizer makes calls of its own in front of it, which the filter stops. */
static void leave(int status)
{
    for (;;)
        syscall(SYS_exit_group, status);
}

/*
 * What the child finds under the filter, without a tracer: a call that would
 * stop fails with ENOSYS. Returns the number of the first surprise, 0 if none.
 */
static int under_filter(const struct sock_fprog *program)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int step = 1;

    if (page == MAP_FAILED || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return step;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program))
        return errno == EINVAL ? 2 : 3;

    const struct {
        long number;
        long args[6];
        bool stops;
    } calls[] = {
        {SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, true},
        {SYS_brk, {0}, true},
        {SYS_munmap, {(long)page, 4096}, true},
        {SYS_mprotect, {(long)page, 4096, PROT_READ}, true},
        {SYS_mremap, {(long)page, 4096, 4096, 0, 0}, true},
        {SYS_getppid, {0}, false},
        {SYS_madvise, {(long)page, 4096, MADV_DONTNEED}, false},
        {SYS_madvise, {(long)page, 4096, MADV_DONTFORK}, true},
        {SYS_personality, {0xffffffff}, false},
        {SYS_personality, {0}, true},
        {SYS_prctl, {PR_GET_DUMPABLE, 0, 0, 0, 0}, false},
        {SYS_prctl, {PR_SET_MM, 0, 0, 0, 0}, true},
        {SYS_execve, {0, 0, 0}, true},
        {SYS_clone3, {0, 0}, true},
        {SYS_clone, {CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0}, true},
        {SYS_mmap | (long)X32_BIT, {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, true},
    };
    step = 3;
    for (size_t i = 0; i < VT_COUNTOF(calls); i++) {
        const long *args = calls[i].args;
        step++;
        errno = 0;
        long result =
            syscall(calls[i].number, args[0], args[1], args[2], args[3], args[4], args[5]);
        if (calls[i].stops ? result != -1 || errno != ENOSYS : result < 0)
            return step;
    }
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        leave(7);
    int status = 0;
    step++;
    if (child < 0 || waitpid((pid_t)child, &status, 0) != child || WEXITSTATUS(status) != 7)
        return step;
    *page = 1; /* it is still mapped, and writable */
    return 0;
}

static void test_filter_in_the_kernel(void **state)
{
    (void)state;
    struct filter filter = make_filter();
    struct sock_fprog program = {.len = (unsigned short)filter.length, .filter = filter.code};

    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        leave(under_filter(&program));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status))
        fail_msg("the child was surprised at step %d", WEXITSTATUS(status));
}

/* The 32-bit calls by int 0x80; registers beyond three arguments are not needed here. */
static long int80(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static int under_filter_32(const struct sock_fprog *program)
{
    if (int80(20, 0, 0, 0) <= 0) /* getpid */
        return 1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program))
        return 2;
    if (int80(20, 0, 0, 0) <= 0)
        return 3;
    static const int stops[] = {90, 192, 91, 125, 163, 45, 11, 397, 398};
    for (size_t i = 0; i < VT_COUNTOF(stops); i++)
        if (int80(stops[i], 0, 0, 0) != -ENOSYS)
            return 4 + (int)i;
    if (int80(117, 21, 0, 0) != -ENOSYS) /* ipc(SHMAT) */
        return 20;
    if (int80(117, 24, -1, 0) != -EINVAL) /* ipc(SHMCTL) of no segment */
        return 21;
    return 0;
}

static void test_filter_in_the_kernel_by_int_0x80(void **state)
{
    (void)state;
    struct filter filter = make_filter();
    struct sock_fprog program = {.len = (unsigned short)filter.length, .filter = filter.code};
    int status;

    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* what int 0x80 gives where the kernel lacks 32-bit calls */
        leave(under_filter_32(&program));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) == 1) {
        print_message("this kernel has no 32-bit calls\n");
        skip();
    }
    if (WEXITSTATUS(status))
        fail_msg("the child was surprised at step %d", WEXITSTATUS(status));
}

/* ---- the table -------------------------------------------------------------------------- */

static void test_abis(void **state)
{
    (void)state;
    assert_int_equal(vt_arch_abi(AUDIT_ARCH_X86_64, 9), VT_ABI_X86_64);
    assert_int_equal(vt_arch_abi(AUDIT_ARCH_X86_64, 9 | X32_BIT), VT_ABI_X32);
    assert_int_equal(vt_arch_abi(AUDIT_ARCH_I386, 9), VT_ABI_I386);
    assert_int_equal(vt_arch_abi(AUDIT_ARCH_AARCH64, 9), -1);
    assert_int_equal(vt_arch_word_size(VT_ABI_X86_64), 8);
    assert_int_equal(vt_arch_word_size(VT_ABI_I386), 4);
    assert_int_equal(vt_arch_word_size(VT_ABI_X32), 4);
    assert_int_equal(vt_arch_first_arg_offset(VT_ABI_X86_64),
                     offsetof(struct user_regs_struct, rdi));
    assert_int_equal(vt_arch_first_arg_offset(VT_ABI_X32), offsetof(struct user_regs_struct, rdi));
    assert_int_equal(vt_arch_first_arg_offset(VT_ABI_I386), offsetof(struct user_regs_struct, rbx));
    /* A number of one convention is none of the other. */
    assert_null(vt_arch_syscall(VT_ABI_X86_64, 9 | X32_BIT));
    assert_null(vt_arch_syscall_name(VT_ABI_X86_64, 9 | X32_BIT));
    assert_null(vt_arch_syscall(VT_ABI_X86_64, UINT64_MAX));
    assert_null(vt_arch_syscall_name(VT_ABI_X86_64, UINT64_MAX));
    assert_null(vt_arch_syscall_name(VT_ABI_I386, 4096));
    assert_string_equal(vt_arch_syscall_name(VT_ABI_X86_64, 0), "read");
    assert_string_equal(vt_arch_syscall_name(VT_ABI_X32, X32_BIT), "read");
    assert_string_equal(vt_arch_syscall_name(VT_ABI_I386, 1), "exit");
}

/* Which calls can change a map or say where a stack is, by name, and where they exist. */
static const struct {
    const char *name;
    enum vt_memop_type type;
    const char *abis; /* x: x86-64, i: i386, 3: x32 */
} wanted[] = {
    {"mmap", VT_MEMOP_MAP, "x3"},
    {"old_mmap", VT_MEMOP_MAP, "i"},
    {"mmap2", VT_MEMOP_MAP, "i"},
    {"munmap", VT_MEMOP_UNMAP, "xi3"},
    {"mprotect", VT_MEMOP_PROTECT, "xi3"},
    {"pkey_mprotect", VT_MEMOP_PROTECT, "xi3"},
    {"mremap", VT_MEMOP_REMAP, "xi3"},
    {"brk", VT_MEMOP_BRK, "xi3"},
    {"shmat", VT_MEMOP_SHM_ATTACH, "xi3"},
    {"shmdt", VT_MEMOP_SHM_DETACH, "xi3"},
    {"ipc", VT_MEMOP_NONE, "i"},
    {"remap_file_pages", VT_MEMOP_RANGE, "xi3"},
    {"madvise", VT_MEMOP_ADVISE, "xi3"},
    {"process_madvise", VT_MEMOP_ADVISE, "xi3"},
    {"mseal", VT_MEMOP_ADVISE, "xi3"},
    {"io_setup", VT_MEMOP_ANYWHERE, "xi3"},
    {"io_destroy", VT_MEMOP_ANYWHERE, "xi3"},
    {"io_uring_register", VT_MEMOP_ANYWHERE, "xi3"},
    {"map_shadow_stack", VT_MEMOP_ANYWHERE, "xi3"},
    {"arch_prctl", VT_MEMOP_ANYWHERE, "xi3"},
    {"prctl", VT_MEMOP_ANYWHERE, "xi3"},
    {"ioctl", VT_MEMOP_ANYWHERE, "xi3"},
    {"uselib", VT_MEMOP_ANYWHERE, "xi"},
    {"personality", VT_MEMOP_PERSONALITY, "xi3"},
    {"sigaltstack", VT_MEMOP_SIGSTACK, "xi3"},
    {"execve", VT_MEMOP_EXEC, "xi3"},
    {"execveat", VT_MEMOP_EXEC, "xi3"},
    {"clone", VT_MEMOP_CLONE, "xi3"},
    {"clone3", VT_MEMOP_CLONE, "xi3"},
    {"seccomp", VT_MEMOP_LISTEN, "xi3"},
};

static void test_every_call_is_there(void **state)
{
    (void)state;
    size_t rows = 0, found = 0;

    for (int abi = 0; abi < VT_ABI_COUNT; abi++) {
        for (size_t i = 0; i < VT_COUNTOF(wanted); i++) {
            const struct vt_syscall *row = row_of(abi, wanted[i].name);
            if ((row != NULL) != (strchr(wanted[i].abis, "xi3"[abi]) != NULL))
                fail_msg("%s is%s a call of %s here", wanted[i].name, row ? "" : " not",
                         vt_abi_name(abi));
            if (!row)
                continue;
            found++;
            assert_int_equal(row->type, wanted[i].type);
        }
        for (uint32_t n = 0; n < NUMBERS; n++)
            rows += vt_arch_syscall(abi, n | number_bit[abi]) != NULL;
    }
    assert_int_equal(rows, found); /* and none that is not wanted */
}

/* Calls younger than the oldest headers that this is built with (Linux 5.10), but not x32's own. */
static bool is_young(int number)
{
    return number > 440 && number < 512;
}

static void test_numbers_are_the_kernels(void **state)
{
    (void)state;

    for (int abi = 0; abi < VT_ABI_COUNT; abi++) {
        int compared = 0;
        for (int n = 0; n < NUMBERS; n++) {
            const struct vt_syscall *row = vt_arch_syscall(abi, (uint32_t)n | number_bit[abi]);
            if (!row)
                continue;
            assert_int_equal(row->numbers[abi], n);
            const char *name = vt_arch_syscall_name(abi, (uint32_t)n | number_bit[abi]);
            /* The headers name it so; mmap2 is what programs call mmap. */
            const char *ours = strcmp(row->name, "old_mmap") ? row->name : "mmap";
            if (!name && is_young(n)) {
                print_message("%s: the headers here are older than %s\n", vt_abi_name(abi), ours);
                continue;
            }
            if (!name)
                fail_msg("%s: there is no call %d, which is to be %s", vt_abi_name(abi), n, ours);
            assert_string_equal(ours, name);
            compared++;
        }
        assert_true(compared >= 20);
    }
}

/* What this very program was compiled with, for the native ones. */
static void test_numbers_are_those_of_this_build(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        long number;
    } native[] = {
        {"mmap", SYS_mmap},
        {"munmap", SYS_munmap},
        {"mprotect", SYS_mprotect},
        {"pkey_mprotect", SYS_pkey_mprotect},
        {"mremap", SYS_mremap},
        {"brk", SYS_brk},
        {"shmat", SYS_shmat},
        {"shmdt", SYS_shmdt},
        {"remap_file_pages", SYS_remap_file_pages},
        {"madvise", SYS_madvise},
        {"io_setup", SYS_io_setup},
        {"io_destroy", SYS_io_destroy},
        {"io_uring_register", SYS_io_uring_register},
        {"arch_prctl", SYS_arch_prctl},
        {"prctl", SYS_prctl},
        {"uselib", SYS_uselib},
        {"personality", SYS_personality},
        {"sigaltstack", SYS_sigaltstack},
        {"execve", SYS_execve},
        {"execveat", SYS_execveat},
        {"clone", SYS_clone},
        {"clone3", SYS_clone3},
    };
    for (size_t i = 0; i < VT_COUNTOF(native); i++) {
        const struct vt_syscall *row = vt_arch_syscall(VT_ABI_X86_64, (uint64_t)native[i].number);
        assert_non_null(row);
        assert_string_equal(row->name, native[i].name);
        assert_string_equal(vt_arch_syscall_name(VT_ABI_X86_64, (uint64_t)native[i].number),
                            native[i].name);
    }
}

static void test_rows_are_sound(void **state)
{
    (void)state;
    const struct vt_syscall *seen[200];
    size_t count = 0;

    for (int abi = 0; abi < VT_ABI_COUNT; abi++) {
        for (uint32_t n = 0; n < NUMBERS; n++) {
            const struct vt_syscall *row = vt_arch_syscall(abi, n | number_bit[abi]);
            if (!row)
                continue;
            for (size_t i = 0; i < count && row; i++)
                if (seen[i] == row)
                    row = NULL;
            if (row) {
                assert_true(count < VT_COUNTOF(seen));
                seen[count++] = row;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct vt_syscall *row = seen[i];
        const struct vt_arg_test *test = &row->test;
        assert_true(row->arg_count >= 1 && row->arg_count <= 6);
        for (unsigned k = 0; k < 6; k++)
            assert_true((row->arg_names[k] != NULL) == (k < row->arg_count));
        for (size_t k = 0; k < i; k++) { /* no name and no number twice */
            assert_string_not_equal(row->name, seen[k]->name);
            for (int abi = 0; abi < VT_ABI_COUNT; abi++)
                assert_true(row->numbers[abi] < 0 || row->numbers[abi] != seen[k]->numbers[abi]);
        }
        if (test->type == VT_TEST_NONE)
            continue;
        assert_true(test->arg < row->arg_count);
        assert_true(test->values[0] != 0);
        for (size_t k = 0; test->type != VT_TEST_ANY_BIT && k < VT_COUNTOF(test->values); k++)
            assert_int_equal(test->values[k] & ~test->mask, 0); /* else it could never match */
    }
}

static void test_argument_tests(void **state)
{
    (void)state;
    struct vt_syscall row = {.test = {VT_TEST_ONE_OF, 1, 0xff, {1, 2, 3, 4, 5, 6, 7, 8}}};
    uint64_t args[6] = {1, 0, 1, 1, 1, 1};

    assert_false(vt_arch_wanted(&row, args));
    args[1] = 8; /* the list is full: there is no 0 at its end */
    assert_true(vt_arch_wanted(&row, args));
    args[1] = 9;
    assert_false(vt_arch_wanted(&row, args));
    args[1] = UINT64_C(0x123400000a03);
    assert_true(vt_arch_wanted(&row, args));
    row.test = (struct vt_arg_test){VT_TEST_ONE_OF, 1, UINT32_MAX, {3}};
    assert_false(vt_arch_wanted(&row, args));
    args[1] = 0; /* nor does the 0 at the end of a list match */
    assert_false(vt_arch_wanted(&row, args));
    row.test = (struct vt_arg_test){VT_TEST_NOT, 1, 0xf, {3}};
    args[1] = 0x13;
    assert_false(vt_arch_wanted(&row, args));
    args[1] = 0x14;
    assert_true(vt_arch_wanted(&row, args));
    row.test = (struct vt_arg_test){VT_TEST_ANY_BIT, 1, 0, {6}};
    assert_true(vt_arch_wanted(&row, args));
    args[1] = UINT64_C(0x600000009);
    assert_false(vt_arch_wanted(&row, args));
    row.test = (struct vt_arg_test){VT_TEST_NONE, 0, 0, {0}};
    assert_true(vt_arch_wanted(&row, args));
}

/* ---- decoding ---------------------------------------------------------------------------- */

static void decode(enum vt_abi abi, const char *name, const uint64_t args[6], struct vt_memop *op)
{
    const struct vt_syscall *row = row_of(abi, name);
    assert_non_null(row);
    memset(op, 0xa5, sizeof(*op)); /* all of it is set */
    vt_arch_decode(row, args, op);
}

static void expect_op(const struct vt_memop *op, const struct vt_memop *like)
{
    assert_int_equal(op->type, like->type);
    assert_int_equal(op->addr, like->addr);
    assert_int_equal(op->length, like->length);
    assert_int_equal(op->new_length, like->new_length);
    assert_int_equal(op->new_addr, like->new_addr);
    assert_int_equal(op->prot, like->prot);
    assert_int_equal(op->flags, like->flags);
    assert_int_equal(op->fd, like->fd);
    assert_int_equal(op->offset, like->offset);
}

static const enum vt_abi both64[] = {VT_ABI_X86_64, VT_ABI_X32};

static void test_decode_mmap(void **state)
{
    (void)state;
    struct vt_memop op;
    uint64_t args[6] = {0x7000, 0x2345, PROT_READ, MAP_PRIVATE, 5, 0x30000};

    for (size_t i = 0; i < VT_COUNTOF(both64); i++) {
        decode(both64[i], "mmap", args, &op);
        expect_op(&op, &(struct vt_memop){.type = VT_MEMOP_MAP,
                                          .addr = 0x7000,
                                          .length = 0x2345,
                                          .prot = PROT_READ,
                                          .flags = MAP_PRIVATE,
                                          .fd = 5,
                                          .offset = 0x30000});
    }
    args[4] = UINT64_MAX; /* -1 as the program wrote it, and as an int in a dirty register */
    decode(VT_ABI_X86_64, "mmap", args, &op);
    assert_int_equal(op.fd, -1);
    args[4] = 0xffffffff;
    decode(VT_ABI_X86_64, "mmap", args, &op);
    assert_int_equal(op.fd, -1);
    args[0] = UINT64_C(0x7fffffff0000);
    args[1] = UINT64_C(0x123456789a);
    decode(VT_ABI_X86_64, "mmap", args, &op);
    assert_true(op.addr == args[0] && op.length == args[1]);
}

static void test_decode_mmap_32(void **state)
{
    (void)state;
    struct vt_memop op;
    uint64_t args[6] = {0x7000, 0x2345, PROT_READ, MAP_PRIVATE, 0xffffffff, 0x30000};

    decode(VT_ABI_I386, "mmap2", args, &op);
    assert_true(op.offset == UINT64_C(0x30000000));
    assert_int_equal(op.fd, -1);
    assert_int_equal(op.type, VT_MEMOP_MAP);
    args[5] = 0xffffffff; /* beyond 32 bits of bytes */
    decode(VT_ABI_I386, "mmap2", args, &op);
    assert_true(op.offset == UINT64_C(0xffffffff000));
    args[5] = 0x3000;
    decode(VT_ABI_I386, "old_mmap", args, &op); /* as fetched from memory; it counts in bytes */
    expect_op(&op, &(struct vt_memop){.type = VT_MEMOP_MAP,
                                      .addr = 0x7000,
                                      .length = 0x2345,
                                      .prot = PROT_READ,
                                      .flags = MAP_PRIVATE,
                                      .fd = -1,
                                      .offset = 0x3000});
    assert_int_equal(row_of(VT_ABI_I386, "old_mmap")->quirks,
                     VT_QUIRK_ARGS_IN_MEMORY | VT_QUIRK_RESULT_POINTER);
    assert_int_equal(row_of(VT_ABI_I386, "mmap2")->quirks,
                     VT_QUIRK_OFFSET_4096 | VT_QUIRK_RESULT_POINTER);
    assert_int_equal(row_of(VT_ABI_X86_64, "mmap")->quirks, VT_QUIRK_RESULT_POINTER);
}

static void test_decode_the_same_everywhere(void **state)
{
    (void)state;
    static const uint64_t args[6] = {0x11000, 0x22000, 3, 5, 0x55000, 0x66000};
    static const struct {
        const char *name;
        struct vt_memop op;
    } cases[] = {
        {"munmap", {.type = VT_MEMOP_UNMAP, .addr = 0x11000, .length = 0x22000, .fd = -1}},
        {"mprotect",
         {.type = VT_MEMOP_PROTECT, .addr = 0x11000, .length = 0x22000, .prot = 3, .fd = -1}},
        {"pkey_mprotect",
         {.type = VT_MEMOP_PROTECT, .addr = 0x11000, .length = 0x22000, .prot = 3, .fd = -1}},
        {"mremap",
         {.type = VT_MEMOP_REMAP,
          .addr = 0x11000,
          .length = 0x22000,
          .new_length = 3,
          .flags = 5,
          .new_addr = 0x55000,
          .fd = -1}},
        {"shmat",
         {.type = VT_MEMOP_SHM_ATTACH, .addr = 0x22000, .flags = 3, .fd = 0x11000, .length = 0}},
        {"remap_file_pages",
         {.type = VT_MEMOP_RANGE, .addr = 0x11000, .length = 0x22000, .fd = -1}},
        {"madvise", {.type = VT_MEMOP_ADVISE, .addr = 0x11000, .length = 0x22000, .fd = -1}},
        {"mseal", {.type = VT_MEMOP_ADVISE, .addr = 0x11000, .length = 0x22000, .fd = -1}},
    };

    for (int abi = 0; abi < VT_ABI_COUNT; abi++) {
        for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
            struct vt_memop op;
            decode(abi, cases[i].name, args, &op);
            if (cases[i].op.type == VT_MEMOP_SHM_ATTACH)
                op.length = 0; /* means nothing there */
            expect_op(&op, &cases[i].op);
        }
        struct vt_memop op;
        decode(abi, "brk", args, &op);
        assert_int_equal(op.type, VT_MEMOP_BRK);
        assert_int_equal(op.addr, 0x11000);
        decode(abi, "shmdt", args, &op);
        assert_int_equal(op.type, VT_MEMOP_SHM_DETACH);
        assert_int_equal(op.addr, 0x11000);
        decode(abi, "personality", (const uint64_t[6]){UINT64_C(0xabcd0000ffff0000)}, &op);
        assert_int_equal(op.type, VT_MEMOP_PERSONALITY);
        assert_true(op.fd == INT64_C(0xffff0000));
        static const char *const typed_only[] = {
            "process_madvise",  "io_setup",   "io_destroy", "io_uring_register",
            "map_shadow_stack", "arch_prctl", "prctl",      "execve",
            "execveat",         "clone",      "clone3"};
        for (size_t i = 0; i < VT_COUNTOF(typed_only); i++) {
            decode(abi, typed_only[i], args, &op);
            assert_int_equal(op.type, row_of(abi, typed_only[i])->type);
            assert_int_equal(op.fd, -1);
        }
    }
}

static void test_decode_ipc(void **state)
{
    (void)state;
    struct vt_memop op;
    /* ipc(call, first = id, second = flags, third = where the result goes, ptr = address, fifth) */
    uint64_t args[6] = {21, 77, 010000, 0xbff0, 0x40000, 9};

    decode(VT_ABI_I386, "ipc", args, &op);
    assert_int_equal(op.type, VT_MEMOP_SHM_ATTACH);
    assert_int_equal(op.fd, 77);
    assert_int_equal(op.flags, 010000);
    assert_int_equal(op.new_addr, 0xbff0);
    assert_int_equal(op.addr, 0x40000);
    args[0] = 0x10000 | 22;
    decode(VT_ABI_I386, "ipc", args, &op);
    assert_int_equal(op.type, VT_MEMOP_SHM_DETACH);
    assert_int_equal(op.addr, 0x40000);
    args[0] = 24; /* SHMCTL */
    decode(VT_ABI_I386, "ipc", args, &op);
    assert_int_equal(op.type, VT_MEMOP_NONE);
    assert_int_equal(row_of(VT_ABI_I386, "ipc")->quirks & VT_QUIRK_IPC, VT_QUIRK_IPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_decides_as_the_table),
        cmocka_unit_test(test_filter_allows_what_is_no_call),
        cmocka_unit_test(test_filter_traces_foreign_architectures),
        cmocka_unit_test(test_filter_by_example),
        cmocka_unit_test(test_filter_in_the_kernel),
        cmocka_unit_test(test_filter_in_the_kernel_by_int_0x80),
        cmocka_unit_test(test_abis),
        cmocka_unit_test(test_every_call_is_there),
        cmocka_unit_test(test_numbers_are_the_kernels),
        cmocka_unit_test(test_numbers_are_those_of_this_build),
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_argument_tests),
        cmocka_unit_test(test_decode_mmap),
        cmocka_unit_test(test_decode_mmap_32),
        cmocka_unit_test(test_decode_the_same_everywhere),
        cmocka_unit_test(test_decode_ipc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
