import { Evidence } from "../../src/checker/evidence.ts";
import type { Operation } from "../../src/checker/history.ts";
import { Sometimes } from "../../src/checker/sometimes.ts";
import { DEFAULT_BUCKET } from "../../src/core/bucket.ts";
import type { BucketProperties } from "../../src/core/bucket.ts";
import { OPTIONS, parsePeers } from "../../src/core/config.ts";
import type { Config, OptionName } from "../../src/core/config.ts";
import { parseNodeId } from "../../src/core/ids.ts";
import { decodeRequest } from "../../src/core/messages/request.ts";
import { firstClusterDocument } from "../../src/core/layout/cluster-document.ts";
import type { ClusterDocument } from "../../src/core/layout/cluster-document.ts";
import type { BuggifyPoint } from "../../src/ports/buggify.ts";
import { InProcessNetwork } from "../../src/testing/in-process-network.ts";
import type { Message } from "../../src/testing/in-process-network.ts";
import type { DiskWork } from "../../src/testing/memory-storage.ts";
import { SeededRng } from "../../src/testing/seeded-rng.ts";
import { VirtualTime } from "../../src/testing/virtual-clock.ts";
import { drain } from "./drain.ts";
import { Machine } from "./machine.ts";
import type { FaultKind, Scenario } from "./scenario.ts";
import type { Trace } from "./trace.ts";

/** What a right wall clock shows at instant 0. */
export const WALL_MS = 1_700_000_000_000;
const LATENCY_MEAN_MS = 0.5;
const OUTLIER_MS = 80;
const OUTLIER_SHARE = 0.01;
const LOSS_SHARE = 0.02;
const DUPLICATION_SHARE = 0.03;
const BUGGIFY_SHARE = 0.02;
const RESTART_MS_MAX = 500;
const DISK_MS = 0.1;
/** No client of the workload asks for more; what was lost is repaired only after so long. */
const REQUEST_MS_MAX = 2_000;

/** The simulated world of one run: time, network, machines, and the trace of what happened. */
export class World {
  readonly scenario: Scenario;
  readonly rng: SeededRng;
  readonly time: VirtualTime;
  readonly network = new InProcessNetwork();
  readonly document: ClusterDocument;
  readonly machines: readonly Machine[];
  readonly trace: Trace;
  readonly sometimes = new Sometimes();
  /** What clients did, in the order in which it ended. */
  readonly operations: Operation[] = [];
  /** What a history cannot show: who has been waiting for what. */
  readonly liveness = new Evidence("liveness");
  /** Extra delay of one direction, `from to` → ms. */
  readonly slowLinks = new Map<string, number>();
  readonly slowDisks = new Map<Machine, number>();
  /** Keys whose causal context is full. */
  readonly crowdedKeys = new Set<string>();
  readonly #networkRng: SeededRng;
  readonly #buggifyRng: SeededRng;
  readonly #diskRng: SeededRng;
  disksSwapped = false;
  diskRolledBack = false;
  /** What no operating fault explains: errors that are not KvErrors. */
  readonly bugs: unknown[] = [];
  #faultsOn = true;

  constructor(scenario: Scenario, { trace }: { trace: Trace }) {
    this.scenario = scenario;
    this.trace = trace;
    this.rng = new SeededRng(scenario.seed);
    this.#networkRng = this.rng.fork("network");
    this.#buggifyRng = this.rng.fork("buggify");
    this.#diskRng = this.rng.fork("disk");
    this.time = new VirtualTime({ drain, wallMs: WALL_MS });
    const ids = Array.from({ length: scenario.nodes }, (_, i) => parseNodeId(`n${i + 1}`));
    const first = firstClusterDocument(parsePeers(ids.map((id) => `${id}=${id}:1`).join(",")));
    const bucket = first.buckets.get(DEFAULT_BUCKET);
    if (bucket === undefined) throw new Error("the bucket 'default' always exists");
    const { n, r, w, recordCacheBytes, clockOffsetMaxMs, heartbeatEveryMs } = scenario;
    const options = {
      ...defaults(),
      requestTimeoutMaxMs: REQUEST_MS_MAX,
      recordCacheBytes,
      clockOffsetMaxMs,
      heartbeatEveryMs,
    };
    const properties = { ...bucket, n, r, w, ...bucketOf(scenario) };
    this.document = { ...first, buckets: new Map([[DEFAULT_BUCKET, properties]]) };
    this.network.fate = (message) => this.#fate(message);
    this.machines = ids.map(
      (id) => new Machine({ ...options, id }, this, this.rng.fork("node").fork(id)),
    );
  }

