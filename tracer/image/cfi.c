/*
 * cfi.c - hides the instructions of call frame information and DWARF's
 * expressions.
 *
 * In two steps: run() executes instructions up to a place in the code, which
 * gives a rule for each register; vt_cfi_step() follows the rules. Whatever a
 * program says, the work is bounded: so many instructions, so many operations of all
 * its expressions together, stacks of fixed sizes; and nothing is allocated.
 */
#include "image/cfi.h"

#include <dwarf.h>

#include "base/base.h"

enum {
    INSTRUCTIONS_MAX = 1 << 16, /* of one function; compilers' longest have some thousands */
    REMEMBERED_MAX = 16,        /* DW_CFA_remember_state within each other; compilers need 2 */
    OPERATIONS_MAX = 1024,      /* of all expressions of one step; signal frames have some 30 */
    OPERANDS_MAX = 32,
};

/* How a caller's register is had, or the CFA. */
struct rule {
    enum {
        UNSET,
        LOST,
        SAME,
        AT_OFFSET,     /* kept at CFA + number */
        OFFSET,        /* is CFA + number */
        IN_REGISTER,   /* is in that register; for the CFA: is `base` + number */
        AT_EXPRESSION, /* kept at the expression's value */
        EXPRESSION,
    } how;
    uint64_t base;
    int64_t number;
    struct vt_cursor expression;
};

struct row {
    struct rule cfa;
    struct rule registers[VT_REGISTERS_MAX];
};

struct step {
    const struct vt_cfi_source *source;
    const struct vt_unwind_program *program;
    struct vt_cfi_frame *frame;
    unsigned operations; /* done so far */
    bool unreadable;     /* why an expression has no value */
};

static uint64_t cut(const struct step *step, uint64_t value)
{
    return step->source->machine->word == 4 ? (uint32_t)value : value;
}

/* ---- registers --------------------------------------------------------------------- */

void vt_cfi_begin(struct vt_cfi_frame *frame)
{
    for (unsigned i = 0; i < VT_REGISTERS_MAX; i++)
        frame->registers[i] = (struct vt_cfi_place){VT_CFI_OWN, i};
}

bool vt_cfi_value(const struct vt_cfi_source *source, struct vt_cfi_frame *frame, uint64_t number,
                  uint64_t *value)
{
    if (number >= source->machine->columns)
        return false;
    struct vt_cfi_place *place = &frame->registers[number];
    switch (place->where) {
    case VT_CFI_LOST:
        return false;
    case VT_CFI_OWN:
        *value = source->own(source->context, (unsigned)place->at);
        break;
    case VT_CFI_MEMORY:
        if (!source->read(source->context, place->at, value))
            return false;
        break;
    case VT_CFI_VALUE:
        *value = place->at;
        return true;
    }
    *place = (struct vt_cfi_place){VT_CFI_VALUE, *value}; /* it is asked for again, mostly */
    return true;
}

/* ---- instructions ------------------------------------------------------------------ */

struct run {
    const struct step *step;
    struct row row;
    const struct row *initial; /* null while it is being made */
    struct row remembered[REMEMBERED_MAX];
    unsigned remembered_count;
    vt_addr at; /* the place in the code that the row is for so far */
    unsigned instructions;
    struct rule nobodys;
};

/* The rule of a register; those beyond the machine's have one that nobody reads. */
static struct rule *rule_of(struct run *run, uint64_t number)
{
    return number < run->step->source->machine->columns ? &run->row.registers[number]
                                                        : &run->nobodys;
}

static void restore(struct run *run, uint64_t number, struct vt_cursor *c)
{
    if (!run->initial)
        c->bad = true; /* there is nothing yet */
    else if (number < run->step->source->machine->columns)
        run->row.registers[number] = run->initial->registers[number];
}

