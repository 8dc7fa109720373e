/*
 * json.h - JSON's values, as all formats of ours write them.
 */
#ifndef SINKS_JSON_H
#define SINKS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include <vastrace/event.h>

/* The name of an object's first member, a literal without anything to escape. */
#define VT_JSON_FIRST(out, name) vt_buf_add(out, "{\"" name "\":", sizeof("{\"" name "\":") - 1)

/* The name of a member that is not its object's first, a literal without anything to escape. */
#define VT_JSON_NAME(out, name) vt_buf_add(out, ",\"" name "\":", sizeof(",\"" name "\":") - 1)

void vt_json_int(struct vt_buf *out, int64_t value);
void vt_json_bool(struct vt_buf *out, bool value);
void vt_json_hex(struct vt_buf *out, uint64_t value); /* "0x7f..." */
void vt_json_hex_or_null(struct vt_buf *out,
                         uint64_t value);                 /* null for 0, where 0 is "not known" */
void vt_json_word(struct vt_buf *out, const char *word);  /* of ours: needs no escaping */
void vt_json_text(struct vt_buf *out, const char *bytes); /* escaped; null for a null pointer */
void vt_json_exactness(struct vt_buf *out, const struct vt_exactness *exact);

#endif
