import { Coordinator } from "../coordinator/coordinator.ts";
import type { CoordinatorOptions } from "../coordinator/coordinator.ts";
import { Hedging } from "../coordinator/hedging.ts";
import type { HedgingOptions } from "../coordinator/hedging.ts";
import { Minter } from "../coordinator/minter.ts";
import { assert } from "../core/assert.ts";
import { ContextTokens } from "../core/causal/context-tokens.ts";
import { CursorTokens } from "../core/listing/cursor-tokens.ts";
import type { Outcome } from "../core/errors.ts";
import type { ClusterId, NodeId } from "../core/ids.ts";
import type { BucketChange } from "../core/layout/bucket-change.ts";
import type { ClusterDocument } from "../core/layout/cluster-document.ts";
import { NEVER } from "../ports/buggify.ts";
import type { Buggify } from "../ports/buggify.ts";
import type { Clock } from "../ports/clock.ts";
import type { MemberView, ResyncView } from "../ports/node-view.ts";
import type { Operations } from "../ports/operations.ts";
import type { PeerHandler } from "../ports/peer-handler.ts";
import type { Replicas } from "../ports/replicas.ts";
import type { Rng } from "../ports/rng.ts";
import type { Storage } from "../ports/storage.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import type { Transport, TransportEvents } from "../ports/transport.ts";
import { BucketChanges } from "./document/bucket-changes.ts";
import { DocumentClient } from "./document/document-client.ts";
import { DocumentServer } from "./document/document-server.ts";
import { Documents } from "./document/documents.ts";
import { FreshStamps } from "./membership/fresh-stamps.ts";
import { Membership } from "./membership/membership.ts";
import type { MembershipOptions } from "./membership/membership.ts";
import { PeerServer } from "./peers/peer-server.ts";
import { RemoteReplica } from "./peers/remote-replica.ts";
import { RecordRepair } from "./repair/record-repair.ts";
import { CommitQueue } from "./replica/commit-queue.ts";
import type { CommitQueueOptions } from "./replica/commit-queue.ts";
import { Directory } from "./replica/directory.ts";
import { Lister } from "./replica/lister.ts";
import { Quarantine } from "./replica/quarantine.ts";
import { RecordCache } from "./replica/record-cache.ts";
import { ReadQueue } from "./replica/read-queue.ts";
import { Replica } from "./replica/replica.ts";
import { SpaceWatch } from "./replica/space-watch.ts";
import type { SpaceWatchOptions } from "./replica/space-watch.ts";
import { StampLease } from "./replica/stamp-lease.ts";
import { StoredRecords } from "./replica/stored-records.ts";
import { StateGauges } from "./state-gauges.ts";
import { Resync } from "./resync/resync.ts";
import type { ResyncOptions } from "./resync/resync.ts";
import { Wholeness } from "./resync/wholeness.ts";

export interface NodeOptions
  extends
    CoordinatorOptions,
    CommitQueueOptions,
    HedgingOptions,
    MembershipOptions,
    ResyncOptions,
    SpaceWatchOptions {
  readonly clusterId: ClusterId;
  readonly readQueueMax: number;
  readonly recordCacheBytes: number;
}

export interface NodeModules {
  /** Rare paths for simulations; {@link NEVER} unless given. */
  readonly buggify?: Buggify;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Of the cluster; its causal contexts are signed by it. Without one they hold against mistakes only. */
  readonly secret?: string | undefined;
  readonly storage: Storage;
  readonly telemetry: Telemetry;
  /** Of a first start; the directory may hold a newer one. */
  readonly document: ClusterDocument;
  /** Opened with what answers this node's peers and hears of connections. */
  readonly openTransport: (events: TransportEvents) => Promise<Transport>;
  /** The storage failed and waiting does not help: what was being written is in doubt, the node must stop. */
  readonly onStorageError: (error: unknown) => void;
}

/** What a node is made of, as far as it outlives its opening. */
interface NodeParts {
  readonly gauges: StateGauges;
  readonly documents: Documents;
  readonly changes: BucketChanges;
  readonly coordinator: Coordinator;
  readonly commits: CommitQueue;
  readonly directory: Directory;
  readonly membership: Membership;
  readonly minter: Minter;
  readonly repair: RecordRepair;
  readonly resync: Resync;
  readonly space: SpaceWatch;
  readonly stamps: StampLease;
  readonly transport: Transport;
}

