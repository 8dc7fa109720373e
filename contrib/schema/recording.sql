-- recording.sql - the schema of a vastrace recording (run.vas), an SQLite 3 database.
--
-- vastrace creates its recordings from this very file, so what stands here is what is there.
-- A recording may be opened while it is being written (read-only, please: `sqlite3 -readonly
-- run.vas`), and stays readable if the tracer is killed: run.complete is then 0, and the tables
-- hold what was told up to a fraction of a second before.
--
-- HOW TO READ IT
--   events    what happened, in order; events.seq is the number that `--at '#812'` takes
--   regions   every piece of memory ever mapped, as a rectangle: an address range times a lifetime
--   objects   the files and special names behind regions
--   Everything else hangs on these three. The views at the end join them for human eyes.
--
-- UNITS AND TYPES
--   time          nanoseconds since the start of the run (run.start_unix_ns is its wall-clock time)
--   sizes         bytes
--   addresses     SQLite's integers are signed, addresses are not: an address is stored as the
--                 signed integer with the same 64 bits. Addresses of programs (below 2^63) are
--                 their own value and compare as they are. In the kernel's half (the one region
--                 there is [vsyscall], at ffffffffff600000) they are negative. "start <= A AND
--                 A < end" is right for both; ORDER BY start < 0, start sorts both rightly;
--                 printf('%x', start) prints the address
--   names         bytes from the traced program, unescaped: TEXT where they are valid UTF-8,
--                 otherwise BLOB
--   flags         0 no, 1 yes
--   NULL          not known, or does not apply, as each column says
--   moments       a region is there after event N if made_event <= N and (ended_event IS NULL
--                 or ended_event > N)
--
-- THREE QUESTIONS
--   Which calls mapped most, and how much of it is still there at the end?
--     SELECT e.cause, count(*) AS pieces, sum(r.end - r.start) AS bytes,
--            sum((r.end - r.start) * (r.ended_event IS NULL OR e2.cause = 'exit')) AS still_there
--     FROM regions r JOIN events e ON e.seq = r.origin_event
--     LEFT JOIN events e2 ON e2.seq = r.ended_event
--     GROUP BY e.cause ORDER BY bytes DESC;
--
--   Who has ever owned the address 7f0012345678, and when?
--     SELECT * FROM lifetimes
--     WHERE first <= 0x7f0012345678 AND 0x7f0012345678 < past ORDER BY made_event;
--
--   How did the mapped memory of the run grow? (one row every 10 milliseconds)
--     SELECT time / 10000000 * 10 AS ms, max(mapped) / 1048576.0 AS mib
--     FROM events GROUP BY 1;
--
-- VERSIONS
--   PRAGMA application_id is 0x76617372 ("vasr"); PRAGMA user_version is the version of this
--   schema. A version adds tables or columns and keeps the meaning of those there are; vastrace
--   reads this version and older ones and refuses newer ones.
--     2  the table build_ids

PRAGMA application_id = 0x76617372;
PRAGMA user_version = 2;

-- One row: the run as a whole.
CREATE TABLE run (
    id             INTEGER PRIMARY KEY, -- 1
    version        TEXT NOT NULL,     -- of vastrace
    kernel         TEXT NOT NULL,     -- uname's release
    machine        TEXT NOT NULL,     -- uname's machine
    page_size      INTEGER NOT NULL,  -- bytes
    aslr           INTEGER,           -- /proc/sys/kernel/randomize_va_space
    aslr_disabled  INTEGER NOT NULL,  -- launched with --no-aslr
    max_map_count  INTEGER,           -- /proc/sys/vm/max_map_count
    start_unix_ns  INTEGER NOT NULL,  -- wall-clock time of time 0, nanoseconds since 1970
    launched       INTEGER NOT NULL,  -- 1: the program of table command; 0: attached to
    verify         INTEGER NOT NULL,  -- --verify
    multiple       INTEGER NOT NULL,  -- attached to several processes
    partial        INTEGER NOT NULL,  -- 1: a filter (--events, --kinds) left changes out, and
                                      -- regions are not all there were
    complete       INTEGER NOT NULL,  -- 0 until the trace has come to its end
    -- The rest is set at the end, together with complete.
    duration       INTEGER,           -- nanoseconds
    events         INTEGER,           -- told, before a filter
    left_out       INTEGER,           -- of these, not recorded, because of --events or --kinds
    processes      INTEGER,           -- ever traced
    threads        INTEGER,
    stops          INTEGER,           -- at which the map could be compared with the kernel's
    compared       INTEGER,           -- of these, compared (--verify)
    agreed         INTEGER,           -- of these, alike
    resyncs        INTEGER,           -- times the map was set right from the kernel's
    uncertain      INTEGER,           -- events whose order the kernel does not tell
    lost           INTEGER,           -- things that should have been read and could not be
    interrupted    TEXT               -- why the trace ended before the program; NULL: it did not
);

