"use strict";
// The page: scores, overview, filters, and the list of rules with their cases.

const QUIET = ["pass", "not-applicable"];
const ORDER = ["error", "fail", "stale", "warning", "expected", "inconclusive", "pass", "not-applicable"];
const TITLES = {
  error: "Internal errors of the suite", fail: "Failures", stale: "Stale baseline entries", warning: "Warnings",
  expected: "Expected failures", inconclusive: "Inconclusive", pass: "Passed", "not-applicable": "Not applicable",
};

const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : 4.5);
const known = [...data.verdicts].sort((a, b) => place(a) - place(b));
const loud = known.filter((name) => !QUIET.includes(name));
const state = { area: "", level: "", client: "", words: [], verdicts: new Set(loud.length ? loud : known) };

const searchable = [];
function haystack(index) {
  searchable[index] ??= [caseId(index), ...rule(index).slice(2, 5), reason(index), ...findings(index).map((one) => `${one.message} ${one.at}`)]
    .join("\n").toLowerCase();
  return searchable[index];
}

function matches(index) {
  const [, area, level] = rule(index);
  return state.verdicts.has(verdict(index)) && (!state.area || area === state.area) && (!state.level || level === state.level)
    && (!state.client || breaks(index).includes(state.client)) && state.words.every((word) => haystack(index).includes(word));
}

/** Groups of cases: a root cause with its consequences, or a rule with its cases of one verdict. */
function groupsOf() {
  const grouped = new Set(data.causes.flatMap(([own, follow]) => [...own, ...follow]));
  const groups = data.causes.map(([own, follow, clients]) => ({ verdict: verdict(own[0]), own, follow, clients, cause: true }));
  const rest = new Map();
  data.cases.forEach((_, index) => {
    if (grouped.has(index)) return;
    const key = `${verdict(index)}\n${rule(index)[0]}`;
    if (!rest.has(key)) rest.set(key, { verdict: verdict(index), own: [], follow: [], clients: [], cause: false });
    rest.get(key).own.push(index);
  });
  return [...groups, ...rest.values()];
}
const groups = groupsOf();

function tally(key) {
  const counts = new Map();
  data.cases.forEach((_, index) => {
    const one = key(index);
    counts.set(one, (counts.get(one) || 0) + 1);
  });
  return counts;
}

// -- the head ---------------------------------------------------------------------------------------------------------

function showScores() {
  const box = document.getElementById("scores");
  for (const [level, passed, evaluated, rulesPassed, rules, percent] of data.scores) {
    box.append(el("section", { class: `score ${level}`, "aria-label": `Score of ${level}` },
      el("h2", {}, level), el("p", { class: "big" }, percent || "–"),
      el("progress", { max: String(evaluated || 1), value: String(passed), "aria-label": `${level} cases passed` }),
      el("p", {}, `${passed.toLocaleString("en")} of ${many(evaluated, "case")}`), el("p", {}, `${rulesPassed} of ${many(rules, "rule")} passed`)));
  }
  const end = data.end;
  if (end) {
    box.append(el("section", { class: "score cost", "aria-label": "Cost of the run" }, el("h2", {}, "Run"),
      el("p", { class: "big" }, `${end.seconds.toFixed(1)} s`),
      el("p", {}, `${many(end.requests, "request")}${end.attempts > end.requests ? `, ${many(end.attempts, "attempt")}` : ""}`),
      el("p", {}, `${end.tokens.input.toLocaleString("en")} input tokens, ${end.tokens.output.toLocaleString("en")} output tokens${end.cost ? ` (${end.cost})` : ""}`),
      ...data.latency.map(line => el("p", {}, line))));
  }
}

