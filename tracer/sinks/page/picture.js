// picture.js - the address space over time: addresses upwards, time to the right. Rectangles are
// painted straight into pixels, and what is smaller than a pixel is taken from the tree's sums, so
// that a million of them move smoothly.

const GUTTER = 116;   // for addresses, left of the plot
const FOOT = 34;      // for events and time, below it
const TICKS = 11;     // the strip of events within the foot
const LABELS_MOST = 400;
const POINTS_MOST = 3000; // of the lines of stack pointers and the break

class Picture {
    constructor(canvas, overlay) {
        this.canvas = canvas;
        this.overlay = overlay;
        this.highlight = null; // {start, end} in units
    }
    // `hidden`: kinds that are not drawn.
    set(view, window, theme, hidden) {
        this.view = view;
        this.window = window;
        this.theme = theme;
        this.hidden = hidden;
    }
    resize() {
        const box = this.canvas.parentElement.getBoundingClientRect();
        this.width = Math.floor(box.width);
        this.height = Math.floor(box.height);
        this.plotWidth = Math.max(40, this.width - GUTTER);
        this.plotHeight = Math.max(40, this.height - FOOT);
    }

    // ---- places ----

    toX(px) {
        const w = this.window;
        return w.x0 + (px - GUTTER) / this.plotWidth * (w.x1 - w.x0);
    }
    toPx(x) {
        const w = this.window;
        return GUTTER + (x - w.x0) / (w.x1 - w.x0) * this.plotWidth;
    }
    toU(py) {
        const w = this.window;
        return w.u1 - py / this.plotHeight * (w.u1 - w.u0);
    }
    toPy(u) {
        const w = this.window;
        return (w.u1 - u) / (w.u1 - w.u0) * this.plotHeight;
    }
    inPlot(px, py) {
        return px >= GUTTER && px < GUTTER + this.plotWidth && py >= 0 && py < this.plotHeight;
    }

    // ---- painting ----

    draw() {
        this.resize();
        const context = fitCanvas(this.canvas, this.width, this.height), theme = this.theme;
        context.fillStyle = theme.panel;
        context.fillRect(0, 0, this.width, this.height);
        this.labels = [];
        const image = this.raster();
        const ratio = window.devicePixelRatio || 1;
        context.putImageData(image, Math.round(GUTTER * ratio), 0);
        context.font = '11px ' + FONT;
        context.textBaseline = 'middle';
        context.save();
        context.beginPath();
        context.rect(GUTTER, 0, this.plotWidth, this.plotHeight);
        context.clip();
        this.drawFolds(context);
        this.drawLines(context);
        this.drawLabels(context);
        context.restore();
        this.drawAddresses(context);
        this.drawFoot(context);
    }

    raster() {
        const ratio = window.devicePixelRatio || 1, w = this.window, view = this.view;
        const width = Math.round(this.plotWidth * ratio), height = Math.round(this.plotHeight * ratio);
        if (!this.image || this.image.width !== width || this.image.height !== height)
            this.image = new ImageData(width, height);
        const pixels = new Uint32Array(this.image.data.buffer);
        pixels.fill(this.theme.groundPacked);
        const scaleX = width / (w.x1 - w.x0), scaleU = height / (w.u1 - w.u0);
        const paint = this.painter(pixels, width, height, ratio);
        const {t0, t1, u0, u1, kind} = view, shown = this.theme.kinds.map((_, k) => !this.hidden.has(k));
        const place = event => (w.xOf(event) - w.x0) * scaleX;
        const one = (rect, left, right) => {
            if (u1[rect] <= w.u0 || u0[rect] >= w.u1 || !shown[kind[rect]])
                return;
            paint(rect, kind[rect], left, right, (w.u1 - u1[rect]) * scaleU, (w.u1 - u0[rect]) * scaleU);
        };
        const last = this.view.trace.count;
        const walk = (node, low, span) => {
            if (!view.nodeUsed[node] || low > last)
                return;
            const left = place(low), right = place(Math.min(low + span, last));
            if (right < 0 || left > width)
                return;
            if (right - left < 1) {
                const merged = view.mergedOf(node);
                if (merged) {
                    for (let i = 0; i < merged.length; i++)
                        one(merged[i], left, left);
                    return;
                }
            }
            for (let i = view.nodeStart[node]; i < view.nodeStart[node + 1]; i++) {
                const rect = view.nodeRects[i];
                const a = place(t0[rect]), b = place(t1[rect]);
                if (b >= 0 && a <= width)
                    one(rect, a, b);
            }
            if (node < view.leaves) {
                walk(node * 2, low, span / 2);
                walk(node * 2 + 1, low + span / 2, span / 2);
            }
        };
        walk(1, 0, view.leaves << LEAF_SHIFT);
        return this.image;
    }

