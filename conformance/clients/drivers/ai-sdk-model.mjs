// Common code of the drivers of the AI SDK. Modes: plain (`generateText`), stream (`streamText`). The request's
// functions are declared without an implementation, so that a call ends the turn.
//
// The SDK returns the arguments of a call parsed; they are serialised as JSON again. The text of reasoning is null if
// the SDK returns none, because it supports only summaries.

import { described, load, serve, version } from "./driver.mjs";

const { generateText, jsonSchema, streamText, tool } = load("ai");

globalThis.AI_SDK_LOG_WARNINGS = false;

/**
 * Process the jobs of a client; `model(job)` is its model for the base URL and the model of a job. `explain(found)` may
 * replace a result with an error.
 */
export async function serveModel(client, version, model, explain = async () => {}) {
  await serve(client, version, async (job, found, signal) => {
    try {
      await work(job, model(job), found, signal);
    } catch (error) {
      found.error ??= described(error);
    }
    if (found.error) await explain(found);
  });
}

async function work(job, model, found, signal) {
  const options = {
    model,
    prompt: "Say hello.",
    tools: declared(job.request.tools),
    maxRetries: 0,
    abortSignal: signal,
  };
  if (job.mode === "plain") took(await generateText(options), found);
  else if (job.mode === "stream") await read(streamText({ ...options, onError: () => {} }), found);
  else throw new RangeError(`there is no mode ${job.mode}`);
}

function declared(tools) {
  const functions = (tools ?? []).filter((one) => one.type === "function");
  return Object.fromEntries(
    functions.map((one) => [
      one.name,
      tool({ description: one.description, inputSchema: jsonSchema(one.parameters ?? { type: "object" }) }),
    ]),
  );
}

function took(result, found) {
  found.text = result.text;
  found.reasoning = result.reasoningText || null;
  found.calls = [];
  result.toolCalls.forEach((call) => called(call, found));
  used(result.usage, found);
}

async function read(result, found) {
  found.text = "";
  found.calls = [];
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") found.text += part.text;
    else if (part.type === "reasoning-delta") found.reasoning = (found.reasoning ?? "") + part.text || null;
    else if (part.type === "tool-call") called(part, found);
    else if (part.type === "error") found.error ??= described(part.error);
    else if (part.type === "abort") found.error ??= { type: "AbortError", message: "aborted" };
    else if (part.type === "finish") used(part.totalUsage, found);
  }
}

function called(call, found) {
  const { toolCallId, toolName, input, invalid, error } = call;
  const given = typeof input === "string" ? input : JSON.stringify(input);
  found.calls.push({ call_id: toolCallId, name: toolName, arguments: given });
  if (invalid) found.error ??= described(error);
}

function used(usage, found) {
  const { inputTokens, outputTokens, totalTokens } = usage ?? {};
  if (inputTokens === undefined && outputTokens === undefined) return;
  const counts = { input_tokens: inputTokens, output_tokens: outputTokens, total_tokens: totalTokens };
  found.usage = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count ?? null]));
}

/** The version of the SDK with that of a provider's package. */
export function versions(name, provider) {
  return `${version("ai")} (${name} provider ${version(provider)})`;
}
