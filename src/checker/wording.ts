import type { Operation } from "./history.ts";

/** `get of "a7" by client 3 [120, 131]`, and what else matters of its answer. */
export function wording(operation: Operation | undefined): string {
  if (operation === undefined) return "no operation of the history";
  const { kind, version, client, call, end, outcome, stamp, expired } = operation;
  const what =
    version === undefined ? (kind === "get" ? "nothing" : "an unnamed version") : quoted(version);
  const answer = outcome === "ok" ? (expired ? ", expired" : "") : `, ${outcome}`;
  const stamped = stamp === undefined ? "" : `, stamp ${stamp}`;
  return `${kind} of ${what} by client ${client} [${call}, ${end ?? "no answer"}${answer}${stamped}]`;
}

export function quoted(text: string | undefined): string {
  return text === undefined ? "nothing" : JSON.stringify(text);
}
