// layout.js - the address space at the moment, drawn as textbooks do: high addresses on top, boxes
// by the logarithm of their size, holes folded and labelled.

const BOXES_MOST = 300;

class LayoutPanel {
    constructor(list, title) {
        this.list = list;
        this.title = title;
        this.onpick = () => {};
        list.addEventListener('click', event => {
            const row = event.target.closest('[data-rect]');
            if (row)
                this.onpick(Number(row.dataset.rect));
        });
    }
    set(view, theme, hidden) {
        this.view = view;
        this.theme = theme;
        this.hidden = hidden;
        this.swatches = theme.kinds.map((_, kind) => theme.swatch(kind, 24));
        this.urls = this.swatches.map(canvas => canvas.toDataURL());
    }

    // Regions at an event, ascending: rectangles alike and side by side are one.
    regionsAt(event) {
        const view = this.view, regions = [];
        const rects = view.alive(event).sort((a, b) => view.start(a) - view.start(b));
        for (const rect of rects) {
            const last = regions[regions.length - 1], id = view.id[rect], state = view.stateOf(rect);
            const image = view.lifetimes.image.data[id], offset = view.lifetimes.offset.data[id];
            const file = view.trace.objects[state.object].file;
            if (last && last.end === view.start(rect) && last.state === state &&
                (!file || last.offset + (last.end - last.start) * UNIT === offset)) {
                last.end = view.end(rect);
                last.rects.push(rect);
                last.image = last.image || image;
            } else {
                regions.push({start: view.start(rect), end: view.end(rect), state, offset, image,
                              rects: [rect]});
            }
        }
        return regions;
    }

    show(event, marked) {
        const view = this.view;
        this.event = event;
        const all = this.regionsAt(event);
        const regions = all.filter(region => !this.hidden.has(region.state.kind));
        const total = regions.reduce((sum, region) => sum + region.end - region.start, 0);
        this.title.textContent = `${countText(all.length, 'region')}, ${sizeText(total * UNIT)}`;
        const rows = document.createDocumentFragment();
        const sp = this.stackPointer(event), spans = this.imageSpans(regions);
        let above = null, image = 0;
        for (let i = regions.length - 1, boxes = 0; i >= 0; i--) {
            const region = regions[i];
            if (above !== null && above > region.end)
                rows.append(this.hole(region.end, above, regions, i));
            above = region.start;
            if (boxes++ >= BOXES_MOST && i > 8) {
                const last = regions[8];
                rows.append(element('li', 'folded',
                                    `${countText(i - 8, 'more region')} down to ${hexUnits(last.start)}`));
                above = last.start;
                i = 8;
                boxes = -100;
                continue;
            }
            const owner = region.image || region.state.object;
            const span = spans.get(owner);
            if (span && span.count > 1 && owner !== image)
                rows.append(this.heading(view.trace.objects[owner].name, span));
            image = owner;
            rows.append(this.box(region, span && span.count > 1, sp, marked));
        }
        if (!regions.length)
            rows.append(element('li', 'folded', 'nothing is mapped'));
        this.list.replaceChildren(rows);
    }
    // Images of several regions get one heading.
    imageSpans(regions) {
        const spans = new Map();
        for (const region of regions) {
            const owner = region.image || region.state.object;
            if (!owner)
                continue;
            const span = spans.get(owner) || {count: 0, bytes: 0};
            span.count++;
            span.bytes += (region.end - region.start) * UNIT;
            spans.set(owner, span);
        }
        return spans;
    }
    stackPointer(event) {
        const {trace, process} = this.view, space = this.view.spaceAt(event);
        for (let i = event; i >= process.first && i > event - 5000; i--) {
            const thread = trace.threadOf(i);
            if (thread.tid === process.pid && thread.space === space && trace.sp.data[i])
                return trace.sp.data[i];
        }
        return 0;
    }
    heading(name, span) {
        const row = element('li', 'image');
        row.append(element('span', 'name', baseName(name)), element('span', 'size', sizeText(span.bytes)));
        row.title = name;
        return row;
    }
    hole(start, end, regions, i) {
        const pages = end - start, row = element('li', pages > 4096 ? 'hole torn' : 'hole');
        let words = 'free';
        const below = this.kindName(regions[i]), over = this.kindName(regions[i + 1]);
        if (over === 'stack')
            words = '▼ stack grows down';
        else if (below === 'heap' && pages > 4096)
            words = '▲ heap grows up';
        row.append(element('span', 'at', hexUnits(start)), element('span', 'what', words),
                   element('span', 'size', sizeText(pages * UNIT)));
        return row;
    }
    kindName(region) {
        return region ? this.view.trace.run.kinds[region.state.kind] : '';
    }
    box(region, inImage, sp, marked) {
        const view = this.view, {kind, prot, flags} = region.state;
        const name = view.trace.objects[region.image || region.state.object].name;
        const row = element('li', 'box');
        const pages = region.end - region.start;
        row.style.minHeight = Math.round(17 + Math.min(3.2 * Math.log2(pages), 70)) + 'px';
        row.dataset.rect = region.rects[region.rects.length - 1];
        const bar = element('span', 'bar');
        bar.style.backgroundImage = `url(${this.urls[kind]})`;
        const what = element('span', 'what', view.trace.run.kinds[kind]);
        if (name && !inImage && name !== `[${this.kindName(region)}]`)
            what.append(element('span', 'name', ' ' + baseName(name)));
        row.append(element('span', 'at', hexUnits(region.start)), bar, what,
                   element('span', 'perm', permText(prot, flags)),
                   element('span', 'size', sizeText(pages * UNIT)));
        const parts = this.partsOf(region);
        if (parts.length > 1)
            for (const part of parts.reverse()) {
                const line = element('span', 'part');
                line.append(element('span', '', view.trace.run.kinds[part.kind]),
                            element('span', 'size', sizeText(part.end - part.start)));
                row.append(line);
            }
        if (sp && sp / UNIT >= region.start && sp / UNIT < region.end)
            row.append(element('span', 'pointer', '◂ sp ' + sp.toString(16)));
        if (marked !== null && region.rects.includes(marked))
            row.classList.add('marked');
        row.title = `${rangeText(region.start, region.end)} ${permText(prot, flags)} ` +
                    `${sizeText(pages * UNIT)} ${this.kindName(region)} ${name}`;
        return row;
    }
    // Sections of an image within the region, those of one kind joined.
    partsOf(region) {
        const parts = [], low = region.start * UNIT, high = region.end * UNIT;
        for (const rect of region.rects)
            for (const part of this.view.lifetimes.parts.get(this.view.id[rect]) || []) {
                const start = Math.max(part.start, low), end = Math.min(part.end, high);
                const last = parts[parts.length - 1];
                if (start >= end || (last && start < last.end))
                    continue;
                if (last && last.kind === part.kind && start - last.end < 4096)
                    last.end = end;
                else
                    parts.push({kind: part.kind, start, end});
            }
        return parts;
    }
}
