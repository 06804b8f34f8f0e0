import type { Scenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";
import { signatureOf, verdictOf } from "./verdict.ts";
import type { RunVerdict } from "./verdict.ts";

/** Runs that shrinking may cost. */
const TRIES_MAX = 60;

const SIBLINGS_SHARES = ["freshShare", "blindShare", "staleShare", "foreignShare"] as const;
const SHARES = [
  "weakShare",
  "asyncShare",
  "deleteShare",
  "retryShare",
  "repeatShare",
  "reuseShare",
] as const;

/** Smaller scenarios that differ in one respect, the boldest cuts first. */
function smaller(scenario: Scenario): readonly Scenario[] {
  const candidates: Scenario[] = [];
  for (const fault of scenario.faults) {
    candidates.push({ ...scenario, faults: scenario.faults.filter((kind) => kind !== fault) });
  }
  if (scenario.buggify) candidates.push({ ...scenario, buggify: false });
  for (const share of SHARES) {
    if (scenario[share] > 0) candidates.push({ ...scenario, [share]: 0 });
  }
  const { siblings } = scenario;
  for (const share of SIBLINGS_SHARES) {
    if (siblings === undefined || siblings[share] === 0) continue;
    candidates.push({ ...scenario, siblings: { ...siblings, [share]: 0 } });
  }
  const halved = (count: number): number => Math.max(1, Math.floor(count / 2));
  for (const size of ["operations", "clients", "keys"] as const) {
    if (scenario[size] > 1) candidates.push({ ...scenario, [size]: halved(scenario[size]) });
  }
  return candidates;
}

/**
 * The smallest scenario found that fails in the same way. Greedy: a cut that keeps it is kept.
 * Cutting changes what later draws of the same stream decide, so a cut may also lose the failure.
 */
export async function shrink(failing: Scenario, verdict: RunVerdict): Promise<Scenario> {
  const failure = signatureOf(verdict);
  let smallest = failing;
  let tries = 0;
  for (let progress = true; progress && tries < TRIES_MAX;) {
    progress = false;
    for (const candidate of smaller(smallest)) {
      if (tries >= TRIES_MAX) break;
      tries += 1;
      if (signatureOf(await verdictOf(() => simulate(candidate))) !== failure) continue;
      smallest = candidate;
      progress = true;
      break;
    }
  }
  return smallest;
}
