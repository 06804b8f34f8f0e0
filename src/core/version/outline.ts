import { EMPTY_BYTES } from "../bytes.ts";
import type { RecordKey } from "../record-key.ts";
import { encodeRecord } from "./record.ts";
import type { KvRecord } from "./record.ts";
import { Sibling } from "./sibling.ts";
import { encodeSiblings } from "./siblings-record.ts";
import type { Version } from "./version.ts";

/**
 * The record without its values and without the writes merged lately. Merged with other outlines it
 * comes to what the records come to, as far as that says which versions there are and who is dead:
 * values decide between versions only where everything else is equal.
 */
export function outlineOf(key: RecordKey, record: KvRecord): KvRecord {
  if (record.mode === "lww") return encodeRecord(key, withoutValue(record.version), EMPTY_BYTES);
  const entries = record.entries.map((entry) => ({
    ...entry,
    siblings: entry.siblings.map(({ version }) => Sibling.of(withoutValue(version))),
  }));
  return encodeSiblings(key, entries, EMPTY_BYTES);
}

function withoutValue(version: Version): Version {
  const { content } = version;
  if (content === undefined) return version;
  return { ...version, content: { ...content, value: EMPTY_BYTES } };
}
