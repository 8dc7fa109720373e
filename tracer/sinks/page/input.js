// input.js - the mouse, fingers and keys: what they do is the page's to do.

const HELP = [
    ['wheel, + −', 'zoom time; with Shift or over the addresses: zoom addresses; pinch or Ctrl: both'],
    ['drag, arrows', 'pan; with Shift: zoom to a box'],
    ['double click', 'zoom to a region; again: show all'],
    ['click, Enter', 'pin the moment and the region under it'],
    ['Escape', 'let go, or show all'],
    [', and .', 'the event before, the event after'],
    ['Home, End', 'the first moment, the last'],
    ['p', 'the moment when most was mapped'],
    ['t', 'time by the clock, or each event as wide as another'],
    ['0', 'show all'],
    ['a', 'search an address or a range'],
    ['/', 'filter events'],
    ['1 2 3', 'events, who mapped it, address history'],
    ['[ and ]', 'the process before, the process after'],
    ['d', 'dark or light'],
    ['?', 'this list'],
];

class Input {
    constructor(page) {
        this.page = page;
        this.zoomedTo = null; // the rectangle that a double click zoomed to
        const picture = byId('picture');
        this.listenPointer(picture);
        picture.addEventListener('wheel', event => this.wheel(event), {passive: false});
        byId('bytes-box').addEventListener('wheel', event => this.wheel(event), {passive: false});
        byId('bytes-box').addEventListener('mousemove', event => this.hoverBytes(event));
        byId('bytes-box').addEventListener('mouseleave', () => page.tip.hide());
        picture.addEventListener('dblclick', event => {
            const [rect] = page.picture.under(event.offsetX, event.offsetY);
            if (rect === undefined || this.zoomedTo === rect) {
                this.zoomedTo = null;
                page.window.reset();
            } else {
                this.zoomedTo = rect;
                page.zoomTo(rect);
            }
            page.want('picture', 'moment');
        });
        document.addEventListener('keydown', event => this.key(event));
        this.listenSplitter();
    }
    listenPointer(picture) {
        const {page} = this, pointers = new Map();
        let start = null;
        picture.addEventListener('pointerdown', event => {
            picture.setPointerCapture(event.pointerId);
            pointers.set(event.pointerId, event);
            start = {x: event.offsetX, y: event.offsetY, moved: false, box: event.shiftKey};
        });
        picture.addEventListener('pointermove', event => {
            const before = pointers.get(event.pointerId);
            if (!before) {
                this.point(event);
                return;
            }
            pointers.set(event.pointerId, event);
            if (pointers.size === 2) {
                this.pinch([...pointers.values()], before, event);
                start.moved = true;
                return;
            }
            if (Math.abs(event.offsetX - start.x) + Math.abs(event.offsetY - start.y) > 3)
                start.moved = true;
            if (!start.moved)
                return;
            page.tip.hide();
            if (start.box) {
                page.box = {x: Math.min(start.x, event.offsetX), y: Math.min(start.y, event.offsetY),
                            w: Math.abs(event.offsetX - start.x), h: Math.abs(event.offsetY - start.y)};
                page.want('over');
            } else {
                picture.classList.add('panning');
                page.panPixels(before.offsetX - event.offsetX, before.offsetY - event.offsetY);
            }
        });
        const release = event => {
            pointers.delete(event.pointerId);
            picture.classList.remove('panning');
            if (page.box) {
                const {x, y, w, h} = page.box, p = page.picture;
                page.box = null;
                if (w > 4 && h > 4)
                    page.window.show(p.toX(x), p.toX(x + w), p.toU(y + h), p.toU(y));
                page.want('picture');
            } else if (start && !start.moved && event.type === 'pointerup') {
                this.click(event);
            }
        };
        picture.addEventListener('pointerup', release);
        picture.addEventListener('pointercancel', release);
        picture.addEventListener('pointerleave', () => {
            page.tip.hide();
            page.hover = null;
            page.want('over');
        });
    }
    point(event) {
        const {page} = this, {offsetX: x, offsetY: y} = event;
        if (!page.picture.inPlot(x, y)) {
            page.tip.hide();
            page.hover = null;
            page.want('over');
            return;
        }
        if (!page.fixed)
            page.setMoment(page.window.eventAt(page.picture.toX(x)));
        const rects = page.picture.under(x, y);
        page.hover = rects.length ? rects[0] : null;
        const unit = Math.floor(page.view.axis.toUnit(page.picture.toU(y)));
        byId('where').textContent = `${hexUnits(unit)} at ` +
            durationText(page.trace.time.data[page.window.eventAt(page.picture.toX(x))]);
        if (rects.length)
            page.tip.show(event.clientX, event.clientY, rectLines(page.view, rects));
        else
            page.tip.hide();
        page.want('over');
    }
    hoverBytes(event) {
        const {page} = this, x = event.offsetX;
        if (!page.bytes.drawn || x < GUTTER)
            return;
        const at = page.window.eventAt(page.picture.toX(x)), bytes = page.view.bytesAt(at);
        if (!page.fixed)
            page.setMoment(at);
        const lines = [['strong', `after #${page.trace.seq(at)}, ${durationText(page.trace.time.data[at])}`]];
        let usable = 0, none = 0;
        bytes.forEach((value, kind) => {
            if (NO_ACCESS.has(page.trace.run.kinds[kind]))
                none += value;
            else
                usable += value;
        });
        lines.push(['', `${sizeText(usable)} usable, ${sizeText(none)} PROT_NONE`]);
        [...bytes.keys()].filter(kind => bytes[kind]).sort((a, b) => bytes[b] - bytes[a]).slice(0, 8)
            .forEach(kind => lines.push(['soft', `${page.trace.run.kinds[kind]} ${sizeText(bytes[kind])}`]));
        page.tip.show(event.clientX, event.clientY, lines);
    }
    click(event) {
        const {page} = this, {offsetX: x, offsetY: y} = event;
        if (!page.picture.inPlot(x, Math.min(y, page.picture.plotHeight - 1)))
            return;
        const rects = page.picture.under(x, y);
        const at = page.window.eventAt(page.picture.toX(x));
        page.pinned = rects.length ? rects[0] : null;
        const born = page.pinned !== null ? page.view.t0[page.pinned] : at;
        page.setMoment(page.pinned !== null ? Math.max(at, born) : at, true);
        page.table.selected = born;
        page.detail(born);
        page.table.reveal(born);
    }
    pinch(two, before, event) {
        const {page} = this;
        const w = page.window, p = page.picture, other = two.find(item => item.pointerId !== event.pointerId);
        const spread = (a, b, key) => Math.max(Math.abs(a[key] - b[key]), 30);
        const factor = key => spread(before, other, key) / spread(event, other, key);
        w.zoomX(p.toX((other.offsetX + event.offsetX) / 2), factor('offsetX'));
        w.zoomU(p.toU((other.offsetY + event.offsetY) / 2), factor('offsetY'));
        page.panPixels((before.offsetX - event.offsetX) / 2, (before.offsetY - event.offsetY) / 2);
    }
    wheel(event) {
        const {page} = this;
        event.preventDefault();
        const p = page.picture, w = page.window, inBytes = event.currentTarget.id === 'bytes-box';
        const move = (event.deltaY || event.deltaX) * (event.deltaMode ? 16 : 1);
        const factor = Math.exp(Math.min(Math.max(move, -240), 240) * 0.0022);
        if (event.deltaX && Math.abs(event.deltaX) > Math.abs(event.deltaY) && !event.shiftKey) {
            page.panPixels(event.deltaX, 0);
            return;
        }
        const addresses = !inBytes && (event.shiftKey || event.ctrlKey || event.offsetX < GUTTER);
        if (addresses)
            w.zoomU(p.toU(event.offsetY), factor);
        if (!addresses || event.ctrlKey)
            w.zoomX(p.toX(Math.max(event.offsetX, GUTTER)), factor);
        page.want('picture');
    }
    key(event) {
        const {page} = this;
        const {target} = event;
        if (/^(INPUT|SELECT)$/.test(target.tagName) && target.type !== 'checkbox') {
            if (event.key === 'Escape')
                target.blur();
            return;
        }
        if (event.ctrlKey || event.metaKey || event.altKey || byId('help').open)
            return;
        const inPicture = target.id === 'picture' || target === document.body;
        const step = page.picture.plotWidth * 0.12, rise = page.picture.plotHeight * 0.12;
        const focus = id => () => { byId(id).focus(); byId(id).select(); };
        const moveTo = to => () => page.select(to);
        const actions = {
            '?': () => page.help(),
            'a': focus('address'),
            '/': () => { page.setTab('events'); focus('filter')(); },
            'd': () => page.switchTheme(),
            't': () => page.setByTime(!page.byTime),
            '0': () => { page.window.reset(); page.want('picture'); },
            '+': () => page.zoomBoth(0.6, false), '=': () => page.zoomBoth(0.6, false),
            '-': () => page.zoomBoth(1 / 0.6, false),
            '*': () => page.zoomBoth(0.6), '_': () => page.zoomBoth(1 / 0.6),
            ',': () => page.stepEvent(-1), '.': () => page.stepEvent(1),
            'p': moveTo(page.view.peakEvent),
            '1': () => page.setTab('events'), '2': () => page.setTab('flame'), '3': () => page.setTab('history'),
            '[': () => page.choose((page.chosen + page.processes.length - 1) % page.processes.length),
            ']': () => page.choose((page.chosen + 1) % page.processes.length),
            'Escape': () => page.letGo(),
        };
        if (inPicture)
            Object.assign(actions, {
                'ArrowLeft': () => page.panPixels(-step, 0), 'ArrowRight': () => page.panPixels(step, 0),
                'ArrowUp': () => page.panPixels(0, -rise), 'ArrowDown': () => page.panPixels(0, rise),
                'Home': moveTo(page.view.process.first), 'End': moveTo(page.view.last),
                'Enter': () => page.pinnedHistory(),
            });
        const action = actions[event.key];
        if (!action)
            return;
        event.preventDefault();
        action();
    }
    listenSplitter() {
        const {page} = this, splitter = byId('splitter'), bottom = byId('bottom');
        const resize = height => {
            bottom.style.flexBasis = Math.min(Math.max(height, 70), innerHeight - 320) + 'px';
            page.want('picture', 'table', 'flame');
        };
        splitter.addEventListener('pointerdown', event => splitter.setPointerCapture(event.pointerId));
        splitter.addEventListener('pointermove', event => {
            if (event.buttons)
                resize(innerHeight - event.clientY);
        });
        splitter.addEventListener('keydown', event => {
            const step = {ArrowUp: 24, ArrowDown: -24}[event.key];
            if (step) {
                resize(bottom.getBoundingClientRect().height + step);
                event.preventDefault();
                event.stopPropagation();
            }
        });
    }
}
