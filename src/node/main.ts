import { readFile } from "node:fs/promises";
import { VERSION } from "../core/build.ts";
import type { Address, Config } from "../core/config.ts";
import { KvError } from "../core/errors.ts";
import { firstClusterDocument } from "../core/layout/cluster-document.ts";
import { payloadBytesMax } from "../core/messages/request.ts";
import { MERGED_SIBLINGS_BYTES_MAX } from "../core/version/successor.ts";
import type { NodeView } from "../ports/node-view.ts";
import { StorageError, storageErrorKind } from "../ports/storage.ts";
import type { Storage } from "../ports/storage.ts";
import type { Transport, TransportEvents } from "../ports/transport.ts";
import { drain } from "./drain.ts";
import { HttpApi } from "./io/http/http-api.ts";
import { markForSalvage, openDatabase } from "./io/database.ts";
import type { LevelStorage } from "./io/level-storage.ts";
import { PeerTransport } from "./io/peer/peer-transport.ts";
import { systemClock } from "./io/system-clock.ts";
import { systemRng } from "./io/system-rng.ts";
import { systemTelemetry } from "./io/telemetry.ts";
import type { SystemTelemetry } from "./io/telemetry.ts";
import { Node } from "./node.ts";
import { Directory } from "./replica/directory.ts";
import { rescue } from "./resync/rescue.ts";

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
  const document = firstClusterDocument(config.peers);
  const rng = systemRng();
  const openOn = (storage: LevelStorage): Promise<Node> =>
    Node.open(config, {
      clock: systemClock,
      rng,
      storage,
      telemetry,
      document,
      openTransport: (events) =>
        openTransport(config, { secret, document, telemetry, rng, events }),
      secret,
      onStorageError: (error) => {
        // What was being written is in doubt, and only opening the directory anew settles it.
        telemetry.log.error({ err: error }, "the storage failed; the node ends itself");
        mark(config, error)
          .catch((reason: unknown) => telemetry.log.error({ err: reason }, "no mark could be left"))
          .finally(() => {
            telemetry.flush();
            ended.reject(error);
          });
      },
    });
  const { storage, node } = await openNode(config, telemetry, openOn);
  telemetry.onScrape(() => node.showState());
  let draining = false;
  const view: NodeView = {
    id: config.id,
    clusterId: config.clusterId,
    version: VERSION,
    get document() {
      return node.document;
    },
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
    bucket: (name) => node.document.buckets.get(name),
  };
  await judged(node);
  const api = await HttpApi.open(
    { ...config, address: config.listen },
    {
      operations: node.operations,
      changeBucket: (change, timeoutMs) => node.changeBucket(change, timeoutMs),
      view,
      telemetry,
    },
  );
  telemetry.log.info({ listen: api.address }, "node is ready");
  const stop = async (): Promise<void> => {
    draining = true;
    telemetry.log.info({}, "node is draining");
    const { drainNoticeMs: noticeMs, drainTimeoutMs: timeoutMs } = config;
    const modules = { clock: systemClock, edge: api, operations: node };
    const atRest = await drain({ noticeMs, timeoutMs }, modules);
    if (!atRest) telemetry.log.info({ timeoutMs }, "requests in flight are given up");
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
async function mark({ data }: Config, error: unknown): Promise<void> {
  if (storageErrorKind(error) === "corruption") await markForSalvage(data);
}

/** A database whose own entries turn out to be damaged is salvaged like one that does not open. */
async function openNode(
  config: Config,
  telemetry: SystemTelemetry,
  openOn: (storage: LevelStorage) => Promise<Node>,
): Promise<{ readonly storage: LevelStorage; readonly node: Node }> {
  const { clusterId, data, id: nodeId } = config;
  const modules = {
    telemetry,
    rescue,
    ownership: (storage: Storage) => Directory.ownership({ clusterId, nodeId }, storage),
  };
  const storage = await openDatabase(config, modules);
  try {
    return { storage, node: await openOn(storage) };
  } catch (error) {
    await storage.close();
    if (!isDamage(error)) throw startError(config, error);
    telemetry.log.error({ err: error }, "the database is damaged; it is being salvaged");
  }
  await markForSalvage(data);
  const salvaged = await openDatabase(config, modules);
  return { storage: salvaged, node: await openOn(salvaged) };
}

function isDamage(error: unknown): boolean {
  if (error instanceof KvError) return error.code === "directory-damaged";
  return storageErrorKind(error) === "corruption";
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

async function openTransport(
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
  const transport = await PeerTransport.open(
    {
      ...config,
      identity: { id: config.id, clusterId: config.clusterId, epoch, secret },
      address: config.peerListen,
      members,
      payloadBytesMax: payloadBytesMax(MERGED_SIBLINGS_BYTES_MAX),
    },
    { ...events, clock: systemClock, rng, telemetry },
  );
  telemetry.onScrape(() => transport.showState());
  return transport;
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
