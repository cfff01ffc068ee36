// Common code of the Node drivers: loading of packages, jobs and results as JSON lines.
//
// The directory with node_modules is the first argument, else the working directory; NODE_PATH is searched too.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { dirname, join, resolve } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";

/** Timeout of one job in milliseconds. */
export const TIMEOUT = 1000 * (Number(process.env.CLIENT_TIMEOUT) || 20);

/** Maximum characters of an error message; some contain the complete response. */
const MESSAGE = 1000;

/** The API key for the replay server. */
export const KEY = process.env.MIMO_API_KEY || "built-in-key";

const require = createRequire(join(resolve(process.argv[2] ?? process.cwd()), "package.json"));

/** Load a required package; if it is missing, exit with 3 and a message on standard error. */
export function load(name) {
  try {
    return require(name);
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    process.stderr.write(`${name} is not installed\n`);
    process.exit(3);
  }
}

/** The version of an installed package, from its package.json. */
export function version(name) {
  for (let folder = dirname(require.resolve(name)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (!existsSync(file)) continue;
    const about = JSON.parse(readFileSync(file, "utf8"));
    if (about.name === name) return about.version;
  }
  throw new Error(`${name} has no package.json with a version`);
}

/**
 * An empty result: null is what the client has not provided. `shown` is the streamed text, `text` the final text.
 */
function nothing() {
  return { text: null, calls: null, reasoning: null, usage: null, shown: null, error: null };
}

/**
 * Write name and version, then process the jobs until the end of the input.
 *
 * `work(job, found, signal)` fills in `found`; its exceptions, and uncaught exceptions of the client, become the error
 * of the result.
 */
export async function serve(client, version, work) {
  write({ client, version });
  let rejectJob = () => {};
  process.on("unhandledRejection", (error) => rejectJob(error));
  process.on("uncaughtException", (error) => rejectJob(error));
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    const found = nothing();
    const abort = new AbortController();
    let timer;
    const unusual = new Promise((_, reject) => {
      rejectJob = reject;
      timer = setTimeout(() => reject(new TimeoutError(`no end within ${TIMEOUT / 1000} s`)), TIMEOUT);
    });
    try {
      await Promise.race([work(job, found, abort.signal), unusual]);
    } catch (error) {
      found.error ??= described(error);
    }
    clearTimeout(timer);
    rejectJob = () => {};
    // A copy, because the client may still modify the result.
    write({ id: job.id, ...structuredClone(found) });
    abort.abort();
  }
  process.exit(0);
}

class TimeoutError extends Error {}

/**
 * The error of the result: type and message, with the message of its first cause. For a schema error, each location
 * with the expected type and without array indexes: `output.*.summary: expected array`.
 */
export function described(error) {
  const type = error?.constructor?.name ?? typeof error;
  const name = error?.name && error.name !== "Error" ? error.name : type;
  let first = error;
  for (let depth = 0; first?.cause && depth < 10; depth += 1) first = first.cause;
  const messages = Array.isArray(first?.issues) ? first.issues.map(place) : [error, first].map(words);
  return { type: String(name), message: [...new Set(messages)].join(Array.isArray(first?.issues) ? "; " : ": ") };
}

function place(issue) {
  const path = issue.path.map((step) => (typeof step === "number" ? "*" : step)).join(".");
  return `${path}: ${issue.expected ? `expected ${issue.expected}` : issue.code}`;
}

function words(error) {
  return String(error?.message ?? error).replace(/\s+/g, " ").slice(0, MESSAGE);
}

function write(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}
