# kinds.gp - what a program has mapped over time, by kind of memory, drawn by gnuplot.
#
#     vastrace -q -o run.csv -- ./program
#     gnuplot -e "csv='run.csv'; out='run.png'" contrib/plot/kinds.gp
#
# or, from a recording: vastrace export run.vas --to csv -o run.csv
#
#   csv   the trace (default: vastrace.csv)
#   out   the picture, .png, .svg or .pdf (default: vastrace.png)
#   pid   whose memory (default: the first process of the trace)
#
# Usable memory is stacked by kind, on the left scale. What is PROT_NONE (reserves, guards) is a
# dashed line on the right scale: it is often far more than all the rest. A bold line is the heap
# below the program break. The file is read once to add up and to sample (no more moments than can
# be seen, of each stretch of time the one with most), so that a million rows take some ten seconds.
# This is a start for plots of one's own.

if (!exists("csv")) csv = "vastrace.csv"
if (!exists("out")) out = "vastrace.png"

set datafile separator comma
set datafile columnheaders
set macros
set y2range [0:1]
MiB = 2.0**20

stats csv using (column("time")):(column("pid")) nooutput
last = STATS_max_x
if (!exists("pid")) {
    stats csv using (column("pid")) every ::0::0 nooutput
    pid = int(STATS_min)
}

# Kinds in the order in which they are stacked, and the palette that vasplot has; the closed ones
# are PROT_NONE.
kinds = "text rodata relro data bss tls vdso vvar vsyscall other file shm stack" \
    . " thread-stack heap anon guard reserve"
usable = 16
colors = "0c5ca4 34acf9 a5e4ff 004028 369865 c4e7c3 3a3a3a 5a5a5a 3a3a3a 767676 797683 b6aba6" \
    . " 600b66 c287c6 ce4e09 f8c151"

# A kind's number, by where its name begins in the list; 0: none.
array number[strlen(kinds) + 2]
at = 1
do for [i = 1 : words(kinds)] {
    number[at] = i
    at = at + strlen(word(kinds, i)) + 1
}
place(kind) = kind eq "" ? 0 : strstrt(" ".kinds." ", " ".kind." ")

# What the process has of each kind now, and has had at most, and what it had when it had most in
# this stretch of time.
array now[words(kinds)]
array most[words(kinds)]
array best[words(kinds)]
do for [i = 1 : words(kinds)] { now[i] = most[i] = best[i] = 0 }
open = closed = peak = peak_time = closed_peak = below = 0
stretch = -1
told = ""
best_time = best_open = best_below = best_closed = 0

add(i, bytes) = (now[i] = now[i] + bytes, now[i] > most[i] ? (most[i] = now[i]) : 0, \
    i > usable ? (closed = closed + bytes) : (open = open + bytes))
change(place, bytes) = place > 0 ? add(number[place], bytes) : 0
stays(op, word) = op eq ">" && word eq "1"
apply(size) = ( \
    stays(strcol("op"), strcol("source_stays")) ? 0 : change(place(strcol("kind_before")), -size), \
    change(place(strcol("kind")), size))
hold(time) = (best_time = time, best_open = open, best_below = below, \
    sum [j = 1 : words(kinds)] (best[j] = now[j], 0))
# A sample's columns: 2 the time, 3 the break, 4 PROT_NONE, from 5 on the usable kinds.
tell(_) = (told = sprintf("%.9f %.0f %.0f", best_time, best_below, best_closed), \
    sum [j = 1 : usable] (told = told . sprintf(" %.0f", best[j]), 0))
record(time) = (open > peak ? (peak = open, peak_time = time) : 0, \
    closed > closed_peak ? (closed_peak = closed) : 0, \
    closed > best_closed ? (best_closed = closed) : 0, open > best_open ? hold(time) : 0)
# A row of the process; 1 if a stretch has ended before it, whose sample is told.
step(time) = (ended = int(time / last * 2000) != stretch && stretch >= 0, ended ? tell(0) : 0, \
    ended || stretch < 0 ? (stretch = int(time / last * 2000), best_open = best_closed = -1) : 0, \
    strcol("op") ne "" ? apply(column("size")) : 0, below = column("break"), record(time), ended)

set table $samples
plot csv using (ended = column("pid") == pid ? step(column("time")) : 0):(told) \
    with table if (ended)
ended = tell(0)
set table $samples append
plot csv using (0):(told) every ::0::0 with table
unset table

human(bytes) = bytes >= 2**30 ? sprintf("%.1f GiB", bytes / 2.0**30) \
             : bytes >= 2**20 ? sprintf("%.1f MiB", bytes / MiB) \
             : sprintf("%.0f KiB", bytes / 1024.0)

ending = out[strlen(out) - 2 : ]
if (ending eq "svg") {
    set terminal svg size 1000,560 font "DejaVu Sans,11" background "white"
} else {
    if (ending eq "pdf") {
        set terminal pdfcairo size 10,5.6 font "DejaVu Sans,11"
    } else {
        set terminal pngcairo size 1400,790 font "DejaVu Sans,15" background "white"
    }
}
set output out
set encoding utf8
set key outside right top reverse Left samplen 1.5
set style fill solid 1 noborder
set border 3 linecolor "#808080"
set tics nomirror
set grid ytics linecolor "#d0d0d0"
set xlabel "time since the start of the trace (s)"
set ylabel "usable memory (MiB)"
set xrange [0:*]
set yrange [0 : peak * 1.12 / MiB]
if (closed_peak > 0) {
    set border 11
    set y2label "PROT_NONE (MiB)" noenhanced
    set y2tics
    set y2range [0 : closed_peak * 1.25 / MiB]
}
set title sprintf("process %d: %s usable at most", pid, human(peak)) noenhanced
side = peak_time > 0.6 * last ? "right offset character -0.5, 0" : "left offset character 0.5, 0"
set label sprintf("peak %s at %.4g s", human(peak), peak_time) at peak_time, peak * 1.04 / MiB \
    @side front

# The largest sum first: each smaller one is drawn over it, so that what is seen is its difference.
present = ""
do for [i = 1 : usable] { present = most[i] > 0 ? sprintf("%d ", i) . present : present }
upto(n) = sum [j = 1 : n] column(j + 4)
set datafile separator whitespace
unset datafile columnheaders
plot for [i in present] $samples using 2:(upto(int(i)) / MiB) with fillsteps \
         linecolor rgb "#".word(colors, int(i)) \
         title word(kinds, int(i)) . "  " . human(most[int(i)]) noenhanced, \
     $samples using 2:($3 / MiB) with steps \
         linewidth 2.5 linecolor rgb "#7a1f00" title "program break", \
     for [i = 1 : closed_peak > 0 ? 1 : 0] $samples using 2:($4 / MiB) axes x1y2 \
         with steps dashtype 2 linewidth 1.5 linecolor rgb "#202020" \
         title "PROT_NONE  ".human(closed_peak) noenhanced