/* One instruction that does not move on in the code; the cursor is bad if it makes no sense. */
static void execute(struct run *run, unsigned operation, struct vt_cursor *c)
{
    int64_t factor = run->step->program->data_alignment;
    struct rule *cfa = &run->row.cfa, *rule;
    uint64_t number;

    switch (operation) {
    case DW_CFA_nop:
        return;
    case DW_CFA_remember_state:
        if (run->remembered_count == REMEMBERED_MAX)
            c->bad = true;
        else
            run->remembered[run->remembered_count++] = run->row;
        return;
    case DW_CFA_restore_state:
        if (!run->remembered_count)
            c->bad = true;
        else
            run->row = run->remembered[--run->remembered_count];
        return;
    case DW_CFA_GNU_args_size:
        (void)vt_take_leb(c); /* is for exceptions */
        return;

    case DW_CFA_def_cfa:
    case DW_CFA_def_cfa_sf:
        *cfa = (struct rule){.how = IN_REGISTER, .base = vt_take_leb(c)};
        cfa->number = operation == DW_CFA_def_cfa
                          ? (int64_t)vt_take_leb(c)
                          : (int64_t)((uint64_t)vt_take_signed_leb(c) * (uint64_t)factor);
        return;
    case DW_CFA_def_cfa_register:
        cfa->base = vt_take_leb(c);
        c->bad |= cfa->how != IN_REGISTER;
        return;
    case DW_CFA_def_cfa_offset:
        cfa->number = (int64_t)vt_take_leb(c);
        c->bad |= cfa->how != IN_REGISTER;
        return;
    case DW_CFA_def_cfa_offset_sf:
        cfa->number = (int64_t)((uint64_t)vt_take_signed_leb(c) * (uint64_t)factor);
        c->bad |= cfa->how != IN_REGISTER;
        return;
    case DW_CFA_def_cfa_expression:
        *cfa = (struct rule){.how = EXPRESSION};
        cfa->expression = vt_take_part(c, vt_take_leb(c));
        return;
    default:
        break;
    }

    /* The rest is about a register. */
    number = vt_take_leb(c);
    rule = rule_of(run, number);
    switch (operation) {
    case DW_CFA_undefined:
        *rule = (struct rule){.how = LOST};
        return;
    case DW_CFA_same_value:
        *rule = (struct rule){.how = SAME};
        return;
    case DW_CFA_restore_extended:
        restore(run, number, c);
        return;
    case DW_CFA_offset_extended:
    case DW_CFA_val_offset:
        *rule = (struct rule){.how = operation == DW_CFA_val_offset ? OFFSET : AT_OFFSET};
        rule->number = (int64_t)(vt_take_leb(c) * (uint64_t)factor);
        return;
    case DW_CFA_offset_extended_sf:
    case DW_CFA_val_offset_sf:
        *rule = (struct rule){.how = operation == DW_CFA_val_offset_sf ? OFFSET : AT_OFFSET};
        rule->number = (int64_t)((uint64_t)vt_take_signed_leb(c) * (uint64_t)factor);
        return;
    case DW_CFA_GNU_negative_offset_extended:
        *rule = (struct rule){.how = AT_OFFSET};
        rule->number = -(int64_t)(vt_take_leb(c) * (uint64_t)factor);
        return;
    case DW_CFA_register:
        *rule = (struct rule){.how = IN_REGISTER};
        rule->base = vt_take_leb(c);
        return;
    case DW_CFA_expression:
    case DW_CFA_val_expression:
        *rule = (struct rule){.how = operation == DW_CFA_expression ? AT_EXPRESSION : EXPRESSION};
        rule->expression = vt_take_part(c, vt_take_leb(c));
        return;
    default:
        c->bad = true;
        return;
    }
}

