// history.js - the biography of an address: each owner it ever had, and who made, altered, moved
// and unmapped it.

const HISTORY_MOST = 1000;

// "7ffff7a00000", with or without 0x, or two of these with a dash: {start, end} in bytes; else null.
function parseRange(text) {
    const match = /^\s*(?:0x)?([0-9a-f]{1,16})\s*(?:(?:-|\.\.)\s*(?:0x)?([0-9a-f]{1,16}))?\s*$/i.exec(text);
    if (!match)
        return null;
    const start = BigInt('0x' + match[1]), end = match[2] ? BigInt('0x' + match[2]) : start + 1n;
    if (end <= start)
        return null;
    return {text: match[2] ? `${start.toString(16)}-${end.toString(16)}` : start.toString(16),
            single: !match[2], start: Number(start >> 12n), end: Number((end + 4095n) >> 12n)};
}

// What happened to a range in one process: [{event, op, rect, range}], in order.
function historyOf(view, range) {
    const {trace} = view, entries = [];
    for (let rect = 0; rect < view.count; rect++) {
        if (view.start(rect) >= range.end || view.end(rect) <= range.start)
            continue;
        entries.push({event: view.t0[rect], op: birthOf(view, rect), rect});
        const died = view.t1[rect];
        const end = died < trace.count ? deathOf(view, rect, died) : null;
        if (end)
            entries.push({event: died, op: end, rect});
    }
    const rank = {'gone': 0, 'moved away': 0};
    return entries.sort((a, b) => a.event - b.event || (rank[a.op] ?? 1) - (rank[b.op] ?? 1) ||
                                  view.start(a.rect) - view.start(b.rect));
}

function changeAt(trace, event, test) {
    const [first, past] = trace.changesOf(event);
    for (let change = first; change < past; change++)
        if (test(trace.op.data[change], trace.start.data[change],
                 trace.start.data[change] + trace.size.data[change], change))
            return change;
    return -1;
}

function birthOf(view, rect) {
    const {trace} = view, start = view.start(rect);
    const change = changeAt(trace, view.t0[rect],
                            (op, low, high) => op !== OP.GONE && low <= start && start < high);
    if (change < 0)
        return 'seen'; // a thread or a vfork child came to share the space
    return ['made', '', 'altered', 'moved here'][trace.op.data[change]];
}

// null: it was altered, which the next rectangle tells.
function deathOf(view, rect, event) {
    const {trace, process} = view, start = view.start(rect);
    if (event >= process.end && trace.count > event && process.end === event)
        return changeAt(trace, event, op => op === OP.GONE) >= 0 ? 'gone' : null;
    const altered = changeAt(trace, event, (op, low, high) => op === OP.ALTERED && low <= start && start < high);
    if (altered >= 0)
        return null;
    const moved = changeAt(trace, event, (op, low, high, change) => op === OP.MOVED &&
        trace.from.get(change) <= start && start < trace.from.get(change) + high - low);
    return moved >= 0 ? 'moved away' : 'gone';
}

class HistoryPanel {
    constructor(list, title) {
        this.list = list;
        this.title = title;
        this.onselect = () => {};
        list.addEventListener('click', event => {
            const row = event.target.closest('[data-event]');
            if (row)
                this.onselect(Number(row.dataset.event), Number(row.dataset.rect));
        });
    }
    show(view, theme, range) {
        const {trace} = view, entries = historyOf(view, range);
        const owners = entries.filter(entry => entry.op === 'made' || entry.op === 'moved here').length;
        this.title.textContent = `${range.single ? 'address ' : ''}${range.text} in ${view.process.name} ` +
            `(pid ${view.process.pid}): ` + (entries.length ? `mapped ${countText(owners, 'time')}`
                                                            : 'nothing was ever mapped there');
        const rows = document.createDocumentFragment();
        entries.slice(0, HISTORY_MOST).forEach(entry => rows.append(this.row(view, theme, entry)));
        if (entries.length > HISTORY_MOST)
            rows.append(element('li', 'more', countText(entries.length - HISTORY_MOST, 'more entry', 'more entries')));
        this.list.replaceChildren(rows);
        return entries;
    }
    row(view, theme, {event, op, rect}) {
        const {trace} = view, state = view.stateOf(rect), thread = trace.threadOf(event);
        const row = element('li', 'entry');
        row.dataset.event = event;
        row.dataset.rect = rect;
        row.tabIndex = 0;
        const line = element('div', 'line');
        const mark = {'made': '+', 'gone': '-', 'altered': '~', 'moved here': '>', 'moved away': '>', 'seen': ' '}[op];
        const dot = element('span', 'dot');
        dot.style.backgroundColor = theme.kinds[state.kind].css;
        const name = baseName(view.nameOf(rect));
        line.append(element('span', 'time', secondsText(trace.time.data[event])),
                    element('span', 'seq', '#' + trace.seq(event)),
                    element('span', 'cause', trace.causeName(event)),
                    element('span', 'op', `${mark} ${op}`),
                    element('span', 'size', sizeText(view.bytes(rect))),
                    element('span', 'range', rangeText(view.start(rect), view.end(rect))),
                    element('span', 'perm', permText(state.prot, state.flags)), dot,
                    element('span', 'kind', trace.run.kinds[state.kind] + (name ? ' ' + name : '')),
                    element('span', 'by', `by thread ${thread.tid}`));
        row.append(line);
        const stack = trace.stack.data[event];
        if (stack)
            row.append(element('div', 'frames', stackNames(trace, stack).reverse().slice(0, 8).join(' ← ')));
        return row;
    }
}
