import { changedBucket, newBucket, parseProperties } from "../bucket-properties.ts";
import { DEFAULT_BUCKET } from "../bucket.ts";
import type { BucketProperties } from "../bucket.ts";
import { KvError } from "../errors.ts";
import { parseBucketName } from "../ids.ts";
import type { BucketName } from "../ids.ts";
import type { ClusterDocument } from "./cluster-document.ts";
import { propertiesJson } from "./document-json.ts";

/** Of buckets and of former ones: every node holds them all, and sends them in one message. */
export const BUCKETS_MAX = 256;

/** What an operator asks of one bucket. */
export type BucketChange =
  | {
      readonly kind: "put";
      readonly name: BucketName;
      readonly given: Partial<BucketProperties>;
      /** `absent`: create it, or find it as it would be created. `present`: change what exists. */
      readonly expect: "any" | "absent" | "present";
    }
  | { readonly kind: "remove"; readonly name: BucketName };

/**
 * The document after the change, one version on; the same document if nothing differs, so that a
 * change which is repeated after a failure completes the first attempt and makes no second one.
 * @throws KvError `bucket-not-found`, `bucket-exists`, `bucket-removed`, `bucket-property-invalid`
 */
export function changedDocument(document: ClusterDocument, change: BucketChange): ClusterDocument {
  return change.kind === "put"
    ? withBucket(document, change)
    : withoutBucket(document, change.name);
}

function withBucket(
  document: ClusterDocument,
  { name, given, expect }: Extract<BucketChange, { kind: "put" }>,
): ClusterDocument {
  const members = document.layout.members.length;
  const before = document.buckets.get(name);
  if (document.removed.has(name)) throw removedError(name);
  if (before === undefined && expect === "present") throw notFound(name);
  if (before === undefined && document.buckets.size + document.removed.size >= BUCKETS_MAX) {
    const detail = `there are ${BUCKETS_MAX} buckets already, former ones included`;
    throw new KvError("bucket-property-invalid", detail);
  }
  const isNew = before === undefined || expect === "absent";
  const after = isNew ? newBucket(given, members) : changedBucket(before, given, members);
  if (before !== undefined && sameProperties(before, after)) return document;
  if (before !== undefined && expect === "absent") {
    throw new KvError("bucket-exists", `the bucket '${name}' is ${JSON.stringify(before)}`);
  }
  const buckets = new Map(document.buckets).set(name, after);
  return { ...document, version: document.version + 1, buckets };
}

function withoutBucket(document: ClusterDocument, name: BucketName): ClusterDocument {
  if (name === DEFAULT_BUCKET) {
    throw new KvError("bucket-property-invalid", `the bucket '${name}' always exists`);
  }
  if (document.removed.has(name)) return document;
  if (!document.buckets.has(name)) throw notFound(name);
  const buckets = new Map(document.buckets);
  buckets.delete(name);
  const removed = new Set(document.removed).add(name);
  return { ...document, version: document.version + 1, buckets, removed };
}

function notFound(name: BucketName): KvError {
  return new KvError("bucket-not-found", `there is no bucket '${name}'`);
}

function removedError(name: BucketName): KvError {
  return new KvError("bucket-removed", `'${name}' was the name of a bucket that was removed`);
}

function sameProperties(a: BucketProperties, b: BucketProperties): boolean {
  const others = new Map<string, unknown>(Object.entries(b));
  return Object.entries(a).every(([name, value]) => others.get(name) === value);
}

export function changeJson(change: BucketChange): unknown {
  return change.kind === "put" ? { ...change, given: propertiesJson(change.given) } : change;
}

/** @throws KvError of what cannot be read. @returns undefined when it is no change at all. */
export function parseChange(json: unknown): BucketChange | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { kind, name, given, expect } = json as Readonly<Record<string, unknown>>;
  if (typeof name !== "string") return undefined;
  if (kind === "remove") return { kind, name: parseBucketName(name) };
  if (kind !== "put") return undefined;
  if (expect !== "any" && expect !== "absent" && expect !== "present") return undefined;
  return { kind, name: parseBucketName(name), given: parseProperties(given), expect };
}