function showOverview() {
  const box = document.getElementById("overview");
  const clients = el("ul", { class: "chips" }, ...Object.entries(data.clients).map(([name, label]) => el("li", {},
    el("button", { type: "button", class: data.breaks[name] ? "chip hit" : "chip", onclick: () => narrow("client", name) },
      label, " ", el("strong", {}, String(data.breaks[name] || 0)), el("span", { class: "sr" }, " root causes affect it: show the cases")))));
  box.append(el("section", { "aria-labelledby": "who" }, el("h2", { id: "who" }, "Affected clients, with numbers of root causes (by trials)"), clients));
  const areas = new Map();
  data.cases.forEach((_, index) => {
    const area = rule(index)[1];
    if (!areas.has(area)) areas.set(area, new Map());
    areas.get(area).set(verdict(index), (areas.get(area).get(verdict(index)) || 0) + 1);
  });
  const rows = [...areas].map(([area, counts]) => {
    const parts = known.filter((name) => counts.has(name));
    const bar = svg("svg", { class: "bar", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" });
    const all = [...counts.values()].reduce((a, b) => a + b, 0);
    // A failed part stays visible, however small it is.
    const sizes = parts.map((name) => Math.max((counts.get(name) / all) * 100, QUIET.includes(name) ? 0 : 4));
    const total = sizes.reduce((a, b) => a + b, 0);
    let x = 0;
    parts.forEach((name, at) => {
      const size = (sizes[at] / total) * 100;
      bar.append(svg("rect", { x, width: size, y: 0, height: 6, class: `fill ${name}` }));
      x += size;
    });
    const wrong = parts.filter((name) => !QUIET.includes(name)).map((name) => `${counts.get(name)} ${name}`).join(", ");
    return el("li", {}, el("button", { type: "button", class: "area", onclick: () => narrow("area", area), title: parts.map((name) => `${counts.get(name)} ${name}`).join(", ") },
      el("span", { class: "area-name" }, area), bar, el("span", { class: wrong ? "area-says hit" : "area-says" }, wrong || (counts.get("pass") ? `${counts.get("pass")} pass` : `${all} not applicable`))));
  });
  box.append(el("section", { "aria-labelledby": "areas" }, el("h2", { id: "areas" }, "Areas"), el("ul", { class: "areas" }, ...rows)));
}

/** Filter by one entry of the overview; if no case is left, show all verdicts. */
function narrow(name, value) {
  const control = document.forms.filters.elements[name];
  control.value = state[name] === value ? "" : value;
  read();
  if (!data.cases.some((_, index) => matches(index))) setVerdicts(known);
  document.getElementById("filters").scrollIntoView({ block: "start" });
}

// -- filters ----------------------------------------------------------------------------------------------------------

function showFilters() {
  const form = document.getElementById("filters");
  form.name = "filters";
  const choose = (name, label, options) => el("label", {}, el("span", {}, label),
    el("select", { name }, el("option", { value: "" }, "all"), ...options.map(([value, text]) => el("option", { value }, text))));
  const areas = [...new Set(data.rules.map((one) => one[1]))].sort();
  const counts = tally(verdict);
  form.append(
    el("label", { class: "wide" }, el("span", {}, "Text"),
      el("input", { type: "search", name: "text", placeholder: "rule, scenario, message …", autocomplete: "off", spellcheck: "false" })),
    choose("area", "Area", areas.map((one) => [one, one])),
    choose("level", "Level", ["MUST", "SHOULD", "MAY"].map((one) => [one, one])),
    choose("client", "Client", Object.entries(data.clients)),
    el("fieldset", {}, el("legend", {}, "Verdict"), ...known.map((name) => el("label", { class: `toggle ${name}` },
      el("input", { type: "checkbox", name: "verdict", value: name, checked: state.verdicts.has(name) }),
      el("span", {}, `${name} `, el("b", {}, (counts.get(name) || 0).toLocaleString("en")))))),
    el("button", { type: "button", class: "reset", onclick: reset }, "Reset"));
  let waiting;
  form.addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(read, event.target.type === "search" ? 120 : 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      form.elements.text.focus();
    }
  });
}

function setVerdicts(names) {
  for (const box of document.querySelectorAll("[name=verdict]")) box.checked = names.includes(box.value);
  read();
}

function reset() {
  document.forms.filters.reset();
  setVerdicts(loud.length ? loud : known);
}

function read() {
  const form = document.forms.filters.elements;
  for (const name of ["area", "level", "client"]) state[name] = form[name].value;
  state.words = form.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  state.verdicts = new Set([...document.querySelectorAll("[name=verdict]:checked")].map((box) => box.value));
  showList();
}

