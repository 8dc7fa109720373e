/*
 * main.c - where the command line enters. A map of the house:
 *
 *   include/vastrace/      the public library: errors, layouts, events, sinks, sessions, recordings
 *   tracer/base/           base.h buf.h escape.h error.c: what every layer needs
 *   tracer/model/          layout.c   the interval map of one address space
 *                          memop.c    the kernel's rules, call by call
 *                          kind.c     what a region is for
 *                          maps.c     the text of /proc/PID/maps
 *                          objects.c  interned files and names; names.c words
 *                          entropy.c  what a sample of addresses proves
 *   tracer/engine/         engine.c   ptrace: waits, stops, resuming, detaching
 *                          spawn.c    starting a program; signals.c the tracer's own
 *                          arch_x86.c call numbers, decoding, the seccomp filter
 *                          procmap.c  the kernel's word on a map; proc.c other facts
 *   tracer/image/          elf.c      untrusted ELF files; cache.c, open.c finding them
 *                          unwind.c   up a stack: by unwind_tables.c what files say, cfi.c doing it
 *                          symbols.c  names of addresses; demangle.c as they were written
 *                          source_lines.c lines and inlined functions of addresses, with
 *                          line_rows.c running line number programs
 *                          debug_file.c what was stripped; debug_info.c that for libdw
 *   tracer/recording/      writer.c   events to rows; rows.c rows to an SQLite file
 *                          cast.c     who is there; catalog.c what is a row once
 *                          rectangles.c pieces of memory; tiles.c those still open
 *                          source.c   untrusted files; row.c values
 *                          tables.c   what is kept of them; reader.c hands it out
 *                          walk.c     through events and regions; events.c whole ones again
 *                          moment.c   the map at a moment; history.c, diff.c other questions
 *                          report.c   an account, with account.c, ledger.c, findings.c
 *                          db.c, words.c, pack.c what both ways share; pairs.c a hash table
 *   tracer/sinks/          sink.c     outputs; one file a format; picture.c layouts,
 *                          which picture_cells.c divides, picture_boxes.c orders,
 *                          picture_area.c folds and picture_paint.c draws
 *                          text.c     the timeline; text_*.c its parts, and the summary
 *                          columns.c  text on a terminal; style.c its colours; json.c values
 *                          html.c     a page for browsers, which page/ is
 *                          spaces.c   what is mapped, in pieces; sites.c who mapped it
 *                          protobuf.c messages as bytes; names.c strings by number
 *                          aslr.c     ASLR judged; aslr_text.c, aslr_json.c formats
 *   tracer/session/        live.c     what each stop means, and the events that come of it
 *                          tasks.c    processes, threads and the spaces they hold
 *                          turns.c    order among calls; memcall.c one call from entry to return
 *                          totals.c   made, gone and the most of each kind
 *                          space.c    one address space: model, images, kernel
 *                          emit.c     filter and queue to the sinks
 *                          stacks.c   call stacks, each once; own_stack.c whose a stack pointer is
 *                          placement.c which processors the tracer's threads run on
 *                          snapshot.c a live process's map without tracing
 *                          aslr.c     many launches, to where each part lies
 *                          replay.c   a recording to the sinks
 *                          lines.c    source lines of recorded stacks, looked up afterwards
 *   tracer/cli/            commands.c the table of subcommands
 *                          options.c  parsing and help from tables; errors.c messages
 *                          values.c   what options' values may be
 *                          trace.c    `vastrace PROGRAM` and `vastrace -p PID`
 *                          layout.c   `vastrace layout RUN`, `vastrace layout PID`
 *                          history.c, diff.c `vastrace history RUN` and so on
 *                          report.c   `vastrace report RUN`; report_text.c, report_json.c
 *                          export.c   `vastrace export RUN`, to other formats
 *                          progress.c how far a long question is
 *                          page.c     lines in columns, recordings opened; stack.c call stacks
 *                          aslr.c     `vastrace aslr PROGRAM`
 */
#include <string.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    for (size_t i = 1; argc > 1 && cli_commands[i]; i++)
        if (!strcmp(argv[1], cli_commands[i]->name))
            return cli_commands[i]->run(cli_commands[i], argc - 1, argv + 1);
    return cli_trace.run(&cli_trace, argc, argv);
}
