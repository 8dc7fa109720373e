// main.js - what belongs together on the page: the chosen process, the moment, what is pinned and
// hidden, and what can be done with them.

const BURST = 0.03; // half of the events in this share of the time

class Tip {
    constructor(box) {
        this.box = box;
    }
    show(x, y, lines) {
        this.box.replaceChildren(...lines.map(([name, text]) => element('div', name, text)));
        this.box.hidden = false;
        const {width, height} = this.box.getBoundingClientRect();
        const left = x + 16 + width > innerWidth ? x - 14 - width : x + 16;
        const top = y + 16 + height > innerHeight ? y - 12 - height : y + 16;
        this.box.style.left = Math.max(4, left) + 'px';
        this.box.style.top = Math.max(4, top) + 'px';
    }
    hide() {
        this.box.hidden = true;
    }
}

class Page {
    constructor(trace, lifetimes) {
        this.trace = trace;
        this.lifetimes = lifetimes;
        this.processes = findProcesses(trace);
        this.views = new Map();
        this.hidden = new Set();
        this.tip = new Tip(byId('tip'));
        this.picture = new Picture(byId('picture'), byId('overlay'));
        this.bytes = new BytesChart(byId('bytes'));
        this.layout = new LayoutPanel(byId('layout'), byId('layout-title'));
        this.flame = new FlameGraph(byId('flames'), byId('flame'), this.tip);
        this.table = new EventTable(byId('rows'), byId('body'), byId('spacer'));
        this.history = new HistoryPanel(byId('entries'), byId('history-title'));
        this.flameMode = 'moment';
        this.byTime = true;
        this.tab = 'events';
        this.wanted = new Set();
        this.dark = matchMedia('(prefers-color-scheme: dark)').matches;
        this.setTheme(this.dark);
        this.describe();
        this.listProcesses();
        this.listen();
        if (this.processes.length)
            this.choose(this.bestProcess());
    }

    // ---- what does not change ----

    describe() {
        const {run, end, count, duration} = this.trace, facts = byId('facts');
        const command = run.command ? run.command.map(shellWord).join(' ')
                                    : 'attached to ' + this.processes.filter(p => p.root).map(p => `${p.name} (${p.pid})`).join(', ');
        byId('command').textContent = command;
        byId('command').title = command;
        document.title = `${run.command ? baseName(run.command[0]) : command} - vastrace`;
        const fact = (text, mark, title) => {
            const made = element('span', mark, text);
            if (title)
                made.title = title;
            facts.append(made);
        };
        fact(`Linux ${run.kernel} ${run.machine}`);
        fact(new Date(run.startMs).toISOString().replace('T', ' ').slice(0, 19) + ' UTC');
        fact(durationText(duration));
        fact(countText(count, 'event'));
        fact(countText(end ? end.processes : this.processes.length, 'process', 'processes') + ', ' +
             countText(end ? end.threads : new Set(this.trace.threads.map(t => t.tid)).size, 'thread'));
        fact(run.aslrDisabled ? 'ASLR off (--no-aslr)' : run.aslr < 0 ? 'ASLR not known' : `ASLR ${run.aslr ? 'on' : 'off'}`);
        if (!end) {
            fact('cut short: the tracer ended before it could finish this page; what had happened until then is here', 'bad');
            return;
        }
        const exact = end.exactness;
        if (!exact.compared)
            fact('not compared with the kernel (--verify does)');
        else if (exact.agreed === exact.compared)
            fact(`${exact.agreed.toLocaleString('en')} of ${exact.stops.toLocaleString('en')} stops agreed with the kernel`, 'good');
        else
            fact(`${(exact.compared - exact.agreed).toLocaleString('en')} of ${countText(exact.compared, 'stop')} differed from the kernel`, 'bad');
        for (const [value, text] of [[exact.resyncs, 'set right from the kernel'], [exact.uncertain, 'uncertain in order'],
                                     [exact.lost, 'lost']])
            if (value)
                fact(`${value} ${text}`, 'bad');
        if (end.interrupted)
            fact('ended early: ' + end.interrupted, 'bad');
        if (this.trace.partial)
            fact('filtered: what the filter left out is missing here', 'bad');
    }
    listProcesses() {
        const select = byId('process');
        this.processes.forEach((process, i) => {
            let depth = 0;
            for (let p = process.parent; p && depth < 6; p = p.parent)
                depth++;
            const option = element('option', '', '\u00a0\u00a0'.repeat(depth) + `${process.name} (${process.pid})` +
                                                 (process.how && process.how !== 'exited 0' ? ', ' + process.how : ''));
            option.value = i;
            select.append(option);
        });
        byId('process-field').hidden = byId('every-field').hidden = this.processes.length < 2;
    }
    bestProcess() {
        // The launched one, unless another had by far more to tell.
        let best = Math.max(0, this.processes.findIndex(process => process.root));
        this.processes.forEach((process, i) => {
            if (process.events > 4 * this.processes[best].events && this.processes[best].events < 100)
                best = i;
        });
        return best;
    }

