import { newBucket, parseProperties } from "../bucket-properties.ts";
import type { BucketProperties } from "../bucket.ts";
import { parseBucketName } from "../ids.ts";
import type { ClusterDocument } from "./cluster-document.ts";
import type { Layout } from "./layout.ts";

/** What of a cluster document is stored and sent as JSON; the layout is the same on all members. */
export interface DocumentJson {
  readonly version: number;
  readonly buckets: Readonly<Record<string, unknown>>;
  readonly removed: readonly string[];
}

export function documentJson({ version, buckets, removed }: ClusterDocument): DocumentJson {
  const properties = [...buckets].map(([name, bucket]) => [name, propertiesJson(bucket)]);
  return { version, buckets: Object.fromEntries(properties), removed: [...removed] };
}

/** As `parseProperties` reads it: `null` is a property that is not set. */
export function propertiesJson(
  properties: Partial<BucketProperties>,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(properties) as [string, unknown][];
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? null]));
}

/** @throws KvError of whatever cannot be read. @returns undefined when it is no document at all. */
export function parseDocument(json: unknown, layout: Layout): ClusterDocument | undefined {
  const fields = fieldsOf(json);
  const [version, buckets, removed] = ["version", "buckets", "removed"].map((name) =>
    fields?.get(name),
  );
  const named = fieldsOf(buckets);
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1)
    return undefined;
  if (named === undefined || !Array.isArray(removed)) return undefined;
  const members = layout.members.length;
  return {
    version,
    layout,
    buckets: new Map(
      [...named].map(([name, given]) => [
        parseBucketName(name),
        newBucket(parseProperties(given), members),
      ]),
    ),
    removed: new Set(removed.map((name: unknown) => parseBucketName(String(name)))),
  };
}

function fieldsOf(json: unknown): ReadonlyMap<string, unknown> | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  return new Map<string, unknown>(Object.entries(json));
}
