// Driver of the AI SDK with the provider of any endpoint of the Responses API: the npm packages `ai` and
// `@ai-sdk/open-responses` (Node 22 or newer).
//
// The provider reads OpenAI's `summary` of every reasoning item, and throws a TypeError without one. That error is
// reported as one about this member, without a text, so that it is known to be about a member that MiMo does not have.

import { KEY, load } from "./driver.mjs";
import { serveModel, versions } from "./ai-sdk-model.mjs";

const { createOpenResponses } = load("@ai-sdk/open-responses");

/** The text of the last response. */
let received = Promise.resolve("");

async function fetchAndKeep(...request) {
  const response = await fetch(...request);
  received = response.clone().text().catch(() => "");
  return response;
}

async function explain(found) {
  const text = await received;
  const unsummarized = /"type":\s*"reasoning"/.test(text) && !/"summary"/.test(text);
  if (found.error.type === "TypeError" && found.error.message.includes("'map'") && unsummarized) {
    const error = { type: "TypeError", message: "output.*.summary: expected array" };
    Object.assign(found, { text: null, calls: null, reasoning: null, usage: null, shown: null, error });
  }
}

await serveModel(
  "open-responses",
  versions("open-responses", "@ai-sdk/open-responses"),
  (job) =>
    createOpenResponses({ name: "mimo", url: `${job.base_url}/responses`, apiKey: KEY, fetch: fetchAndKeep })(
      job.request.model,
    ),
  explain,
);
