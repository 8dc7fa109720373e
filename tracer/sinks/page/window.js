// window.js - the part of time and of addresses that is shown, and how it is panned and zoomed.

// All places on the axis of time are in `x`: by the
// clock nanoseconds, else events.
class Window {
    constructor(view, byTime) {
        this.view = view;
        this.byTime = byTime;
        this.reset();
    }
    reset() {
        this.x0 = this.startX;
        this.x1 = this.endX;
        this.u0 = this.least;
        this.u1 = this.most;
    }
    get least() {
        return -0.006 * this.view.axis.top;
    }
    get most() {
        return 1.006 * this.view.axis.top;
    }
    get startX() {
        return this.xOf(this.view.process.first);
    }
    get endX() {
        const end = this.xOf(Math.min(this.view.process.end, this.view.trace.count));
        return end > this.startX ? end : this.startX + 1;
    }
    // Where an event stands; `trace.count` is the end.
    xOf(event) {
        const trace = this.view.trace;
        if (!this.byTime)
            return this.view.order ? this.view.order[event] : event;
        return event >= trace.count ? trace.duration : trace.time.data[event];
    }
    // The last event at or before a place, which is known not to be before `since`.
    eventAt(x, since = this.view.process.first) {
        const {end} = this.view.process, trace = this.view.trace;
        let low = since, high = Math.min(end, trace.count - 1);
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (this.xOf(middle) <= x)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }
    zoomX(at, factor) {
        const whole = this.endX - this.startX;
        const span = Math.min(Math.max((this.x1 - this.x0) * factor, this.byTime ? 200 : 3), whole);
        const share = (at - this.x0) / (this.x1 - this.x0);
        this.x0 = at - share * span;
        this.x1 = this.x0 + span;
        this.clamp();
    }
    zoomU(at, factor) {
        const span = Math.min(Math.max((this.u1 - this.u0) * factor, this.leastSpan(at)),
                              this.most - this.least);
        const share = (at - this.u0) / (this.u1 - this.u0);
        this.u0 = at - share * span;
        this.u1 = this.u0 + span;
        this.clamp();
    }
    // Eight pages high, where this is.
    leastSpan(u) {
        const piece = this.view.axis.pieceAtU(u);
        return piece ? (piece.u1 - piece.u0) * Math.min(1, 8 / (piece.end - piece.start)) : 1;
    }
    pan(dx, du) {
        this.x0 += dx;
        this.x1 += dx;
        this.u0 += du;
        this.u1 += du;
        this.clamp();
    }
    show(x0, x1, u0, u1) {
        this.x0 = x0;
        this.x1 = Math.max(x1, x0 + (this.byTime ? 200 : 3));
        const middle = (u0 + u1) / 2, half = Math.max((u1 - u0) / 2, this.leastSpan(middle) / 2);
        this.u0 = middle - half;
        this.u1 = middle + half;
        this.clamp();
    }
    clamp() {
        [this.x0, this.x1] = clampRange(this.x0, this.x1, this.startX, this.endX);
        [this.u0, this.u1] = clampRange(this.u0, this.u1, this.least, this.most);
    }
    get isWhole() {
        return this.x0 <= this.startX && this.x1 >= this.endX && this.u0 <= this.least &&
               this.u1 >= this.most;
    }
}

function clampRange(low, high, least, most) {
    const span = Math.min(high - low, most - least);
    low = Math.min(Math.max(low, least), most - span);
    return [low, low + span];
}