    // A function that paints one rectangle, given in device pixels.
    painter(pixels, width, height, ratio) {
        const styles = this.theme.kinds, labels = this.labels;
        const roomX = 40 * ratio, roomY = 12 * ratio;
        return (rect, kind, left, right, top, bottom) => {
            const style = styles[kind];
            const trueX = left, trueY = top;
            let x0 = Math.floor(left), x1 = Math.floor(right);
            let y0 = Math.floor(top), y1 = Math.floor(bottom);
            if (x1 <= x0)
                x1 = x0 + 1;
            if (y1 <= y0)
                y1 = y0 + 1;
            const wide = x1 - x0 >= 3 * ratio, high = y1 - y0 >= 4 * ratio;
            const leftEdge = wide && x0 >= 0, topEdge = high && y0 >= 0;
            x0 = Math.max(x0, 0);
            y0 = Math.max(y0, 0);
            x1 = Math.min(x1, width);
            y1 = Math.min(y1, height);
            if (x1 <= x0 || y1 <= y0)
                return;
            if (x1 - x0 >= roomX && y1 - y0 >= roomY && labels.length < LABELS_MOST)
                labels.push({rect, x: x0 / ratio, y: y0 / ratio, w: (x1 - x0) / ratio,
                             h: (y1 - y0) / ratio});
            if (style.tile && x1 - x0 >= 3 && y1 - y0 >= 3) {
                // The pattern goes along with the rectangle.
                const left = inTile(x0 - Math.floor(trueX));
                for (let y = y0; y < y1; y++) {
                    const row = inTile(y - Math.floor(trueY)) * TILE;
                    for (let x = x0, at = y * width + x0, column = left; x < x1; x++) {
                        pixels[at++] = style.tile[row + column];
                        if (++column === TILE)
                            column = 0;
                    }
                }
            } else if (x1 - x0 === 1) {
                for (let y = y0, at = y0 * width + x0; y < y1; y++, at += width)
                    pixels[at] = style.fill;
            } else {
                for (let y = y0, at = y0 * width; y < y1; y++, at += width)
                    pixels.fill(style.fill, at + x0, at + x1);
            }
            if (topEdge)
                pixels.fill(style.edge, y0 * width + x0, y0 * width + x1);
            if (leftEdge)
                for (let y = y0, at = y0 * width + x0; y < y1; y++, at += width)
                    pixels[at] = style.edge;
        };
    }

    // Holes that are not drawn to scale: a torn band with its size.
    drawFolds(context) {
        const theme = this.theme;
        for (const piece of this.view.axis.pieces) {
            if (!piece.gap || piece.end - piece.start <= SMALL_GAP)
                continue;
            const top = this.toPy(piece.u1), bottom = this.toPy(piece.u0), high = bottom - top;
            if (bottom < 0 || top > this.plotHeight || high < 2)
                continue;
            context.fillStyle = theme.fold;
            context.fillRect(GUTTER, top, this.plotWidth, high);
            context.strokeStyle = theme.faint;
            context.lineWidth = 1;
            const step = 7, swing = Math.min(2.5, high / 5);
            for (const y of high > 9 ? [top + high * 0.2, bottom - high * 0.2] : [(top + bottom) / 2]) {
                context.beginPath();
                for (let x = GUTTER, up = 1; x <= this.width; x += step, up = -up)
                    context.lineTo(x, y + up * swing);
                context.stroke();
            }
            if (high >= 11) {
                const text = sizeText((piece.end - piece.start) * UNIT) + ' never mapped';
                const width = context.measureText(text).width;
                const x = GUTTER + this.plotWidth / 2 - width / 2;
                const y = clampRange((top + bottom) / 2, (top + bottom) / 2, 7, this.plotHeight - 7)[0];
                context.fillStyle = theme.fold;
                context.fillRect(x - 6, y - 6, width + 12, 12);
                context.fillStyle = theme.soft;
                context.fillText(text, x, y);
            }
        }
    }