    // ---- choices ----

    choose(i) {
        const process = this.processes[i];
        this.chosen = i;
        byId('process').value = i;
        if (!this.views.has(process))
            this.views.set(process, new View(this.trace, this.lifetimes, process));
        this.view = this.views.get(process);
        this.byTime = this.choseScale ? this.byTime : !this.isBurst();
        this.window = new Window(this.view, this.byTime);
        this.showScale();
        this.event = this.view.last;
        this.pinned = null;
        this.hover = null;
        this.fixed = false;
        this.picture.highlight = null;
        this.listKinds();
        this.apply();
        this.filter();
        this.select(this.event, false);
    }
    setTheme(dark) {
        this.dark = dark;
        document.documentElement.classList.toggle('dark', dark);
        this.theme = new Theme(this.trace.run, dark);
        if (this.view)
            this.listKinds();
    }
    switchTheme() {
        this.setTheme(!this.dark);
        this.apply();
        this.want('flame');
    }
    apply() {
        const {view, window: shown, theme, hidden} = this;
        this.picture.set(view, shown, theme, hidden);
        this.bytes.set(view, shown, theme, hidden);
        this.layout.set(view, theme, hidden);
        this.table.set(view, theme);
        this.flameStale = true;
        this.want('picture', 'moment', 'table', 'history');
    }
    listKinds() {
        const legend = byId('legend'), present = new Set(this.view.kind);
        legend.replaceChildren();
        this.legendSizes = [];
        this.trace.run.kinds.forEach((name, kind) => {
            if (!present.has(kind))
                return;
            const button = element('button');
            button.type = 'button';
            button.setAttribute('aria-pressed', String(!this.hidden.has(kind)));
            button.title = 'Press to hide or show; with Shift: this one alone';
            const size = element('span', 'size');
            button.append(this.theme.swatch(kind, 12), element('span', '', name), size);
            this.legendSizes[kind] = size;
            button.addEventListener('click', event => {
                const alone = event.shiftKey && !(this.hidden.size === present.size - 1 && !this.hidden.has(kind));
                if (event.shiftKey)
                    this.hidden = new Set(alone ? [...present].filter(other => other !== kind) : []);
                else if (!this.hidden.delete(kind))
                    this.hidden.add(kind);
                this.listKinds();
                this.apply();
                legend.querySelectorAll('button')[[...present].sort((a, b) => a - b).indexOf(kind)].focus();
            });
            legend.append(button);
        });
    }
    // Do most events lie so close together that by the clock none could be told from another?
    isBurst() {
        const {view, trace} = this, {first} = view.process, w = new Window(view, true);
        const middle = new Window(view, false).eventAt((w.view.order ? w.view.order[first] + w.view.order[view.last]
                                                                     : first + view.last) / 2);
        return trace.time.data[middle] - trace.time.data[first] < BURST * (w.endX - w.startX);
    }
    showScale() {
        byId('by-time').setAttribute('aria-pressed', String(this.byTime));
        byId('by-event').setAttribute('aria-pressed', String(!this.byTime));
    }
    setByTime(byTime) {
        this.byTime = byTime;
        this.choseScale = true;
        const events = [this.window.eventAt(this.window.x0), this.window.eventAt(this.window.x1)];
        const whole = this.window.isWhole, {u0, u1} = this.window;
        this.window = new Window(this.view, byTime);
        if (!whole)
            this.window.show(this.window.xOf(events[0]), this.window.xOf(events[1] + 1), u0, u1);
        this.showScale();
        this.apply();
    }
    setMoment(event, fixed) {
        const {process} = this.view;
        this.event = Math.min(Math.max(event, process.first), this.view.last);
        if (fixed !== undefined)
            this.fixed = fixed;
        this.want('moment');
    }
    // Choose an event: its moment is pinned, its details are shown.
    select(event, fixed = true) {
        this.table.selected = event;
        this.setMoment(event, fixed);
        this.detail(event);
        this.table.reveal(event);
    }
    pin(rect) {
        this.pinned = rect;
        this.fixed = true;
        this.want('moment');
    }
    letGo() {
        if (this.pinned !== null || this.fixed || this.picture.highlight) {
            this.pinned = null;
            this.fixed = false;
            this.clearHistory();
        } else {
            this.window.reset();
            this.want('picture');
        }
        this.want('moment');
    }
    setTab(name) {
        this.tab = name;
        for (const other of ['events', 'flame', 'history']) {
            byId('tab-' + other).setAttribute('aria-selected', String(other === name));
            byId('tab-' + other).tabIndex = other === name ? 0 : -1;
            byId(other).hidden = byId('tools-' + other).hidden = other !== name;
        }
        this.want('table', 'flame');
    }
    setFlame(mode) {
        this.flameMode = mode;
        for (const other of ['moment', 'peak', 'all'])
            byId('flame-' + other).setAttribute('aria-pressed', String(other === mode));
        this.flameStale = true;
        this.want('flame');
    }
    search(text) {
        const range = parseRange(text);
        byId('address').classList.toggle('wrong', !range && text.trim() !== '');
        if (!range) {
            this.clearHistory();
            return;
        }
        this.range = range;
        this.picture.highlight = range;
        this.setTab('history');
        this.want('over', 'history');
    }
    clearHistory() {
        this.range = null;
        this.picture.highlight = null;
        byId('address').value = '';
        byId('history-title').textContent = 'Type an address above (key: a), or press Enter on a pinned region.';
        byId('entries').replaceChildren();
        this.want('over', 'history');
    }
    filter() {
        const text = byId('filter').value;
        const count = this.table.filter(text, !byId('every').checked);
        byId('count').textContent = countText(count, 'event');
    }