// -- the list ---------------------------------------------------------------------------------------------------------

function showList() {
  const list = document.getElementById("list");
  const sections = new Map();
  let cases = 0;
  const rules = new Set();
  for (const group of groups) {
    const own = group.own.filter(matches), follow = group.follow.filter(matches);
    if (!own.length && !follow.length) continue;
    cases += own.length + follow.length;
    for (const index of [...own, ...follow]) rules.add(rule(index)[0]);
    if (!sections.has(group.verdict)) sections.set(group.verdict, []);
    sections.get(group.verdict).push(groupDetails(group, own, follow));
  }
  list.replaceChildren(...[...sections.keys()].sort((a, b) => place(a) - place(b)).map((name) =>
    el("section", { class: "verdict", "aria-labelledby": `title-${name}` },
      el("h2", { id: `title-${name}` }, TITLES[name] || name, " ", el("span", { class: "aside" }, countOf(sections.get(name).length, name))),
      ...sections.get(name))));
  document.getElementById("count").textContent = cases
    ? `${cases.toLocaleString("en")} of ${many(data.cases.length, "case")} shown, in ${many(rules.size, "rule")}`
    : `None of ${many(data.cases.length, "case")} matches the filters`;
}

/** Failures and warnings are grouped by root cause, the others by rule. */
const countOf = (number, name) => many(number, groups.some((one) => one.verdict === name && one.cause) ? "cause" : "rule");

function groupDetails(group, own, follow) {
  const [id, , level, says] = rule(group.own[0]);
  const clients = group.clients.map((name) => data.clients[name] || name);
  const bad = group.cause;
  const counts = [many(own.length, "case")];
  if (follow.length) counts.push(many(follow.length, "consequence"));
  const summary = el("summary", {}, badge(group.verdict), el("span", { class: "text" },
    el("span", { class: "says" }, says || id),
    el("span", { class: "meta" }, el("code", {}, id), el("span", { class: "level" }, level), el("span", {}, counts.join(" · ")),
      bad && clients.length ? el("span", { class: "hit" }, `affects ${clients.join(", ")}`) : null),
    bad || group.verdict === "inconclusive" ? el("span", { class: "gist" }, gist(own[0] ?? follow[0])) : null));
  group.node = lazily(el("details", { class: QUIET.includes(group.verdict) ? "group quiet" : "group" }, summary), () => {
    const parts = own.map((index) => caseDetails(index));
    if (bad && parts.length) unfold(parts[0]);
    if (follow.length) {
      parts.push(el("details", { class: "fold follow" }, el("summary", {}, many(follow.length, "consequence")),
        ...follow.map((index) => caseDetails(index, true))));
    }
    return el("div", { class: "cases" }, ...parts);
  });
  return group.node;
}

/** Open the case that the URL fragment names. */
function openNamed() {
  const match = /^#case=(.+)$/.exec(location.hash);
  if (!match) return;
  let id;
  try { id = decodeURIComponent(match[1]); } catch { return; }
  const index = data.cases.findIndex((_, at) => caseId(at) === id);
  if (index < 0) return;
  const group = groups.find((one) => one.own.includes(index) || one.follow.includes(index));
  document.forms.filters.reset();
  setVerdicts([...state.verdicts, group.verdict, verdict(index)]);
  unfold(group.node);
  const node = [...group.node.querySelectorAll("details.case")].find((one) => one.dataset.case === id);
  const fold = node.closest("details.fold");
  if (fold) fold.open = true;
  unfold(node);
  node.querySelector("summary").focus({ preventScroll: true });
  // After layout, and after the browser's own scrolling to the fragment.
  requestAnimationFrame(() => setTimeout(() => node.scrollIntoView({ block: "start" }), 50));
}

showScores();
showOverview();
showFilters();
showList();
openNamed();
addEventListener("hashchange", openNamed);
// A link to the case that the fragment names already changes no fragment.
for (const one of document.querySelectorAll(".causes a")) one.addEventListener("click", () => setTimeout(openNamed));
