// flame.js - mapped bytes by who mapped them: the stacks' frames from the outermost on where stacks
// were recorded, else call, kind and object. The root is all of it.

const FLAME_ROW = 19;

// Frames of a stack from the outermost on, functions inlined into others as frames of their own.
function stackNames(trace, id) {
    const stack = trace.stacks.get(id), names = [];
    for (const number of stack ? stack.frames : []) { // innermost first
        const frame = trace.frames.get(number);
        if (!frame)
            continue;
        for (const inlined of frame.inlined || [])
            names.push(inlined.name || '?');
        names.push(frame.name || `${baseName(trace.objects[frame.object].name) || '?'}+0x${frame.address}`);
    }
    return names.reverse();
}

class FlameNode {
    constructor(name, parent, kind) {
        this.name = name;
        this.parent = parent;
        this.kind = kind; // of memory; -1: a frame or a call
        this.bytes = 0;
        this.pieces = 0;
        this.children = new Map();
        this.depth = parent ? parent.depth + 1 : 0;
    }
    child(name, kind = -1) {
        let node = this.children.get(name);
        if (!node)
            this.children.set(name, node = new FlameNode(name, this, kind));
        return node;
    }
}

// mode: 'moment' (what lies there after `event`), 'peak', 'all' (all that was ever newly mapped).
function buildFlame(view, mode, event, hidden) {
    const {trace, lifetimes} = view, sums = new Map();
    // By stack, else by call and state of memory; a state's kind is what it was made as.
    const add = (origin, state, bytes, image) => {
        const stack = trace.stack.data[origin];
        const key = stack || -(1 + (trace.cause.data[origin] * 1e7 + state) * 1024 + image % 1024);
        const sum = sums.get(key);
        if (sum) {
            sum.bytes += bytes;
            sum.pieces++;
        } else {
            sums.set(key, {stack, cause: trace.cause.data[origin], state, image, bytes, pieces: 1});
        }
    };
    if (mode === 'all') {
        for (let i = view.process.first; i < trace.count && i <= view.process.end; i++) {
            if (!view.owns(i))
                continue;
            const [first, past] = trace.changesOf(i);
            for (let change = first; change < past; change++)
                if (trace.op.data[change] === OP.MADE &&
                    !hidden.has(trace.states[trace.after.data[change]].kind))
                    add(i, trace.after.data[change], trace.size.data[change] * UNIT,
                        trace.image.get(change) || 0);
        }
    } else {
        for (const rect of view.alive(mode === 'peak' ? view.peakEvent : event))
            if (!hidden.has(view.kind[rect]))
                add(lifetimes.origin.data[view.id[rect]], lifetimes.state.data[view.id[rect]],
                    view.bytes(rect), lifetimes.image.data[view.id[rect]]);
    }
    const root = new FlameNode(view.process.name, null, -1);
    for (const {stack, cause, state, image, bytes, pieces} of sums.values()) {
        const path = [root];
        if (stack) {
            for (const name of stackNames(trace, stack))
                path.push(path[path.length - 1].child(name));
        } else {
            const {kind, object} = trace.states[state];
            path.push(root.child(trace.causeText(cause)));
            path.push(path[1].child(trace.run.kinds[kind], kind));
            const name = trace.objects[object || image].name;
            if (name)
                path.push(path[2].child(baseName(name), kind));
        }
        for (const node of path) {
            node.bytes += bytes;
            node.pieces += pieces;
        }
    }
    return root;
}

