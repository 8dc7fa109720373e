// axis.js - the axis of addresses: piecewise linear. Each area that is ever used gets room by the
// logarithm of its size, and what is never mapped between them is folded to a mark, so that a page
// and a terabyte are both to be seen. Places on it ("u") grow with the address.

const PIECES_MOST = 300;
const GAP_WEIGHT = 3.5;
const SMALL_GAP = 64; // units: such a hole is drawn in scale with its neighbours

class Axis {
    constructor(view) {
        let cuts = this.findCuts(view, true);
        if (cuts.length > PIECES_MOST)
            cuts = this.findCuts(view, false);
        this.pieces = this.thin(this.piecesOf(cuts));
        // A mark for a hole is as high as a text, whatever else there is, while there are few of them.
        const used = this.pieces.reduce((sum, piece) => sum + (piece.gap ? 0 : weightOf(piece)), 0);
        const mark = Math.max(GAP_WEIGHT, used / 28);
        let u = 0;
        this.pieces.forEach((piece, i) => {
            const size = piece.end - piece.start;
            piece.u0 = u;
            if (piece.gap)
                u += size <= SMALL_GAP ? 0.5 + 0.25 * Math.log2(1 + size)
                                       : this.pieces[i + 1].brief ? mark * 0.3 : mark;
            else
                u += weightOf(piece);
            piece.u1 = u;
        });
        this.top = u || 1;
    }

    // Areas of one owner and kind, joined over all time: their bounds, and whether memory lies there.
    findCuts(view, fine) {
        const groups = new Map(), rects = view.lifetimes;
        for (let i = 0; i < view.count; i++) {
            const id = view.id[i], state = view.stateOf(i);
            const image = rects.image.data[id] || state.object, kind = state.kind;
            const passing = view.brief[i] ? 2 ** 40 : 0;
            const key = passing + (image ? image * 32 + (fine ? kind : 31) : KIND_FAMILY[view.trace.run.kinds[kind]] || 0);
            let group = groups.get(key);
            if (!group)
                groups.set(key, group = new Map());
            const start = rects.start.data[id], end = rects.end.data[id], there = group.get(start);
            if (there === undefined || there < end)
                group.set(start, end);
        }
        const areas = [];
        for (const [key, group] of groups) {
            const lasts = key > 2 ** 39 ? 0 : 1;
            let area = null;
            for (const start of Float64Array.from(group.keys()).sort()) {
                const end = group.get(start);
                if (area && start <= area.end)
                    area.end = Math.max(area.end, end);
                else
                    areas.push(area = {start, end, lasts});
            }
        }
        const cuts = [];
        for (const {start, end, lasts} of areas)
            cuts.push({at: start, step: 1, lasts}, {at: end, step: -1, lasts: -lasts});
        return cuts.sort((a, b) => a.at - b.at);
    }
    piecesOf(cuts) {
        const pieces = [];
        let depth = 0, lasting = 0;
        for (let i = 0; i < cuts.length; i++) {
            depth += cuts[i].step;
            lasting += cuts[i].lasts;
            const next = cuts[i + 1];
            if (next && next.at > cuts[i].at)
                pieces.push({start: cuts[i].at, end: next.at, gap: depth === 0,
                             brief: lasting === 0});
        }
        return pieces;
    }
    // So many pieces that each is less than a pixel are joined, the smallest first.
    thin(pieces) {
        for (let limit = 4; pieces.length > PIECES_MOST && limit < 2 ** 52; limit *= 4) {
            const joined = [];
            for (const piece of pieces) {
                const last = joined[joined.length - 1];
                if (last && piece.end - piece.start < limit && last.end - last.start < limit * 64 &&
                    (last.gap || piece.gap ? piece.end - last.start < limit * 64 : true)) {
                    last.end = piece.end;
                    last.gap = last.gap && piece.gap;
                    last.brief = last.brief && piece.brief;
                } else {
                    joined.push({...piece});
                }
            }
            pieces = joined;
        }
        return pieces;
    }

    pieceAt(unit) {
        let low = 0, high = this.pieces.length - 1;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.pieces[middle].end <= unit)
                low = middle + 1;
            else
                high = middle;
        }
        return this.pieces[low];
    }
    toU(unit) {
        const piece = this.pieceAt(unit);
        if (!piece)
            return 0;
        const share = (unit - piece.start) / (piece.end - piece.start);
        return piece.u0 + Math.min(Math.max(share, 0), 1) * (piece.u1 - piece.u0);
    }
    pieceAtU(u) {
        let low = 0, high = this.pieces.length - 1;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.pieces[middle].u1 <= u)
                low = middle + 1;
            else
                high = middle;
        }
        return this.pieces[low];
    }
    toUnit(u) {
        const piece = this.pieceAtU(u);
        if (!piece)
            return 0;
        return piece.start + (u - piece.u0) / (piece.u1 - piece.u0) * (piece.end - piece.start);
    }
}

function weightOf(piece) {
    return (1.5 + Math.log2(1 + piece.end - piece.start)) * (piece.brief ? 0.12 : 1);
}

// Kinds without a file that lie in one area by turns.
const KIND_FAMILY = {
    'heap': -1, 'stack': -2, 'thread-stack': -3, 'guard': -3, 'anon': -4, 'reserve': -4, 'bss': -5,
    'data': -5, 'shm': -6,
};
