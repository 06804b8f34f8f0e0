import type { ClockRange } from "../../src/checker/expiry.ts";
import { KvError } from "../../src/core/errors.ts";
import type { Operations } from "../../src/ports/operations.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { Node } from "../../src/node/node.ts";
import type { NodeOptions } from "../../src/node/node.ts";
import { InProcessTransport } from "../../src/testing/in-process-transport.ts";
import type { InProcessOptions } from "../../src/testing/in-process-transport.ts";
import { MemoryDisk } from "../../src/testing/memory-storage.ts";
import type { MemoryStorage } from "../../src/testing/memory-storage.ts";
import { RecordingTelemetry } from "../../src/testing/recording-telemetry.ts";
import type { SeededRng } from "../../src/testing/seeded-rng.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import type { World } from "./world.ts";

export type MachineOptions = NodeOptions & InProcessOptions;

/** How long a restarted process takes before it opens its directory. */
const BOOT_MS = 20;
/** And for the first words of all its peers before it serves clients. */
const FIRST_WORDS_MS = 2_000;

/**
 * One machine: a disk, a wall clock and, most of the time, a process that runs production code. What
 * kills a process is an event of the world, so it strikes between two events of the process, and
 * nothing that the dead process had asked for ever settles.
 */
export class Machine {
  readonly id: NodeId;
  disk = new MemoryDisk();
  /** Of the present life. */
  telemetry = new RecordingTelemetry();
  clock: VirtualClock;
  lives = 0;
  /** Storage errors and refused starts, as an operator would find them in the log. */
  readonly incidents: string[] = [];
  readonly #options: MachineOptions;
  readonly #world: World;
  readonly #rng: SeededRng;
  #wallOffsetMs = 0;
  #wallOffsets: ClockRange = { least: 0, greatest: 0 };
  #node: Node | undefined;
  #up = false;
  #isPaused = false;
  /** When its process was last paused, resumed or killed. */
  #disturbedAt = 0;

  constructor(options: MachineOptions, world: World, rng: SeededRng) {
    this.id = options.id;
    this.#options = options;
    this.#world = world;
    this.#rng = rng;
    this.clock = world.time.clock();
  }

  /** undefined while no process takes requests. */
  get operations(): Operations | undefined {
    return this.#node?.operations;
  }

  /** A process runs, or is starting. */
  get isUp(): boolean {
    return this.#up;
  }

  get isReady(): boolean {
    return this.#node !== undefined;
  }

  /** It holds all that it acknowledged; also said of one that does not run. */
  get isWhole(): boolean {
    return this.#node?.resync === undefined;
  }

  /** What its clock guard has against its clock. */
  get clockProblem(): string | undefined {
    return this.#node?.clockProblem;
  }

  /** It has a connection; under loss of messages some peer is always suspect for a while. */
  sees(peer: NodeId): boolean {
    const kind = this.#node?.member(peer).state.kind;
    return kind === "connected" || kind === "suspect";
  }

  /** One process, running all the time. */
  steadySince(at: number): boolean {
    return this.isReady && !this.#isPaused && this.#disturbedAt < at;
  }

  pause(): void {
    this.#disturb();
    this.#isPaused = true;
    this.clock.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#disturb();
    this.#isPaused = false;
    this.clock.resume();
  }

  #disturb(): void {
    this.#disturbedAt = this.#world.time.now();
  }

  /** How far its wall clock has been off since the run began. */
  get wallOffsets(): ClockRange {
    return this.#wallOffsets;
  }

  get wallOffsetMs(): number {
    return this.#wallOffsetMs;
  }

  set wallOffsetMs(offsetMs: number) {
    this.#wallOffsetMs = offsetMs;
    const { least, greatest } = this.#wallOffsets;
    this.#wallOffsets = {
      least: Math.min(least, offsetMs),
      greatest: Math.max(greatest, offsetMs),
    };
    this.clock.wallOffsetMs = offsetMs;
  }

  start(): void {
    if (this.#up) return;
    this.#up = true;
    this.lives += 1;
    const life = this.lives;
    this.clock = this.#world.time.clock({ wallOffsetMs: this.#wallOffsetMs });
    this.telemetry = new RecordingTelemetry();
    this.disk.pause = (work) => this.#world.diskWork(this, work);
    this.clock.after(BOOT_MS, () => {
      this.#open(life).catch((error: unknown) => {
        if (life === this.lives) this.#fell(`start refused: ${String(error)}`);
      });
    });
  }

  async #open(life: number): Promise<void> {
    const { network, document } = this.#world;
    const { clock, telemetry } = this;
    const storage = await this.#openDisk();
    const node = await Node.open(this.#options, {
      clock,
      telemetry,
      storage,
      document,
      buggify: (point) => this.#world.buggify(this.id, point),
      rng: this.#rng.fork(life),
      openTransport: async (events) =>
        InProcessTransport.open(this.id, this.#options, { ...events, network, clock, telemetry }),
      onStorageError: (error) => {
        if (life !== this.lives) return;
        // As main.ts does: the process ends itself; a supervisor starts it again.
        this.#world.time.after(0, () => {
          if (life === this.lives) this.#fell(`storage error: ${String(error)}`);
        });
      },
    });
    await this.#judged(node);
    if (life === this.lives) this.#node = node;
  }

  /**
   * A database that lost power before its first fsync does not open and does not say whose it is: an
   * operator puts a new one in its place.
   */
  async #openDisk(): Promise<MemoryStorage> {
    try {
      return await this.disk.open();
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "directory-damaged") throw error;
      this.disk = new MemoryDisk();
      return this.disk.open();
    }
  }

  /**
   * As main.ts does before it serves clients. After a rollback peers have all the time that they
   * need: to a read with R = 1 through a node that nobody can tell nothing is promised.
   */
  async #judged(node: Node): Promise<void> {
    if (this.#world.diskRolledBack) return node.judged();
    const { clock } = this;
    const enough = new Promise<void>((resolve) => {
      clock.after(FIRST_WORDS_MS, resolve);
    });
    await Promise.race([node.judged(), enough]);
  }

  /** The process dies: its connections are reset, what it wrote stays. */
  kill(): void {
    if (!this.#up) return;
    this.#disturb();
    this.#up = false;
    this.#isPaused = false;
    this.#node = undefined;
    this.clock.stop();
    this.disk.kill();
    this.#world.network.leave(this.id);
  }

  /** The machine dies: of each log, `keep(unsynced)` of the unsynced batches stay. */
  losePower(keep: (unsynced: number) => number): void {
    this.kill();
    this.disk.losePower(keep);
  }

  #fell(incident: string): void {
    this.incidents.push(incident);
    this.kill();
    this.#world.restartLater(this);
  }
}