    // The stack pointers and the break.
    drawLines(context) {
        const {trace, process, axis} = this.view, w = this.window;
        const from = Math.max(process.first, w.eventAt(w.x0)), to = w.eventAt(w.x1);
        const stride = Math.max(1, Math.floor((to - from) / POINTS_MOST));
        const lines = new Map();
        const add = (key, x, unit, dash) => {
            let line = lines.get(key);
            if (!line) {
                const {to} = process.segments.find(segment => segment.space === space);
                lines.set(key, line = {dash, unit: -1, points: [], end: Math.min(to, process.end, trace.count)});
            }
            if (line.unit === unit)
                return;
            line.unit = unit;
            line.points.push(x, this.toPy(axis.toU(unit)));
        };
        let space = -1;
        for (let event = from; event <= to; event += stride) {
            const number = trace.thread.data[event], thread = trace.threads[number];
            if (thread.space !== space && this.view.spaceAt(event) !== thread.space)
                continue;
            space = thread.space;
            const x = this.toPx(w.xOf(event));
            if (trace.sp.data[event])
                add(number, x, trace.sp.data[event] / UNIT, []);
            if (trace.brk.data[event])
                add(-1 - space, x, trace.brk.data[event] / UNIT, [5, 3]);
        }
        for (const {dash, points, end} of lines.values()) {
            const trail = () => {
                context.beginPath();
                for (let i = 0; i < points.length; i += 2) {
                    if (i)
                        context.lineTo(points[i], points[i - 1]); // steps: it holds until it moves
                    context.lineTo(points[i], points[i + 1]);
                }
                context.lineTo(this.toPx(w.xOf(end)), points[points.length - 1]);
                context.stroke();
            };
            context.setLineDash([]);
            context.strokeStyle = this.theme.dark ? 'rgba(0,0,0,0.55)' : 'rgba(255,255,255,0.75)';
            context.lineWidth = 3;
            trail();
            context.setLineDash(dash);
            context.strokeStyle = this.theme.ink;
            context.lineWidth = 1.2;
            trail();
            context.setLineDash([]);
        }
    }

    drawLabels(context) {
        const view = this.view;
        context.font = '11px ' + FONT;
        this.labels.sort((a, b) => b.w * b.h - a.w * a.h);
        for (const {rect, x, y, w, h} of this.labels) {
            const style = this.theme.kinds[view.kind[rect]];
            const name = baseName(view.nameOf(rect)), kind = style.name;
            const size = sizeText(view.bytes(rect));
            const choices = name && name !== `[${kind}]` ? [`${name}  ${kind}  ${size}`, `${name} ${kind}`, name]
                                                         : [`${kind}  ${size}`, kind];
            const text = choices.find(choice => choice.length * 6.3 + 8 <= w);
            if (!text)
                continue;
            context.fillStyle = style.text;
            if (style.tile && h >= 12) { // a pattern under text is hard to read
                context.save();
                context.fillStyle = style.css;
                context.fillRect(GUTTER + x + 2, y + h / 2 - 6.5 + (h > 30 ? 9 - h / 2 : 0),
                                 text.length * 6.2 + 5, 13);
                context.restore();
            }
            context.fillText(text, GUTTER + x + 5, h > 30 ? y + 9 : y + h / 2 + 0.5);
        }
    }

