import { ERRORS, KvError } from "../core/errors.ts";

/** What scripts may rely on; printed by `kv --help`. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  unknown: 6,
  forbidden: 7,
  unreachable: 8,
  checkFailed: 9,
  interrupted: 130,
} as const;

export const EXIT_DOC: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done",
  internal: "a bug, or the command could not do its work",
  usage: "the command line, a file's form or the request is wrong",
  notFound: "no such key or bucket",
  conflict: "refused because of what is stored",
  unavailable: "too few replicas; nothing was applied",
  unknown: "no answer in time; a write may have been applied",
  forbidden: "not allowed",
  unreachable: "no endpoint could be reached",
  checkFailed: "a check ran and found something wrong",
  interrupted: "interrupted by a signal",
};

/** A failure of the command line itself, with what to do about it. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;
  readonly advice: string | undefined;

  constructor(exitCode: number, message: string, advice?: string) {
    super(message);
    this.exitCode = exitCode;
    this.advice = advice;
  }
}

/** The process was told to end by a signal. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof KvError) return exitCodeOfProblem(error);
  return EXIT.internal;
}

/** One reason for all failures is told by its own code, several by that of a failed command. */
export function exitCodeOfAll(exitCodes: ReadonlySet<number>): number {
  const [code, ...others] = exitCodes;
  return others.length > 0 ? EXIT.internal : (code ?? EXIT.ok);
}

function exitCodeOfProblem(error: KvError): number {
  if (error.code === "unreachable") return EXIT.unreachable;
  if (error.code === "forbidden") return EXIT.forbidden;
  if (error.code === "option-invalid" || error.code === "secret-required") return EXIT.usage;
  const { status } = error;
  if (ERRORS[error.code].status === undefined || status === 500) return EXIT.internal;
  // A refusal of this attempt is no refusal of the write when an earlier attempt may live.
  if (error.outcome === "unknown" || status === 504 || status === 502 || status === 408) {
    return EXIT.unknown;
  }
  if (status >= 500 || status === 429) return EXIT.unavailable;
  if (status === 404) return EXIT.notFound;
  return status === 409 || status === 412 || status === 422 || status === 428
    ? EXIT.conflict
    : EXIT.usage;
}
