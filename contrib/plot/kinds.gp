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
# below the program break. It reads the file twice a kind, so for a million rows take vasplot; this
# is a start for plots of one's own.

if (!exists("csv")) csv = "vastrace.csv"
if (!exists("out")) out = "vastrace.png"

set datafile separator comma
set datafile columnheaders
set macros
set y2range [0:1]
MiB = 2.0**20

if (!exists("pid")) {
    stats csv using (column("pid")) every ::0::0 nooutput
    pid = int(STATS_min)
}

# Kinds in the order in which they are stacked, and the palette that vasplot has.
kinds = "text rodata relro data bss tls vdso vvar vsyscall other file shm stack" \
    . " thread-stack heap anon"
closed = "guard reserve"
colors = "0c5ca4 34acf9 a5e4ff 004028 369865 c4e7c3 3a3a3a 5a5a5a 3a3a3a 767676 797683 b6aba6" \
    . " 600b66 c287c6 ce4e09 f8c151"

# 1 if the kind in a cell is one of a list's.
among(kind, list) = kind ne "" && strstrt(" ".list." ", " ".kind." ") > 0 ? 1 : 0
# By how much the row changes what the process has of the kinds in a list.
stays(op, word) = op eq ">" && word eq "1"
delta(list) = column("pid") != pid || strcol("op") eq "" ? 0 : column("size") \
    * (among(strcol("kind"), list) \
       - (stays(strcol("op"), strcol("source_stays")) ? 0 : among(strcol("kind_before"), list)))
# The running sum; row 0 begins it anew.
sum = 0
total(list) = (sum = ($0 == 0 ? 0 : sum) + delta(list), sum)
# The break after the row; rows of other processes leave it.
below = 0
heap(_) = (below = $0 == 0 ? 0 : column("pid") == pid ? column("break") : below, below)

# Which kinds there are, and how much of each at most.
present = ""
present_colors = ""
peaks = ""
do for [i = 1 : words(kinds)] {
    kind = word(kinds, i)
    stats csv using (total(kind)) nooutput
    if (STATS_max > 0) {
        present = present . " " . kind
        present_colors = present_colors . " " . word(colors, i)
        peaks = peaks . sprintf(" %.0f", STATS_max)
    }
}
stats csv using (total(closed)) nooutput
closed_peak = STATS_max
peak = peak_time = 0
top(sum) = sum > peak ? (peak = sum, peak_time = column("time"), sum) : sum
stats csv using (column("time")):(top(total(kinds))) nooutput
last = STATS_max_x

upto(n) = n == 0 ? "" : upto(n - 1) . " " . word(present, n)
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
n = words(present)
plot for [i = n : 1 : -1] csv using (column("time")):(total(upto(i)) / MiB) with fillsteps \
         linecolor rgb "#".word(present_colors, i) \
         title word(present, i)."  ".human(real(word(peaks, i))) noenhanced, \
     csv using (column("time")):(heap(0) / MiB) with steps \
         linewidth 2.5 linecolor rgb "#7a1f00" title "program break", \
     for [i = 1 : closed_peak > 0 ? 1 : 0] csv \
         using (column("time")):(total(closed) / MiB) axes x1y2 \
         with steps dashtype 2 linewidth 1.5 linecolor rgb "#202020" \
         title "PROT_NONE  ".human(closed_peak) noenhanced