    // ---- drawing, at most once a frame ----

    want(...parts) {
        for (const part of parts)
            this.wanted.add(part);
        if (!this.frame)
            this.frame = requestAnimationFrame(() => this.drawWanted());
    }
    drawWanted() {
        const wanted = this.wanted;
        this.frame = 0;
        this.wanted = new Set();
        if (!this.view)
            return;
        const begun = performance.now();
        if (wanted.has('picture')) {
            this.picture.draw();
            this.bytes.draw();
        }
        if (wanted.has('picture') || wanted.has('moment') || wanted.has('over'))
            this.picture.drawOver(this.window.xOf(this.event), this.hover, this.pinned, this.box);
        if (wanted.has('moment'))
            this.drawMoment();
        if (wanted.has('table') && this.tab === 'events')
            this.table.draw();
        if (this.tab === 'flame' && (wanted.has('flame') || (this.flameMode === 'moment' && wanted.has('moment'))))
            this.drawFlame();
        if (wanted.has('history') && this.tab === 'history' && this.range) {
            this.history.show(this.view, this.theme, this.range);
            byId('history-clear').hidden = false;
        }
        if (wanted.has('history') && !this.range)
            byId('history-clear').hidden = true;
        this.drawTime = performance.now() - begun;
    }
    drawMoment() {
        const {trace, view, event} = this;
        byId('moment').textContent = `after #${trace.seq(event).toLocaleString('en')} ${trace.causeName(event)}, ` +
                                     `${durationText(trace.time.data[event])}${this.fixed ? ', pinned' : ''}`;
        byId('unpin').hidden = !this.fixed;
        this.layout.show(event, this.pinned !== null ? this.pinned : this.hover);
        const bytes = view.bytesAt(event);
        this.legendSizes.forEach((size, kind) => size.textContent = sizeText(bytes[kind]));
        if (this.flameMode === 'moment')
            this.flameStale = true;
    }
    drawFlame() {
        if (this.flameStale) {
            this.flame.set(buildFlame(this.view, this.flameMode, this.event, this.hidden), this.theme);
            this.flameStale = false;
        }
        const {root} = this.flame;
        byId('flame-title').textContent = `${sizeText(root.bytes)} in ${countText(root.pieces, 'piece')}` +
            (this.flameMode === 'moment' ? `, after #${this.trace.seq(this.event)}` :
             this.flameMode === 'peak' ? `, after #${this.trace.seq(this.view.peakEvent)}` : '') +
            (this.trace.stacks.size ? '' : ' · with -k: by call stacks');
        this.flame.draw();
    }

    detail(event) {
        if (event < 0 || event >= this.trace.count)
            return;
        const past = this.trace.changesOf(event)[1];
        byId('detail').replaceChildren(...eventDetail(this.trace, event, this.table.words(event, past, past)));
    }

    // ---- what is done by the mouse, by keys and by buttons ----

