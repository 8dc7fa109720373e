// data.js - the trace as it stands in the page, unpacked. The form is html.c's: what it writes is
// read here, field by field in the same order. A text that ends early gives what was whole.

const RECORD = {PAD: 0, RUN: 1, OBJECT: 2, STATE: 3, THREAD: 4, CALL: 5, FRAME: 6, STACK: 7,
                EVENT: 8, END: 9};
const HAS = {SP: 1, STACK: 2, HEAP: 4, TOTAL: 8, GAP: 16, NOTE: 32, EXTRA: 64, DOUBT: 128};
const OP = {MADE: 0, GONE: 1, ALTERED: 2, MOVED: 3};
const OP_MARK = ['+', '-', '~', '>'];
const BIT_STAYS = 4;
const BIT_IMAGE = 8;
const FIRST_CALL = 16;

// A typed array that grows.
class Column {
    constructor(Type, size = 1024) {
        this.Type = Type;
        this.data = new Type(size);
        this.length = 0;
    }
    push(value) {
        if (this.length === this.data.length) {
            const grown = new this.Type(this.length * 2);
            grown.set(this.data);
            this.data = grown;
        }
        this.data[this.length++] = value;
    }
}

// The elements' texts together are one base64 text. They are taken out of the page as they are read.
function decodeBase64(elements) {
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const value = new Uint8Array(256).fill(255);
    for (let i = 0; i < 64; i++)
        value[digits.charCodeAt(i)] = i;
    let total = 0;
    const texts = [];
    for (const item of elements) {
        const text = item.textContent;
        texts.push(text);
        total += text.length;
        item.remove();
    }
    const bytes = new Uint8Array(Math.floor(total / 4) * 3);
    let at = 0;
    for (let t = 0; t < texts.length; t++) {
        const text = texts[t], whole = text.length - text.length % 4;
        texts[t] = '';
        for (let i = 0; i < whole; i += 4) {
            const a = value[text.charCodeAt(i) & 255], b = value[text.charCodeAt(i + 1) & 255];
            const c = value[text.charCodeAt(i + 2) & 255], d = value[text.charCodeAt(i + 3) & 255];
            if ((a | b | c | d) & 128)
                return bytes.subarray(0, at);
            bytes[at++] = a << 2 | b >> 4;
            bytes[at++] = (b & 15) << 4 | c >> 2;
            bytes[at++] = (c & 3) << 6 | d;
        }
    }
    return bytes.subarray(0, at);
}

class Reader {
    constructor(bytes) {
        this.bytes = bytes;
        this.at = 0;
    }
    byte() {
        if (this.at >= this.bytes.length)
            throw new RangeError('the data end early');
        return this.bytes[this.at++];
    }
    // Exact up to 2^53.
    number() {
        let byte = this.byte();
        if (byte < 128)
            return byte;
        let value = byte & 127, shift = 7;
        do {
            byte = this.byte();
            value = shift < 28 ? value | (byte & 127) << shift
                               : value + (byte & 127) * 2 ** shift;
            shift += 7;
        } while (byte & 128 && shift < 70);
        return value;
    }
    signed() {
        const value = this.number();
        return value % 2 ? -(value + 1) / 2 : value / 2;
    }
    // Exact to 64 bits, as a two's complement number without a sign.
    wide() {
        let value = 0n, shift = 0n, byte;
        do {
            byte = this.byte();
            value |= BigInt(byte & 127) << shift;
            shift += 7n;
        } while (byte & 128 && shift < 70n);
        return BigInt.asUintN(64, value & 1n ? ~(value >> 1n) : value >> 1n);
    }
    skip() {
        while (this.byte() & 128)
            ;
    }
    text() {
        const length = this.number();
        if (this.at + length > this.bytes.length)
            throw new RangeError('the data end early');
        const text = Reader.decoder.decode(this.bytes.subarray(this.at, this.at + length));
        this.at += length;
        return text;
    }
}
Reader.decoder = new TextDecoder();

