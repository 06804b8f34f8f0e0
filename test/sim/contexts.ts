import type { Operation } from "../../src/checker/history.ts";
import type { SeededRng } from "../../src/testing/seeded-rng.ts";
import type { SiblingsScenario } from "./scenario.ts";

/** How a client comes to the context of a write. */
export type ContextChoice = "fresh" | "blind" | "stale" | "foreign" | "last";

/** What one client remembers of the contexts that it was given. */
export class Contexts {
  readonly #rng: SeededRng;
  readonly #byKey = new Map<string, string[]>();

  constructor(rng: SeededRng) {
    this.#rng = rng;
  }

  note({ key, causality }: Operation): void {
    const context = causality?.context;
    if (context === undefined) return;
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, [context]);
    else if (known.at(-1) !== context) known.push(context);
  }

  choose({ freshShare, blindShare, staleShare, foreignShare }: SiblingsScenario): ContextChoice {
    let at = this.#rng.fraction();
    if ((at -= foreignShare) < 0) return "foreign";
    if ((at -= staleShare) < 0) return "stale";
    if ((at -= blindShare) < 0) return "blind";
    return at < freshShare ? "fresh" : "last";
  }

  last(key: string): string | undefined {
    return this.#byKey.get(key)?.at(-1);
  }

  any(key: string): string | undefined {
    const known = this.#byKey.get(key) ?? [];
    return known[this.#rng.below(Math.max(1, known.length))];
  }

  ofOther(key: string): string | undefined {
    const other = [...this.#byKey].find(([known]) => known !== key);
    return other?.[1].at(-1);
  }
}
