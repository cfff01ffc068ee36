// Driver of the AI SDK with the provider of OpenAI: the npm packages `ai` and `@ai-sdk/openai`.

import { KEY, load } from "./driver.mjs";
import { serveModel, versions } from "./ai-sdk-model.mjs";

const { createOpenAI } = load("@ai-sdk/openai");

await serveModel("ai-sdk", versions("openai", "@ai-sdk/openai"), (job) =>
  createOpenAI({ apiKey: KEY, baseURL: job.base_url }).responses(job.request.model),
);