-- The command line of the launched program, a row an argument.
CREATE TABLE command (
    position  INTEGER PRIMARY KEY, -- 0: the program
    argument                       -- a name
);

-- Kinds of memory by number, as events.changes has them; elsewhere the name stands.
CREATE TABLE kinds (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL
);

-- Processes, in order of appearance. A process id that was used again is another row.
CREATE TABLE processes (
    id                 INTEGER PRIMARY KEY,
    pid                INTEGER NOT NULL, -- in the tracer's PID namespace
    first_event        INTEGER NOT NULL,
    -- The rest is set when it ended or was left.
    end_event          INTEGER,          -- NULL: the recording ends before it does
    ended              TEXT,             -- 'exit' or 'detach'
    wait_status        INTEGER,          -- as of wait(2): exit status << 8, or a signal's number
    lifetime           INTEGER,          -- nanoseconds since it was first seen
    name,                                -- the program's file name
    root               INTEGER,          -- the launched program, or one named by -p
    bytes              INTEGER,          -- mapped, just before the end
    peak_bytes         INTEGER,          -- mapped at most
    usable_peak_bytes  INTEGER,          -- likewise, PROT_NONE not counted
    events             INTEGER,
    sp_first           INTEGER,          -- address: the main thread's first stack pointer; 0 unknown
    sp_lowest          INTEGER,          -- address: the lowest seen at a stop; 0 unknown
    stack_low          INTEGER,          -- addresses: the bounds of the main stack's region
    stack_high         INTEGER,
    stops              INTEGER,          -- as in run, of this process
    compared           INTEGER,
    agreed             INTEGER,
    resyncs            INTEGER,
    uncertain          INTEGER,
    lost               INTEGER
);

-- What a process had of each kind, all its spaces taken together; made - gone = bytes.
CREATE TABLE kind_totals (
    process     INTEGER NOT NULL, -- processes.id
    kind        TEXT NOT NULL,
    regions     INTEGER NOT NULL, -- just before the end
    bytes       INTEGER NOT NULL, -- likewise
    peak_bytes  INTEGER NOT NULL,
    made_count  INTEGER NOT NULL, -- changes that made such memory, the opening layout too
    made_bytes  INTEGER NOT NULL,
    gone_count  INTEGER NOT NULL, -- changes that removed it; the end of the process does not count
    gone_bytes  INTEGER NOT NULL,
    PRIMARY KEY (process, kind)
) WITHOUT ROWID;

-- The deepest stacks of a process's threads, deepest first; with 16 there may have been more.
CREATE TABLE stack_uses (
    process    INTEGER NOT NULL, -- processes.id
    position   INTEGER NOT NULL, -- 0: deepest
    tid        INTEGER NOT NULL,
    main       INTEGER NOT NULL, -- the kernel's own stack, which grows
    low        INTEGER NOT NULL, -- addresses: the bounds of its region
    high       INTEGER NOT NULL,
    floor      INTEGER NOT NULL, -- address: the lowest it may reach; 0 no limit
    sp_lowest  INTEGER NOT NULL, -- address: the lowest seen at a stop
    PRIMARY KEY (process, position)
) WITHOUT ROWID;

-- Threads, in order of appearance. The main thread is one.
CREATE TABLE threads (
    id           INTEGER PRIMARY KEY,
    process      INTEGER NOT NULL, -- processes.id
    tid          INTEGER NOT NULL,
    first_event  INTEGER NOT NULL
);

-- Address spaces. Threads share one, and so does a vfork child until its exec.
CREATE TABLE spaces (
    id           INTEGER PRIMARY KEY,
    first_event  INTEGER NOT NULL
);

-- Which address space a process had, and when.
CREATE TABLE process_spaces (
    process     INTEGER NOT NULL, -- processes.id
    space       INTEGER NOT NULL, -- spaces.id
    from_event  INTEGER NOT NULL,
    to_event    INTEGER,          -- the first one at which it is not its space any more; NULL: none
    PRIMARY KEY (process, from_event)
) WITHOUT ROWID;

