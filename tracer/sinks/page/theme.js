// theme.js - colours and patterns. Hues are of families that stay apart for colour-blind eyes;
// kinds of one family differ in lightness and, where that is not enough, in a pattern.

// kind: [light theme, dark theme, pattern]
const PALETTE = {
    'text': ['#3b73b9', '#4f8bd6', ''],
    'rodata': ['#9cc1e6', '#86aed6', ''],
    'data': ['#1d8f7c', '#2aa893', ''],
    'bss': ['#86cfc1', '#7cc4b6', 'dots'],
    'relro': ['#5d8ea0', '#6b9fb2', 'lines'],
    'tls': ['#0c5c50', '#176f61', ''],
    'heap': ['#e88a1a', '#f09a35', ''],
    'stack': ['#b9344a', '#d6485f', ''],
    'thread-stack': ['#e38fa0', '#dd8497', 'lines'],
    'anon': ['#e6c84a', '#dcbd42', ''],
    'file': ['#9277b4', '#a58bc7', ''],
    'shm': ['#5e3f8c', '#7d5cb0', 'dots'],
    'guard': ['#6d737c', '#8b929c', 'cross'],
    'reserve': ['#cfd3d9', '#454b54', 'hatch'],
    'vdso': ['#6f7a3d', '#8f9a5a', ''],
    'vvar': ['#a8b076', '#a9b27a', 'dots'],
    'vsyscall': ['#4f572b', '#6b7443', ''],
    'other': ['#a98d74', '#b79b82', ''],
};
const NO_ACCESS = new Set(['guard', 'reserve']); // PROT_NONE: not usable

// Does a pattern have ink here? In device pixels. Each repeats after TILE of them, either way.
const TILE = 120;
const PATTERNS = {
    'dots': (x, y) => x % 5 === 0 && y % 5 === 0,
    'lines': (x, y) => y % 5 === 0,
    'hatch': (x, y) => (x + y) % 8 < 2,
    'cross': (x, y) => (x + y) % 6 === 0 || (x - y + 6000000) % 6 === 0,
};

// A pattern's pixels, TILE wide and high, row by row.
function tileOf(inked, fill, ink) {
    return Uint32Array.from({length: TILE * TILE},
                            (_, i) => inked(i % TILE, Math.floor(i / TILE)) ? ink : fill);
}

class Theme {
    constructor(run, dark) {
        this.dark = dark;
        this.kinds = run.kinds.map(name => {
            const [light, night, pattern] = PALETTE[name] || ['#888888', '#999999', ''];
            const colour = parseColour(dark ? night : light);
            const luminance = (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255;
            const fill = packed(colour);
            const ink = packed(mixed(colour, luminance > 0.5 ? [0, 0, 0] : [255, 255, 255], 0.28));
            return {
                name, css: cssColour(colour), fill,
                tile: pattern ? tileOf(PATTERNS[pattern], fill, ink) : null,
                edge: packed(mixed(colour, dark ? [0, 0, 0] : [20, 24, 30], 0.32)),
                text: luminance > 0.54 ? '#14181e' : '#ffffff',
            };
        });
        const style = getComputedStyle(document.documentElement);
        for (const name of ['ground', 'panel', 'line', 'ink', 'soft', 'faint', 'accent', 'alarm', 'fold'])
            this[name] = style.getPropertyValue('--' + name).trim();
        this.groundPacked = packed(parseColour(this.ground));
        this.foldPacked = packed(parseColour(this.fold));
    }
    // A square of a kind, as the picture draws it, for legends.
    swatch(kind, size) {
        const canvas = document.createElement('canvas'), ratio = window.devicePixelRatio || 1;
        canvas.width = canvas.height = Math.round(size * ratio);
        canvas.className = 'swatch';
        const image = new ImageData(canvas.width, canvas.height);
        const pixels = new Uint32Array(image.data.buffer), {tile, fill} = this.kinds[kind];
        for (let y = 0; y < canvas.height; y++)
            for (let x = 0; x < canvas.width; x++)
                pixels[y * canvas.width + x] = tile ? tile[y % TILE * TILE + x % TILE] : fill;
        canvas.getContext('2d').putImageData(image, 0, 0);
        return canvas;
    }
}

function parseColour(text) {
    return [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16));
}
function mixed(a, b, share) {
    return a.map((value, i) => Math.round(value + (b[i] - value) * share));
}
function cssColour([r, g, b]) {
    return `rgb(${r},${g},${b})`;
}
// As a little-endian word of canvas pixels.
function packed([r, g, b]) {
    return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
}

// A canvas as sharp as the screen: returns its context, scaled to CSS pixels.
function fitCanvas(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
    if (canvas.width !== w || canvas.height !== h) {
        canvas.width = w;
        canvas.height = h;
    }
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
}