/* Execute what holds for the code at `at`. Returns false if it is malformed. */
static bool run_to(struct run *run, struct vt_cursor c, vt_addr at)
{
    const struct vt_unwind_program *program = run->step->program;

    while (c.at < c.end && !c.bad) {
        if (++run->instructions > INSTRUCTIONS_MAX)
            return false;
        unsigned operation = (unsigned)vt_take(&c, 1);
        unsigned operand = operation & 0x3f;
        vt_addr next = run->at;
        switch (operation & 0xc0) {
        case DW_CFA_advance_loc:
            next += operand * program->code_alignment;
            break;
        case DW_CFA_offset:
            *rule_of(run, operand) = (struct rule){
                .how = AT_OFFSET,
                .number = (int64_t)(vt_take_leb(&c) * (uint64_t)program->data_alignment)};
            continue;
        case DW_CFA_restore:
            restore(run, operand, &c);
            continue;
        default:
            switch (operation) {
            case DW_CFA_advance_loc1:
                next += vt_take(&c, 1) * program->code_alignment;
                break;
            case DW_CFA_advance_loc2:
                next += vt_take(&c, 2) * program->code_alignment;
                break;
            case DW_CFA_advance_loc4:
                next += vt_take(&c, 4) * program->code_alignment;
                break;
            case DW_CFA_set_loc:
                c.bad |= !run->initial || !vt_unwind_program_address(program, &c, &next);
                break;
            default:
                execute(run, operation, &c);
                continue;
            }
        }
        if (c.bad || next < run->at)
            return false;
        if (next > at)
            return true;
        run->at = next;
    }
    return !c.bad;
}

/* ---- expressions ------------------------------------------------------------------- */

struct operands {
    uint64_t items[OPERANDS_MAX]; /* each one cut to a word */
    size_t count;
    bool bad; /* too many, or one that is not there */
};

static void push(struct operands *operands, uint64_t value)
{
    if (operands->count == OPERANDS_MAX)
        operands->bad = true;
    else
        operands->items[operands->count++] = value;
}

static uint64_t pop(struct operands *operands)
{
    if (!operands->count) {
        operands->bad = true;
        return 0;
    }
    return operands->items[--operands->count];
}

/* The operand that lies so many below the last one. */
static uint64_t pick(struct operands *operands, uint64_t below)
{
    if (below >= operands->count) {
        operands->bad = true;
        return 0;
    }
    return operands->items[operands->count - 1 - below];
}

/* An operation on two numbers of `bits` bits, of which a was there first. */
static uint64_t calculate(unsigned operation, uint64_t a, uint64_t b, unsigned bits, bool *bad)
{
    int64_t x = (int64_t)(a << (64 - bits)) >> (64 - bits);
    int64_t y = (int64_t)(b << (64 - bits)) >> (64 - bits);

    switch (operation) {
    case DW_OP_and:
        return a & b;
    case DW_OP_or:
        return a | b;
    case DW_OP_xor:
        return a ^ b;
    case DW_OP_plus:
        return a + b;
    case DW_OP_minus:
        return a - b;
    case DW_OP_mul:
        return a * b;
    case DW_OP_div: /* of signed numbers; the lowest by -1 would be too large for one */
        *bad |= b == 0;
        return b == 0 ? 0 : y == -1 ? 0 - a : (uint64_t)(x / y);
    case DW_OP_mod: /* of unsigned ones */
        *bad |= b == 0;
        return b == 0 ? 0 : a % b;
    case DW_OP_shl:
        return b < bits ? a << b : 0;
    case DW_OP_shr:
        return b < bits ? a >> b : 0;
    case DW_OP_shra:
        /* NOLINTNEXTLINE(*UndefinedBinaryOperatorResult): bits are 32 or 64 */
        return (uint64_t)(x >> (b < bits ? b : bits - 1));
    case DW_OP_eq:
        return x == y;
    case DW_OP_ne:
        return x != y;
    case DW_OP_lt:
        return x < y;
    case DW_OP_le:
        return x <= y;
    case DW_OP_gt:
        return x > y;
    case DW_OP_ge:
        return x >= y;
    default:
        *bad = true;
        return 0;
    }
}

/* Read as many bytes as a word has, or fewer. */
static uint64_t load(struct step *step, uint64_t address, uint64_t bytes, bool *bad)
{
    const struct vt_cfi_source *source = step->source;
    uint64_t word;

    if (bytes < 1 || bytes > source->machine->word) {
        *bad = true;
        return 0;
    }
    if (!source->read(source->context, address, &word)) {
        step->unreadable = *bad = true;
        return 0;
    }
    return word & UINT64_MAX >> (64 - 8 * bytes);
}

