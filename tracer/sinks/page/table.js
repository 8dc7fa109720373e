// table.js - events in rows. Only the rows in sight exist, so that a million scroll like ten.

const ROW = 20;
const SCROLL_MOST = 8e6; // pixels: browsers draw nothing beyond some tens of millions

class EventTable {
    constructor(scroller, body, spacer) {
        this.scroller = scroller;
        this.body = body;
        this.spacer = spacer;
        this.rows = new Int32Array(0);
        this.selected = -1;
        this.onselect = () => {};
        scroller.addEventListener('scroll', () => this.draw());
        body.addEventListener('click', event => {
            const row = event.target.closest('[data-event]');
            if (row)
                this.onselect(Number(row.dataset.event));
        });
        scroller.addEventListener('keydown', event => {
            const step = {ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10}[event.key];
            if (!step || !this.rows.length)
                return;
            event.preventDefault();
            event.stopPropagation();
            const at = Math.min(Math.max(this.rowOf(this.selected) + step, 0), this.rows.length - 1);
            this.onselect(this.rows[at]);
        });
    }
    set(view, theme) {
        this.view = view;
        this.trace = view.trace;
        this.theme = theme;
    }

    // Words that have to be in an event's cause, kinds, names, or be its pid or tid.
    filter(text, ownOnly) {
        const {trace, view} = this, words = text.toLowerCase().split(/\s+/).filter(word => word);
        const tests = words.map(word => this.testOf(word));
        const rows = new Column(Int32Array);
        for (let event = 0; event < trace.count; event++) {
            if (ownOnly && !view.owns(event))
                continue;
            let fits = true;
            for (let i = 0; i < tests.length && fits; i++)
                fits = tests[i](event);
            if (fits)
                rows.push(event);
        }
        this.rows = rows.data.subarray(0, rows.length);
        this.spacer.style.height = Math.min(this.rows.length * ROW, SCROLL_MOST) + 'px';
        this.scroller.scrollTop = 0;
        this.draw();
        return this.rows.length;
    }
    testOf(word) {
        const {trace} = this;
        if (/^#\d+$/.test(word)) {
            const seq = Number(word.slice(1));
            return event => trace.seq(event) === seq;
        }
        const causes = [], objects = trace.objects.map(object => object.name.toLowerCase().includes(word));
        for (let i = 0; i < trace.run.causes.length; i++)
            causes[i] = trace.run.causes[i].includes(word);
        trace.calls.forEach((call, i) => causes[FIRST_CALL + i] = call.name.includes(word));
        const states = trace.states.map(state => objects[state.object] ||
                                                 trace.run.kinds[state.kind].includes(word));
        const threads = trace.threads.map(thread => String(thread.pid) === word || String(thread.tid) === word);
        return event => {
            if (causes[trace.cause.data[event]] || threads[trace.thread.data[event]])
                return true;
            const [first, past] = trace.changesOf(event);
            for (let change = first; change < past; change++) {
                const before = trace.before.data[change], after = trace.after.data[change];
                if ((before >= 0 && states[before]) || (after >= 0 && states[after]) ||
                    (trace.image.has(change) && objects[trace.image.get(change)]))
                    return true;
            }
            return false;
        };
    }

