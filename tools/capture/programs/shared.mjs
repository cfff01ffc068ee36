// What the conversations in Node have in common; packages come from the folder given as argument.

import process from "node:process";

export { load, version } from "../../../conformance/clients/drivers/driver.mjs";
export const MODEL = process.env.CAPTURE_MODEL;
export const QUESTION = process.env.CAPTURE_QUESTION;
export const ANSWER = "12 degrees, light rain";

export const CITY_TOOL = {
  type: "function",
  name: "get_weather",
  description: "Get the current weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "Name of the city" } },
    required: ["city"],
    additionalProperties: false,
  },
  strict: true,
};

/** The client's version, as the last line. */
export function say(version) {
  console.log(JSON.stringify({ version }));
}
