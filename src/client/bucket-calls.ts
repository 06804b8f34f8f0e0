import { utf8 } from "../core/bytes.ts";
import { parseBucketName } from "../core/ids.ts";
import { jsonObject, refusalOf } from "./answer.ts";
import type { Refusal } from "./answer.ts";
import type { Call } from "./attempts.ts";
import type { HttpAnswer } from "./exchange.ts";

/** A bucket as nodes tell it. */
export interface Bucket {
  readonly name: string;
  readonly mode: string;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly durability: string;
  readonly readRepair: string;
  readonly ttlSeconds: number | null;
  readonly valueBytesMax: number;
  readonly blindWrites: string;
  readonly siblingsMax: number;
}

export interface BucketList {
  readonly documentVersion: number;
  readonly buckets: readonly Bucket[];
  /** Names that are not used again. */
  readonly removed: readonly string[];
}

/** Properties to create a bucket with, or to change; `ttlSeconds: null` takes the time to live away. */
export type BucketGiven = Partial<Omit<Bucket, "name">>;

/** `absent`: create it. `present`: change what exists. Without it: whichever applies. */
export type BucketExpectation = "absent" | "present";

type BucketCall<T> = Pick<Call<T>, "method" | "target" | "headers" | "body" | "interpret">;

export const LIST_BUCKETS: BucketCall<BucketList> = {
  method: "GET",
  target: "/v1/buckets",
  headers: {},
  body: undefined,
  interpret: (answer) => interpretObject(answer, "buckets"),
};

export function showBucketCall(name: string): BucketCall<Bucket> {
  return {
    method: "GET",
    target: bucketTarget(name),
    headers: {},
    body: undefined,
    interpret: (answer) => interpretObject(answer, "mode"),
  };
}

export function putBucketCall(
  name: string,
  given: BucketGiven,
  expect: BucketExpectation | undefined,
): BucketCall<Bucket> {
  return {
    method: "PUT",
    target: bucketTarget(name),
    headers: {
      "content-type": "application/json",
      ...(expect === "absent" && { "if-none-match": "*" }),
      ...(expect === "present" && { "if-match": "*" }),
    },
    body: utf8(JSON.stringify(given)),
    interpret: (answer) => interpretObject(answer, "mode"),
  };
}

export function removeBucketCall(name: string): BucketCall<undefined> {
  return {
    method: "DELETE",
    target: bucketTarget(name),
    headers: {},
    body: undefined,
    interpret: (answer) => (answer.status === 204 ? { value: undefined } : refusalOf(answer)),
  };
}

function bucketTarget(name: string): string {
  return `/v1/buckets/${parseBucketName(name)}`;
}

function interpretObject<T>(answer: HttpAnswer, field: string): { readonly value: T } | Refusal {
  const fields = answer.status === 200 ? jsonObject(answer.body) : undefined;
  if (fields?.has(field) !== true) return refusalOf(answer);
  return { value: Object.fromEntries(fields) as unknown as T };
}
