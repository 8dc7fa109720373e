// bytes.js - bytes by kind over time, below the picture and in step with it: usable memory upwards,
// PROT_NONE (guards and reserves) downwards with a scale of its own, since no one can touch it.

class BytesChart {
    constructor(canvas) {
        this.canvas = canvas;
    }
    set(view, window, theme, hidden) {
        this.view = view;
        this.window = window;
        this.theme = theme;
        this.hidden = hidden;
        this.up = [];
        this.down = [];
        view.trace.run.kinds.forEach((name, kind) =>
            (NO_ACCESS.has(name) ? this.down : this.up).push(kind));
        this.up.reverse(); // text at the top, what grows at the bottom
    }

    // One column's bytes by kind, for each pixel: where it has most.
    columns(width) {
        const view = this.view, kinds = view.kinds, w = this.window;
        const bytes = new Float64Array(width * kinds);
        const per = (w.x1 - w.x0) / width;
        const now = new Float64Array(kinds), most = new Float64Array(kinds);
        let event = w.eventAt(w.x0);
        now.set(view.bytesAt(event));
        if (w.x0 < w.xOf(view.process.first))
            now.fill(0);
        const past = Math.min(view.process.end, view.trace.count);
        for (let px = 0; px < width; px++) {
            const edge = w.x0 + (px + 1) * per;
            let total = this.shown(now, 0);
            most.set(now);
            while (event + 1 <= past && event + 1 < view.trace.count && w.xOf(event + 1) < edge) {
                const block = (event + 1) >> BLOCK_SHIFT, end = (block + 1) << BLOCK_SHIFT;
                if ((event + 1) % 64 === 0 && end <= past && w.xOf(end) < edge) {
                    const peak = this.shown(view.blockPeak, block * kinds);
                    if (peak > total) {
                        total = peak;
                        most.set(view.blockPeak.subarray(block * kinds, (block + 1) * kinds));
                    }
                    now.set(view.blockBytes.subarray((block + 1) * kinds, (block + 2) * kinds));
                    event = end - 1;
                } else {
                    view.step(now, ++event);
                    const sum = this.shown(now, 0);
                    if (sum > total) {
                        total = sum;
                        most.set(now);
                    }
                }
            }
            bytes.set(most, px * kinds);
        }
        return bytes;
    }
    shown(bytes, at) {
        let total = 0;
        for (let k = 0; k < this.view.kinds; k++)
            total += this.hidden.has(k) ? 0 : bytes[at + k];
        return total;
    }

    draw() {
        const box = this.canvas.parentElement.getBoundingClientRect();
        const width = Math.floor(box.width), height = Math.floor(box.height), theme = this.theme;
        const context = fitCanvas(this.canvas, width, height);
        context.fillStyle = theme.panel;
        context.fillRect(0, 0, width, height);
        const plot = Math.max(40, width - GUTTER), kinds = this.view.kinds;
        context.fillStyle = theme.ground;
        context.fillRect(GUTTER, 0, plot, height);
        const bytes = this.columns(plot);
        let upMost = 0, downMost = 0;
        for (let px = 0; px < plot; px++) {
            upMost = Math.max(upMost, this.sum(bytes, px, this.up));
            downMost = Math.max(downMost, this.sum(bytes, px, this.down));
        }
        const downHigh = downMost ? Math.round(height * 0.27) : 0, base = height - downHigh - 1;
        const upHigh = base - 6;
        this.stack(context, bytes, plot, this.up, base, -upHigh / (upMost || 1));
        this.stack(context, bytes, plot, this.down, base + 1, (downHigh - 3) / (downMost || 1));
        context.fillStyle = theme.soft;
        context.fillRect(GUTTER, base, plot, 1);
        context.font = '10px ' + FONT;
        context.textBaseline = 'middle';
        context.textAlign = 'right';
        context.fillStyle = theme.soft;
        context.fillText(sizeText(upMost), GUTTER - 8, 10);
        context.fillText('usable', GUTTER - 8, Math.min(base - 6, 24));
        if (downMost) {
            context.fillText(sizeText(downMost), GUTTER - 8, height - 7);
            if (downHigh > 24)
                context.fillText('PROT_NONE', GUTTER - 8, height - 19);
        }
        context.fillStyle = theme.line;
        context.fillRect(GUTTER - 5, base - upHigh, 5, 1);
        context.fillRect(GUTTER - 5, base, 5, 1);
        context.textAlign = 'left';
        this.scale = {base, plot, bytes};
    }
    sum(bytes, px, kinds) {
        let total = 0;
        for (const k of kinds)
            if (!this.hidden.has(k))
                total += bytes[px * this.view.kinds + k];
        return total;
    }
    stack(context, bytes, plot, order, base, scale) {
        const foot = new Float64Array(plot);
        for (const kind of order) {
            if (this.hidden.has(kind))
                continue;
            let any = false;
            const style = this.theme.kinds[kind];
            context.beginPath();
            for (let px = 0; px < plot; px++) {
                const value = bytes[px * this.view.kinds + kind];
                if (!value)
                    continue;
                any = true;
                const y0 = base + foot[px] * scale, y1 = base + (foot[px] + value) * scale;
                context.rect(GUTTER + px, Math.min(y0, y1), 1, Math.abs(y1 - y0));
                foot[px] += value;
            }
            if (!any)
                continue;
            context.fillStyle = this.pattern(context, kind, style);
            context.fill();
        }
    }
    pattern(context, kind, style) {
        return style.pattern ? context.createPattern(this.theme.swatch(kind, 60), 'repeat') : style.css;
    }
}
