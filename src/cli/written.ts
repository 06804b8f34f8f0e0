import type { Written } from "../client/results.ts";
import { keyFields } from "./json-bytes.ts";
import type { Output } from "./output.ts";

/** What a command says after a write was acknowledged. */
export async function tellWritten(
  output: Output,
  {
    bucket,
    key,
    written,
    note,
  }: { bucket: string; key: Uint8Array; written: Written; note: string },
): Promise<void> {
  const { writeId, etag, context, quorum, attempts } = written;
  if (output.format !== "table") {
    const of = { writeId, etag: etag ?? null, context: context ?? null };
    await output.json({ bucket, ...keyFields(key), ...of, quorum, attempts });
    return;
  }
  const tries = attempts === 1 ? "" : ` after ${attempts} attempts`;
  await output.note(`${note}: ${quorum.acked} acknowledged, ${quorum.needed} needed${tries}`);
}
