"use strict";
// One case: findings, rule, location, the stream, request and response, and the commands that reproduce it.

const RULE = 0, SCENARIO = 1, VERDICT = 2, BREAKS = 3, EXCHANGE = 4, REASON = 5;

const rule = (index) => data.rules[data.cases[index][RULE]];
const scenario = (index) => data.scenarios[data.cases[index][SCENARIO]];
const verdict = (index) => data.verdicts[data.cases[index][VERDICT]];
const breaks = (index) => data.breaking[data.cases[index][BREAKS]];
const reason = (index) => data.reasons[data.cases[index][REASON]];
const caseId = (index) => `${rule(index)[0]}@${scenario(index)}`;
const findings = (index) => (data.findings[index] || [[], 0])[0];

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The first message, reason or observation of a case. */
function gist(index) {
  const first = findings(index)[0];
  return first ? first.message : reason(index) || (data.observed[index] || [])[0] || "";
}

function caseDetails(index, extra) {
  const summary = el("summary", {}, badge(verdict(index)), el("span", { class: "name" }, extra ? caseId(index) : scenario(index)),
    el("span", { class: "gist" }, gist(index)));
  const details = el("details", { class: "case", "data-case": caseId(index) }, summary);
  details.addEventListener("toggle", () => {
    if (details.open) try { history.replaceState(null, "", `#case=${encodeURIComponent(caseId(index))}`); } catch { /* not allowed for a local file */ }
  });
  return lazily(details, () => caseBody(index));
}

function caseBody(index) {
  const [, , level, says, from, link] = rule(index);
  const shown = data.effects[index];
  const clients = (shown || breaks(index).map((name) => data.clients[name] || name)).map((one) => el("div", {}, one));
  const body = el("div", { class: `body ${verdict(index)}` },
    el("dl", { class: "facts" },
      el("dt", {}, "Rule"), el("dd", {}, says || "unknown rule (of another version of the suite)"),
      el("dt", {}, "Source"), el("dd", {}, link ? el("a", { href: link, rel: "noreferrer noopener", target: "_blank" }, from) : from || "unknown"),
      el("dt", {}, "Case"), el("dd", {}, el("code", {}, caseId(index)), ` ${level}`),
      clients.length ? [el("dt", {}, shown ? "Affects" : "Can affect"), el("dd", {}, clients)] : []));
  if (reason(index)) body.append(el("p", { class: "reason" }, el("strong", {}, `${verdict(index)}: `), reason(index)));
  for (const one of data.observed[index] || []) body.append(el("p", {}, "Observed: ", one));
  const found = findings(index);
  for (const one of found) body.append(finding(one));
  const more = (data.findings[index] || [[], 0])[1];
  if (more) body.append(el("p", { class: "aside" }, `${many(more, "more finding")}; the results file has all of them.`));
  const keys = [...new Set(found.map((one) => one.exchange))].filter(Boolean);
  if (!keys.length && data.keys[data.cases[index][EXCHANGE]]) keys.push(data.keys[data.cases[index][EXCHANGE]]);
  keys.forEach((key, number) => body.append(exchange(key, found.filter((one) => one.exchange === key), keys.length > 1, number)));
  body.append(el("h3", {}, "Reproduce"));
  body.append(command("Run only this case", `${data.again} --only ${quote(caseId(index))}`));
  for (const key of keys.slice(0, 1)) {
    const shown = data.exchanges[key];
    if (shown && shown.curl) body.append(command("Send only the request (the key is an environment variable)", shown.curl));
    body.append(el("p", { class: "aside" }, "Recorded exchange: ", el("code", {}, `exchanges/${key}.json`), " in the run folder."));
  }
  return body;
}

function finding(one) {
  const place = [one.scenario.includes(" ") ? `in ${one.scenario}` : `in scenario ${one.scenario}`];
  if (one.event !== null) place.push(`event ${one.event}`);
  if (one.pointer) place.push(`at ${one.at}`);
  if (one.also.length) place.push(`also in ${one.also.slice(0, 5).join(", ")}${one.also.length > 5 ? " …" : ""}`);
  if (one.count > 1) place.push(`${one.count.toLocaleString("en")} occurrences, this is the first`);
  const box = el("div", { class: "finding" }, el("p", { class: "message" }, one.message), el("p", { class: "place" }, place.join(" · ")));
  if ("want" in one || "got" in one) {
    const pairs = [["want", "expected"], ["got", "received"]].filter(([name]) => name in one);
    box.append(el("dl", { class: "against" }, ...pairs.map(([name, label]) => el("div", { class: name },
      el("dt", {}, label), el("dd", {}, one[name])))));
  }
  return box;
}