/** One member of the cluster: a replica of its partitions and a coordinator for all. */
export class Node {
  readonly #parts: NodeParts;

  private constructor(parts: NodeParts) {
    this.#parts = parts;
  }

  get operations(): Operations {
    return this.#parts.coordinator;
  }

  get document(): ClusterDocument {
    return this.#parts.documents.current;
  }

  /** @throws KvError as {@link BucketChanges.change} */
  changeBucket(change: BucketChange, timeoutMs?: number): Promise<ClusterDocument> {
    return this.#parts.changes.change(change, timeoutMs);
  }

  /** The storage stays the caller's, who closes it after the node. */
  static async open(options: NodeOptions, modules: NodeModules): Promise<Node> {
    const { clock, rng, storage, telemetry } = modules;
    const { id, clusterId } = options;
    const found = await Documents.find(modules.document, storage);
    const { layout } = found.document;
    const firstEntries = Wholeness.firstEntries(found.document, id);
    const directory = await Directory.open(
      { clusterId, nodeId: id },
      { storage, rng, firstEntries },
    );
    const cache = new RecordCache(options, modules);
    const quarantine = new Quarantine({ cache, telemetry });
    const stored = new StoredRecords({ clock, storage, quarantine, telemetry });
    const space = await SpaceWatch.open(options, {
      ...modules,
      recover: async () => {
        await storage.reopen();
        // The failed batch may be there now, and what was cached is what was there without it.
        cache.clear();
        await directory.renew();
      },
    });
    const commits = new CommitQueue(options, {
      ...modules,
      cache,
      quarantine,
      space,
      stored,
      journal: directory,
    });
    const documents = new Documents(found, {
      clock,
      telemetry,
      peers: layout.others(id),
      put: (write) => commits.put(write),
      client: () => documentClient,
      onChange: () => resync.onDocument(),
    });
    const document = () => documents.current;
    const stamps = await StampLease.open(directory, {
      clock,
      persist: (lease) => commits.put(Directory.leaseWrite(lease)),
    });
    const resync = await Resync.open(options, {
      clock,
      directory,
      storage,
      telemetry,
      document,
      isBehind: () => documents.isBehind,
      put: (write) => commits.put(write),
      onDamaged: (key, reason) => quarantine.add(key, reason),
    });
    const membership = new Membership(options, {
      clock,
      rng,
      telemetry,
      document,
      documentVersion: () => documents.announced,
      directory: () => directory.state,
      remembered: (peer) => resync.remembered(peer),
      isResynchronising: () => !resync.isWholeEverywhere,
      isReadOnly: () => space.readOnly,
      onHeard: (peer, answer) => {
        resync.onHeard(peer, answer);
        documents.onHeard(peer, answer.documentVersion);
      },
      onAsked: (heartbeat) => resync.onAsked(heartbeat),
    });
    const shared = {
      buggify: modules.buggify ?? NEVER,
      clock,
      rng,
      telemetry,
      stamps,
      spareDelayMs: options.spareDelayMs,
      hedging: new Hedging(options),
      document,
      caughtUp: (outcome: Outcome) => documents.caughtUp(outcome),
      checkClock: (outcome: Outcome) => membership.clockGuard.check(outcome),
    };
    const minter = new Minter(options, {
      ...shared,
      isReadOnly: () => space.readOnly,
      renewActor: () => directory.renew(),
    });
    const reads = new ReadQueue(options, { ...modules, cache, stored });
    const replica = new Replica({
      reads,
      commits,
      minter,
      lister: new Lister({ ...modules, quarantine, stored }),
      clockReading: () => stamps.reading(),
      isWhole: (partition) => resync.isWhole(partition),
    });
    const peerServer = new PeerServer({
      clock,
      replica,
      document,
      onHeartbeat: (heartbeat) => membership.answer(heartbeat),
      onDocument: (question, deadline) => documentServer.answer(question, deadline),
      onScan: (scan, deadline) => resync.scan(scan, deadline),
      freshStamps: new FreshStamps(options, modules),
    });
    const transport = await modules.openTransport({
      handler: (payload, answer) => peerServer.handle(payload, answer),
      onConnected: (peer) => membership.connected(peer),
    });
    const watched = membership.start(transport);
    const documentClient = new DocumentClient({ clock, document, transport: watched });
    const changes = new BucketChanges({ self: id, clock, documents, client: documentClient });
    const documentServer = new DocumentServer({ documents, changes });
    resync.start({
      replica,
      transport: watched,
      isReachable: (peer) => membership.isReachable(peer),
    });
    const replicas = replicasOf({
      self: id,
      replica,
      transport: watched,
      membership,
      clock,
      document,
    });
    minter.start(replicas);
    const coordinator = new Coordinator(options, {
      ...shared,
      replicas,
      tokens: new ContextTokens([modules.secret ?? clusterId]),
      cursors: new CursorTokens([modules.secret ?? clusterId]),
    });
    const repair = new RecordRepair(options, {
      clock,
      commits,
      document,
      quarantine,
      renewActor: () => directory.renew(),
      replicas,
      telemetry,
    });
    telemetry.log.info({ actor: directory.actor, epoch: layout.epoch.number }, "node is open");
    const gauges = new StateGauges(
      { id },
      { cache, commits, document, membership, reads, resync, telemetry },
    );
    return new Node({
      gauges,
      documents,
      changes,
      coordinator,
      commits,
      directory,
      membership,
      minter,
      repair,
      resync,
      space,
      stamps,
      transport,
    });
  }

