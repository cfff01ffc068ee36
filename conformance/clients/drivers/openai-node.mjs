// Driver of the npm package `openai`. Modes: plain (`responses.create`), stream (`responses.stream` and its
// `finalResponse`).

import { KEY, TIMEOUT, load, serve, version } from "./driver.mjs";

const { OpenAI } = load("openai");

async function work(job, found, signal) {
  const client = new OpenAI({
    apiKey: KEY,
    baseURL: job.base_url,
    maxRetries: 0,
    timeout: TIMEOUT,
    organization: null,
    project: null,
    logLevel: "off",
  });
  const { stream: _, ...request } = job.request;
  if (job.mode === "plain") {
    took(await client.responses.create(request, { signal }), found);
  } else if (job.mode === "stream") {
    const stream = client.responses.stream(request, { signal });
    stream.on("event", (event) => gather(event, found));
    took(await stream.finalResponse(), found);
  } else {
    throw new RangeError(`there is no mode ${job.mode}`);
  }
}

/** Collect the streamed text. */
function gather(event, found) {
  if (event.type === "response.output_text.delta") found.shown = (found.shown ?? "") + event.delta;
}

function took(response, found) {
  found.calls = response.output
    .filter((item) => item.type === "function_call")
    .map((item) => ({ call_id: item.call_id, name: item.name, arguments: item.arguments }));
  found.text = response.output_text;
  found.reasoning = response.output
    .filter((item) => item.type === "reasoning")
    .flatMap((item) => item.content ?? [])
    .map((part) => part.text)
    .join("");
  found.usage = counts(response.usage);
}

function counts(usage) {
  if (!usage) return null;
  const { input_tokens, output_tokens, total_tokens } = usage;
  return { input_tokens: input_tokens ?? null, output_tokens: output_tokens ?? null, total_tokens: total_tokens ?? null };
}

await serve("openai-node", version("openai"), work);
