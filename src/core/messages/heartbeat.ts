import { ByteReader, DecodeError } from "../codec.ts";
import type { ByteWriter } from "../codec.ts";
import { isNodeId } from "../ids.ts";
import type { NodeId } from "../ids.ts";

/**
 * Which directory a node runs on, and how far that directory has come. A node that announces less
 * than its peers remember of it has lost something that it once acknowledged.
 */
export interface DirectoryState {
  /** Random, made with the directory: 16 hex digits. */
  readonly directoryId: string;
  readonly startEpoch: number;
  /** Batches that the directory has committed and synced. */
  readonly position: number;
}

/** "I am up, this is my directory, and this is what I remember of yours." */
export interface Heartbeat {
  readonly from: NodeId;
  readonly directory: DirectoryState;
  /** The greatest state that the receiver ever announced to the sender. */
  readonly remembered: DirectoryState | undefined;
}

/** What a node says of itself when it is asked. */
export interface HeartbeatAnswer {
  readonly directory: DirectoryState;
  /** Version of its cluster document; 0: it does not know yet whether it has the newest. */
  readonly documentVersion: number;
  /** Its wall clock at the moment of the answer, milliseconds since 1970. */
  readonly wallMs: number;
  /** Its directory may lack what it once acknowledged: it counts in no read or learn quorum. */
  readonly resynchronising: boolean;
  /** Its disk is nearly full: it takes repairs, no writes of clients. */
  readonly readOnly: boolean;
}

const DIRECTORY_ID_BYTES = 8;
const FLAG_RESYNCHRONISING = 1;
const FLAG_READ_ONLY = 2;
const FLAGS_KNOWN = FLAG_RESYNCHRONISING | FLAG_READ_ONLY;

export function encodeHeartbeat(writer: ByteWriter, heartbeat: Heartbeat): void {
  const { from, directory, remembered } = heartbeat;
  writer.shortText(from);
  encodeDirectory(writer, directory);
  writer.u8(remembered === undefined ? 0 : 1);
  if (remembered !== undefined) encodeDirectory(writer, remembered);
}

/** @throws DecodeError */
export function decodeHeartbeat(reader: ByteReader): Heartbeat {
  const from = reader.shortText();
  if (!isNodeId(from)) throw new DecodeError("no node id");
  const directory = decodeDirectory(reader);
  const known = reader.u8();
  if (known > 1) throw new DecodeError("no flag");
  const remembered = known === 0 ? undefined : decodeDirectory(reader);
  reader.finish();
  return { from, directory, remembered };
}

export function encodeHeartbeatAnswer(writer: ByteWriter, answer: HeartbeatAnswer): void {
  encodeDirectory(writer, answer.directory);
  writer.u32(answer.documentVersion);
  writer.u64(answer.wallMs);
  writer.u8(
    (answer.resynchronising ? FLAG_RESYNCHRONISING : 0) | (answer.readOnly ? FLAG_READ_ONLY : 0),
  );
}

/** @throws DecodeError; the answer then counts as none. */
export function decodeHeartbeatAnswer(payload: Uint8Array): HeartbeatAnswer {
  const reader = new ByteReader(payload);
  const directory = decodeDirectory(reader);
  const documentVersion = reader.u32();
  const wallMs = reader.u64();
  const flags = reader.u8();
  if ((flags & ~FLAGS_KNOWN) !== 0) throw new DecodeError("unknown flags");
  reader.finish();
  return {
    directory,
    documentVersion,
    wallMs,
    resynchronising: (flags & FLAG_RESYNCHRONISING) !== 0,
    readOnly: (flags & FLAG_READ_ONLY) !== 0,
  };
}

function encodeDirectory(writer: ByteWriter, directory: DirectoryState): void {
  writer.hex(directory.directoryId);
  writer.u32(directory.startEpoch);
  writer.u64(directory.position);
}

function decodeDirectory(reader: ByteReader): DirectoryState {
  return {
    directoryId: reader.hex(DIRECTORY_ID_BYTES),
    startEpoch: reader.u32(),
    position: reader.u64(),
  };
}