class FlameGraph {
    constructor(canvas, scroller, tip) {
        this.canvas = canvas;
        this.scroller = scroller;
        this.tip = tip;
        this.boxes = [];
        canvas.addEventListener('mousemove', event => this.hover(event));
        canvas.addEventListener('mouseleave', () => tip.hide());
        canvas.addEventListener('click', event => {
            const box = this.at(event);
            if (box)
                this.zoom(box.node);
        });
        canvas.addEventListener('keydown', event => {
            if ((event.key === 'Escape' || event.key === 'Backspace') && this.focus !== this.root) {
                this.zoom(this.focus.parent);
                event.preventDefault();
                event.stopPropagation();
            }
        });
    }
    set(root, theme) {
        // Stay zoomed where there is such a place still.
        const path = [];
        for (let node = this.focus; node && node.parent; node = node.parent)
            path.unshift(node.name);
        this.root = this.focus = root;
        this.theme = theme;
        for (const name of path) {
            const child = this.focus.children.get(name);
            if (!child)
                break;
            this.focus = child;
        }
    }
    zoom(node) {
        this.focus = node || this.root;
        this.draw();
    }
    draw() {
        if (!this.root)
            return;
        const width = Math.floor(this.scroller.clientWidth) - 2, rows = [];
        this.boxes = [];
        const place = (node, x, w, row) => {
            this.boxes.push({node, x, w, row});
            rows[row] = true;
            const children = [...node.children.values()].sort((a, b) => b.bytes - a.bytes);
            for (const child of children) {
                const share = node.bytes ? child.bytes / node.bytes * w : 0;
                if (share >= 0.4)
                    place(child, x, share, row + 1);
                x += share;
            }
        };
        const above = [];
        for (let node = this.focus.parent; node; node = node.parent)
            above.unshift(node);
        above.forEach((node, row) => this.boxes.push({node, x: 0, w: width, row, faint: true}));
        place(this.focus, 0, width, above.length);
        const height = Math.max((rows.length || 1) * FLAME_ROW + 4, this.scroller.clientHeight - 4);
        const context = fitCanvas(this.canvas, width, height);
        this.canvas.style.width = width + 'px';
        this.canvas.style.height = height + 'px';
        context.fillStyle = this.theme.panel;
        context.fillRect(0, 0, width, height);
        context.font = '11px ' + FONT;
        context.textBaseline = 'middle';
        for (const {node, x, w, row, faint} of this.boxes) {
            const y = row * FLAME_ROW + 1, style = node.kind >= 0 ? this.theme.kinds[node.kind] : null;
            context.globalAlpha = faint ? 0.5 : 1;
            context.fillStyle = style ? style.css : frameColour(node, this.theme.dark);
            context.fillRect(x, y, Math.max(w - 1, 0.5), FLAME_ROW - 1);
            context.globalAlpha = 1;
            if (w < 28)
                continue;
            const room = Math.floor((w - 8) / 6.1);
            const full = `${node.name}  ${sizeText(node.bytes)}`;
            const text = full.length <= room ? full : node.name.length <= room ? node.name
                                                                               : node.name.slice(0, Math.max(room - 1, 1)) + '…';
            context.fillStyle = style ? style.text : this.theme.dark ? '#f2f2f2' : '#1b1b1b';
            context.fillText(text, x + 4, y + FLAME_ROW / 2);
        }
    }
    at(event) {
        const box = this.canvas.getBoundingClientRect();
        const x = event.clientX - box.left, row = Math.floor((event.clientY - box.top - 1) / FLAME_ROW);
        return this.boxes.find(item => item.row === row && x >= item.x && x < item.x + item.w);
    }
    hover(event) {
        const box = this.at(event);
        if (!box) {
            this.tip.hide();
            return;
        }
        const {node} = box;
        this.tip.show(event.clientX, event.clientY, [
            ['strong', node.name],
            ['', `${sizeText(node.bytes)} (${node.bytes.toLocaleString('en')} bytes) in ${countText(node.pieces, 'piece')}`],
            ['', `${percentText(node.bytes, this.root.bytes)} of all` +
                 (node.parent ? `, ${percentText(node.bytes, node.parent.bytes)} of ${node.parent.name}` : '')],
        ]);
    }
}

// Warm, and the same for the same name.
function frameColour(node, dark) {
    let hash = 0;
    for (let i = 0; i < node.name.length; i++)
        hash = (hash * 31 + node.name.charCodeAt(i)) | 0;
    const shade = Math.abs(hash) % 100;
    if (!node.parent)
        return dark ? '#3a4656' : '#cdd6e2';
    return dark ? `hsl(${205 + shade * 0.25}, 26%, ${27 + shade * 0.1}%)`
                : `hsl(${205 + shade * 0.25}, 42%, ${76 + shade * 0.1}%)`;
}
