// view.js - one process: which spaces it had when, the rectangles of these, and two indexes over
// time: a tree that finds and sums up rectangles, and bytes by kind at any event.

const LEAF_SHIFT = 5;     // a leaf of the tree is 32 events
const BLOCK_SHIFT = 6;    // bytes by kind are kept every 64 events
const BRIEF = 0.05;       // of a process's life
const MERGED_MOST = 256;  // more different rectangles than this are not summed up

// The processes of a trace: {pid, name, path, first, end, how, segments: [{space, from, to}], ...}
// Events are by index; `end` and `to` are exclusive bounds (an exit itself is the end).
function findProcesses(trace) {
    const processes = [], byPid = new Map(), exit = trace.run.causes.indexOf('exit');
    const exec = trace.run.causes.indexOf('exec'), detach = trace.run.causes.indexOf('detach');
    for (let event = 0; event < trace.count; event++) {
        const {pid, space} = trace.threads[trace.thread.data[event]];
        const cause = trace.cause.data[event];
        let process = byPid.get(pid);
        if (!process) {
            const extra = trace.extras.get(event);
            const parent = extra && extra.parent ? processOfThread(trace, processes, event, extra.parent) : null;
            process = {pid, parent, first: event, end: trace.count, how: '', segments: [], events: 0,
                       name: parent ? parent.name : '', path: parent ? parent.path : '',
                       root: !parent, exactness: null};
            byPid.set(pid, process);
            processes.push(process);
        }
        process.events++;
        const last = process.segments[process.segments.length - 1];
        if (!last || last.space !== space) {
            if (last)
                last.to = event;
            process.segments.push({space, from: event, to: trace.count});
        }
        if (cause >= FIRST_CALL)
            continue;
        const extra = trace.extras.get(event);
        if (extra && extra.path !== undefined) {
            process.path = extra.path;
            process.name = baseName(extra.path) || process.name;
            process.bits = extra.bits;
            process.program = extra.program;
        }
        if (cause === exit || cause === detach) {
            process.end = event;
            process.segments[process.segments.length - 1].to = event;
            if (extra) {
                process.how = extra.how;
                process.name = extra.name || process.name;
                process.root = extra.root;
                process.exactness = extra.exactness;
                process.lifetime = extra.lifetime;
            }
            byPid.delete(pid);
        }
    }
    for (const process of processes)
        process.name = process.name || 'process';
    return processes;
}

function processOfThread(trace, processes, event, tid) {
    for (let i = event - 1; i >= 0; i--) {
        const thread = trace.threadOf(i);
        if (thread.tid === tid)
            return processes.find(process => process.pid === thread.pid && process.first <= i) || null;
    }
    return null;
}

class View {
    constructor(trace, lifetimes, process) {
        this.trace = trace;
        this.lifetimes = lifetimes;
        this.process = process;
        this.last = Math.max(process.first, Math.min(process.end, trace.count) - 1); // event before the end
        this.takeRects();
        this.buildTree();
        this.buildBytes();
        this.axis = new Axis(this);
        this.placeRects();
        this.buildOrder();
        this.findMarks();
    }

    // ---- rectangles ----

    takeRects() {
        const rects = this.lifetimes, id = new Column(Int32Array), t0 = new Column(Int32Array);
        const t1 = new Column(Int32Array), brief = new Column(Uint8Array);
        for (const {space, from, to} of this.process.segments) {
            const passing = this.isBrief(from, to) ? 1 : 0;
            const own = rects.spaces.get(space);
            for (let i = 0; own && i < own.rects.length; i++) {
                const rect = own.rects.data[i];
                const born = Math.max(rects.born.data[rect], from);
                const died = Math.min(rects.died.data[rect], to);
                if (born >= died)
                    continue;
                id.push(rect);
                t0.push(born);
                t1.push(died);
                brief.push(passing);
            }
        }
        this.count = id.length;
        this.id = id.data.subarray(0, this.count);
        this.t0 = t0.data.subarray(0, this.count);
        this.t1 = t1.data.subarray(0, this.count);
        this.brief = brief.data; // in a space that the process soon left for another
        this.kind = new Uint8Array(this.count);
        for (let i = 0; i < this.count; i++)
            this.kind[i] = this.stateOf(i).kind;
    }
    // A child between its fork and its exec has its parent's map, which is seldom of interest.
    isBrief(from, to) {
        const timeOf = event => event < this.trace.count ? this.trace.time.data[event] : this.trace.duration;
        const whole = timeOf(Math.min(this.process.end, this.trace.count)) - timeOf(this.process.first);
        return this.process.segments.length > 1 && timeOf(to) - timeOf(from) < BRIEF * whole;
    }
    stateOf(rect) {
        return this.trace.states[this.lifetimes.state.data[this.id[rect]]];
    }
    start(rect) {
        return this.lifetimes.start.data[this.id[rect]];
    }
    end(rect) {
        return this.lifetimes.end.data[this.id[rect]];
    }
    bytes(rect) {
        return (this.end(rect) - this.start(rect)) * UNIT;
    }
    // What a rectangle is called besides its kind; "" for plain memory.
    nameOf(rect) {
        const id = this.id[rect], object = this.stateOf(rect).object || this.lifetimes.image.data[id];
        return this.trace.objects[object].name;
    }
    placeRects() {
        this.u0 = new Float64Array(this.count);
        this.u1 = new Float64Array(this.count);
        for (let i = 0; i < this.count; i++) {
            this.u0[i] = this.axis.toU(this.start(i));
            this.u1[i] = this.axis.toU(this.end(i));
        }
    }

