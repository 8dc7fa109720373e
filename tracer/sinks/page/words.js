// words.js - one event, one rectangle, one command, told in words.

// What an event was, as elements; `words`: what its row in the table says besides.
function eventDetail(trace, event, words) {
    const parts = [];
    const thread = trace.threadOf(event), [first, past] = trace.changesOf(event);
    parts.push(element('strong', '', `#${trace.seq(event)} ${trace.causeName(event)}`),
               element('span', 'soft', `  ${secondsText(trace.time.data[event])} s, thread ${thread.tid}` +
                                       (thread.tid !== thread.pid ? ` of ${thread.pid}` : '')));
    const call = trace.callOf(event);
    if (call)
        parts.push(element('div', 'call', `${callText(call, trace.run.words)} ${resultText(call, trace.run.words)}`));
    if (words && !call)
        parts.push(element('div', 'soft', words));
    const list = element('table');
    for (let change = first; change < past && change < first + 60; change++) {
        const op = trace.op.data[change], row = element('tr'), start = trace.start.data[change];
        const state = trace.states[op === OP.GONE ? trace.before.data[change] : trace.after.data[change]];
        const was = op === OP.ALTERED ? trace.states[trace.before.data[change]] : null;
        const name = trace.objects[state.object || trace.image.get(change) || 0].name;
        for (const [style, text] of [
            ['', OP_MARK[op]], ['', trace.run.kinds[state.kind]], ['', sizeText(trace.size.data[change] * UNIT)],
            ['range', rangeText(start, start + trace.size.data[change])],
            ['perm', (was && was.prot !== state.prot ? permText(was.prot, was.flags) + ' → ' : '') + permText(state.prot, state.flags)],
            ['', baseName(name)]])
            row.append(element('td', style, text));
        list.append(row);
    }
    parts.push(list);
    if (past - first > 60)
        parts.push(element('div', 'soft', `${past - first - 60} more`));
    const stack = trace.stacks.get(trace.stack.data[event]);
    if (stack)
        parts.push(stackList(trace, stack));
    return parts;
}
function stackList(trace, stack) {
    const list = element('ol', 'frames');
    const line = (name, where) => {
        const item = element('li', '', name + ' ');
        item.append(element('span', '', where));
        list.append(item);
    };
    const source = at => at.file ? baseName(at.file) + (at.line ? ':' + at.line : '') : '';
    for (const id of stack.frames) {
        const frame = trace.frames.get(id);
        if (!frame)
            continue;
        for (const inlined of frame.inlined || [])
            line(inlined.name + ' (inlined)', source(inlined));
        line((frame.name ? `${frame.name}+0x${frame.offset}` : '0x' + frame.address) +
             (frame.object ? ` (${baseName(trace.objects[frame.object].name)})` : ''), source(frame));
    }
    if (stack.end)
        list.append(element('li', '', stack.end));
    return list;
}

// What rectangles under the mouse are, the first one in full: lines of a style and a text.
function rectLines(view, rects) {
    const {trace, lifetimes} = view, rect = rects[0], state = view.stateOf(rect), id = view.id[rect];
    const born = view.t0[rect], died = view.t1[rect], origin = lifetimes.origin.data[id];
    const thread = trace.threadOf(born), name = view.nameOf(rect);
    const lines = [
        ['strong', `${trace.run.kinds[state.kind]}  ${sizeText(view.bytes(rect))}` + (name ? `  ${baseName(name)}` : '')],
        ['mono', `${rangeText(view.start(rect), view.end(rect))} ${permText(state.prot, state.flags)}` +
                 (trace.objects[state.object].file ? ` offset ${lifetimes.offset.data[id].toString(16)}` : '')],
    ];
    if (name && name !== baseName(name))
        lines.push(['soft', name]);
    lines.push(['', `${birthOf(view, rect) || 'made'} by ${trace.causeName(born)} in thread ${thread.tid} (#${trace.seq(born)})`]);
    if (origin !== born)
        lines.push(['', `first mapped by ${trace.causeName(origin)} in thread ${trace.threadOf(origin).tid} ` +
                        `(#${trace.seq(origin)}) at ${durationText(trace.time.data[origin])}`]);
    const end = died < trace.count ? trace.time.data[died] : trace.duration;
    lines.push(['', `lived from ${durationText(trace.time.data[born])} to ` +
                    (died < trace.count ? `${durationText(end)} (#${trace.seq(died)} ${trace.causeName(died)})` : 'the end') +
                    `: ${durationText(end - trace.time.data[born])}`]);
    if (lifetimes.movedFrom.has(id))
        lines.push(['', `moved from ${hexUnits(lifetimes.movedFrom.get(id))}`]);
    const stack = trace.stack.data[born] || trace.stack.data[origin];
    if (stack) {
        const names = stackNames(trace, stack).reverse();
        names.slice(0, 8).forEach(frame => lines.push(['mono', frame]));
        if (names.length > 8)
            lines.push(['soft', `${names.length - 8} more frames`]);
    }
    if (rects.length > 1)
        lines.push(['soft', `and ${countText(rects.length - 1, 'more region')} within this pixel`]);
    return lines;
}

// As a shell would have to be told.
function shellWord(word) {
    return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`;
}