function exchange(key, found, several, number) {
  const shown = data.exchanges[key];
  if (!shown || typeof shown === "string") {
    const why = { missing: "is not stored with the results", "left out": "is omitted to limit the size of this page" };
    return el("p", { class: "aside" }, `The exchange exchanges/${key}.json ${why[shown] || "is shown only for cases that did not pass"}.`);
  }
  const box = several
    ? lazily(el("details", { class: "fold", open: number === 0 }, el("summary", {}, key)), () => exchangeParts(shown, found))
    : el("div", {}, ...exchangeParts(shown, found));
  if (several && number === 0) box.fill();
  return box;
}

function exchangeParts(shown, found) {
  const parts = [];
  const about = (event) => found.filter((one) => one.event === event);
  const marked = [...new Set(found.filter((one) => one.event !== null).map((one) => one.event))].sort((a, b) => a - b);
  if (shown.stream) {
    const all = events(shown.stream, marked);
    parts.push(el("h3", {}, `The stream: ${many(shown.stream.events, "event")} in ${time(shown.elapsed)}`));
    parts.push(timeline(shown.stream, marked, (index) => {
      unfold(all);
      const one = all.querySelectorAll(":scope > ol > li > details")[index];
      unfold(one);
      one.querySelector("summary").focus();
    }));
    for (const event of marked) {
      const body = shown.marked[event];
      if (!body) continue;
      const step = shown.stream.steps.find(([first, last]) => first <= event && event <= last);
      parts.push(el("h3", {}, `Event ${event}${step ? `, ${time(step[2])}: ${step[4]}` : ""}`));
      parts.push(source(body, about(event), `Event ${event}`));
    }
    for (const frame of shown.strange) parts.push(el("p", {}, "Frame that is not a valid event: ", el("code", {}, frame)));
    parts.push(all);
  } else if (shown.body) {
    parts.push(el("h3", {}, `Response: ${responseLine(shown)}`), source(shown.body, about(null), "Response body"));
  }
  parts.push(lazily(el("details", { class: "fold" }, el("summary", {}, `Request: ${shown.method} ${shown.url}`)),
    () => [headers(shown.sent), source(shown.request, [], "Request body")]));
  parts.push(lazily(el("details", { class: "fold" }, el("summary", {}, `Response: ${responseLine(shown)}, ${many(shown.headers.length, "header")}`)),
    () => [shown.detail ? el("p", {}, shown.detail) : null, headers(shown.headers)].filter(Boolean)));
  return parts;
}

function responseLine(shown) {
  const attempts = shown.tries.length ? ` after ${many(shown.tries.length, "earlier attempt")}` : "";
  const ended = shown.ended === "clean" ? "" : `, ended: ${shown.ended}`;
  return `${shown.status === null ? "no status" : `HTTP ${shown.status}`}${ended} in ${time(shown.elapsed)}${attempts}`;
}

function headers(pairs) {
  return el("dl", { class: "headers" }, ...pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function events(stream, marked) {
  return lazily(el("details", { class: "fold" }, el("summary", {}, "All events, as text")), () => el("ol", { class: "events" },
    ...stream.steps.map((step) => {
      const [first, last, from, , type, , text, joined] = step;
      const wrong = marked.some((one) => one >= first && one <= last);
      const name = first === last ? `${first}` : `${first} to ${last}`;
      const line = el("details", { class: wrong ? "wrong" : null }, el("summary", {}, el("span", { class: "number" }, name),
        el("span", { class: "when" }, time(from)), el("span", { class: "type" }, type || "no type")));
      return el("li", {}, lazily(line, () => [
        el("pre", { tabindex: "0" }, el("code", {}, text)),
        joined === undefined ? null : el("p", { class: "aside" }, "Concatenated deltas: ", el("code", {}, joined)),
      ].filter(Boolean)));
    })));
}