-- The programs that processes executed, or ran when they were attached to.
CREATE TABLE programs (
    event       INTEGER PRIMARY KEY, -- events.seq of the exec or attach
    process     INTEGER NOT NULL,    -- processes.id
    path,                                -- a name: the target of /proc/PID/exe
    type        TEXT NOT NULL,       -- unknown, static, static-pie, dynamic (not PIE), pie
    class_bits  INTEGER NOT NULL,    -- 32 or 64; 0 unknown
    images      INTEGER NOT NULL,    -- ELF images mapped, vdso not counted
    regions     INTEGER NOT NULL,    -- regions of the new map
    left_space  INTEGER NOT NULL     -- spaces.id: the space before, if it ended with this; else 0
);

-- The system calls that occur, each calling convention's for itself.
CREATE TABLE calls (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    abi        TEXT NOT NULL,     -- x86_64, i386, x32
    number     INTEGER NOT NULL,
    arg_count  INTEGER NOT NULL,  -- how many arguments are told, 0..6
    arg1       TEXT,              -- their names: addr, length, ...
    arg2       TEXT,
    arg3       TEXT,
    arg4       TEXT,
    arg5       TEXT,
    arg6       TEXT
);

-- What happened, in order. The columns that most questions need stand first, since SQLite goes
-- through a row from its beginning.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY, -- 1, 2, ...; numbers that a filter has left out are missing
    time       INTEGER NOT NULL,
    process    INTEGER NOT NULL,    -- processes.id
    space      INTEGER NOT NULL,    -- spaces.id; 0 unknown
    cause      TEXT NOT NULL,       -- a call's name, or exec attach fork thread fault exit detach
                                    -- resync signal
    regions    INTEGER,             -- regions in the space after the event, neighbours alike in
                                    -- permissions, backing and kind counted as one
    stack      INTEGER,             -- stacks.id: the functions that were active (--stacks)
    changes    BLOB,                -- what became of which range, packed: see below. NULL: nothing
    thread     INTEGER NOT NULL,    -- threads.id
    uncertain  INTEGER NOT NULL,    -- other memory calls were under way: the cause is a guess
    call       INTEGER,             -- calls.id
    arg1       INTEGER,             -- its arguments, as signed numbers
    arg2       INTEGER,
    arg3       INTEGER,
    arg4       INTEGER,
    arg5       INTEGER,
    arg6       INTEGER,
    result     INTEGER,             -- what it returned; NULL: no call, or it failed
    error      INTEGER,             -- its errno; NULL: it did not fail
    sp         INTEGER,             -- address: the thread's stack pointer
    sp_on      INTEGER NOT NULL,    -- which stack sp is on: 0 unknown, 1 the thread's own, 2 its
                                    -- alternate signal stack, 3 another one (coroutines)
    ip         INTEGER,             -- address: its instruction pointer
    mapped     INTEGER NOT NULL,    -- bytes mapped in the space, after the event
    heap       INTEGER NOT NULL,    -- bytes from the heap's start to the break, in whole pages
    parent     INTEGER,             -- fork, thread: the creator's tid
    shares     INTEGER NOT NULL,    -- thread: it is a process of its own that shares the space
    note       TEXT                 -- a remark for eyes
);

-- events.changes, for programs (in SQL, use the view `changes`). One change after the other;
-- u8 is a byte, v a number of up to 64 bits in LEB128 (7 bits a byte, low ones first, the high
-- bit says that more follow).
--   u8  op       '+' made, '-' gone, '~' altered, '>' moved
--   u8  bits     1: moved, and the source stays mapped, emptied; 2: image and bias follow
--   v   start    address
--   v   length   bytes
--   the state before, unless op is '+':
--       v  start, for op '>' only: where the pages were
--       u8 permissions: 1 r, 2 w, 4 x, + 8 * flags: 1 shared, others as in regions.flags
--       u8 kinds.id    v objects.id, 0: none    v offset into the file
--   the state after, unless op is '-': as before, without a start
--   where bits say so:  v objects.id of the image   v its load bias

