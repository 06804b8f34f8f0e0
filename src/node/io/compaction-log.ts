import { open } from "node:fs/promises";
import { join } from "node:path";

/** Where LevelDB keeps its diary; it begins a new one at each opening. */
const LOG = "LOG";
const TAIL_BYTES = 64 * 1024;

/**
 * Whether whoever had the database open last ended in the middle of a compaction: killed, perhaps,
 * or because LevelDB aborted it. Asked before the database is opened.
 */
export async function endedCompacting(database: string): Promise<boolean> {
  const lines = (await tail(join(database, LOG))).split("\n");
  const begun = lines.findLastIndex((line) => /\bCompacting \d+@\d+ \+ \d+@\d+ files/.test(line));
  const ended = lines.findLastIndex((line) => /\bcompacted to: /.test(line));
  return begun > ended;
}

/** Empty when there is no such file. */
async function tail(path: string): Promise<string> {
  let file;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}
