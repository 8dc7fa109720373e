/*
 * words.c - hides the tables of words that enums are stored as.
 */
#include "recording/words.h"

#include <string.h>

const char *vt_word_perm(uint8_t prot, uint8_t flags)
{
    static const char texts[16][5] = {
        "---p", "r--p", "-w-p", "rw-p", "--xp", "r-xp", "-wxp", "rwxp",
        "---s", "r--s", "-w-s", "rw-s", "--xs", "r-xs", "-wxs", "rwxs",
    };
    return texts[(prot & 7) | (flags & VT_REGION_SHARED ? 8 : 0)];
}

bool vt_word_perm_parse(const char text[4], uint8_t *prot, uint8_t *flags)
{
    static const char letters[] = "rwx";
    bool good = text[3] == 'p' || text[3] == 's';
    *prot = 0;
    for (int i = 0; i < 3; i++) {
        good &= text[i] == letters[i] || text[i] == '-';
        *prot |= (uint8_t)(text[i] == letters[i] ? 1 << i : 0);
    }
    *flags = text[3] == 's' ? VT_REGION_SHARED : 0;
    return good;
}

const char *vt_word_op(enum vt_change_op op)
{
    return op == VT_CHANGE_MADE    ? "+"
           : op == VT_CHANGE_GONE  ? "-"
           : op == VT_CHANGE_MOVED ? ">"
                                   : "~";
}

bool vt_word_op_parse(char op)
{
    return op && strchr("+-~>", op);
}

enum vt_program_type vt_word_program_parse(const char *word)
{
    for (int type = VT_PROGRAM_UNKNOWN; type <= VT_PROGRAM_PIE; type++)
        if (!strcmp(word, vt_program_type_name((enum vt_program_type)type)))
            return (enum vt_program_type)type;
    return VT_PROGRAM_UNKNOWN;
}
