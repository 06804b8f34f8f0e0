import { majority, SIBLINGS_MAX, VALUE_BYTES_MAX } from "./bucket.ts";
import type { BucketProperties } from "./bucket.ts";
import { integer, oneOf } from "./config.ts";
import { KvError } from "./errors.ts";
import { TTL_SECONDS_MAX } from "./version/version.ts";

interface PropertySpec<T> {
  /** What the property is as JSON; `null` stands for the text `none`. */
  readonly json: "number" | "text";
  readonly parse: (text: string) => T;
  /** At creation, when none is given; `n` is the bucket's own by then. */
  readonly default: (cluster: { readonly members: number; readonly n: number }) => T;
  /** Never changes after creation. */
  readonly fixed?: true;
  /** Only of buckets whose mode is `siblings`. */
  readonly siblings?: true;
  readonly doc: string;
}

const N_DEFAULT = 3;
const REPLICAS_MAX = 999;
const replicas = integer({ min: 1, max: REPLICAS_MAX });
const seconds = integer({ min: 1, max: TTL_SECONDS_MAX });

/** The one table of a bucket's properties: whatever reads or explains them derives from it. */
export const PROPERTIES: {
  readonly [K in keyof BucketProperties]: PropertySpec<BucketProperties[K]>;
} = {
  mode: {
    json: "text",
    parse: oneOf("lww", "siblings"),
    default: () => "lww",
    fixed: true,
    doc: "what becomes of concurrent writes: lww keeps the newest, siblings keeps all until a client merges them",
  },
  n: {
    json: "number",
    parse: replicas,
    default: ({ members }) => Math.min(N_DEFAULT, members),
    fixed: true,
    doc: "replicas of each key, at most as many as there are members",
  },
  r: {
    json: "number",
    parse: replicas,
    default: ({ n }) => majority(n),
    doc: "replicas that must answer a read",
  },
  w: {
    json: "number",
    parse: replicas,
    default: ({ n }) => majority(n),
    doc: "replicas that must acknowledge a write; raising it does nothing for what was written before",
  },
  durability: {
    json: "text",
    parse: oneOf("sync", "async"),
    default: () => "sync",
    doc: "sync: on disk before it is acknowledged; async: handed to the operating system",
  },
  readRepair: {
    json: "text",
    parse: oneOf("blocking", "background"),
    default: () => "blocking",
    doc: "blocking: a read whose replicas disagree repairs them first; background: it answers at once",
  },
  ttlSeconds: {
    json: "number",
    parse: (text) => (text === "none" ? undefined : seconds(text)),
    default: () => undefined,
    doc: "life of versions whose write names none; none: they stay",
  },
  valueBytesMax: {
    json: "number",
    parse: integer({ min: 0, max: VALUE_BYTES_MAX }),
    default: () => VALUE_BYTES_MAX,
    doc: "bytes of the largest value",
  },
  blindWrites: {
    json: "text",
    parse: oneOf("overwrite", "sibling", "refuse"),
    default: () => "overwrite",
    siblings: true,
    doc: "writes without a context: overwrite what is there, stand beside it as a sibling, or refuse",
  },
  siblingsMax: {
    json: "number",
    parse: integer({ min: 1, max: SIBLINGS_MAX }),
    default: () => SIBLINGS_MAX,
    siblings: true,
    doc: "a write that would leave more siblings of its key is refused",
  },
};

type PropertyName = keyof BucketProperties;
const NAMES = Object.keys(PROPERTIES) as readonly PropertyName[];

/** @throws KvError `bucket-property-invalid` naming the property */
export function parseProperties(json: unknown): Partial<BucketProperties> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw invalid("properties are one JSON object");
  }
  const given = Object.entries(json).map(([key, value]: [string, unknown]) => {
    const name = NAMES.find((candidate) => candidate === key);
    if (name === undefined) throw invalid(`'${key.slice(0, 80)}': there are ${NAMES.join(", ")}`);
    return [name, parseProperty(name, value)];
  });
  return Object.fromEntries(given) as Partial<BucketProperties>;
}

function parseProperty(name: PropertyName, value: unknown): unknown {
  const { json, parse } = PROPERTIES[name];
  const text = textOf(value, json);
  if (text === undefined) throw invalid(`${name} must be a ${json}`);
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    throw new KvError("bucket-property-invalid", `${name}: ${error.message}`, {}, { cause: error });
  }
}

/** @returns undefined: the value is of another type. */
function textOf(value: unknown, json: "number" | "text"): string | undefined {
  if (value === null) return "none";
  if (json === "number") return typeof value === "number" ? String(value) : undefined;
  return typeof value === "string" ? value : undefined;
}

/** Properties of the bucket that always exists: n = 3 or fewer members, r = w = majority. */
export function defaultBucketProperties(members: number): BucketProperties {
  return newBucket({}, members);
}

/** All properties of a new bucket. @throws KvError `bucket-property-invalid` */
export function newBucket(given: Partial<BucketProperties>, members: number): BucketProperties {
  const n = given.n ?? PROPERTIES.n.default({ members, n: 0 });
  const defaults = NAMES.map((name) => [name, PROPERTIES[name].default({ members, n })]);
  const bucket = { ...Object.fromEntries(defaults), ...given } as BucketProperties;
  checkMode(bucket, given);
  return checked(bucket, members);
}

/** An option that would do nothing is a mistake. */
function checkMode({ mode }: BucketProperties, given: Partial<BucketProperties>): void {
  if (mode === "siblings") return;
  const idle = NAMES.find(
    (name) => PROPERTIES[name].siblings && given[name] !== undefined && !isDefault(name, given),
  );
  if (idle !== undefined) throw invalid(`${idle}: only buckets of mode siblings have it`);
}

/** Whoever sends back a whole bucket that was read changes nothing. */
function isDefault(name: PropertyName, given: Partial<BucketProperties>): boolean {
  return given[name] === PROPERTIES[name].default({ members: 0, n: 0 });
}

/** The bucket with what is given changed. @throws KvError `bucket-property-invalid`, `bucket-exists` */
export function changedBucket(
  bucket: BucketProperties,
  given: Partial<BucketProperties>,
  members: number,
): BucketProperties {
  for (const name of NAMES) {
    if (PROPERTIES[name].fixed && name in given && given[name] !== bucket[name]) {
      throw new KvError("bucket-exists", `${name} is ${bucket[name]} since the bucket was created`);
    }
  }
  checkMode(bucket, given);
  return checked({ ...bucket, ...given }, members);
}

function checked(bucket: BucketProperties, members: number): BucketProperties {
  const { n, r, w } = bucket;
  if (n > members) throw invalid(`n: ${n} replicas need as many members, there are ${members}`);
  if (r > n) throw invalid(`r: ${r} of ${n} replicas cannot answer`);
  if (w > n) throw invalid(`w: ${w} of ${n} replicas cannot acknowledge`);
  return bucket;
}

function invalid(detail: string): KvError {
  return new KvError("bucket-property-invalid", detail);
}
