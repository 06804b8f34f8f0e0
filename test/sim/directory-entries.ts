import type { NodeId } from "../../src/core/ids.ts";
import { metaKey, unseal } from "../../src/node/replica/sealed.ts";
import { isDirectoryState } from "../../src/node/resync/directory-state.ts";
import { peerKey } from "../../src/node/resync/peer-memory.ts";
import type { MemoryDisk } from "../../src/testing/memory-storage.ts";

const IDENTITY_KEY = metaKey("identity");
const POSITION_KEY = metaKey("position");

/** Whether this disk's node wrote down more of the peer's directory than this copy of it has. */
export function remembersMore(disk: MemoryDisk, peer: NodeId, copy: MemoryDisk): boolean {
  const remembered = entryOn(disk, peerKey(peer));
  const position = entryOn(copy, POSITION_KEY);
  return (
    isDirectoryState(remembered) &&
    remembered.directoryId === directoryIdOn(copy) &&
    remembered.position > (typeof position === "number" ? position : 0)
  );
}

function directoryIdOn(disk: MemoryDisk): unknown {
  const identity = entryOn(disk, IDENTITY_KEY);
  return typeof identity === "object" && identity !== null && "directoryId" in identity
    ? identity.directoryId
    : undefined;
}

function entryOn(disk: MemoryDisk, key: Uint8Array): unknown {
  const bytes = disk.get(key);
  return bytes === undefined ? undefined : unseal(key, bytes);
}
