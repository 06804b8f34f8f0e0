import { execFileSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { ERRORS, isErrorCode } from "../../src/core/errors.ts";

const TRICKLE_MS = 20;
const POLL_MS = 100;
const SETTLE_TRIES_MAX = 200;

/** One hostile conversation. */
export interface Strike {
  readonly kind: string;
  /** One character a byte. */
  readonly bytes: string;
  /** `end`: nothing more will come. `hold`: the other side must lose its patience. `trickle`: byte by byte. */
  readonly manner: "end" | "hold" | "trickle";
}

export interface Struck extends Strike {
  readonly answer: string;
}

/** Draws the cases; a failure names the seed, which draws the same again. */
export function draw<T>(arbitrary: fc.Arbitrary<T>, count: number): readonly T[] {
  const { FC_SEED } = process.env;
  const seed = FC_SEED === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(FC_SEED);
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  console.info(`${count} cases drawn by FC_SEED=${seed} at commit ${commit}`);
  return fc.sample(arbitrary, { numRuns: count, seed });
}

/** Each on a connection of its own, many at a time. Resolves when the other side has ended them all. */
export async function strikeAll(
  strikes: readonly Strike[],
  port: number,
  atOnce = 200,
): Promise<readonly Struck[]> {
  const struck: Struck[] = [];
  const waiting = strikes.values();
  const worker = async (): Promise<void> => {
    for (const strike of waiting) struck.push({ ...strike, answer: await answerTo(strike, port) });
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return struck;
}

/** Everything until the connection ended; only the other side ends it. */
function answerTo({ bytes, manner }: Strike, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: manner === "end" });
    let answer = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
    if (manner === "trickle") void trickle(bytes, (byte) => socket.destroyed || socket.write(byte));
    else socket.write(Buffer.from(bytes, "latin1"));
    if (manner === "end") socket.end();
  });
}

async function trickle(bytes: string, write: (byte: Buffer) => boolean): Promise<void> {
  for (const byte of Buffer.from(bytes, "latin1")) {
    write(Buffer.of(byte));
    await sleep(TRICKLE_MS);
  }
}

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** The answers of one connection, in order. @throws when they are not HTTP. */
export function answersOf({ bytes, answer }: Struck): readonly Answer[] {
  const answers: Answer[] = [];
  // One that is not understood gets its problem with a body: nobody knew that it was a HEAD.
  const isHead = bytes.startsWith("HEAD ");
  let rest = answer;
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    const head = rest.slice(0, end);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    if (end < 0 || !(status >= 100)) throw new Error(`no answer: ${rest.slice(0, 200)}`);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    const bodiless =
      (isHead && rest[end + 4] !== "{") || status === 304 || status === 204 || status < 200;
    const body = bodiless ? "" : rest.slice(end + 4, end + 4 + length);
    if (!bodiless && body.length < length) throw new Error(`cut short: ${rest.slice(0, 200)}`);
    rest = rest.slice(end + 4 + body.length);
    answers.push({ status, head, body });
  }
  return answers;
}

/** What is wrong with an answer, whatever was asked. */
export function objectionTo({ status, head, body }: Answer): string | undefined {
  if (status < 400) return undefined;
  // HEAD has no body.
  if (body === "") return /^content-length: 0$/im.test(head) ? `${status} says nothing` : undefined;
  if (!/^content-type: application\/problem\+json$/im.test(head)) return `${status} is no problem`;
  const { code, status: told } = JSON.parse(body) as { code: string; status: number };
  if (!isErrorCode(code) || told !== status) return `${status} with code ${code}`;
  if (ERRORS[code].status !== status) return `${code} under ${status}`;
  return status === 500 ? `a bug: ${body}` : undefined;
}

/** Open sockets of a process. */
export function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  const isSocket = (fd: string): boolean => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith("socket:");
    } catch {
      // It was closed meanwhile.
      return false;
    }
  };
  return readdirSync(folder).filter(isSocket).length;
}

/** Of the JavaScript heap; garbage counts until the next collection. */
export async function heapOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { headers: { connection: "close" } })).text();
  return Number(/^nodejs_heap_size_used_bytes(?:\{.*\})? (\S+)$/m.exec(text)?.[1]);
}

/** Waits until a number has come down to the bound; what has leaked never does. */
export async function settles(
  what: string,
  bound: number,
  measure: () => Promise<number> | number,
) {
  let last = Number.NaN;
  for (let i = 0; i < SETTLE_TRIES_MAX; i += 1) {
    last = await measure();
    if (last <= bound) return last;
    await sleep(POLL_MS);
  }
  throw new Error(`${what}: ${last} instead of at most ${bound}`);
}

/** How many cases of each kind, and which answers they got. */
export function tally(struck: readonly Struck[], resultsOf: (one: Struck) => readonly unknown[]) {
  const kinds = new Map<string, Map<string, number>>();
  for (const one of struck) {
    const { kind, answer } = one;
    const counts = kinds.get(kind) ?? new Map<string, number>();
    kinds.set(kind, counts);
    for (const status of ["cases", ...(answer === "" ? ["ended"] : resultsOf(one))]) {
      counts.set(String(status), (counts.get(String(status)) ?? 0) + 1);
    }
  }
  return [...kinds].map(
    ([kind, counts]) => `${kind}: ${JSON.stringify(Object.fromEntries(counts))}`,
  );
}
