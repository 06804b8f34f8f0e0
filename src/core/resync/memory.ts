import type { DirectoryState } from "../messages/heartbeat.ts";

/**
 * What is remembered of a member once it has announced a directory. The greatest of one directory is
 * kept, number by number. Another directory takes its place only when its node says that it lacks
 * nothing: until then the node may still have to be told what it lost.
 */
export function remember(
  known: DirectoryState | undefined,
  { directory, resynchronising }: { directory: DirectoryState; resynchronising: boolean },
): DirectoryState {
  if (known === undefined) return directory;
  if (known.directoryId !== directory.directoryId) return resynchronising ? known : directory;
  const startEpoch = Math.max(known.startEpoch, directory.startEpoch);
  const position = Math.max(known.position, directory.position);
  const grows = startEpoch > known.startEpoch || position > known.position;
  return grows ? { ...known, startEpoch, position } : known;
}

/**
 * Whether a peer remembers more of a node than the node's directory has: then the directory was
 * wiped, exchanged, restored or rolled back. Each number counts by itself: a copy that was taken of a
 * running node starts under a greater epoch, and lacks batches all the same.
 *
 * `settled` are directories that this one is known to have succeeded.
 */
export function contradicts(
  remembered: DirectoryState,
  own: DirectoryState,
  settled: readonly string[],
): boolean {
  if (remembered.directoryId !== own.directoryId) return !settled.includes(remembered.directoryId);
  return remembered.startEpoch > own.startEpoch || remembered.position > own.position;
}
