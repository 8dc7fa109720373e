// format.js - quantities in words, as the other outputs of vastrace have them.
// Addresses are numbers of pages ("units" of 4096 bytes) wherever they bound memory, since every
// one of these is exact in a double; plain byte addresses are used for stack pointers alone.

const UNIT = 4096;

function hexUnits(units) {
    return units === 0 ? '0' : units.toString(16) + '000';
}

function rangeText(start, end) {
    return hexUnits(start) + '-' + hexUnits(end);
}

// "4.0K", "132.0K", "1.5M": at most six columns.
function sizeText(bytes) {
    const units = 'BKMGTPE';
    let unit = 0;
    if (bytes < 1024)
        return bytes ? bytes + 'B' : '0';
    while (bytes >= 1024 && unit < 6) {
        bytes /= 1024;
        unit++;
    }
    if (bytes >= 999.95) {
        bytes = Math.round(bytes);
        if (bytes >= 1024 && unit < 6) {
            bytes = 1;
            unit++;
        } else {
            return bytes + units[unit];
        }
    }
    return bytes.toFixed(1) + units[unit];
}

// A size that says every byte: 16K, 1536K, 4097.
function exactSize(value) {
    let unit = 0;
    while (value && unit < 6 && value % 1024n === 0n) {
        value /= 1024n;
        unit++;
    }
    return value + (unit ? ' KMGTPE'[unit] : '');
}

function durationText(ns) {
    if (ns < 999.5)
        return Math.round(ns) + ' ns';
    if (ns < 999500)
        return trimmed(ns / 1e3) + ' µs';
    if (ns < 999.95e6)
        return trimmed(ns / 1e6) + ' ms';
    if (ns < 59.995e9)
        return (ns / 1e9).toFixed(2) + ' s';
    const seconds = Math.round(ns / 1e9);
    return seconds < 3600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s`
                          : `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
}

function trimmed(value) {
    return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

// Seconds since the start, to the microsecond, as in the text timeline.
function secondsText(ns) {
    return (ns / 1e9).toFixed(6);
}

function countText(count, one, many) {
    return `${count.toLocaleString('en')} ${count === 1 ? one : many || one + 's'}`;
}

function percentText(part, whole) {
    if (!whole)
        return '0 %';
    const percent = 100 * part / whole;
    return (percent >= 10 ? percent.toFixed(0) : percent >= 1 ? percent.toFixed(1)
                                                              : percent.toFixed(2)) + ' %';
}

function permText(prot, flags) {
    return (prot & 1 ? 'r' : '-') + (prot & 2 ? 'w' : '-') + (prot & 4 ? 'x' : '-') +
           (flags & 1 ? 's' : 'p');
}

// The last part of a path; names such as [vdso] stay.
function baseName(name) {
    if (name[0] === '[')
        return name;
    const deleted = name.endsWith(' (deleted)') ? ' (deleted)' : '';
    const path = deleted ? name.slice(0, -deleted.length) : name;
    return path.slice(path.lastIndexOf('/') + 1) + deleted;
}

// A round step for an axis: 1, 2 or 5 times a power of ten, at least `least`.
function roundStep(least) {
    const power = Math.pow(10, Math.floor(Math.log10(least)));
    for (const factor of [1, 2, 5, 10])
        if (power * factor >= least)
            return power * factor;
    return power * 10;
}

// ---- elements: all text of the tracee's goes through textContent -------------------------

function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className)
        made.className = className;
    if (text !== undefined)
        made.textContent = text;
    return made;
}

function byId(id) {
    return document.getElementById(id);
}