    // Bounds of areas and, where there is room, round addresses between; nearer ones give way.
    drawAddresses(context) {
        const theme = this.theme, taken = [];
        context.fillStyle = theme.panel;
        context.fillRect(0, 0, GUTTER, this.height);
        context.font = '11px ' + MONO;
        context.textAlign = 'right';
        const label = (unit, colour) => {
            const y = this.toPy(this.view.axis.toU(unit));
            if (y < -1 || y > this.plotHeight + 1)
                return;
            const at = Math.min(Math.max(y, 6), this.plotHeight - 6);
            if (taken.some(other => Math.abs(other - at) < 12))
                return;
            taken.push(at);
            context.fillStyle = colour;
            context.fillText(hexUnits(unit), GUTTER - 8, at);
            context.fillStyle = theme.faint;
            context.fillRect(GUTTER - 5, Math.round(y) - 0.5, 5, 1);
        };
        const pieces = this.view.axis.pieces, bounds = [];
        pieces.forEach((piece, i) => {
            if (piece.gap)
                return;
            const below = pieces[i - 1], above = pieces[i + 1];
            if (!below || (below.gap && below.end - below.start > SMALL_GAP))
                bounds.push(piece.start);
            if (!above || (above.gap && above.end - above.start > SMALL_GAP))
                bounds.push(piece.end);
        });
        for (const unit of bounds)
            label(unit, theme.ink);
        for (const piece of pieces)
            if (!piece.gap && this.toPy(piece.u0) - this.toPy(piece.u1) > 13)
                label(piece.start, theme.soft);
        for (const piece of pieces)
            this.roundAddresses(piece, unit => label(unit, theme.soft));
        context.textAlign = 'left';
    }
    roundAddresses(piece, label) {
        const high = this.toPy(piece.u0) - this.toPy(piece.u1);
        if (piece.gap || high < 60)
            return;
        const perPixel = (piece.end - piece.start) / high;
        const step = 2 ** Math.ceil(Math.log2(Math.max(1, perPixel * 28)));
        const axis = this.view.axis, low = axis.toUnit(Math.max(this.window.u0, piece.u0));
        const top = axis.toUnit(Math.min(this.window.u1, piece.u1 - 1e-9));
        for (let unit = Math.ceil(low / step) * step, i = 0; unit <= top && i < 100; unit += step, i++)
            label(unit);
    }

    // A strip with a tick for each event, and the time below it.
    drawFoot(context) {
        const theme = this.theme, w = this.window, {trace, process} = this.view;
        const top = this.plotHeight;
        context.fillStyle = theme.panel;
        context.fillRect(0, top, this.width, FOOT);
        context.fillStyle = theme.fold;
        context.fillRect(GUTTER, top + 1, this.plotWidth, TICKS);
        context.fillStyle = theme.soft;
        const count = event => this.view.order ? this.view.order[event] : event;
        for (let px = 0, done = w.eventAt(w.x0 - 1e-9); px < this.plotWidth; px++) {
            const next = w.eventAt(this.toX(GUTTER + px + 1), done);
            const events = count(next + 1) - count(done + 1) + (px === 0 && done === process.first ? 1 : 0);
            done = next;
            if (events <= 0)
                continue;
            const high = Math.min(TICKS - 1, 4 + 1.6 * Math.log2(events));
            context.fillRect(GUTTER + px, top + 1 + TICKS - high, 1, high);
        }
        for (const event of this.view.marks) {
            const px = this.toPx(w.xOf(event)), cause = trace.causeName(event);
            if (px < GUTTER || px > this.width)
                continue;
            context.fillStyle = cause === 'signal' || cause === 'resync' ? theme.alarm : theme.accent;
            context.fillRect(Math.round(px) - 1, top + 1, 2, TICKS);
        }
        context.fillStyle = theme.soft;
        context.font = '10px ' + FONT;
        context.textAlign = 'right';
        context.fillText('events', GUTTER - 8, top + 7);
        context.fillText(w.byTime ? 'time' : 'event', GUTTER - 8, top + 24);
        context.textAlign = 'center';
        context.font = '11px ' + FONT;
        const step = Math.max(roundStep((w.x1 - w.x0) / this.plotWidth * 90), w.byTime ? 1 : 1);
        for (let x = Math.ceil(w.x0 / step) * step, i = 0; x <= w.x1 && i < 60; x += step, i++) {
            const px = this.toPx(x);
            context.fillStyle = theme.line;
            context.fillRect(Math.round(px), top + TICKS + 1, 1, 5);
            const text = w.byTime ? timeTick(x, step) : Math.round(x).toLocaleString('en');
            const half = context.measureText(text).width / 2;
            context.fillStyle = theme.soft;
            context.fillText(text, Math.min(Math.max(px, GUTTER + half - 4), this.width - half - 2), top + 25);
        }
        context.textAlign = 'left';
    }

    // ---- what lies over it: the moment, what is pointed at, what was searched for ----

