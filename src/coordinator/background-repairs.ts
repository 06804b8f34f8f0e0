import { KvError } from "../core/errors.ts";
import { Deadline } from "./deadline.ts";
import { writeBack } from "./write-back.ts";
import type { WriteBack, WriteBackModules, WriteBackPlan } from "./write-back.ts";

/** Write-backs that their reads did not wait for; beyond the bound they are left to later reads. */
export class BackgroundRepairs {
  readonly #backgroundRepairsMax: number;
  readonly #timeoutMs: number;
  #running = 0;

  constructor(options: { backgroundRepairsMax: number; requestTimeoutMs: number }) {
    this.#backgroundRepairsMax = options.backgroundRepairsMax;
    this.#timeoutMs = options.requestTimeoutMs;
  }

  /** Under a deadline of its own: that of the read ends with the read. */
  start(plan: WriteBackPlan, action: WriteBack, modules: WriteBackModules): void {
    const { clock, telemetry } = modules;
    if (this.#running >= this.#backgroundRepairsMax) {
      telemetry.metrics.refused.with("backgroundRepairsMax").add();
      return;
    }
    this.#running += 1;
    const deadline = new Deadline(clock, this.#timeoutMs);
    writeBack({ ...plan, deadline }, action, modules)
      .catch((error: unknown) => {
        // Its end is counted; nobody was promised anything.
        if (!(error instanceof KvError)) telemetry.log.error({ err: error }, "bug");
      })
      .finally(() => {
        deadline.cancel();
        this.#running -= 1;
      });
  }
}
