import { joinContexts } from "../causal/causal-context.ts";
import type { CausalContext } from "../causal/causal-context.ts";
import { CONTEXT_ACTORS_MAX } from "../causal/context-tokens.ts";
import { KvError } from "../errors.ts";
import { NO_STAMP } from "../hlc.ts";
import type { Stamp } from "../hlc.ts";
import type { WriteId } from "../ids.ts";
import type { RecordKey } from "../record-key.ts";
import { dotText } from "./dot.ts";
import type { Recent } from "./recent.ts";
import { supersede, survivors } from "./siblings.ts";
import type { SiblingsRecord } from "./siblings-record.ts";
import type { Version } from "./version.ts";

/** Of several siblings together, as far as the replica that mints one more knows of them. */
const SIBLINGS_BYTES_MAX = 4 * 1024 * 1024;
const REPLICAS_MOST = 7;
/** What replicas that could not hear each other have minted, merged: it has to fit one message. */
export const MERGED_SIBLINGS_BYTES_MAX = REPLICAS_MOST * SIBLINGS_BYTES_MAX;

/** A new version of the key is stamped above all that is known of it, whoever knows it. */
export function newestKnown(
  learned: Stamp,
  before: SiblingsRecord | undefined,
  context: CausalContext,
): Stamp {
  let newest = learned;
  for (const stamp of [before?.stamp ?? NO_STAMP, ...context.values()]) {
    if (stamp > newest) newest = stamp;
  }
  return newest;
}

/**
 * Before anything is minted. The bound holds for clients; what replicas have to tell each other is
 * never refused.
 *
 * @throws KvError `too-many-siblings`
 */
export function checkSiblings(
  before: SiblingsRecord | undefined,
  write: { context: CausalContext; siblingsMax: number; writeId: WriteId },
): void {
  const { context, siblingsMax, writeId } = write;
  const beside = survivors(before, context);
  if (beside.length < siblingsMax) return;
  throw new KvError(
    "too-many-siblings",
    `the write does not supersede ${beside.length} siblings, and the bucket allows ${siblingsMax} in all`,
    { writeId, siblings: beside.map(dotText) },
  );
}

/** What the minter sends out. @throws KvError `context-too-large`, `too-many-siblings` */
export function successor(
  key: RecordKey,
  before: SiblingsRecord | undefined,
  write: { version: Version; context: CausalContext; recent: Recent },
): SiblingsRecord {
  const record = supersede(key, before, write);
  const { writeId } = write.version;
  if (record.entries.length > CONTEXT_ACTORS_MAX) {
    const detail = `${record.entries.length} actors wrote the key`;
    throw new KvError("context-too-large", detail, { writeId });
  }
  if (record.bytes.byteLength > SIBLINGS_BYTES_MAX && record.siblings.length > 1) {
    const siblings = survivors(before, write.context).map(dotText);
    const detail = `the siblings of the key would have ${record.bytes.byteLength} bytes together`;
    throw new KvError("too-many-siblings", detail, { writeId, siblings });
  }
  return record;
}

/**
 * What the writer has seen: its context and its own version. A context names all of an actor's versions
 * up to one, so it names this one only if the writer has seen every earlier one of its actor: no other
 * is live, and none was superseded by a write that the writer knows nothing of.
 */
export function seenBy(
  { actor, stamp }: Version,
  { context, record }: { context: CausalContext; record: SiblingsRecord },
): CausalContext {
  const own = record.entries.find((entry) => entry.actor === actor);
  const namesAll = own?.siblings.length === 1 && own.discarded === (context.get(actor) ?? NO_STAMP);
  return namesAll ? joinContexts(context, new Map([[actor, stamp]])) : context;
}
