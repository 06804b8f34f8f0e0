import { KvError } from "./errors.ts";
import { parseClusterId, parseNodeId, parseZone } from "./ids.ts";
import type { ClusterId, NodeId, Zone } from "./ids.ts";

/** Host and port of a listening socket; IPv6 hosts are written in brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One entry of the static peer list. */
export interface PeerEntry {
  readonly id: NodeId;
  readonly zone: Zone | undefined;
  readonly address: Address;
}

interface OptionSpec<T> {
  /** `undefined`: the option must be given, or is optional where T includes undefined. */
  readonly default: T | undefined;
  readonly parse: (text: string) => T;
  /** How a value looks in help, e.g. `HOST:PORT`. */
  readonly placeholder: string;
  readonly doc: string;
  /** Never printed, never logged. */
  readonly secret?: true;
}

function option<T>(spec: OptionSpec<T>): OptionSpec<T> {
  return spec;
}

export function integer({ min, max }: { min: number; max: number }): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new KvError("option-invalid", `'${text}' is not a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) {
      throw new KvError("option-invalid", `'${text}' is not one of ${choices.join(", ")}`);
    }
    return choice;
  };
}

function flag(text: string): boolean {
  if (text !== "true" && text !== "false") {
    throw new KvError("option-invalid", `'${text}' is neither true nor false`);
  }
  return text === "true";
}

function nonEmpty(text: string): string {
  if (text === "") throw new KvError("option-invalid", "the value is empty");
  return text;
}

export function parseAddress(text: string): Address {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text);
  const host = match?.[1];
  const port = Number(match?.[2]);
  if (host === undefined || port > 65_535) {
    throw new KvError("option-invalid", `'${text}' is not HOST:PORT`);
  }
  return { host: host.replace(/^\[|\]$/g, ""), port };
}

export function addressText({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `n1=host:port,n2@zoneB=host:port` */
export function parsePeers(text: string): readonly PeerEntry[] {
  const peers = text.split(",").map((entry): PeerEntry => {
    const [name = "", address, ...rest] = entry.trim().split("=");
    if (address === undefined || rest.length > 0) {
      throw new KvError("option-invalid", `'${entry}' is not ID=HOST:PORT or ID@ZONE=HOST:PORT`);
    }
    const [id = "", zone, ...more] = name.split("@");
    if (more.length > 0) throw new KvError("option-invalid", `'${entry}' names two zones`);
    return {
      id: parseNodeId(id),
      zone: zone === undefined ? undefined : parseZone(zone),
      address: parseAddress(address),
    };
  });
  if (new Set(peers.map((peer) => peer.id)).size !== peers.length) {
    throw new KvError("option-invalid", "a node id stands twice");
  }
  return peers;
}

const MiB = 1024 * 1024;

/**
 * The one table of a node's options. Flag (`--peer-listen`), variable (`KV_PEER_LISTEN`), key of the
 * configuration file (`peerListen`), help, docs/options.md and the type {@link Config} derive from it.
 */
export const OPTIONS = {
  id: option<NodeId>({
    default: undefined,
    parse: parseNodeId,
    placeholder: "ID",
    doc: "this node's id in the peer list",
  }),
  listen: option<Address>({
    default: { host: "127.0.0.1", port: 7080 },
    parse: parseAddress,
    placeholder: "HOST:PORT",
    doc: "address of the client port (HTTP)",
  }),
  peerListen: option<Address>({
    default: { host: "127.0.0.1", port: 7180 },
    parse: parseAddress,
    placeholder: "HOST:PORT",
    doc: "address of the peer port; beyond loopback it needs a secret",
  }),
  peers: option<readonly PeerEntry[]>({
    default: undefined,
    parse: parsePeers,
    placeholder: "ID[@ZONE]=HOST:PORT,…",
    doc: "every member of the cluster, this node included, the same list on all of them",
  }),
  data: option<string>({
    default: undefined,
    parse: nonEmpty,
    placeholder: "DIR",
    doc: "data directory, of this node alone",
  }),
  clusterId: option<ClusterId>({
    default: "quorate" as ClusterId,
    parse: parseClusterId,
    placeholder: "ID",
    doc: "name of the cluster; a directory or peer of another cluster is refused",
  }),
  secret: option<string | undefined>({
    default: undefined,
    parse: nonEmpty,
    placeholder: "TEXT",
    doc: "shared secret by which peers prove themselves to each other",
    secret: true,
  }),
  secretFile: option<string | undefined>({
    default: undefined,
    parse: nonEmpty,
    placeholder: "FILE",
    doc: "file that holds the shared secret, instead of --secret",
  }),
  logLevel: option({
    default: "info",
    parse: oneOf("error", "warn", "info", "debug"),
    placeholder: "LEVEL",
    doc: "least severity that is logged: error, warn, info or debug",
  }),
  slowOperationMs: option<number>({
    default: 500,
    parse: integer({ min: 1, max: 300_000 }),
    placeholder: "MS",
    doc: "operations and commits that take this long are logged, with where their time went",
  }),
  requestTimeoutMs: option<number>({
    default: 2_000,
    parse: integer({ min: 1, max: 30_000 }),
    placeholder: "MS",
    doc: "deadline of a request that names none",
  }),
  requestTimeoutMaxMs: option<number>({
    default: 30_000,
    parse: integer({ min: 1, max: 300_000 }),
    placeholder: "MS",
    doc: "longest deadline that a request may ask for, the same on all nodes: what a node has lost is repaired only after so long",
  }),
  spareDelayMs: option<number>({
    default: 50,
    parse: integer({ min: 1, max: 30_000 }),
    placeholder: "MS",
    doc: "longest wait before a silent replica of a read or learn round is joined by a spare one; shorter once the 99th percentile of first answers is known and shorter",
  }),
  spareDelayMinMs: option<number>({
    default: 5,
    parse: integer({ min: 1, max: 30_000 }),
    placeholder: "MS",
    doc: "shortest such wait, unless --spare-delay-ms is shorter still",
  }),
  operationsMax: option<number>({
    default: 4_096,
    parse: integer({ min: 1, max: 1_000_000 }),
    placeholder: "COUNT",
    doc: "client operations in flight on this node; more are refused with 429",
  }),
  backgroundRepairsMax: option<number>({
    default: 256,
    parse: integer({ min: 1, max: 100_000 }),
    placeholder: "COUNT",
    doc: "write-backs under way that no read waits for (readRepair=background); more are left to later reads",
  }),
  clientConnectionsMax: option<number>({
    default: 10_000,
    parse: integer({ min: 1, max: 1_000_000 }),
    placeholder: "COUNT",
    doc: "open connections on the client port; more are closed at once",
  }),
  clientHeadersTimeoutMs: option<number>({
    default: 10_000,
    parse: integer({ min: 10, max: 600_000 }),
    placeholder: "MS",
    doc: "longest that the headers of a request may take to arrive, on a new connection too",
  }),
  clientRequestTimeoutMs: option<number>({
    default: 60_000,
    parse: integer({ min: 10, max: 3_600_000 }),
    placeholder: "MS",
    doc: "longest that a whole request may take to arrive; with --request-timeout-max-ms added, how long a client may let its answers lie",
  }),
  clientIdleTimeoutMs: option<number>({
    default: 75_000,
    parse: integer({ min: 10, max: 3_600_000 }),
    placeholder: "MS",
    doc: "how long a connection without a request is kept; longer than a proxy keeps its own, or it meets closed ones",
  }),
  commitQueueMax: option<number>({
    default: 16_384,
    parse: integer({ min: 1, max: 10_000_000 }),
    placeholder: "COUNT",
    doc: "writes that wait for a commit on this replica; more are refused",
  }),
  commitBatchBytesMax: option<number>({
    default: 8 * MiB,
    parse: integer({ min: 1, max: 256 * MiB }),
    placeholder: "BYTES",
    doc: "records that one commit takes from the queue, at least one",
  }),
  readQueueMax: option<number>({
    default: 65_536,
    parse: integer({ min: 1, max: 10_000_000 }),
    placeholder: "COUNT",
    doc: "reads that wait for the storage of this replica; more are refused",
  }),
  recordCacheBytes: option<number>({
    default: 64 * MiB,
    parse: integer({ min: 0, max: 64 * 1024 * MiB }),
    placeholder: "BYTES",
    doc: "memory for the records used last",
  }),
  diskFreeBytesMin: option<number | undefined>({
    default: undefined,
    parse: integer({ min: 0, max: 1024 * 1024 * MiB }),
    placeholder: "BYTES",
    doc: "free disk space below which writes of clients are refused; repairs go on down to a quarter of it; unless given, 256 MiB or a tenth of the disk, whichever is less",
  }),
  diskPollMs: option<number>({
    default: 1_000,
    parse: integer({ min: 10, max: 60_000 }),
    placeholder: "MS",
    doc: "pause between two measurements of the free disk space",
  }),
  peerQueueBytesMax: option<number>({
    default: 32 * MiB,
    parse: integer({ min: 2 * MiB, max: 1024 * MiB }),
    placeholder: "BYTES",
    doc: "bytes queued towards one peer; more messages fail at once",
  }),
  peerInFlightMax: option<number>({
    default: 32_768,
    parse: integer({ min: 1, max: 10_000_000 }),
    placeholder: "COUNT",
    doc: "requests to one peer without an answer yet; more fail at once",
  }),
  peerConnectTimeoutMs: option<number>({
    default: 1_000,
    parse: integer({ min: 10, max: 60_000 }),
    placeholder: "MS",
    doc: "bound on connecting to a peer, handshake included",
  }),
  peerSilenceMs: option<number>({
    default: 1_000,
    parse: integer({ min: 50, max: 60_000 }),
    placeholder: "MS",
    doc: "a peer that leaves requests unanswered and says nothing for this long loses its connection",
  }),
  heartbeatEveryMs: option<number>({
    default: 200,
    parse: integer({ min: 10, max: 10_000 }),
    placeholder: "MS",
    doc: "pause between two heartbeats to a peer, with jitter",
  }),
  peerSuspectAfterMinMs: option<number>({
    default: 300,
    parse: integer({ min: 10, max: 60_000 }),
    placeholder: "MS",
    doc: "least silence under unanswered requests after which a peer is suspect and asked last",
  }),
  peerSuspectAfterMaxMs: option<number>({
    default: 600,
    parse: integer({ min: 10, max: 60_000 }),
    placeholder: "MS",
    doc: "most silence that a peer may have, however slowly it answered before, until it is suspect",
  }),
  peerSuspectInFlightMax: option<number>({
    default: 16,
    parse: integer({ min: 1, max: 10_000_000 }),
    placeholder: "COUNT",
    doc: "requests to a silent peer without an answer yet, beside heartbeats; more fail at once",
  }),
  clockOffsetMaxMs: option<number>({
    default: 500,
    parse: integer({ min: 10, max: 86_400_000 }),
    placeholder: "MS",
    doc: "a node whose wall clock is off by more from a majority of the members coordinates nothing",
  }),
  peerReconnectDelayMs: option<number>({
    default: 100,
    parse: integer({ min: 1, max: 60_000 }),
    placeholder: "MS",
    doc: "first pause before connecting again; doubles up to ten times this, with jitter",
  }),
  resyncBytesPerSecond: option<number>({
    default: 32 * MiB,
    parse: integer({ min: 1024, max: 64 * 1024 * MiB }),
    placeholder: "BYTES",
    doc: "pace at which a directory that lacks data copies it from other replicas",
  }),
  acceptDataLoss: option<boolean>({
    default: false,
    parse: flag,
    placeholder: "true|false",
    doc: "for one start: take the directory for whole although it may lack acknowledged writes, when the replicas that have them are gone for good",
  }),
  salvage: option<boolean>({
    default: false,
    parse: flag,
    placeholder: "true|false",
    doc: "for one start: rescue what can be read of the database into a new one before opening it",
  }),
  drainNoticeMs: option<number>({
    default: 0,
    parse: integer({ min: 0, max: 600_000 }),
    placeholder: "MS",
    doc: "how long a node that is asked to stop still serves, with /readyz red and connections closed after their answer, so that a load balancer that asks /readyz takes it out first",
  }),
  drainTimeoutMs: option<number>({
    default: 10_000,
    parse: integer({ min: 0, max: 600_000 }),
    placeholder: "MS",
    doc: "longest wait for requests in flight when the node stops, after --drain-notice-ms",
  }),
} as const;

export type OptionName = keyof typeof OPTIONS;
export type Config = {
  readonly [K in OptionName]: (typeof OPTIONS)[K] extends OptionSpec<infer T> ? T : never;
};

export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** `peerListen` → `--peer-listen` */
export function flagOf(name: OptionName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `peerListen` → `KV_PEER_LISTEN` */
export function variableOf(name: OptionName): string {
  return `KV_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
