/*
 * db.c - hides SQLite's codes and the schema's text.
 */
#include "recording/db.h"

#include <errno.h>
#include <string.h>

const char vt_recording_schema[] = {
#include "recording_sql.inc"
    0};

const struct vt_table_words vt_tables[VT_TABLE_COUNT] = {
    [VT_TABLE_RUN] = {"run", "ABORT"},
    [VT_TABLE_COMMAND] = {"command", "ABORT"},
    [VT_TABLE_KINDS] = {"kinds", "ABORT"},
    [VT_TABLE_PROCESSES] = {"processes", "REPLACE"},
    [VT_TABLE_KIND_TOTALS] = {"kind_totals", "REPLACE"},
    [VT_TABLE_STACK_USES] = {"stack_uses", "REPLACE"},
    [VT_TABLE_THREADS] = {"threads", "ABORT"},
    [VT_TABLE_SPACES] = {"spaces", "IGNORE"},
    [VT_TABLE_PROCESS_SPACES] = {"process_spaces", "REPLACE"},
    [VT_TABLE_PROGRAMS] = {"programs", "ABORT"},
    [VT_TABLE_CALLS] = {"calls", "ABORT"},
    [VT_TABLE_EVENTS] = {"events", "ABORT"},
    [VT_TABLE_FAULTS] = {"faults", "ABORT"},
    [VT_TABLE_FAULT_REGIONS] = {"fault_regions", "ABORT"},
    [VT_TABLE_OBJECTS] = {"objects", "ABORT"},
    [VT_TABLE_IMAGES] = {"images", "ABORT"},
    [VT_TABLE_PARTS] = {"parts", "IGNORE"},
    [VT_TABLE_STACKS] = {"stacks", "ABORT"},
    [VT_TABLE_STACK_FRAMES] = {"stack_frames", "ABORT"},
    [VT_TABLE_FRAMES] = {"frames", "ABORT"},
    [VT_TABLE_BUILD_IDS] = {"build_ids", "IGNORE"},
    [VT_TABLE_INLINED] = {"inlined", "ABORT"},
    [VT_TABLE_REGIONS] = {"regions", "REPLACE"},
};

/* What is worth its own words, and errno. The text continues "cannot read NAME: ". */
static const struct {
    int code; /* SQLite's primary code */
    int error;
    const char *text; /* null: SQLite's own message */
} meanings[] = {
    {SQLITE_FULL, ENOSPC, "no space is left for it"},
    {SQLITE_NOMEM, ENOMEM, "out of memory"},
    {SQLITE_NOTADB, EINVAL, "it is not a recording, nor any other SQLite database"},
    {SQLITE_CORRUPT, EINVAL, "the file is damaged"},
    {SQLITE_BUSY, EBUSY, "another program holds it locked"},
    {SQLITE_INTERRUPT, EINVAL, "the file is damaged: a search in it does not end"},
    {SQLITE_MISMATCH, EINVAL, "the file is damaged"},
    {SQLITE_READONLY, EROFS,
     "its folder or file cannot be written to, which SQLite needs here: "
     "copy it, with its -wal file, to a folder of your own"},
};

int vt_db_error(sqlite3 *db, int code, const char *what, const char *name, struct vt_error *err)
{
    /* Of a failed read or write SQLite keeps no errno, but it is the last one. */
    int last = errno;
    bool is_last = code == SQLITE_IOERR_READ || code == SQLITE_IOERR_WRITE;
    int system = is_last ? last : db ? sqlite3_system_errno(db) : 0;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if ((code & 0xff) == meanings[i].code)
            return vt_error_set(err, meanings[i].error, "cannot %s \"%s\": %s", what, name,
                                meanings[i].text);
    if (((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN) && system > 0)
        return vt_error_errno(err, system, "cannot %s \"%s\"", what, name);
    return vt_error_set(err, EIO, "cannot %s \"%s\": %s", what, name,
                        db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/* Well-formed UTF-8 (RFC 3629). */
bool vt_db_is_text(const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    while (*at) {
        unsigned follow = *at < 0x80 ? 0 : *at < 0xc2 ? 9 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        unsigned char lead = *at++, least = 0x80, most = 0xbf;
        if (lead == 0xe0)
            least = 0xa0;
        else if (lead == 0xed)
            most = 0x9f; /* surrogates */
        else if (lead == 0xf0)
            least = 0x90;
        else if (lead == 0xf4)
            most = 0x8f;
        if (follow > 3 || lead > 0xf4)
            return false;
        for (; follow; follow--, at++, least = 0x80, most = 0xbf)
            if (*at < least || *at > most)
                return false;
    }
    return true;
}

int vt_db_bind_name(sqlite3_stmt *statement, int column, const char *name)
{
    if (!name)
        return sqlite3_bind_null(statement, column);
    int length = (int)strnlen(name, INT32_MAX / 2);
    if (vt_db_is_text(name))
        return sqlite3_bind_text(statement, column, name, length, SQLITE_TRANSIENT);
    return sqlite3_bind_blob(statement, column, name, length, SQLITE_TRANSIENT);
}