    rowOf(event) {
        let low = 0, high = this.rows.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.rows[middle] < event)
                low = middle + 1;
            else
                high = middle;
        }
        return Math.min(low, Math.max(this.rows.length - 1, 0));
    }
    // Which row is at the top: beyond SCROLL_MOST the bar is a share of all.
    get firstRow() {
        const whole = this.rows.length * ROW, top = this.scroller.scrollTop;
        if (whole <= SCROLL_MOST)
            return top / ROW;
        const room = this.scroller.clientHeight;
        return top / (SCROLL_MOST - room) * (this.rows.length - room / ROW);
    }
    reveal(event) {
        const row = this.rowOf(event), shown = Math.floor(this.scroller.clientHeight / ROW) - 1;
        const first = this.firstRow;
        if (row < first || row > first + shown - 1) {
            const whole = this.rows.length * ROW, target = Math.max(0, row - shown / 2);
            const room = this.scroller.clientHeight;
            this.scroller.scrollTop = whole <= SCROLL_MOST ? target * ROW
                : target / (this.rows.length - room / ROW) * (SCROLL_MOST - room);
        }
        this.draw();
    }
    draw() {
        if (!this.view)
            return;
        const first = Math.max(0, Math.floor(this.firstRow));
        const past = Math.min(this.rows.length, first + Math.ceil(this.scroller.clientHeight / ROW) + 1);
        const made = document.createDocumentFragment();
        for (let i = first; i < past; i++)
            made.append(this.row(this.rows[i]));
        const whole = this.rows.length * ROW;
        const top = whole <= SCROLL_MOST ? first * ROW : this.scroller.scrollTop;
        this.body.style.transform = `translateY(${top}px)`;
        this.body.replaceChildren(made);
    }
    row(event) {
        const {trace} = this, thread = trace.threadOf(event);
        const row = element('div', 'row' + (event === this.selected ? ' selected' : ''));
        row.dataset.event = event;
        row.setAttribute('role', 'row');
        const cell = (name, text) => {
            const made = element('span', 'cell ' + name, text);
            made.setAttribute('role', 'cell');
            row.append(made);
            return made;
        };
        cell('seq', '#' + trace.seq(event));
        cell('time', secondsText(trace.time.data[event]));
        cell('tid', thread.pid === thread.tid ? String(thread.pid) : `${thread.pid}/${thread.tid}`);
        cell('cause', (trace.has.data[event] & HAS.DOUBT ? '? ' : '') + trace.causeName(event));
        const [first, past] = trace.changesOf(event);
        if (first === past) {
            for (const name of ['op', 'kind', 'size', 'range', 'perm'])
                cell(name, '');
        } else {
            const op = trace.op.data[first], start = trace.start.data[first];
            const size = trace.size.data[first];
            const state = trace.states[op === OP.GONE ? trace.before.data[first] : trace.after.data[first]];
            cell('op', OP_MARK[op]);
            const kind = cell('kind', '');
            const dot = element('span', 'dot');
            dot.style.backgroundColor = this.theme.kinds[state.kind].css;
            kind.append(dot, trace.run.kinds[state.kind]);
            cell('size', sizeText(size * UNIT));
            cell('range', rangeText(start, start + size));
            cell('perm', permText(state.prot, state.flags));
        }
        cell('what', this.words(event, first, past)).title = this.words(event, first, past);
        return row;
    }
    words(event, first, past) {
        const {trace} = this, words = [], extra = trace.extras.get(event);
        if (past > first) {
            const op = trace.op.data[first];
            const state = trace.states[op === OP.GONE ? trace.before.data[first] : trace.after.data[first]];
            const object = state.object || trace.image.get(first) || 0;
            if (object)
                words.push(baseName(trace.objects[object].name));
            if (op === OP.ALTERED) {
                const was = trace.states[trace.before.data[first]];
                if (was.prot !== state.prot)
                    words.push('was ' + permText(was.prot, was.flags));
                if (was.kind !== state.kind)
                    words.push('was ' + trace.run.kinds[was.kind]);
            }
            if (op === OP.MOVED)
                words.push('from ' + hexUnits(trace.from.get(first)));
            if (past - first > 1)
                words.push(`+${past - first - 1} more`);
        }
        if (extra) {
            if (extra.path !== undefined)
                words.unshift(`${extra.path}: ${extra.program}`);
            if (extra.how)
                words.unshift(`${extra.name} ${extra.how}`);
            if (extra.text)
                words.unshift(extra.text);
            if (extra.parent)
                words.unshift(`by ${extra.parent}`);
        }
        if (trace.cause.data[event] >= FIRST_CALL && past === first) {
            const call = trace.callOf(event);
            words.push(callText(call, trace.run.words) + (call.failed ? ' ' + resultText(call, trace.run.words) : ''));
        }
        if (trace.notes.has(event))
            words.push(trace.notes.get(event));
        return words.join('  ');
    }
}

// "mprotect(addr=7ffff7fb2000, length=16K, prot=r--)"; `words` are the trace's names for values.
function callText(call, words) {
    return call.name + '(' + call.args.map(([name, value]) =>
        `${name}=${argumentText(call.name, name, value, words)}`).join(', ') + ')';
}

function resultText(call, words) {
    if (call.failed)
        return `failed: ${words.errors[call.result] || 'errno ' + call.result}`;
    return '= ' + (call.result > 65535n ? '0x' + call.result.toString(16) : String(call.result));
}

function argumentText(call, name, value, words) {
    if (/addr|start|brk/.test(name))
        return value.toString(16);
    if (/len|size/.test(name))
        return exactSize(value);
    if (name === 'fd')
        return String(BigInt.asIntN(32, value));
    if (/prot/.test(name) && value < 8n)
        return permText(Number(value), 0).slice(0, 3);
    if (name === 'flags' && /mmap/.test(call))
        return [words.mapType[value & 15n] || numberText(value & 15n),
                ...bitNames(value & ~15n, words.mmap)].join('|');
    if (name === 'flags' && /mremap/.test(call))
        return bitNames(value, words.mremap).join('|') || '0';
    if (/advice|behavior/.test(name))
        return words.advice[value] || numberText(value);
    if (name === 'option' && /prctl/.test(call))
        return words.prctl[value] || numberText(value);
    return numberText(value);
}

function bitNames(value, names) {
    const found = [];
    for (const [bit, name] of Object.entries(names))
        if (value & BigInt(bit)) {
            found.push(name);
            value &= ~BigInt(bit);
        }
    return value ? [...found, numberText(value)] : found;
}

function numberText(value) {
    return value > 9n ? '0x' + value.toString(16) : String(value);
}
