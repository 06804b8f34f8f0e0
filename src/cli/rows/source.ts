import { open, stat } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import type { Readable } from "node:stream";
import { fileError } from "../files.ts";
import type { Shell } from "../shell.ts";
import { linesOf } from "./lines.ts";
import type { Line } from "./lines.ts";

/** A file of rows, or stdin. An abort of the shell's signal ends the reading with an error. */
export interface Source extends AsyncDisposable {
  /** undefined: of a stream nobody knows the length. */
  readonly bytes: number | undefined;
  readonly lines: AsyncGenerator<Line>;
}

/** `-` is stdin. */
export async function openSource(file: string, { stdin, signal }: Shell): Promise<Source> {
  if (file === "-") return sourceOf(addAbortSignal(signal, stdin), undefined);
  try {
    const { size, isFile, isFolder } = await kindOf(file);
    if (isFolder) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
    const handle = await open(file);
    return sourceOf(addAbortSignal(signal, handle.createReadStream()), isFile ? size : undefined);
  } catch (error) {
    throw fileError("read", file, error);
  }
}

async function kindOf(file: string) {
  const found = await stat(file);
  return { size: found.size, isFile: found.isFile(), isFolder: found.isDirectory() };
}

function sourceOf(stream: Readable, bytes: number | undefined): Source {
  const dispose = async (): Promise<void> => {
    stream.destroy();
  };
  return { bytes, lines: linesOf(stream), [Symbol.asyncDispose]: dispose };
}