static uint64_t register_value(struct step *step, uint64_t number, bool *bad)
{
    uint64_t value = 0;

    if (!vt_cfi_value(step->source, step->frame, number, &value)) {
        step->unreadable |= number < step->source->machine->columns;
        *bad = true;
    }
    return value;
}

/* Go somewhere else in an expression. */
static void jump(struct vt_cursor *c, const struct vt_cursor *whole, int64_t distance)
{
    if (distance < whole->at - c->at || distance > whole->end - c->at)
        c->bad = true;
    else
        c->at += distance;
}

/* One operation. What goes wrong makes the cursor or the operands bad. */
static void operate(struct step *step, unsigned operation, struct vt_cursor *c,
                    const struct vt_cursor *whole, struct operands *o)
{
    unsigned bits = 8 * step->source->machine->word;
    uint64_t a, b;
    int64_t distance;

    if (operation >= DW_OP_lit0 && operation <= DW_OP_lit31) {
        push(o, operation - DW_OP_lit0);
        return;
    }
    if (operation >= DW_OP_breg0 && operation <= DW_OP_breg31) {
        a = register_value(step, operation - DW_OP_breg0, &o->bad);
        push(o, a + (uint64_t)vt_take_signed_leb(c));
        return;
    }
    switch (operation) {
    case DW_OP_nop:
        return;
    case DW_OP_const1u:
        push(o, vt_take(c, 1));
        return;
    case DW_OP_const1s:
        push(o, (uint64_t)vt_take_signed(c, 1));
        return;
    case DW_OP_const2u:
        push(o, vt_take(c, 2));
        return;
    case DW_OP_const2s:
        push(o, (uint64_t)vt_take_signed(c, 2));
        return;
    case DW_OP_const4u:
        push(o, vt_take(c, 4));
        return;
    case DW_OP_const4s:
        push(o, (uint64_t)vt_take_signed(c, 4));
        return;
    case DW_OP_const8u:
    case DW_OP_const8s:
        push(o, vt_take(c, 8));
        return;
    case DW_OP_constu:
        push(o, vt_take_leb(c));
        return;
    case DW_OP_consts:
        push(o, (uint64_t)vt_take_signed_leb(c));
        return;
    case DW_OP_bregx:
        a = register_value(step, vt_take_leb(c), &o->bad);
        push(o, a + (uint64_t)vt_take_signed_leb(c));
        return;
    case DW_OP_dup:
        push(o, pick(o, 0));
        return;
    case DW_OP_drop:
        (void)pop(o);
        return;
    case DW_OP_over:
        push(o, pick(o, 1));
        return;
    case DW_OP_pick:
        push(o, pick(o, vt_take(c, 1)));
        return;
    case DW_OP_swap:
        a = pop(o);
        b = pop(o);
        push(o, a);
        push(o, b);
        return;
    case DW_OP_rot: /* the last becomes the third */
        a = pop(o);
        b = pop(o);
        uint64_t third = pop(o);
        push(o, a);
        push(o, third);
        push(o, b);
        return;
    case DW_OP_deref:
        push(o, load(step, pop(o), bits / 8, &o->bad));
        return;
    case DW_OP_deref_size:
        push(o, load(step, pop(o), vt_take(c, 1), &o->bad));
        return;
    case DW_OP_abs:
        a = pop(o);
        push(o, a >> (bits - 1) ? 0 - a : a);
        return;
    case DW_OP_neg:
        push(o, 0 - pop(o));
        return;
    case DW_OP_not:
        push(o, ~pop(o));
        return;
    case DW_OP_plus_uconst:
        push(o, pop(o) + vt_take_leb(c));
        return;
    case DW_OP_skip:
        distance = vt_take_signed(c, 2);
        jump(c, whole, distance);
        return;
    case DW_OP_bra:
        distance = vt_take_signed(c, 2);
        if (pop(o))
            jump(c, whole, distance);
        return;
    default:
        b = pop(o);
        a = pop(o);
        push(o, calculate(operation, a, b, bits, &o->bad));
        return;
    }
}

