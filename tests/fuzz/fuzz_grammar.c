/*
 * fuzz_grammar.c - the small languages of the command line. The first byte says
 * which; what is accepted is what its words mean, and what is not makes one line.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/values.h"
#include "fuzz.h"
#include <vastrace/recording.h>
#include <vastrace/session.h>

static void try_addresses(const char *text)
{
    vt_addr start, end, again_start, again_end;
    char range[64];
    if (!cli_addresses(text, &start, &end))
        return;
    FUZZ_CHECK(start < end);
    snprintf(range, sizeof(range), "%" PRIx64 "-%" PRIx64, start, end);
    FUZZ_CHECK(cli_addresses(range, &again_start, &again_end));
    FUZZ_CHECK(again_start == start && again_end == end);
}

static void try_duration(const char *text)
{
    int64_t ns = -1;
    if (cli_duration_ns("--duration", text, &ns))
        FUZZ_CHECK(ns >= 0 && ns <= INT64_C(1000000000000000000));
}

static void try_kinds(const char *text)
{
    uint32_t mask = 0;
    if (cli_kinds(text, &mask))
        FUZZ_CHECK(mask && !(mask >> VT_KIND_COUNT));
}

static void try_causes(const char *text)
{
    char **causes = cli_causes(text);
    for (size_t i = 0; causes && causes[i]; i++)
        FUZZ_CHECK(vt_session_knows_event(causes[i]) && !strchr(causes[i], ','));
    FUZZ_CHECK(!causes || causes[0]);
    free(causes);
}

static void try_number(const char *text)
{
    long number;
    if (cli_number(text, -5, 1000000, &number))
        FUZZ_CHECK(number >= 0 && number <= 1000000); /* no sign is a digit */
}

static void try_moment(const char *text)
{
    struct vt_when when;
    if (!vt_when_parse(text, &when))
        return;
    if (when.type == VT_WHEN_TIME)
        FUZZ_CHECK(when.value <= INT64_MAX);
    else if (when.type != VT_WHEN_EVENT)
        FUZZ_CHECK(!strcmp(text, vt_when_word((size_t)when.type)));
}

static void try_offer(const char *text)
{
    struct vt_buf words = {0};
    enum cli_offer offer = cli_offer(text, &words);
    FUZZ_CHECK(offer <= CLI_OFFER_PROGRAM);
    FUZZ_CHECK(offer == CLI_OFFER_WORD || offer == CLI_OFFER_LIST || !words.length);
    vt_buf_deinit(&words);
}

static void (*const grammars[])(const char *) = {try_addresses, try_duration, try_kinds, try_causes,
                                                 try_number,    try_moment,   try_offer};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    if (!size)
        return 0;
    if (!nowhere)
        FUZZ_CHECK(nowhere = fopen("/dev/null", "we"));
    char *text = strndup((const char *)data + 1, size - 1); /* up to a NUL, as arguments are */
    FUZZ_CHECK(text);
    FILE *before = stderr;
    stderr = nowhere; /* messages are not looked at */
    grammars[data[0] % (sizeof(grammars) / sizeof(grammars[0]))](text);
    stderr = before;
    free(text);
    return 0;
}