    // ---- the tree: each rectangle lies in the lowest node that spans its whole life ----

    buildTree() {
        const leaves = (this.trace.count >> LEAF_SHIFT) + 1;
        this.leaves = 1;
        while (this.leaves < leaves)
            this.leaves *= 2;
        const nodes = new Int32Array(this.count), counts = new Int32Array(this.leaves * 2 + 1);
        for (let i = 0; i < this.count; i++) {
            const a = this.t0[i] >> LEAF_SHIFT, b = this.t1[i] >> LEAF_SHIFT;
            nodes[i] = (this.leaves + a) >> (32 - Math.clz32(a ^ b));
            counts[nodes[i] + 1]++;
        }
        for (let i = 1; i < counts.length; i++)
            counts[i] += counts[i - 1];
        this.nodeStart = counts.slice();
        this.nodeRects = new Int32Array(this.count);
        for (let i = 0; i < this.count; i++)
            this.nodeRects[counts[nodes[i]]++] = i;
        // Whether anything lies in a node or below it.
        this.nodeUsed = new Uint8Array(this.leaves * 2);
        for (let n = this.leaves * 2 - 1; n >= 1; n--)
            this.nodeUsed[n] = this.nodeStart[n + 1] > this.nodeStart[n] ||
                               (n < this.leaves && (this.nodeUsed[n * 2] | this.nodeUsed[n * 2 + 1]));
        this.merged = new Map();
    }
    // Rectangles there right after an event.
    alive(event) {
        const found = [];
        for (let n = this.leaves + (event >> LEAF_SHIFT); n >= 1; n >>= 1)
            for (let i = this.nodeStart[n]; i < this.nodeStart[n + 1]; i++) {
                const rect = this.nodeRects[i];
                if (this.t0[rect] <= event && event < this.t1[rect])
                    found.push(rect);
            }
        return found;
    }
    // Those that overlap the events from..to (inclusive) and [start, end) in units, at most `most`.
    overlapping(from, to, start, end, most) {
        const found = [];
        const walk = (node, low, span) => {
            if (!this.nodeUsed[node] || low > to || low + span <= from || found.length >= most)
                return;
            for (let i = this.nodeStart[node]; i < this.nodeStart[node + 1]; i++) {
                const rect = this.nodeRects[i];
                if (this.t0[rect] <= to && this.t1[rect] > from && this.start(rect) < end &&
                    this.end(rect) > start && found.length < most)
                    found.push(rect);
            }
            if (node < this.leaves) {
                walk(node * 2, low, span / 2);
                walk(node * 2 + 1, low + span / 2, span / 2);
            }
        };
        walk(1, 0, this.leaves << LEAF_SHIFT);
        return found;
    }
    // What lies in a node and below it, each range of a kind once; null: too much to sum up.
    mergedOf(node) {
        let merged = this.merged.get(node);
        if (merged !== undefined)
            return merged;
        const seen = new Map();
        const add = rect => {
            const key = this.lifetimes.start.data[this.id[rect]] * 32 + this.kind[rect];
            const there = seen.get(key);
            if (there === undefined || this.u1[there] < this.u1[rect])
                seen.set(key, rect);
        };
        let fits = true;
        if (node < this.leaves)
            for (const child of [node * 2, node * 2 + 1]) {
                const theirs = this.nodeUsed[child] ? this.mergedOf(child) : [];
                fits = fits && theirs !== null;
                for (let i = 0; fits && i < theirs.length; i++)
                    add(theirs[i]);
            }
        for (let i = this.nodeStart[node]; fits && i < this.nodeStart[node + 1]; i++)
            add(this.nodeRects[i]);
        merged = fits && seen.size <= MERGED_MOST ? Int32Array.from(seen.values()) : null;
        this.merged.set(node, merged);
        return merged;
    }

