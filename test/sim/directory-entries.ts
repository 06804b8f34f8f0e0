import type { NodeId } from "../../src/core/ids.ts";
import { metaKey, unseal } from "../../src/node/replica/sealed.ts";
import { isDirectoryState } from "../../src/node/resync/directory-state.ts";
import { peerKey } from "../../src/node/resync/peer-memory.ts";
import type { MemoryDisk } from "../../src/testing/memory-storage.ts";

const POSITION_KEY = metaKey("position");

/** How far the directory on this disk has come. */
export function positionOn(disk: MemoryDisk): number {
  const position = entryOn(disk, POSITION_KEY);
  return typeof position === "number" ? position : 0;
}

/** How far the peer's directory had come when this disk's node last wrote it down. */
export function rememberedOn(disk: MemoryDisk, peer: NodeId): number {
  const state = entryOn(disk, peerKey(peer));
  return isDirectoryState(state) ? state.position : 0;
}

function entryOn(disk: MemoryDisk, key: Uint8Array): unknown {
  const bytes = disk.get(key);
  return bytes === undefined ? undefined : unseal(key, bytes);
}