    drawOver(moment, hover, pinned, box) {
        // Not every printer knows what a transparent canvas is.
        const canvas = this.printing ? this.canvas : this.overlay, theme = this.theme;
        const context = fitCanvas(canvas, this.width, this.height);
        if (!this.printing)
            context.clearRect(0, 0, this.width, this.height);
        context.save();
        context.beginPath();
        context.rect(GUTTER, 0, this.plotWidth, this.height);
        context.clip();
        if (this.highlight) {
            const top = this.toPy(this.view.axis.toU(this.highlight.end));
            const bottom = Math.max(this.toPy(this.view.axis.toU(this.highlight.start)), top + 2);
            context.fillStyle = theme.accent;
            context.globalAlpha = 0.28;
            context.fillRect(GUTTER, top, this.plotWidth, bottom - top);
            context.globalAlpha = 1;
            context.fillRect(GUTTER, top - 0.5, this.plotWidth, 1);
            context.fillRect(GUTTER, bottom - 0.5, this.plotWidth, 1);
        }
        if (hover !== null)
            this.outline(context, hover, theme.ink, 1.5);
        if (pinned !== null)
            this.outline(context, pinned, theme.accent, 2.5);
        if (moment !== null) {
            const px = Math.round(this.toPx(moment)) + 0.5;
            context.strokeStyle = theme.accent;
            context.lineWidth = 1;
            context.beginPath();
            context.moveTo(px, 0);
            context.lineTo(px, this.plotHeight + TICKS + 1);
            context.stroke();
            context.fillStyle = theme.accent;
            context.beginPath();
            context.moveTo(px - 5, this.plotHeight + TICKS + 6);
            context.lineTo(px + 5, this.plotHeight + TICKS + 6);
            context.lineTo(px, this.plotHeight + TICKS);
            context.fill();
        }
        if (box) {
            context.fillStyle = theme.accent;
            context.globalAlpha = 0.15;
            context.fillRect(box.x, box.y, box.w, box.h);
            context.globalAlpha = 1;
            context.strokeStyle = theme.accent;
            context.strokeRect(box.x + 0.5, box.y + 0.5, box.w, box.h);
        }
        context.restore();
    }
    outline(context, rect, colour, weight) {
        const view = this.view, w = this.window;
        const left = this.toPx(w.xOf(view.t0[rect])), right = this.toPx(w.xOf(view.t1[rect]));
        const top = this.toPy(view.u1[rect]), bottom = this.toPy(view.u0[rect]);
        context.strokeStyle = colour;
        context.lineWidth = weight;
        context.strokeRect(left, top, Math.max(right - left, 2), Math.max(bottom - top, 2));
    }

    // The rectangles under a pixel, the latest first.
    under(px, py) {
        const w = this.window, x = this.toX(px), unit = this.view.axis.toUnit(this.toU(py));
        const event = w.eventAt(x);
        const exact = this.view.alive(event).filter(
            rect => this.view.start(rect) <= unit && unit < this.view.end(rect));
        const visible = list => list.filter(rect => !this.hidden.has(this.view.kind[rect]));
        if (visible(exact).length)
            return visible(exact);
        // What is smaller than a pixel.
        const half = (w.x1 - w.x0) / this.plotWidth * 1.5;
        const axis = this.view.axis;
        const low = axis.toUnit(this.toU(py + 1)), high = axis.toUnit(this.toU(py - 1));
        return visible(this.view.overlapping(w.eventAt(x - half), w.eventAt(x + half),
                                             Math.min(low, unit), Math.max(high, unit), 50));
    }
}

// A place in a pattern.
function inTile(at) {
    return (at % TILE + TILE) % TILE;
}

const FONT = 'system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif';
const MONO = 'ui-monospace, "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace';

function timeTick(ns, step) {
    const [unit, word] = step >= 1e9 ? [1e9, 's'] : step >= 1e6 ? [1e6, 'ms'] : step >= 1e3 ? [1e3, 'µs']
                                                                                           : [1, 'ns'];
    const shown = ns >= 1e9 && unit === 1e6 ? [1e9, 's'] : [unit, word];
    const digits = Math.max(0, Math.ceil(Math.log10(shown[0] / step) - 1e-9));
    return (ns / shown[0]).toFixed(Math.min(digits, 9)) + ' ' + shown[1];
}