  /** How far apart any two wall clocks have been at most since the run began. */
  get clockSpreadMs(): number {
    const ranges = this.machines.map((machine) => machine.wallOffsets);
    return (
      Math.max(...ranges.map(({ greatest }) => greatest)) -
      Math.min(...ranges.map(({ least }) => least))
    );
  }

  has(fault: FaultKind): boolean {
    return this.#faultsOn && this.scenario.faults.includes(fault);
  }

  /** From now on nothing goes wrong any more; what is broken stays so until it is mended. */
  endFaults(): void {
    this.#faultsOn = false;
    this.slowLinks.clear();
    this.slowDisks.clear();
  }

  /** How long a disk takes; the work of a process ends with it. */
  diskWork(machine: Machine, work: DiskWork): Promise<void> {
    const extraMs = work === "sync" ? (this.slowDisks.get(machine) ?? 0) : 0;
    const ms = DISK_MS * (0.5 + this.#diskRng.fraction()) + extraMs;
    return new Promise((resolve) => {
      machine.clock.after(ms, resolve);
    });
  }

  /** Of somebody outside the cluster. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.time.after(ms, resolve);
    });
  }

  restartLater(machine: Machine): void {
    this.time.after(1 + this.#networkRng.fraction() * RESTART_MS_MAX, () => machine.start());
  }

  /** Whether production code is to take its rare path here. */
  buggify(node: string, point: BuggifyPoint): boolean {
    if (!this.scenario.buggify || !this.#faultsOn) return false;
    const taken = this.#buggifyRng.fraction() < BUGGIFY_SHARE;
    if (taken) {
      this.sometimes.note(`buggify ${point}`);
      this.trace.note(this.time.now(), `buggify ${node} ${point}`);
    }
    return taken;
  }

  #fate(message: Message): readonly number[] {
    const rng = this.#networkRng;
    const delays: number[] = [];
    const doubled = this.has("duplication") && rng.fraction() < DUPLICATION_SHARE;
    const copies = doubled && isRepeatable(message) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.has("loss") && rng.fraction() < LOSS_SHARE) continue;
      const slowMs = this.slowLinks.get(`${message.from} ${message.to}`) ?? 0;
      const outlier = this.has("outliers") && rng.fraction() < OUTLIER_SHARE;
      delays.push(
        -Math.log(1 - rng.fraction()) * LATENCY_MEAN_MS +
          (outlier ? rng.fraction() * OUTLIER_MS : 0) +
          slowMs,
      );
    }
    if (delays.length === 0) this.sometimes.note("a message was lost");
    this.trace.message(this.time.now(), message, delays);
    return delays;
  }
}

/**
 * On a connection nothing arrives twice. Whatever does no harm if it did is doubled all the same; to
 * mint a write anew after it was refused would.
 */
function isRepeatable({ leg, request }: Message): boolean {
  return leg !== "request" || decodeRequest(request).request.kind !== "mint";
}

function bucketOf({ siblings }: Scenario): Partial<BucketProperties> {
  if (siblings === undefined) return {};
  const { blindWrites, siblingsMax } = siblings;
  return { mode: "siblings", blindWrites, siblingsMax };
}

/** Every option that has a default. */
function defaults(): Config {
  const names = Object.keys(OPTIONS) as readonly OptionName[];
  return Object.fromEntries(
    names.map((name) => [name, OPTIONS[name].default]),
  ) as unknown as Config;
}
