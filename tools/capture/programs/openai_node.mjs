// The conversation by openai-node: streamed, the output sent back as it came, then the tool's output.

import { ANSWER, CITY_TOOL, MODEL, QUESTION, load, say, version } from "./shared.mjs";

const { OpenAI } = load("openai");

const client = new OpenAI({ maxRetries: 0 });
const input = [{ role: "user", content: QUESTION }];
const response = await client.responses.stream({ model: MODEL, input, tools: [CITY_TOOL] }).finalResponse();
input.push(...response.output);
for (const item of response.output) {
  if (item.type !== "function_call") continue;
  input.push({ type: "function_call_output", call_id: item.call_id, output: ANSWER });
}
await client.responses.stream({ model: MODEL, input, tools: [CITY_TOOL] }).finalResponse();
say(version("openai"));
