import { Hlc, msOfStamp, stampOfMs, STAMPS_PER_MS } from "../../core/hlc.ts";
import type { Stamp } from "../../core/hlc.ts";
import type { ActorId } from "../../core/ids.ts";
import { sleep } from "../../ports/clock.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Stamps } from "../../ports/stamps.ts";

/** How far ahead of the clock the persisted lease may reach: what a restart has to wait out. */
const LEASE_MS = 200;
const LEASE_STAMPS = LEASE_MS * STAMPS_PER_MS;

interface StampLeaseModules {
  readonly clock: Clock;
  /** Stores the lease, synced. */
  readonly persist: (lease: Stamp) => Promise<void>;
}

/**
 * The node's HLC under a persisted lease: no stamp at or above the lease is minted before a larger
 * lease is on disk, so a restarted node mints above everything it minted before, whatever its wall
 * clock says by then.
 */
export class StampLease implements Stamps {
  readonly #directory: { readonly actor: ActorId };
  readonly #modules: StampLeaseModules;
  readonly #hlc: Hlc;
  #lease: Stamp;
  #renewal: Promise<void> | undefined;

  private constructor(opts: { actor: ActorId; lease: Stamp }, modules: StampLeaseModules) {
    this.#directory = opts;
    this.#modules = modules;
    this.#lease = opts.lease;
    this.#hlc = new Hlc(opts.lease);
  }

  /** Waits until the wall clock has passed the lease, at most as long as a lease reaches ahead. */
  static async open(
    opts: { actor: ActorId; lease: Stamp },
    modules: StampLeaseModules,
  ): Promise<StampLease> {
    const aheadMs = opts.lease / STAMPS_PER_MS - modules.clock.wallMs();
    if (aheadMs > 0) await sleep(modules.clock, Math.min(aheadMs, LEASE_MS));
    return new StampLease(opts, modules);
  }

  /** Changes when the directory renews it. */
  get actor(): ActorId {
    return this.#directory.actor;
  }

  get lastMinted(): Stamp {
    return this.#hlc.last;
  }

  reading(): Stamp {
    const wall = stampOfMs(this.#modules.clock.wallMs());
    return wall > this.#hlc.last ? wall : this.#hlc.last;
  }

  /** Renews in the background once less than half of the lease is left. */
  prepare(): void {
    if (this.#headroom() < LEASE_STAMPS / 2) {
      this.#renew().catch(() => {
        // The commit queue has reported it; whoever mints next meets the error itself.
      });
    }
  }

  mint(): Stamp | Promise<Stamp> {
    return this.#headroom() > 0 ? this.#hlc.mint(this.#modules.clock.wallMs()) : this.#mintLater();
  }

  /** The clock may have passed the new lease before it was on disk: the stamp then lags behind. */
  async #mintLater(): Promise<Stamp> {
    do await this.#renew();
    while (this.#hlc.last + 1 >= this.#lease);
    const lastMs = msOfStamp((this.#lease - 1) as Stamp);
    return this.#hlc.mint(Math.min(this.#modules.clock.wallMs(), lastMs));
  }

  /** Stamps between the next one and the lease. */
  #headroom(): number {
    return this.#lease - this.#next();
  }

  #next(): number {
    return Math.max(stampOfMs(this.#modules.clock.wallMs()), this.#hlc.last + 1);
  }

  #renew(): Promise<void> {
    this.#renewal ??= this.#persistLease().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #persistLease(): Promise<void> {
    const lease = (this.#next() + LEASE_STAMPS) as Stamp;
    await this.#modules.persist(lease);
    this.#lease = lease;
  }
}