-- SIGSEGV and SIGBUS, with what was at the bad address.
CREATE TABLE faults (
    event        INTEGER PRIMARY KEY, -- events.seq; its cause is signal
    signal       INTEGER NOT NULL,
    code         INTEGER NOT NULL,    -- si_code of sigaction(2)
    sender       INTEGER NOT NULL,    -- the process that sent it; 0: a fault, or unknown
    address      INTEGER,             -- the bad address; NULL: the kernel gave none
    verdict      TEXT NOT NULL,       -- null, unmapped, guard, permission, ...
    from_start   INTEGER NOT NULL,    -- all that ever lay there would be known
    stack_limit  INTEGER NOT NULL,    -- bytes: RLIMIT_STACK; 0 unknown
    file_size    INTEGER NOT NULL,    -- bytes of the mapped file, where that matters
    past_event   INTEGER,             -- the last event that changed the address; NULL: none
    past_time    INTEGER,
    past_pid     INTEGER,
    past_tid     INTEGER,
    past_cause   TEXT,
    past_op      TEXT,                -- '+', '-', '~', '>'
    past_perm    INTEGER              -- '~': the permissions it left (1 r, 2 w, 4 x)
);

-- The regions around a bad address.
CREATE TABLE fault_regions (
    event   INTEGER NOT NULL, -- faults.event
    role    TEXT NOT NULL,    -- here, below, above; past: what the last change took
    start   INTEGER NOT NULL, -- address
    end     INTEGER NOT NULL, -- address, exclusive
    perm    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    flags   INTEGER NOT NULL, -- as in regions
    object  INTEGER,          -- objects.id
    offset  INTEGER NOT NULL,
    PRIMARY KEY (event, role)
) WITHOUT ROWID;

-- What lies behind regions. Private anonymous memory has none.
CREATE TABLE objects (
    id         INTEGER PRIMARY KEY,
    type       TEXT NOT NULL,     -- 'file' (device, inode and path) or 'special' ([vdso] and its like)
    dev_major  INTEGER NOT NULL,  -- as in /proc/PID/maps
    dev_minor  INTEGER NOT NULL,
    inode      INTEGER NOT NULL,
    page_size  INTEGER NOT NULL,  -- above the run's for huge pages; 0 unknown
    name                          -- as the kernel tells it, " (deleted)" included
);

-- ELF images, where they were loaded. Their regions have regions.image = id.
CREATE TABLE images (
    id           INTEGER PRIMARY KEY,
    space        INTEGER NOT NULL, -- spaces.id
    object       INTEGER NOT NULL, -- objects.id
    bias         INTEGER NOT NULL, -- address at run time - address in the file
    first_event  INTEGER NOT NULL
);

-- The sections of an ELF file by what they are for, at the file's own addresses (add images.bias).
CREATE TABLE parts (
    object  INTEGER NOT NULL, -- objects.id
    start   INTEGER NOT NULL, -- address
    end     INTEGER NOT NULL, -- address, exclusive; bytes, not whole pages
    kind    TEXT NOT NULL,
    PRIMARY KEY (object, start, end, kind)
) WITHOUT ROWID;

-- Call stacks: which functions were active. Equal ones are one row.
CREATE TABLE stacks (
    id   INTEGER PRIMARY KEY,
    end  TEXT NOT NULL        -- complete, or why there are no more frames: depth, no-tables, ...
);

-- The frames of each stack, innermost first.
CREATE TABLE stack_frames (
    stack     INTEGER NOT NULL, -- stacks.id
    position  INTEGER NOT NULL, -- 0: innermost
    frame     INTEGER NOT NULL, -- frames.id
    PRIMARY KEY (stack, position)
) WITHOUT ROWID;

-- Places in code that were active. The same place of the same file is one row in all processes.
CREATE TABLE frames (
    id           INTEGER PRIMARY KEY,
    object       INTEGER,          -- objects.id of the image; NULL: code of no file
    address      INTEGER NOT NULL, -- return address, as the file counts where there is one
    interrupted  INTEGER NOT NULL, -- execution was at address itself, not in the call before it
    function,                      -- a name: the symbol that holds it; NULL: not known
    offset       INTEGER NOT NULL, -- of address in the function, bytes
    file,                          -- a name: the source; NULL: not known
    line         INTEGER NOT NULL  -- 0: not known
);

-- What tells the files that frames are in from later ones of the same name: `--debug-files` of
-- report, history, diff and export looks source lines up in a file with the same build ID alone.
CREATE TABLE build_ids (
    object    INTEGER PRIMARY KEY, -- objects.id; of other files none is known
    build_id  BLOB NOT NULL        -- contents of its ELF note NT_GNU_BUILD_ID, 64 bytes at most
);

