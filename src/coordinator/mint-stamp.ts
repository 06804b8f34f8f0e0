import type { Stamp } from "../core/hlc.ts";
import type { Stamps } from "../ports/stamps.ts";
import { storageErrorKind } from "../ports/storage.ts";
import { writeFailure } from "./replicate.ts";
import type { WritePlan } from "./replicate.ts";

/** Minting may have to wait for the disk of this node, which may be slow or fail. */
export async function mintStamp(plan: WritePlan, stamps: Stamps): Promise<Stamp> {
  let cause: unknown;
  try {
    const minted = stamps.mint();
    const own = minted instanceof Promise ? await plan.deadline.race(minted, "lease") : minted;
    if (own !== "deadline") return own;
  } catch (error) {
    cause = error;
  }
  throw writeFailure(plan, {
    outcome: "not-applied",
    needed: plan.w,
    acked: 0,
    detail: "this node could not store its clock's lease in time; nothing was sent to be written",
    lacksSpace: storageErrorKind(cause) === "no-space",
    cause,
  });
}
