// Driver of LangChain JS: `ChatOpenAI` of the npm package `@langchain/openai` with the Responses API (Node 22 or newer).
// Modes: plain (`invoke`), stream (`stream`).

import { KEY, TIMEOUT, load, serve, version } from "./driver.mjs";

const { ChatOpenAI } = load("@langchain/openai");

async function work(job, found, signal) {
  const chat = new ChatOpenAI({
    model: job.request.model,
    apiKey: KEY,
    configuration: { baseURL: job.base_url },
    useResponsesApi: true,
    maxRetries: 0,
    timeout: TIMEOUT,
  });
  const tools = (job.request.tools ?? []).filter((one) => one.type === "function");
  const bound = tools.length ? chat.bindTools(tools) : chat;
  if (job.mode === "plain") {
    read(await bound.invoke("Say hello.", { signal }), found);
  } else if (job.mode === "stream") {
    let message = null;
    for await (const chunk of await bound.stream("Say hello.", { signal })) {
      found.shown = (found.shown ?? "") + chunk.text;
      message = message === null ? chunk : message.concat(chunk);
    }
    if (message !== null) read(message, found);
  } else {
    throw new RangeError(`there is no mode ${job.mode}`);
  }
}

function read(message, found) {
  found.text = message.text;
  const whole = (message.tool_calls ?? []).map((call) => ({ ...call, args: JSON.stringify(call.args) }));
  found.calls = [...whole, ...(message.invalid_tool_calls ?? [])].map((call) => ({
    call_id: call.id,
    name: call.name,
    arguments: call.args,
  }));
  const counts = message.usage_metadata;
  if (!counts) return;
  const { input_tokens, output_tokens, total_tokens } = counts;
  found.usage = { input_tokens, output_tokens, total_tokens };
}

await serve("langchain-js", version("@langchain/openai"), work);
