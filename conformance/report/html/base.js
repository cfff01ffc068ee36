"use strict";
// Server data is inserted only as text nodes or by textContent, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);

/** Create an element: attributes from an object (on... are listeners), children are nodes or strings. */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const many = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

/** Milliseconds as a readable duration. */
function time(ms) {
  if (ms < 1000) return `${ms} ms`;
  return ms < 10000 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 1000).toFixed(1)} s`;
}

const letters = { pass: "✓", fail: "✕", warning: "!", inconclusive: "?", "not-applicable": "–", error: "E", expected: "x", stale: "X" };

function badge(verdict) {
  return el("span", { class: `badge ${verdict}`, title: verdict },
    el("span", { "aria-hidden": "true" }, letters[verdict] || verdict[0]), el("span", { class: "sr" }, verdict));
}

/** Fill a details element when it is opened for the first time. */
function lazily(details, fill) {
  let filled = false;
  const open = () => {
    if (!details.open || filled) return;
    filled = true;
    details.append(...[fill()].flat());
  };
  details.addEventListener("toggle", open);
  details.fill = open;
  return details;
}

function unfold(details) {
  details.open = true;
  details.fill();
}

/** A command with a copy button. */
function command(label, text) {
  const code = el("pre", { tabindex: "0", "aria-label": label }, el("code", {}, text));
  const button = el("button", { type: "button", class: "copy", "aria-label": `Copy: ${label}` }, "Copy");
  button.addEventListener("click", async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Select and copy";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return el("div", { class: "command" }, el("div", { class: "command-head" }, el("span", {}, label), button), code);
}

/** Formatted JSON or plain text, with the locations of findings highlighted. */
function source(body, found, label) {
  const spans = found.map((one) => body.spans[one.pointer] && [...body.spans[one.pointer], one.at]).filter(Boolean)
    .sort((a, b) => a[0] - b[0]);
  const parts = [];
  let at = 0;
  for (const [start, end, exact, pointer] of spans) {
    if (start < at || end <= start || pointer === "") continue;
    parts.push(body.text.slice(at, start));
    const title = exact ? `location of the finding: ${pointer}` : `${pointer} is missing here`;
    parts.push(el("mark", { class: exact ? "here" : "near", title }, body.text.slice(start, end)));
    if (!exact) parts.push(el("span", { class: "aside" }, ` ← ${pointer} is missing`));
    at = end;
  }
  parts.push(body.text.slice(at));
  const note = body.cut ? el("p", { class: "aside" }, "Truncated here; the run folder has the complete body.") : null;
  if (!body.text) return el("p", { class: "aside" }, "Empty body.");
  const box = el("pre", { class: "source", tabindex: "0", "aria-label": label, role: "group" }, el("code", {}, ...parts));
  return el("div", {}, box, note);
}
