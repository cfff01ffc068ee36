// The conversation by the AI SDK: a tool it runs itself, and a second step with what that gave.

import { ANSWER, CITY_TOOL, MODEL, QUESTION, load, say, version } from "./shared.mjs";

const { jsonSchema, stepCountIs, streamText, tool } = load("ai");
const { createOpenAI } = load("@ai-sdk/openai");

globalThis.AI_SDK_LOG_WARNINGS = false;
const result = streamText({
  model: createOpenAI({ baseURL: process.env.OPENAI_BASE_URL }).responses(MODEL),
  system: "Be brief.",
  prompt: QUESTION,
  tools: {
    get_weather: tool({
      description: CITY_TOOL.description,
      inputSchema: jsonSchema(CITY_TOOL.parameters),
      execute: async () => ANSWER,
    }),
  },
  stopWhen: stepCountIs(2),
  maxRetries: 0,
});
await result.consumeStream();
say(`${version("ai")} (openai provider ${version("@ai-sdk/openai")})`);
