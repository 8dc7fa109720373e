// lifetimes.js - changes turned into rectangles: a range of addresses, from the event that made it
// to the one that ended it. Neighbours alike are not joined, since they have different births.

const OPEN = 0x7fffffff; // as an end: still there

// What is mapped in one space now: numbers of rectangles by ascending address, in blocks.
class Live {
    constructor(rects) {
        this.rects = rects;
        this.blocks = [[]];
    }
    // The place of the first rectangle that ends above `unit`.
    find(unit) {
        const ends = this.rects.end.data, blocks = this.blocks;
        let low = 0, high = blocks.length - 1;
        while (low < high) {
            const middle = (low + high) >> 1, block = blocks[middle];
            if (ends[block[block.length - 1]] <= unit)
                low = middle + 1;
            else
                high = middle;
        }
        const block = blocks[low];
        let first = 0, last = block.length;
        while (first < last) {
            const middle = (first + last) >> 1;
            if (ends[block[middle]] <= unit)
                first = middle + 1;
            else
                last = middle;
        }
        return [low, first];
    }
    add(rect) {
        const [b, i] = this.find(this.rects.start.data[rect]);
        const block = this.blocks[b];
        block.splice(i, 0, rect);
        if (block.length > 512)
            this.blocks.splice(b + 1, 0, block.splice(256));
    }
    remove(rect) {
        const [b, i] = this.find(this.rects.start.data[rect]);
        this.blocks[b].splice(i, 1);
        if (!this.blocks[b].length && this.blocks.length > 1)
            this.blocks.splice(b, 1);
    }
    // Those that overlap [start, end).
    overlapping(start, end) {
        const starts = this.rects.start.data, found = [];
        let [b, i] = this.find(start);
        for (; b < this.blocks.length; b++, i = 0)
            for (const block = this.blocks[b]; i < block.length; i++) {
                if (starts[block[i]] >= end)
                    return found;
                found.push(block[i]);
            }
        return found;
    }
}

class Lifetimes {
    constructor(trace) {
        this.trace = trace;
        this.start = new Column(Float64Array);  // units
        this.end = new Column(Float64Array);
        this.born = new Column(Int32Array);     // events
        this.died = new Column(Int32Array);     // OPEN: still there at the end
        this.state = new Column(Int32Array);
        this.origin = new Column(Int32Array);   // the event that first mapped this memory
        this.offset = new Column(Float64Array); // bytes in the file
        this.image = new Column(Int32Array);    // object of the ELF image; 0: none
        this.parts = new Map();                 // rect to [{kind, start, end}] in bytes of address
        this.movedFrom = new Map();
        this.spaces = new Map();                // space to {live, rects}
    }
    get count() {
        return this.start.length;
    }
    space(id) {
        let space = this.spaces.get(id);
        if (!space)
            this.spaces.set(id, space = {live: new Live(this), rects: new Column(Int32Array, 64)});
        return space;
    }
    make(space, rect) {
        const id = this.count;
        this.start.push(rect.start);
        this.end.push(rect.end);
        this.born.push(rect.born);
        this.died.push(OPEN);
        this.state.push(rect.state);
        this.origin.push(rect.origin);
        this.offset.push(rect.offset);
        this.image.push(rect.image || 0);
        space.live.add(id);
        space.rects.push(id);
        return id;
    }
    // One that is like `rect` but for what is given.
    derive(space, rect, given) {
        const start = given.start !== undefined ? given.start : this.start.data[rect];
        const made = this.make(space, {
            start, end: this.end.data[rect], born: this.born.data[rect],
            state: this.state.data[rect], origin: this.origin.data[rect],
            offset: this.offset.data[rect] + (start - this.start.data[rect]) * UNIT,
            image: this.image.data[rect], ...given});
        const parts = this.parts.get(rect);
        if (parts)
            this.parts.set(made, parts);
        return made;
    }
    close(space, rect, event) {
        space.live.remove(rect);
        this.died.data[rect] = event;
    }
    // Make `unit` a boundary: the piece above becomes a rectangle with the same birth.
    cut(space, unit) {
        const [rect] = space.live.overlapping(unit, unit + 1);
        if (rect === undefined || this.start.data[rect] >= unit)
            return;
        const end = this.end.data[rect];
        // First the lower one becomes smaller, so that the set's order holds.
        this.end.data[rect] = unit;
        this.derive(space, rect, {start: unit, end});
    }
    // End what lies in [start, end); returns it.
    clear(space, start, end, event) {
        this.cut(space, start);
        this.cut(space, end);
        const found = space.live.overlapping(start, end);
        for (const rect of found)
            this.close(space, rect, event);
        return found;
    }

