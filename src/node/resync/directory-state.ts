import type { DirectoryState } from "../../core/messages/heartbeat.ts";

const DIRECTORY_ID = /^[0-9a-f]{16}$/;

/** The door for states that were stored. */
export function isDirectoryState(value: unknown): value is DirectoryState {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const id = fields.get("directoryId");
  return (
    typeof id === "string" &&
    DIRECTORY_ID.test(id) &&
    isCount(fields.get("startEpoch")) &&
    isCount(fields.get("position"))
  );
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
