import { utf8Text } from "../../core/bytes.ts";

/** Longest line that is read: an escaped or base64 value of a few MiB. */
export const LINE_BYTES_MAX = 16 * 1024 * 1024;
const LINE_FEED = 10;

export interface Line {
  /** From 1, as editors count. */
  readonly number: number;
  /** undefined: the line is longer than allowed or is not UTF-8. */
  readonly text: string | undefined;
  /** Bytes of the file up to and including this line. */
  readonly end: number;
}

/** Splits a stream into its lines without blank ones; reads on only as fast as they are taken. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax = LINE_BYTES_MAX,
): AsyncGenerator<Line> {
  let number = 0;
  let end = 0;
  let parts: Uint8Array[] = [];
  let length = 0;
  const take = (): Line => {
    const bytes = length > lineBytesMax ? undefined : Buffer.concat(parts);
    parts = [];
    length = 0;
    number += 1;
    return { number, text: bytes === undefined ? undefined : utf8Text(bytes), end };
  };
  for await (const chunk of chunks) {
    let from = 0;
    while (from < chunk.byteLength) {
      const at = chunk.indexOf(LINE_FEED, from);
      const piece = chunk.subarray(from, at === -1 ? undefined : at);
      length += piece.byteLength;
      if (length <= lineBytesMax) parts.push(piece);
      else parts = [];
      end += piece.byteLength + (at === -1 ? 0 : 1);
      from = at === -1 ? chunk.byteLength : at + 1;
      if (at !== -1) {
        const line = take();
        if (line.text?.trim() !== "") yield line;
      }
    }
  }
  if (length > 0) {
    const line = take();
    if (line.text?.trim() !== "") yield line;
  }
}
