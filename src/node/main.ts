import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VALUE_BYTES_MAX } from "../core/bucket.ts";
import { VERSION } from "../core/build.ts";
import type { Address, Config } from "../core/config.ts";
import { KvError } from "../core/errors.ts";
import { firstClusterDocument } from "../core/layout/cluster-document.ts";
import { payloadBytesMax } from "../core/messages/request.ts";
import type { NodeView } from "../ports/node-view.ts";
import { StorageError, storageErrorKind } from "../ports/storage.ts";
import type { Transport, TransportEvents } from "../ports/transport.ts";
import { HttpApi } from "./io/http/http-api.ts";
import { LevelStorage } from "./io/level-storage.ts";
import { PeerTransport } from "./io/peer/peer-transport.ts";
import { systemClock } from "./io/system-clock.ts";
import { systemRng } from "./io/system-rng.ts";
import { systemTelemetry } from "./io/telemetry.ts";
import type { SystemTelemetry } from "./io/telemetry.ts";
import { Node } from "./node.ts";

/** Where LevelDB lives within the data directory. */
const DATABASE_FOLDER = "db";
/** Stands beside it when the database must be salvaged before the next start may use it. */
const SALVAGE_MARKER = "salvage";

/** How long a starting node waits for the first words of all its peers. */
const FIRST_WORDS_MS = 2_000;

export interface RunningNode {
  readonly clientAddress: Address;
  /** Resolves after `stop`; rejects when the node had to end itself: its process must exit. */
  readonly stopped: Promise<void>;
  /** Drains, then closes everything in reverse order of opening and proves a clean stop. */
  stop(): Promise<void>;
}

/** Opens a node on this machine's disk, clock and network. @throws KvError when it must not start. */
export async function startNode(config: Config): Promise<RunningNode> {
  const secret = await secretOf(config);
  const telemetry = systemTelemetry({
    level: config.logLevel,
    base: { service: "quorate", version: VERSION, cluster: config.clusterId, node: config.id },
  });
  const ended = deferred();
  const storage = await LevelStorage.open(join(config.data, DATABASE_FOLDER));
  const document = firstClusterDocument(config.peers);
  const rng = systemRng();
  const opening = Node.open(config, {
    clock: systemClock,
    rng,
    storage,
    telemetry,
    document,
    openTransport: (events) => openTransport(config, { secret, document, telemetry, rng, events }),
    onStorageError: (error) => {
      // What was being written is in doubt, and only opening the directory anew settles it.
      telemetry.log.error({ err: error }, "the storage failed; the node ends itself");
      markForSalvage(config, error)
        .catch((reason: unknown) => telemetry.log.error({ err: reason }, "no mark could be left"))
        .finally(() => {
          telemetry.flush();
          ended.reject(error);
        });
    },
  });
  const node = await opening.catch((error: unknown) => {
    throw startError(config, error);
  });
  let draining = false;
  const view: NodeView = {
    id: config.id,
    clusterId: config.clusterId,
    version: VERSION,
    document,
    get state() {
      if (draining) return "draining";
      return node.readOnly ? "read-only" : "ready";
    },
    clockOffsetMaxMs: config.clockOffsetMaxMs,
    get clockProblem() {
      return node.clockProblem;
    },
    get resync() {
      return node.resync;
    },
    member: (id) => node.member(id),
    bucket: (name) => document.buckets.get(name),
  };
  await judged(node);
  const api = await HttpApi.open(
    { address: config.listen, clientConnectionsMax: config.clientConnectionsMax },
    { operations: node.operations, view, telemetry },
  );
  telemetry.log.info({ listen: api.address }, "node is ready");
  const stop = async (): Promise<void> => {
    draining = true;
    telemetry.log.info({}, "node is draining");
    await drain(api, node, config.drainTimeoutMs);
    await node.close();
    await storage.close();
    telemetry.log.info({}, "node has stopped");
    telemetry.flush();
  };
  let stopping: Promise<void> | undefined;
  return {
    clientAddress: api.address,
    stopped: ended.promise,
    stop() {
      stopping ??= stop().then(ended.resolve, ended.reject);
      return stopping;
    },
  };
}

/** The database opened, and the node's first entries could not be read or written. */
function startError({ data }: Config, error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  const code = error.kind === "no-space" ? "disk-full" : "directory-damaged";
  return new KvError(code, `${data}: ${error.message}`, {}, { cause: error });
}

/** A database that refuses writes because it is damaged will refuse them again. */
async function markForSalvage({ data }: Config, error: unknown): Promise<void> {
  if (storageErrorKind(error) !== "corruption") return;
  await writeFile(join(data, SALVAGE_MARKER), `${String(error)}\n`);
}

/**
 * Clients are served once every peer has said what it remembers of this node, or has had its time to:
 * before, the own replica might answer from a directory that lacks what the node once acknowledged.
 */
async function judged(node: Node): Promise<void> {
  await new Promise<void>((resolve) => {
    const enough = systemClock.after(FIRST_WORDS_MS, resolve);
    void node.judged().then(() => {
      enough.cancel();
      resolve();
    });
  });
}

async function drain(api: HttpApi, node: Node, timeoutMs: number): Promise<void> {
  const abort = systemClock.after(timeoutMs, () => api.abort());
  await api.drain();
  abort.cancel();
  // Operations whose clients are gone end at their own deadlines.
  await node.idle();
}

function openTransport(
  config: Config,
  parts: {
    secret: string | undefined;
    document: Node["document"];
    telemetry: SystemTelemetry;
    rng: ReturnType<typeof systemRng>;
    events: TransportEvents;
  },
): Promise<Transport> {
  const { secret, document, telemetry, rng, events } = parts;
  const { members, epoch } = document.layout;
  return PeerTransport.open(
    {
      ...config,
      identity: { id: config.id, clusterId: config.clusterId, epoch, secret },
      address: config.peerListen,
      members,
      payloadBytesMax: payloadBytesMax(VALUE_BYTES_MAX),
    },
    { ...events, clock: systemClock, rng, telemetry },
  );
}

async function secretOf({ secret, secretFile }: Config): Promise<string | undefined> {
  if (secret !== undefined || secretFile === undefined) return secret;
  try {
    const text = (await readFile(secretFile, "utf8")).trim();
    if (text !== "") return text;
  } catch (error) {
    throw new KvError("option-invalid", `--secret-file ${secretFile}: ${String(error)}`);
  }
  throw new KvError("option-invalid", `--secret-file ${secretFile} is empty`);
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function deferred(): Deferred {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