-- Functions whose body the compiler put into a frame's function, innermost first.
CREATE TABLE inlined (
    frame     INTEGER NOT NULL, -- frames.id
    position  INTEGER NOT NULL, -- 0: innermost
    function,                   -- a name
    file,                       -- a name; NULL: not known
    line      INTEGER NOT NULL, -- 0: not known
    PRIMARY KEY (frame, position)
) WITHOUT ROWID;

-- Every piece of memory, from the event that put it where it was, as it was, to the one that
-- changed that. Where a part of a region was unmapped, altered or moved, the region is cut, and
-- each piece has the lifetime that it really had; pieces alike that touch were one region.
CREATE TABLE regions (
    id            INTEGER PRIMARY KEY,
    space         INTEGER NOT NULL, -- spaces.id
    start         INTEGER NOT NULL, -- address
    end           INTEGER NOT NULL, -- address, exclusive
    perm          TEXT NOT NULL,    -- 'rw-p', as in /proc/PID/maps
    kind          TEXT NOT NULL,    -- text, heap, anon, ...
    flags         INTEGER NOT NULL, -- 2: grows downwards by faults; 4: made to be a thread's stack;
                                    -- 8: inferred to be a heap of one of malloc's arenas
    object        INTEGER,          -- objects.id; NULL: private anonymous memory
    offset        INTEGER NOT NULL, -- of start in the object's file
    image         INTEGER,          -- images.id; NULL: no part of an ELF image
    made_event    INTEGER NOT NULL, -- events.seq
    made_by       TEXT NOT NULL,    -- '+' newly mapped; '~' altered; '>' moved here
    origin_event  INTEGER NOT NULL, -- the event that first mapped this memory, whatever became of it
    moved_from    INTEGER,          -- address: where a moved piece was
    ended_event   INTEGER,          -- NULL: still there at the end of the recording
    ended_by      TEXT              -- '-' unmapped; '~' altered; '>' moved away
);

-- ---- for human eyes ------------------------------------------------------------------------

-- Events with the ids that the system gave, and times in seconds.
CREATE VIEW timeline AS
SELECT e.seq, e.time / 1e9 AS seconds, p.pid, t.tid, e.space, e.cause, e.error, e.mapped, e.heap,
       e.regions, e.note
FROM events e JOIN processes p ON p.id = e.process JOIN threads t ON t.id = e.thread;

-- Regions with times in seconds and addresses in words; first and past are the bounds as numbers.
CREATE VIEW lifetimes AS
SELECT r.id, r.space, printf('%x-%x', r.start, r.end) AS range, r.end - r.start AS bytes, r.perm,
       r.kind, o.name AS object, r.made_event, m.cause AS made_cause, m.time / 1e9 AS made_seconds,
       r.ended_event, x.cause AS ended_cause, x.time / 1e9 AS ended_seconds,
       (x.time - m.time) / 1e9 AS lived_seconds, r.origin_event, r.start AS first, r.end AS past
FROM regions r LEFT JOIN objects o ON o.id = r.object
LEFT JOIN events m ON m.seq = r.made_event LEFT JOIN events x ON x.seq = r.ended_event;

-- What each event did. A range that was cut later shows here in its pieces.
CREATE VIEW changes AS
SELECT made_event AS event, made_by AS op, space, start, end, perm, kind, object, offset
FROM regions
UNION ALL
SELECT ended_event, ended_by, space, start, end, perm, kind, object, offset
FROM regions WHERE ended_by = '-';

-- Who is behind a stack's number: a row a frame, innermost first.
CREATE VIEW callers AS
SELECT s.stack, s.position, f.function, o.name AS object, printf('%x', f.address) AS address,
       f.file, f.line
FROM stack_frames s JOIN frames f ON f.id = s.frame LEFT JOIN objects o ON o.id = f.object;

-- Bytes that are mapped at the end (of the recording, or just before each process's exit).
CREATE VIEW remaining AS
SELECT r.space, r.kind, count(*) AS pieces, sum(r.end - r.start) AS bytes
FROM regions r LEFT JOIN events x ON x.seq = r.ended_event
WHERE r.ended_event IS NULL OR x.cause = 'exit'
GROUP BY r.space, r.kind;
