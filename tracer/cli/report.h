/*
 * report.h - the two forms in which `vastrace report` tells an account. Both
 * write to the page and do not end it.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/page.h"

/* For eyes; `path` is the recording as it was named, for the next command worth typing. */
void cli_report_text(struct cli_page *page, const struct vt_recording *recording,
                     const struct vt_report *report, const char *path);

/* One JSON document. */
void cli_report_json(struct cli_page *page, const struct vt_recording *recording,
                     const struct vt_report *report);

#endif
