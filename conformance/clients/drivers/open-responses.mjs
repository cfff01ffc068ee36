// Driver of the AI SDK with the provider of any endpoint of the Responses API: the npm packages `ai` and
// `@ai-sdk/open-responses` (Node 22 or newer).

import { KEY, load } from "./driver.mjs";
import { serveModel, versions } from "./ai-sdk-model.mjs";

const { createOpenResponses } = load("@ai-sdk/open-responses");

await serveModel("open-responses", versions("open-responses", "@ai-sdk/open-responses"), (job) =>
  createOpenResponses({ name: "mimo", url: `${job.base_url}/responses`, apiKey: KEY })(job.request.model),
);