class Trace {
    constructor() {
        this.run = null;
        this.end = null;     // null: cut short
        this.partial = false; // a filter left something out
        this.objects = [{file: false, name: '', dev: '', inode: 0}]; // [0]: none
        this.states = [];
        this.threads = [];   // {pid, tid, space}
        this.calls = [];     // {name, abi, args}
        this.frames = new Map();
        this.stacks = new Map(); // id to {frames, end}
        // Events by index; `at` is where one begins in `bytes`, for what is asked for seldom.
        this.time = new Column(Float64Array);
        this.thread = new Column(Int32Array);
        this.cause = new Column(Uint16Array);
        this.has = new Column(Uint16Array);
        this.at = new Column(Float64Array);
        this.sp = new Column(Float64Array);     // 0: not known
        this.brk = new Column(Float64Array);    // of a brk: where the break is then; else 0
        this.stack = new Column(Float64Array);
        this.firstChange = new Column(Int32Array);
        // Changes by index.
        this.op = new Column(Uint8Array);
        this.start = new Column(Float64Array);  // units
        this.size = new Column(Float64Array);
        this.before = new Column(Int32Array);   // states; -1: none
        this.after = new Column(Int32Array);
        this.offset = new Column(Float64Array); // bytes in the file
        this.from = new Map();                  // MOVED: change to units
        this.stays = new Set();
        this.image = new Map();                 // change to object
        this.parts = new Map();                 // change to [{kind, start, size}]
        this.seqs = new Map();                  // where sequence numbers jump: event to seq
        this.gaps = [];                         // these events, ascending
        this.notes = new Map();
        this.extras = new Map();
    }

    get count() {
        return this.time.length;
    }
    get duration() {
        const last = this.count ? this.time.data[this.count - 1] : 0;
        return Math.max(this.end ? this.end.duration : 0, last, 1);
    }
    changesOf(event) {
        const end = event + 1 < this.count ? this.firstChange.data[event + 1] : this.op.length;
        return [this.firstChange.data[event], end];
    }
    causeName(event) {
        return this.causeText(this.cause.data[event]);
    }
    causeText(cause) {
        return cause >= FIRST_CALL ? this.calls[cause - FIRST_CALL].name : this.run.causes[cause];
    }
    isCause(event, name) {
        return this.cause.data[event] === this.run.causes.indexOf(name);
    }
    threadOf(event) {
        return this.threads[this.thread.data[event]];
    }
    // Sequence numbers are the event's place unless a filter left some out.
    seq(event) {
        if (!this.gaps.length)
            return event + 1;
        let low = 0, high = this.gaps.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.gaps[middle] <= event)
                low = middle + 1;
            else
                high = middle;
        }
        if (!low)
            return event + 1;
        const base = this.gaps[low - 1];
        return this.seqs.get(base) + event - base;
    }
    eventOfSeq(seq) {
        let low = 0, high = this.count;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.seq(middle) < seq)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
    // The last event at or before this time; -1: none.
    eventAtTime(ns) {
        let low = 0, high = this.count;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.time.data[middle] <= ns)
                low = middle + 1;
            else
                high = middle;
        }
        return low - 1;
    }

    // A call's arguments and result, unpacked when asked for: {args: [[name, value]], result, failed}
    callOf(event) {
        const cause = this.cause.data[event];
        if (cause < FIRST_CALL)
            return null;
        const call = this.calls[cause - FIRST_CALL];
        const reader = new Reader(this.bytes);
        reader.at = this.at.data[event];
        const told = this.changesOf(event)[1]; // measured from the last address told
        const last = BigInt(told ? this.start.data[told - 1] : 0) * BigInt(UNIT);
        const near = reader.byte();
        const values = [];
        for (let i = 0; i <= call.args.length; i++) {
            const value = reader.wide();
            values.push(near >> i & 1 ? BigInt.asUintN(64, value + last) : value);
        }
        return {name: call.name, abi: call.abi, result: values.pop(), failed: !!(near & 128),
                args: call.args.map((name, i) => [name, values[i]])};
    }
}

// Unpack everything. `progress` is called with a share of 1 now and then and may be waited for.
async function readTrace(bytes, progress) {
    const trace = new Trace(), reader = new Reader(bytes);
    trace.bytes = bytes;
    const state = {last: 0, time: 0, seq: 0, sps: []};
    let pause = performance.now() + 50;
    try {
        while (reader.at < bytes.length) {
            readRecord(trace, reader, state);
            if ((trace.count & 1023) === 0 && performance.now() > pause) {
                await progress(reader.at / bytes.length);
                pause = performance.now() + 50;
            }
        }
    } catch (error) {
        if (!(error instanceof RangeError))
            throw error;
        forgetUnfinished(trace);
        trace.end = null;
    }
    return trace;
}

// The last event was not whole: its changes stand there, it does not.
function forgetUnfinished(trace) {
    const count = trace.time.length;
    if (trace.firstChange.length === count)
        return;
    const changes = trace.firstChange.data[count];
    trace.firstChange.length = count;
    for (const name of ['op', 'start', 'size', 'before', 'after', 'offset'])
        trace[name].length = changes;
}

