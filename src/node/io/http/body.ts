import { concatBytes, EMPTY_BYTES } from "../../../core/bytes.ts";
import { KvError } from "../../../core/errors.ts";
import type { Exchange } from "./exchange.ts";

/**
 * The whole body, at most `bytesMax`.
 * @throws KvError `value-too-large`, or `tooLarge`, as soon as it is certain; the rest is not read.
 */
export function readBody(
  exchange: Exchange,
  bytesMax: number,
  tooLarge = (): KvError => new KvError("value-too-large", `the value exceeds ${bytesMax} bytes`),
): Promise<Uint8Array> {
  const { request } = exchange;
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > bytesMax) return Promise.reject(tooLarge());
  exchange.askForBody();
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    request.on("data", (chunk: Uint8Array) => {
      length += chunk.byteLength;
      if (length > bytesMax) {
        request.removeAllListeners("data");
        request.pause();
        reject(tooLarge());
        return;
      }
      chunks.push(chunk);
    });
    request.on("end", () => {
      if (request.rawTrailers.length > 0) {
        reject(new KvError("request-invalid", "fields after the body are not taken"));
        return;
      }
      const [only = EMPTY_BYTES] = chunks;
      resolve(chunks.length < 2 ? only : concatBytes(chunks));
    });
    request.on("error", () => reject(new KvError("request-invalid", "the body broke off")));
  });
}
