// What the drivers in Node share: where the packages lie, and jobs in and answers out as JSON lines.
//
// The folder with node_modules is the first argument, else the working folder; NODE_PATH is looked into as well.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { dirname, join, resolve } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";

/** Milliseconds one job may take. */
export const TIMEOUT = 1000 * (Number(process.env.CLIENT_TIMEOUT) || 20);

/** Characters of an error's message that are kept: some hold the whole answer. */
const MESSAGE = 1000;

/** The key that is sent. */
export const KEY = process.env.MIMO_API_KEY || "built-in-key";

const require = createRequire(join(resolve(process.argv[2] ?? process.cwd()), "package.json"));

/** A package that must be there: without it the driver ends with 3, and says so on standard error. */
export function load(name) {
  try {
    return require(name);
  } catch (error) {
    if (error.code !== "MODULE_NOT_FOUND") throw error;
    process.stderr.write(`${name} is not installed\n`);
    process.exit(3);
  }
}

/** The version in the package.json of a package that is loaded. */
export function version(name) {
  for (let folder = dirname(require.resolve(name)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (!existsSync(file)) continue;
    const about = JSON.parse(readFileSync(file, "utf8"));
    if (about.name === name) return about.version;
  }
  throw new Error(`${name} does not say its version`);
}

/**
 * What is gathered of an answer, to begin with: null is what the client has not given. `shown` is the text as it came
 * piece by piece, `text` the text at the end.
 */
function nothing() {
  return { text: null, calls: null, reasoning: null, usage: null, shown: null, error: null };
}

/**
 * Says what the client is, then does one job after the other until the input ends.
 *
 * `work(job, found, signal)` fills `found` in; what it throws becomes the answer's error, and so does what the client
 * throws where nobody can catch it.
 */
export async function serve(client, version, work) {
  say({ client, version });
  let stray = () => {};
  process.on("unhandledRejection", (error) => stray(error));
  process.on("uncaughtException", (error) => stray(error));
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    const found = nothing();
    const abort = new AbortController();
    let timer;
    const unusual = new Promise((_, reject) => {
      stray = reject;
      timer = setTimeout(() => reject(new TimeoutError(`no end within ${TIMEOUT / 1000} s`)), TIMEOUT);
    });
    try {
      await Promise.race([work(job, found, abort.signal), unusual]);
    } catch (error) {
      found.error ??= described(error);
    }
    clearTimeout(timer);
    stray = () => {};
    // A copy: what still trickles in belongs to nobody.
    say({ id: job.id, ...structuredClone(found) });
    abort.abort();
  }
  process.exit(0);
}

class TimeoutError extends Error {}

/**
 * An error as the answer's member. Where others caused it, with what the first of them says; where that is a schema's
 * complaint, with each place and what was expected there, numbers left out: `output.*.summary: expected array`.
 */
export function described(error) {
  const type = error?.constructor?.name ?? typeof error;
  const name = error?.name && error.name !== "Error" ? error.name : type;
  let first = error;
  for (let depth = 0; first?.cause && depth < 10; depth += 1) first = first.cause;
  const said = Array.isArray(first?.issues) ? first.issues.map(place) : [error, first].map(words);
  return { type: String(name), message: [...new Set(said)].join(Array.isArray(first?.issues) ? "; " : ": ") };
}

function place(issue) {
  const path = issue.path.map((step) => (typeof step === "number" ? "*" : step)).join(".");
  return `${path}: ${issue.expected ? `expected ${issue.expected}` : issue.code}`;
}

function words(error) {
  return String(error?.message ?? error).replace(/\s+/g, " ").slice(0, MESSAGE);
}

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}
