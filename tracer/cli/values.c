/*
 * values.c - hides the grammars of options' values, and where the words come
 * from that such a value may be.
 */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include <vastrace/recording.h>
#include <vastrace/session.h>
#include <vastrace/sink.h>

/* ---- placeholders -------------------------------------------------------------- */

static const char *format_word(size_t index)
{
    return vt_sink_format_names()[index];
}

static const char *kind_word(size_t index)
{
    return index < VT_KIND_COUNT ? vt_kind_name((uint8_t)index) : NULL;
}

/* The n-th word is word(n), null behind the last. */
static const struct value {
    const char *name;
    enum cli_offer offer;
    const char *(*word)(size_t index);
} values[] = {
    {"FILE", CLI_OFFER_FILE, NULL},
    {"RUN", CLI_OFFER_RUN, NULL},
    {"PID", CLI_OFFER_PID, NULL},
    {"PROGRAM", CLI_OFFER_PROGRAM, NULL},
    {"FORMAT", CLI_OFFER_WORD, format_word},
    {"WHEN", CLI_OFFER_WORD, vt_when_word},
    {"KIND", CLI_OFFER_LIST, kind_word},
    {"CAUSE", CLI_OFFER_LIST, vt_session_event_name},
    {"ADDRESS", CLI_OFFER_NOTHING, NULL},
    {"DEPTH", CLI_OFFER_NOTHING, NULL},
    {"RUNS", CLI_OFFER_NOTHING, NULL},
    {"TIME", CLI_OFFER_NOTHING, NULL},
    {"N", CLI_OFFER_NOTHING, NULL},
};

static void add_word(struct vt_buf *words, const char *word, size_t length)
{
    if (words->length)
        vt_buf_char(words, ' ');
    vt_buf_add(words, word, length);
}

enum cli_offer cli_offer(const char *placeholder, struct vt_buf *words)
{
    const char *name = placeholder + strspn(placeholder, "[=");
    size_t length = strcspn(name, ",[]");

    if (islower((unsigned char)*name)) {
        for (size_t size; *name; name += size + (name[size] == '|')) {
            size = strcspn(name, "|");
            add_word(words, name, size);
        }
        return CLI_OFFER_WORD;
    }
    for (size_t i = 0; i < VT_COUNTOF(values); i++) {
        const struct value *v = &values[i];
        if (strlen(v->name) != length || memcmp(v->name, name, length))
            continue;
        const char *word;
        for (size_t n = 0; v->word && (word = v->word(n)); n++)
            add_word(words, word, strlen(word));
        return v->offer;
    }
    return CLI_OFFER_UNKNOWN;
}

int cli_choice(const struct cli_command *command, int id, const char *text)
{
    const struct cli_option *option = command->options;
    while (option->id != id)
        option++;
    size_t length = strlen(text), size;
    int index = 0;
    for (const char *word = option->value;; word += size + 1, index++) {
        size = strcspn(word, "|");
        if (size == length && !memcmp(word, text, size))
            return index;
        if (!word[size])
            break;
    }

    /* "a, b or c" */
    struct vt_buf words = {0};
    for (const char *word = option->value;; word += size + 1) {
        size = strcspn(word, "|");
        vt_buf_add(&words, word, size);
        if (!word[size])
            break;
        vt_buf_str(&words, strchr(word + size + 1, '|') ? ", " : " or ");
    }
    cli_error("--%s %s: give %s", option->name, text, vt_buf_cstr(&words));
    vt_buf_deinit(&words);
    return -1;
}

/* ---- grammars -------------------------------------------------------------------- */

bool cli_number(const char *text, long low, long high, long *value)
{
    char *end;
    errno = 0;
    *value = strtol(text, &end, 10);
    return isdigit((unsigned char)*text) && !*end && !errno && *value >= low && *value <= high;
}

bool cli_duration_ns(const char *option, const char *text, int64_t *ns)
{
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (end != text && !strcmp(end, "ms"))
        seconds /= 1000;
    else if (end == text || (*end && strcmp(end, "s")))
        seconds = -1;
    if (errno || !(seconds > 0) || seconds > 1e9) {
        cli_error("%s %s: not a time; give seconds as in 2.5, or 300ms", option, text);
        return false;
    }
    *ns = (int64_t)(seconds * 1e9);
    return true;
}

bool cli_addresses(const char *text, vt_addr *start, vt_addr *end)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    char *stop;
    *start = strtoull(text, &stop, 16);
    bool good = stop != text && *text && strchr(digits, *text);
    *end = *start + 1;
    if (good && *stop == '-') {
        const char *past = stop + 1;
        *end = strtoull(past, &stop, 16);
        good = stop != past && *past && strchr(digits, *past) && *end > *start;
    }
    if (good && !*stop && *end)
        return true;
    cli_error("%s is no address; give one in hexadecimal, as in 7ffff7a00000, or a range as in "
              "7ffff7a00000-7ffff7a10000",
              text);
    return false;
}

bool cli_kinds(const char *list, uint32_t *mask)
{
    if (!*list) {
        cli_error("--kinds needs a list of kinds, as in --kinds heap,anon");
        return false;
    }
    while (*list) {
        size_t length = strcspn(list, ",");
        int kind = vt_kind_parse(list, length);
        if (kind < 0) {
            struct vt_buf words = {0};
            cli_offer("KIND", &words);
            cli_error("--kinds: there is no kind %.*s; the kinds are: %s", (int)length, list,
                      vt_buf_cstr(&words));
            vt_buf_deinit(&words);
            return false;
        }
        *mask |= UINT32_C(1) << kind;
        list += length + (list[length] == ',');
    }
    return true;
}

char **cli_causes(const char *list)
{
    size_t count = 2, length = strlen(list);
    for (const char *p = list; *p; p++)
        count += *p == ',';
    char **causes = calloc(1, count * sizeof(*causes) + length + 1);
    if (!causes) {
        cli_error("out of memory");
        return NULL;
    }
    char *text = memcpy(causes + count, list, length); /* calloc has ended it */
    size_t n = 0;
    for (char *save, *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (!vt_session_knows_event(word)) {
            cli_error("--events: %s is neither a system call nor one of exec attach fork thread "
                      "fault exit detach resync signal",
                      word);
            free(causes);
            return NULL;
        }
        causes[n++] = word;
    }
    if (n)
        return causes;
    cli_error("--events needs a list of causes, as in --events mmap,munmap,brk,fault");
    free(causes);
    return NULL;
}
