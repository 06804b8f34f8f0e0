/** A broken invariant: a bug in this program, never an operating error. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Stays on in production: a node that knows it is wrong must not go on answering. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
