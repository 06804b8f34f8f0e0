import type { Readable, Writable } from "node:stream";
import { hasCode } from "./files.ts";

/** What the shell gives a command. Tests give it streams of their own. */
export interface Shell {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts with `Interrupted` at the first SIGINT or SIGTERM; a second one ends the process. */
  readonly signal: AbortSignal;
  /** File of the entry point, for commands that start the program anew. */
  readonly mainFile: string;
}

/** Like {@link write}, to where nobody has to listen: a closed stderr must not change the outcome. */
export async function tell(stream: Writable, text: string): Promise<void> {
  try {
    await write(stream, text);
  } catch (error) {
    if (!hasCode(error, "EPIPE")) throw error;
  }
}

/** Resolves when the stream took the bytes: a slow reader slows the writer. */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}