function readRecord(trace, reader, state) {
    switch (reader.byte()) {
    case RECORD.PAD:
        break;
    case RECORD.RUN:
        trace.run = JSON.parse(reader.text());
        break;
    case RECORD.OBJECT: {
        const file = reader.byte() === 1, major = reader.number(), minor = reader.number();
        const inode = reader.number(), name = reader.text();
        trace.objects.push({file, name, inode, dev: major.toString(16).padStart(2, '0') + ':' +
                                                    minor.toString(16).padStart(2, '0')});
        break;
    }
    case RECORD.STATE: {
        const prot = reader.byte(), flags = reader.byte(), kind = reader.byte();
        trace.states.push({prot, flags, kind, object: reader.number()});
        break;
    }
    case RECORD.THREAD: {
        const pid = reader.number(), tid = reader.number();
        trace.threads.push({pid, tid, space: reader.number()});
        state.sps.push(0);
        break;
    }
    case RECORD.CALL: {
        const call = {name: reader.text(), abi: reader.text(), args: []};
        for (let count = reader.number(); count > 0; count--)
            call.args.push(reader.text());
        trace.calls.push(call);
        break;
    }
    case RECORD.FRAME: {
        const frame = JSON.parse(reader.text());
        trace.frames.set(frame.id, frame);
        break;
    }
    case RECORD.STACK: {
        const id = reader.number(), frames = [];
        for (let count = reader.number(); count > 0; count--)
            frames.push(reader.number());
        trace.stacks.set(id, {frames, end: reader.text()});
        break;
    }
    case RECORD.EVENT:
        readEvent(trace, reader, state);
        break;
    case RECORD.END:
        trace.end = JSON.parse(reader.text());
        break;
    default:
        throw new RangeError('a record of no known type');
    }
}

function readEvent(trace, reader, state) {
    const event = trace.firstChange.length;
    const has = reader.number();
    state.time += reader.signed();
    const thread = reader.number(), cause = reader.number();
    trace.firstChange.push(trace.op.length);
    const changes = reader.number();
    for (let i = 0; i < changes; i++)
        readChange(trace, reader, state);
    const at = reader.at;
    let brk = 0;
    if (cause >= FIRST_CALL) {
        const call = trace.calls[cause - FIRST_CALL];
        const near = reader.byte();
        for (let i = 0; i < call.args.length; i++)
            reader.skip();
        if (call.name === 'brk') {
            brk = reader.signed() + (near >> call.args.length & 1 ? state.last * UNIT : 0);
            brk = near & 128 ? 0 : brk;
        } else {
            reader.skip();
        }
    }
    if (has & HAS.SP)
        state.sps[thread] += reader.signed();
    const stack = has & HAS.STACK ? reader.number() : 0;
    if (has & HAS.HEAP)
        reader.number();
    if (has & HAS.TOTAL) {
        reader.signed();
        trace.partial = true;
    }
    state.seq++;
    if (has & HAS.GAP) {
        state.seq = reader.number();
        trace.seqs.set(event, state.seq);
        trace.gaps.push(event);
        trace.partial = true;
    }
    if (has & HAS.NOTE)
        trace.notes.set(event, reader.text());
    if (has & HAS.EXTRA)
        trace.extras.set(event, JSON.parse(reader.text()));
    trace.time.push(state.time);
    trace.thread.push(thread);
    trace.cause.push(cause);
    trace.has.push(has);
    trace.at.push(at);
    trace.sp.push(has & HAS.SP ? state.sps[thread] : 0);
    trace.brk.push(brk);
    trace.stack.push(stack);
}

function readChange(trace, reader, state) {
    const change = trace.op.length, bits = reader.byte(), op = bits & 3;
    state.last += reader.signed();
    const start = state.last, size = reader.number();
    if (op === OP.MOVED)
        trace.from.set(change, start + reader.signed());
    const before = op === OP.MADE ? -1 : reader.number();
    const after = op === OP.GONE ? -1 : reader.number();
    const told = trace.states[after < 0 ? before : after];
    const offset = told && trace.objects[told.object].file ? reader.number() : 0;
    if (bits & BIT_STAYS)
        trace.stays.add(change);
    if (bits & BIT_IMAGE) {
        trace.image.set(change, reader.number());
        const parts = [];
        for (let count = reader.number(); count > 0; count--)
            parts.push({kind: reader.byte(), start: reader.number(), size: reader.number()});
        if (parts.length)
            trace.parts.set(change, parts);
    }
    trace.op.push(op);
    trace.start.push(start);
    trace.size.push(size);
    trace.before.push(before);
    trace.after.push(after);
    trace.offset.push(offset);
}
