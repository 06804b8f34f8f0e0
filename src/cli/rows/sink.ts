import { open, rename, rm, stat } from "node:fs/promises";
import { fileError } from "../files.ts";
import { write } from "../shell.ts";
import type { Shell } from "../shell.ts";

/** Where rows go. Each write waits until the bytes are taken. */
export interface Sink {
  write(text: string): Promise<void>;
  /** Only now the file has its name: a reader never finds half of it. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** `-` is stdout. */
export async function openSink(file: string, { stdout }: Shell): Promise<Sink> {
  if (file === "-") {
    const nothing = () => Promise.resolve();
    return { write: (text) => write(stdout, text), commit: nothing, discard: nothing };
  }
  try {
    // A device or a pipe is written to, never replaced.
    const direct = await stat(file).then(
      (found) => !found.isFile(),
      () => false,
    );
    const path = direct ? file : `${file}.part`;
    const handle = await open(path, "w");
    return {
      write: (text) => handle.appendFile(text),
      async commit() {
        await handle.close();
        if (!direct) await rename(path, file);
      },
      async discard() {
        await handle.close();
        if (!direct) await rm(path, { force: true });
      },
    };
  } catch (error) {
    throw fileError("write", file, error);
  }
}