  /** Brings the metrics up to date that show how things stand, for somebody looks at them now. */
  showState(): void {
    this.#parts.gauges.show();
  }

  /** The disk is too full for writes of clients. */
  get readOnly(): boolean {
    return this.#parts.space.readOnly;
  }

  /** What this node knows of a member, itself included. */
  member(node: NodeId): MemberView {
    return this.#parts.membership.view(node);
  }

  /** Why this node's clock keeps it from coordinating; undefined: it does not. */
  get clockProblem(): string | undefined {
    return this.#parts.membership.clockGuard.problem;
  }

  /** Why this node's replica answers no questions in some partitions; undefined: it is whole. */
  get resync(): ResyncView | undefined {
    return this.#parts.resync.view;
  }

  /** Resolves when every peer was heard and it is known whether this node's directory is whole. */
  judged(): Promise<void> {
    return this.#parts.resync.judged();
  }

  /** Resolves when no client operation is in flight. */
  idle(): Promise<void> {
    return this.#parts.coordinator.idle();
  }

  /**
   * In reverse order of open. After it the directory can prove a clean stop, unless a write failed:
   * then nobody knows what it holds, and the next start mints as somebody new.
   */
  async close(): Promise<void> {
    this.#parts.repair.stop();
    this.#parts.membership.close();
    await this.#parts.resync.close();
    await this.#parts.transport.close();
    await this.#parts.space.stop();
    const whole = await this.#parts.commits.close();
    if (whole && this.#parts.minter.isTrusted) {
      await this.#parts.directory.close(this.#parts.stamps.lastMinted);
    }
  }
}

function replicasOf(parts: {
  self: NodeId;
  replica: PeerHandler;
  transport: Transport;
  membership: Membership;
  clock: Clock;
  document: () => ClusterDocument;
}): Replicas {
  const { self, replica, transport, membership, clock, document } = parts;
  const remote = {
    clock,
    transport,
    document,
    isGreeted: (node: NodeId) => membership.isGreeted(node),
  };
  const byId = new Map<NodeId, PeerHandler>(
    document().layout.members.map(({ id }) => [
      id,
      id === self ? replica : new RemoteReplica(id, remote),
    ]),
  );
  return {
    self,
    of(node) {
      const handler = byId.get(node);
      assert(handler !== undefined, `${node} is a member`);
      return handler;
    },
    isReachable: (node) => membership.isReachable(node),
    cost: (node, purpose) => membership.cost(node, purpose),
  };
}