    // ---- bytes by kind ----

    buildBytes() {
        const events = this.trace.count, kinds = this.trace.run.kinds.length;
        const counts = new Int32Array(events + 2);
        for (let i = 0; i < this.count; i++) {
            counts[this.t0[i] + 1]++;
            counts[this.t1[i] + 1]++;
        }
        for (let i = 1; i < counts.length; i++)
            counts[i] += counts[i - 1];
        this.deltaStart = counts.slice();
        this.deltaRect = new Int32Array(this.count * 2); // rect, or ~rect where it ends
        for (let i = 0; i < this.count; i++) {
            this.deltaRect[counts[this.t0[i]]++] = i;
            this.deltaRect[counts[this.t1[i]]++] = ~i;
        }
        const blocks = (events >> BLOCK_SHIFT) + 1, now = new Float64Array(kinds);
        this.blockBytes = new Float64Array(blocks * kinds); // before the block's first event
        this.blockPeak = new Float64Array(blocks * kinds);  // where it has most
        this.kinds = kinds;
        this.peakBytes = 0;
        this.peakEvent = this.process.first;
        for (let block = 0; block < blocks; block++) {
            this.blockBytes.set(now, block * kinds);
            let most = -1;
            const past = Math.min((block + 1) << BLOCK_SHIFT, events);
            for (let event = block << BLOCK_SHIFT; event < past; event++) {
                this.step(now, event);
                let total = 0;
                for (let k = 0; k < kinds; k++)
                    total += now[k];
                if (total > most) {
                    most = total;
                    this.blockPeak.set(now, block * kinds);
                }
                if (total > this.peakBytes) {
                    this.peakBytes = total;
                    this.peakEvent = event;
                }
            }
        }
    }
    step(bytes, event) {
        for (let i = this.deltaStart[event]; i < this.deltaStart[event + 1]; i++) {
            const rect = this.deltaRect[i];
            if (rect >= 0)
                bytes[this.kind[rect]] += this.bytes(rect);
            else
                bytes[this.kind[~rect]] -= this.bytes(~rect);
        }
    }
    // Bytes by kind right after an event.
    bytesAt(event) {
        const block = event >> BLOCK_SHIFT;
        const bytes = this.blockBytes.slice(block * this.kinds, (block + 1) * this.kinds);
        for (let i = block << BLOCK_SHIFT; i <= event; i++)
            this.step(bytes, i);
        return bytes;
    }

    // ---- places on the axis of time: by the clock, or one event as wide as another ----

    buildOrder() {
        this.order = null;
        if (this.process.events === this.trace.count)
            return;
        const mine = this.trace.threads.map(thread =>
            this.process.segments.some(segment => segment.space === thread.space));
        this.order = new Int32Array(this.trace.count + 1);
        for (let event = 0; event < this.trace.count; event++)
            this.order[event + 1] = this.order[event] +
                (mine[this.trace.thread.data[event]] && event >= this.process.first &&
                 event <= this.process.end ? 1 : 0);
    }
    // What is no call and no fault: programs, processes and threads that begin and end, signals.
    findMarks() {
        const fault = this.trace.run.causes.indexOf('fault'), past = Math.min(this.process.end, this.trace.count - 1);
        this.marks = [];
        for (let event = this.process.first; event <= past; event++) {
            const cause = this.trace.cause.data[event];
            if (cause < FIRST_CALL && cause !== fault && this.owns(event) && this.marks.length < 5000)
                this.marks.push(event);
        }
    }
    // Does this event belong to the process's spaces (its vfork child's do, too)?
    owns(event) {
        return event >= this.process.first && event <= this.process.end &&
               (this.order ? this.order[event + 1] > this.order[event] : true);
    }
    spaceAt(event) {
        for (const segment of this.process.segments)
            if (segment.from <= event && event < segment.to)
                return segment.space;
        return 0;
    }
}
