#!/usr/bin/env node
import { setMaxListeners } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { EXIT, Interrupted } from "./exit-code.ts";
import { run } from "./program.ts";

const interruption = new AbortController();
// Every request under way listens to it, as many as an import has rows in flight.
setMaxListeners(0, interruption.signal);
const interrupt = (cause: string): void => {
  if (interruption.signal.aborted) process.exit(EXIT.interrupted);
  interruption.abort(new Interrupted(cause));
};
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);
// A parent that gave us a channel (kv dev, the tests) is gone, however it ended: nobody would stop
// this process otherwise.
if (process.channel !== undefined) process.once("disconnect", () => interrupt("parent is gone"));

// The reader of a pipe has seen enough, e.g. `kv export … | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.internal);
});

// Notes and errors that nobody reads change no outcome.
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") process.exit(EXIT.internal);
});

const exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: interruption.signal,
  mainFile: fileURLToPath(import.meta.url),
});
// Not left to an empty event loop: a stuck fsync or an open stdin would never empty it.
process.exit(exitCode);