    apply(event) {
        const trace = this.trace, [first, past] = trace.changesOf(event);
        const extra = trace.extras.get(event);
        const own = this.space(trace.threadOf(event).space);
        let space = extra && extra.left ? this.space(extra.left) : own;
        const parent = trace.isCause(event, 'fork') && extra ? this.parentOf(event, extra.parent) : null;
        for (let change = first; change < past; change++) {
            const op = trace.op.data[change], start = trace.start.data[change];
            const end = start + trace.size.data[change], state = trace.after.data[change];
            if (op !== OP.GONE)
                space = own; // what an exec leaves stands first
            if (op === OP.GONE) {
                this.clear(space, start, end, event);
            } else if (op === OP.MADE) {
                this.clear(space, start, end, event);
                const made = this.make(space, {
                    start, end, born: event, state, origin: event,
                    offset: trace.offset.data[change], image: trace.image.get(change)});
                this.inherit(made, parent);
                this.learnParts(change, made);
            } else if (op === OP.ALTERED) {
                this.alter(space, event, change, start, end, state);
            } else {
                this.move(space, event, change, start, end, state);
            }
        }
    }
    alter(space, event, change, start, end, state) {
        const found = this.clear(space, start, end, event);
        let at = start;
        for (const rect of found) {
            if (this.start.data[rect] > at) // what a filter kept from us
                this.make(space, {start: at, end: this.start.data[rect], born: event, state,
                                  origin: event, offset: 0});
            at = this.end.data[rect];
            this.learnParts(change, this.derive(space, rect, {born: event, state, end: at}));
        }
        if (at < end)
            this.make(space, {start: at, end, born: event, state, origin: event, offset: 0});
    }
    move(space, event, change, start, end, state) {
        const from = this.trace.from.get(change), size = end - start;
        this.clear(space, start, end, event);
        const found = this.clear(space, from, from + size, event);
        for (const rect of found) {
            const rectStart = this.start.data[rect], rectEnd = this.end.data[rect];
            if (this.trace.stays.has(change))
                this.derive(space, rect, {born: event, end: rectEnd});
            const made = this.derive(space, rect, {
                start: start + rectStart - from, end: start + rectEnd - from, born: event, state,
                offset: this.offset.data[rect]});
            this.movedFrom.set(made, rectStart);
        }
        if (!found.length) {
            const made = this.make(space, {start, end, born: event, state, origin: event,
                                           offset: this.trace.offset.data[change]});
            this.movedFrom.set(made, from);
        }
    }
    learnParts(change, rect) {
        const image = this.trace.image.get(change);
        if (image)
            this.image.data[rect] = image;
        const parts = this.trace.parts.get(change);
        if (!parts)
            return;
        const base = this.trace.start.data[change] * UNIT;
        this.parts.set(rect, parts.map(part => ({kind: part.kind, start: base + part.start,
                                                 end: base + part.start + part.size})));
    }
    // The space of the thread that forked.
    parentOf(event, tid) {
        for (let i = event - 1; i >= 0 && i > event - 10000; i--)
            if (this.trace.threadOf(i).tid === tid)
                return this.spaces.get(this.trace.threadOf(i).space) || null;
        return null;
    }
    // A fork's child has memory that its parent had mapped: that is where it comes from.
    inherit(rect, parent) {
        if (!parent)
            return;
        const start = this.start.data[rect];
        const [theirs] = parent.live.overlapping(start, start + 1);
        if (theirs === undefined || this.state.data[theirs] !== this.state.data[rect])
            return;
        this.origin.data[rect] = this.origin.data[theirs];
        this.image.data[rect] = this.image.data[theirs];
        const parts = this.parts.get(theirs);
        if (parts)
            this.parts.set(rect, parts);
    }
}

async function readLifetimes(trace, progress) {
    const lifetimes = new Lifetimes(trace);
    let pause = performance.now() + 50;
    for (let event = 0; event < trace.count; event++) {
        lifetimes.apply(event);
        if ((event & 1023) === 0 && performance.now() > pause) {
            await progress(event / trace.count);
            pause = performance.now() + 50;
        }
    }
    return lifetimes;
}
