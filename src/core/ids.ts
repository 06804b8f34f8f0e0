import { KvError } from "./errors.ts";

/** Branded identifiers. Each has one door, its `parse…` function; behind it the type is proof. */
export type NodeId = string & { readonly __brand: "NodeId" };
export type ClusterId = string & { readonly __brand: "ClusterId" };
export type Zone = string & { readonly __brand: "Zone" };
export type BucketName = string & { readonly __brand: "BucketName" };
/** Who minted a stamp: a directory's random 64-bit id and its start epoch, 24 hex digits. */
export type ActorId = string & { readonly __brand: "ActorId" };
/** Identity of one logical write, the same on every attempt. */
export type WriteId = string & { readonly __brand: "WriteId" };
/** 1 to {@link KEY_BYTES_MAX} bytes, any bytes. */
export type Key = Uint8Array & { readonly __brand: "Key" };

export const KEY_BYTES_MAX = 1024;
export const WRITE_ID_LENGTH_MAX = 64;

const NODE_ID = /^[a-z0-9][a-z0-9-]{0,30}$/;
const CLUSTER_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
const ZONE = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/;
const BUCKET_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const ACTOR_ID = /^[0-9a-f]{24}$/;
const WRITE_ID = /^[A-Za-z0-9._:-]{1,64}$/;

export function isNodeId(text: string): text is NodeId {
  return NODE_ID.test(text);
}

export function parseNodeId(text: string): NodeId {
  if (!isNodeId(text)) {
    throw new KvError("option-invalid", `'${text}' is no node id: 1 to 31 of a-z 0-9 -`);
  }
  return text;
}

export function parseClusterId(text: string): ClusterId {
  if (!CLUSTER_ID.test(text)) {
    throw new KvError("option-invalid", `'${text}' is no cluster id: 1 to 63 of a-z 0-9 -`);
  }
  return text as ClusterId;
}

export function parseZone(text: string): Zone {
  if (!ZONE.test(text)) {
    throw new KvError("option-invalid", `'${text}' is no zone: 1 to 63 of A-Z a-z 0-9 . _ -`);
  }
  return text as Zone;
}

export function isBucketName(text: string): text is BucketName {
  return BUCKET_NAME.test(text);
}

export function parseBucketName(text: string): BucketName {
  if (!isBucketName(text)) {
    throw new KvError(
      "bucket-name-invalid",
      `'${text.slice(0, 80)}' is no bucket name: 1 to 63 of a-z 0-9 . _ -, a letter or digit first`,
    );
  }
  return text as BucketName;
}

export function parseKey(bytes: Uint8Array): Key {
  if (bytes.byteLength < 1) throw new KvError("key-invalid", "the key is empty");
  if (bytes.byteLength > KEY_BYTES_MAX) {
    throw new KvError(
      "key-invalid",
      `the key has ${bytes.byteLength} bytes, at most ${KEY_BYTES_MAX} are allowed`,
    );
  }
  return bytes as Key;
}

export function parseActorId(text: string): ActorId {
  if (!ACTOR_ID.test(text)) throw new KvError("option-invalid", `'${text}' is no actor id`);
  return text as ActorId;
}

export function parseWriteId(text: string): WriteId {
  if (!WRITE_ID.test(text)) {
    throw new KvError(
      "header-invalid",
      `KV-Write-Id must be 1 to ${WRITE_ID_LENGTH_MAX} of A-Z a-z 0-9 . _ : -`,
    );
  }
  return text as WriteId;
}
