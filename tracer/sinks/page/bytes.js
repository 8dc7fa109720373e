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
        this.up = [];
        this.down = [];
        view.trace.run.kinds.forEach((name, kind) =>
            (NO_ACCESS.has(name) ? this.down : this.up).push(kind));
        this.seen = view.trace.run.kinds.map((_, kind) => !hidden.has(kind));
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
        const coarse = w.eventAt(w.x1) - event > width * 256;
        for (let px = 0; px < width; px++) {
            const edge = w.x0 + (px + 1) * per;
            let sum = this.shown(now, 0), total = sum;
            most.set(now);
            while (event + 1 <= past && event + 1 < view.trace.count && w.xOf(event + 1) < edge) {
                const block = (event + 1) >> BLOCK_SHIFT, end = (block + 1) << BLOCK_SHIFT;
                // Many to a pixel: a block as a whole belongs to the pixel where it begins.
                if ((event + 1) % 64 === 0 && end <= past && (coarse || w.xOf(end) < edge)) {
                    const peak = this.shown(view.blockPeak, block * kinds);
                    if (peak > total) {
                        total = peak;
                        most.set(view.blockPeak.subarray(block * kinds, (block + 1) * kinds));
                    }
                    now.set(view.blockBytes.subarray((block + 1) * kinds, (block + 2) * kinds));
                    event = end - 1;
                    sum = this.shown(now, 0);
                } else {
                    sum += this.stepShown(now, ++event);
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
    // One event further; returns what it adds to the kinds that are shown.
    stepShown(now, event) {
        const {view, seen} = this;
        let added = 0;
        for (let i = view.deltaStart[event]; i < view.deltaStart[event + 1]; i++) {
            const begins = view.deltaRect[i] >= 0, rect = begins ? view.deltaRect[i] : ~view.deltaRect[i];
            const bytes = begins ? view.bytes(rect) : -view.bytes(rect), kind = view.kind[rect];
            now[kind] += bytes;
            added += seen[kind] ? bytes : 0;
        }
        return added;
    }
    shown(bytes, at) {
        let total = 0;
        for (let k = 0; k < this.view.kinds; k++)
            total += this.seen[k] ? bytes[at + k] : 0;
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
        const upHigh = base - 6, ratio = window.devicePixelRatio || 1;
        context.putImageData(this.raster(bytes, plot, height, ratio, [
            [this.up, base, -upHigh / (upMost || 1)],
            [this.down, base + 1, (downHigh - 3) / (downMost || 1)]]), Math.round(GUTTER * ratio), 0);
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
        this.drawn = true;
    }
    sum(bytes, px, kinds) {
        let total = 0;
        for (const k of kinds)
            if (this.seen[k])
                total += bytes[px * this.view.kinds + k];
        return total;
    }
    // Painted straight into pixels, as the picture is, with the same patterns.
    raster(bytes, plot, height, ratio, stacks) {
        const wide = Math.round(plot * ratio), high = Math.round(height * ratio), kinds = this.view.kinds;
        if (!this.image || this.image.width !== wide || this.image.height !== high)
            this.image = new ImageData(wide, high);
        const pixels = new Uint32Array(this.image.data.buffer);
        pixels.fill(this.theme.groundPacked);
        for (const [order, base, scale] of stacks)
            for (let x = 0; x < wide; x++) {
                const at = Math.min(Math.floor(x / ratio), plot - 1) * kinds;
                let sum = 0;
                for (const kind of order) {
                    const value = bytes[at + kind];
                    if (!value || !this.seen[kind])
                        continue;
                    const y0 = (base + sum * scale) * ratio, y1 = (base + (sum + value) * scale) * ratio;
                    const top = Math.max(0, Math.round(Math.min(y0, y1)));
                    const bottom = Math.min(high, Math.round(Math.max(y0, y1)));
                    const {tile, fill} = this.theme.kinds[kind], column = x % TILE;
                    for (let y = top, p = top * wide + x; y < bottom; y++, p += wide)
                        pixels[p] = tile ? tile[y % TILE * TILE + column] : fill;
                    sum += value;
                }
            }
        return this.image;
    }
}