    listen() {
        new Input(this);
        byId('process').addEventListener('change', event => this.choose(Number(event.target.value)));
        byId('search').addEventListener('submit', event => {
            event.preventDefault();
            this.search(byId('address').value);
        });
        byId('address').addEventListener('input', event => {
            const text = event.target.value;
            if (!text.trim() || parseRange(text))
                this.search(text);
        });
        byId('filter').addEventListener('input', () => this.filter());
        byId('every').addEventListener('change', () => this.filter());
        const press = (id, action) => byId(id).addEventListener('click', action);
        press('theme', () => this.switchTheme());
        press('help-button', () => this.help());
        press('by-time', () => this.setByTime(true));
        press('by-event', () => this.setByTime(false));
        press('zoom-in', () => this.zoomBoth(0.6));
        press('zoom-out', () => this.zoomBoth(1 / 0.6));
        press('zoom-all', () => { this.window.reset(); this.want('picture'); });
        press('unpin', () => this.letGo());
        press('history-clear', () => this.clearHistory());
        for (const name of ['events', 'flame', 'history'])
            press('tab-' + name, () => this.setTab(name));
        for (const mode of ['moment', 'peak', 'all'])
            press('flame-' + mode, () => this.setFlame(mode));
        this.table.onselect = event => this.select(event);
        this.layout.onpick = rect => this.pin(rect);
        this.history.onselect = (event, rect) => {
            this.pin(rect);
            this.select(event);
        };
        byId('entries').addEventListener('keydown', event => {
            if (event.key === 'Enter')
                event.target.click();
        });
        new ResizeObserver(() => this.want('picture', 'table', 'flame')).observe(byId('picture-box'));
        matchMedia('(prefers-color-scheme: dark)').addEventListener('change', event => {
            this.setTheme(event.matches);
            this.apply();
        });
        addEventListener('beforeprint', () => this.forPrint(true));
        addEventListener('afterprint', () => this.forPrint(false));
        this.setTab('events');
    }
    forPrint(printing) {
        if (printing)
            this.wasDark = this.dark;
        document.documentElement.classList.toggle('printing', printing);
        this.picture.printing = printing;
        this.setTheme(printing ? false : this.wasDark);
        this.apply();
        if (this.tab === 'flame')
            this.want('flame');
        this.drawWanted();
    }
    panPixels(dx, dy) {
        const w = this.window, p = this.picture;
        w.pan(dx / p.plotWidth * (w.x1 - w.x0), -dy / p.plotHeight * (w.u1 - w.u0));
        this.want('picture');
    }
    zoomBoth(factor, addressesToo = true) {
        const w = this.window, x = w.xOf(this.event);
        w.zoomX(x >= w.x0 && x <= w.x1 ? x : (w.x0 + w.x1) / 2, factor);
        if (addressesToo)
            w.zoomU((w.u0 + w.u1) / 2, factor);
        this.want('picture');
    }
    zoomTo(rect) {
        const w = this.window, view = this.view;
        const x0 = w.xOf(view.t0[rect]), x1 = w.xOf(view.t1[rect]);
        const u0 = view.u0[rect], u1 = view.u1[rect];
        w.show(x0 - (x1 - x0) * 0.08, x1 + (x1 - x0) * 0.08, u0 - (u1 - u0) * 0.3, u1 + (u1 - u0) * 0.3);
    }
    pinnedHistory() {
        if (this.pinned === null) {
            this.setMoment(this.event, true);
            return;
        }
        const text = rangeText(this.view.start(this.pinned), this.view.end(this.pinned));
        byId('address').value = text;
        this.search(text);
    }
    stepEvent(step) {
        let event = this.event + step;
        while (event > this.view.process.first && event < this.view.last && !this.view.owns(event))
            event += step;
        this.select(Math.min(Math.max(event, this.view.process.first), this.view.last));
    }
    help() {
        byId('help-keys').replaceChildren(...HELP.flatMap(([keys, text]) => [element('kbd', '', keys), element('span', '', text)]));
        byId('help').showModal();
    }
}

async function main() {
    const text = byId('loading-text'), bar = byId('loading-bar');
    const progress = (what, from, share) => async part => {
        text.textContent = what;
        bar.value = from + share * part;
        await new Promise(resolve => setTimeout(resolve));
    };
    const begun = performance.now();
    try {
        const bytes = decodeBase64(document.querySelectorAll('script.trace'));
        const trace = await readTrace(bytes, progress('reading the trace …', 0, 0.5));
        if (!trace.run)
            throw new Error('there is no trace in this page: it ended before anything was told');
        const lifetimes = await readLifetimes(trace, progress('finding lifetimes …', 0.5, 0.5));
        window.vastrace = new Page(trace, lifetimes); // for scripts and the console
        document.body.classList.remove('loading');
        window.vastrace.want('picture', 'moment', 'table');
        window.vastrace.loadTime = performance.now() - begun;
    } catch (error) {
        text.textContent = 'This page cannot be shown: ' + error.message;
        bar.hidden = true;
        throw error;
    }
}

document.addEventListener('DOMContentLoaded', main);
