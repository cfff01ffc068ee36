"use strict";
// The timeline of a stream: a row for the response, each item and each part; events in order from left to right.

const ROW = 28, RUN = 72, PAD = 14, HEAD = 22, FOOT = 24;

function timeline(stream, marked, open) {
  // Events of a short stream are spread out; a long one scrolls.
  const narrow = Math.min(56, Math.max(30, Math.floor(760 / stream.steps.length)));
  const wide = stream.steps.map((step) => (step[0] === step[1] ? narrow : RUN));
  const starts = [];
  wide.reduce((at, width, index) => { starts[index] = at; return at + width; }, PAD);
  const width = PAD * 2 + wide.reduce((a, b) => a + b, 0);
  const bottom = HEAD + stream.rows.length * ROW;
  const middle = (index) => starts[index] + wide[index] / 2;
  const drawing = svg("svg", {
    width, height: bottom + FOOT, viewBox: `0 0 ${width} ${bottom + FOOT}`, role: "img",
    "aria-label": `${many(stream.events, "event")} in ${many(stream.rows.length, "row")}; `
      + (marked.length ? `findings at event ${marked.join(", ")}` : "no event is marked"),
  });
  stream.rows.forEach((row, number) => {
    const at = stream.steps.map((step, index) => (step[5] === number ? index : -1)).filter((index) => index >= 0);
    const y = HEAD + number * ROW + ROW / 2;
    drawing.append(svg("line", { x1: 0, x2: width, y1: y, y2: y, class: "rail" }));
    if (at.length > 1) {
      const from = middle(at[0]), to = middle(at[at.length - 1]);
      drawing.append(svg("line", { x1: from, x2: to, y1: y, y2: y, class: `life depth${row[1]}` }));
    }
  });
  let labelled = -100;
  stream.steps.forEach((step, index) => {
    const [first, last, from, to, type, row] = step;
    const x = middle(index), y = HEAD + row * ROW + ROW / 2;
    const wrong = marked.some((one) => one >= first && one <= last);
    if (wrong) {
      drawing.prepend(svg("rect", { x: x - 13, width: 26, y: 0, height: bottom, rx: 6, class: "column" }));
      drawing.append(svg("text", { x, y: 14, class: "flag" }, `${first}`));
    }
    const mark = svg("g", { class: `mark ${shape(type)}${wrong ? " wrong" : ""}` });
    mark.append(svg("title", {}, first === last
      ? `event ${first}, ${time(from)}: ${type}`
      : `events ${first} to ${last}, ${time(from)} to ${time(to)}: ${type}`));
    mark.append(...figure(type, x, y, first === last ? 0 : last - first + 1, wide[index]));
    mark.addEventListener("click", () => open(index));
    drawing.append(mark);
    if (x - labelled > 58 && x < width - 24) {
      labelled = x;
      drawing.append(svg("line", { x1: x, x2: x, y1: bottom, y2: bottom + 5, class: "tick" }));
      drawing.append(svg("text", { x, y: bottom + 18, class: "time" }, time(from)));
    }
  });
  const labels = el("div", { class: "tl-labels", "aria-hidden": "true" },
    ...stream.rows.map(([label, depth]) => el("div", { class: `tl-label depth${depth}`, title: label }, label)));
  const scroll = el("div", { class: "tl-scroll", tabindex: "0", role: "group", "aria-label": "Timeline of the stream" }, drawing);
  const at = stream.steps.findIndex((step) => marked.some((one) => one >= step[0] && one <= step[1]));
  if (at > 0) requestAnimationFrame(() => { scroll.scrollLeft = middle(at) - scroll.clientWidth / 2; });
  const key = el("p", { class: "aside" },
    "Each mark is an event, in the order received: ○ opens, ● closes, ▬ a delta or several deltas (×), ◆ ends the response. "
    + "Below: time of arrival after the request was sent."
    + (stream.left_out ? ` ${many(stream.left_out, "event")} in the middle omitted.` : ""));
  return el("figure", { class: "timeline" }, el("div", { class: "tl" }, labels, scroll), el("figcaption", {}, key));
}

function shape(type) {
  if (/^(response\.(completed|incomplete|failed)|error)$/.test(type)) return "end";
  if (/\.(added|created|in_progress)$/.test(type)) return "opens";
  if (/\.done$/.test(type)) return "closes";
  return /\.delta$/.test(type) ? "delta" : "other";
}

function figure(type, x, y, count, width) {
  switch (shape(type)) {
    case "end": return [svg("path", { d: `M${x} ${y - 8} L${x + 8} ${y} L${x} ${y + 8} L${x - 8} ${y} Z` })];
    case "opens": case "closes": return [svg("circle", { cx: x, cy: y, r: 5.5 })];
    case "delta": {
      if (!count) return [svg("rect", { x: x - 9, y: y - 4, width: 18, height: 8, rx: 3 })];
      return [svg("rect", { x: x - width / 2 + 4, y: y - 8, width: width - 8, height: 16, rx: 4 }),
        svg("text", { x, y: y + 4, class: "times" }, `×${count}`)];
    }
    default: return [svg("rect", { x: x - 5, y: y - 5, width: 10, height: 10 })];
  }
}