/* The value of an expression, with `first` on its stack if there is one. */
static bool evaluate(struct step *step, struct vt_cursor c, const uint64_t *first, uint64_t *value)
{
    const struct vt_cursor whole = c;
    struct operands o = {.count = 0};

    if (first)
        push(&o, *first);
    while (c.at < c.end) {
        if (++step->operations > OPERATIONS_MAX)
            return false;
        operate(step, (unsigned)vt_take(&c, 1), &c, &whole, &o);
        if (c.bad || o.bad)
            return false;
        if (o.count)
            o.items[o.count - 1] = cut(step, o.items[o.count - 1]);
    }
    *value = pop(&o);
    return !o.bad;
}

/* ---- a step ------------------------------------------------------------------------- */

static bool find_cfa(struct step *step, const struct rule *rule, uint64_t *cfa)
{
    bool bad = false;

    switch (rule->how) {
    case IN_REGISTER:
        *cfa = cut(step, register_value(step, rule->base, &bad) + (uint64_t)rule->number);
        return !bad;
    case EXPRESSION:
        return evaluate(step, rule->expression, NULL, cfa);
    default:
        return false;
    }
}

/* Where the caller's register `number` is. */
static bool follow(struct step *step, const struct rule *rule, unsigned number, uint64_t cfa,
                   struct vt_cfi_place *place)
{
    const struct vt_cfi_machine *machine = step->source->machine;

    *place = (struct vt_cfi_place){VT_CFI_LOST, 0};
    switch (rule->how) {
    case UNSET: /* the stack pointer is where the CFA is; the others are left alone */
        *place = number == machine->sp ? (struct vt_cfi_place){VT_CFI_VALUE, cfa}
                                       : step->frame->registers[number];
        return true;
    case SAME:
        *place = step->frame->registers[number];
        return true;
    case LOST:
        return true;
    case AT_OFFSET:
        *place = (struct vt_cfi_place){VT_CFI_MEMORY, cut(step, cfa + (uint64_t)rule->number)};
        return true;
    case OFFSET:
        *place = (struct vt_cfi_place){VT_CFI_VALUE, cut(step, cfa + (uint64_t)rule->number)};
        return true;
    case IN_REGISTER:
        if (rule->base < machine->columns)
            *place = step->frame->registers[rule->base];
        return true;
    case AT_EXPRESSION:
    case EXPRESSION:
        place->where = rule->how == EXPRESSION ? VT_CFI_VALUE : VT_CFI_MEMORY;
        return evaluate(step, rule->expression, &cfa, &place->at);
    }
    return false;
}

enum vt_cfi_outcome vt_cfi_step(const struct vt_cfi_source *source,
                                const struct vt_unwind_program *program, vt_addr at,
                                struct vt_cfi_frame *frame)
{
    const struct vt_cfi_machine *machine = source->machine;
    struct step step = {.source = source, .program = program, .frame = frame};
    struct vt_cfi_frame caller;
    struct row initial;
    struct run run; /* large, and mostly never looked at: not cleared as a whole */
    uint64_t cfa;

    run.step = &step;
    run.row = (struct row){0};
    run.initial = NULL;
    run.remembered_count = run.instructions = 0;
    run.at = program->start;
    if (program->return_register >= machine->columns || !run_to(&run, program->common, UINT64_MAX))
        return VT_CFI_MALFORMED;
    initial = run.row;
    run.initial = &initial;
    run.at = program->start;
    if (!run_to(&run, program->own, at))
        return VT_CFI_MALFORMED;

    const struct rule *way_back = &run.row.registers[program->return_register];
    if (way_back->how == LOST)
        return VT_CFI_OUTERMOST;
    if (way_back->how == UNSET)
        return VT_CFI_MALFORMED;
    bool found = find_cfa(&step, &run.row.cfa, &cfa);
    for (unsigned i = 0; i < machine->columns && found; i++)
        found = follow(&step, &run.row.registers[i], i, cfa, &caller.registers[i]);
    if (!found)
        return step.unreadable ? VT_CFI_UNREADABLE : VT_CFI_MALFORMED;
    caller.registers[machine->ip] = caller.registers[program->return_register];
    for (unsigned i = 0; i < machine->columns; i++)
        frame->registers[i] = caller.registers[i];
    return VT_CFI_CALLER;
}
