import type { Problem } from "../problems.ts";
import type { Absent, BucketEffect } from "./effects.ts";

/** What clients notice, bucket by bucket; the reasons are problems of their own. */
export function effectProblems(effects: readonly BucketEffect[], absent: Absent): Problem[] {
  return effects.flatMap((effect) => {
    const { bucket, n, r, w, partitions, unreadable, unwritable } = effect;
    const share = (count: number) =>
      count === partitions ? "any partition" : `${count} of ${partitions} partitions`;
    const lacks = [
      ...(unreadable > 0 ? [`not readable in ${share(unreadable)}`] : []),
      ...(unwritable > 0 ? [`not writable in ${share(unwritable)}`] : []),
    ];
    if (lacks.length === 0) return [];
    return [
      {
        what: `bucket '${bucket}' (N=${n} R=${r} W=${w}): ${lacks.join(", ")}`,
        advice: adviceOn(effect, absent),
      },
    ];
  });
}

function adviceOn(
  { bucket, unreadable, lost }: BucketEffect,
  { down, unread, full }: Absent,
): string {
  const causes = [
    ...(down.size > 0 ? [`${list(down)} cannot be reached`] : []),
    ...(unread.size > 0 ? [`${list(unread)} answers no reads while it resynchronises`] : []),
    ...(full.size > 0 ? [`${list(full)} takes no writes`] : []),
  ];
  const why = `Too few replicas are left: ${causes.join("; ")}. It ends with that.`;
  if (unreadable === 0 || lost === unreadable) return why;
  const name = bucket === "default" ? "" : ` -b ${bucket}`;
  return `${why} Until then \`kv get KEY${name} -r one\` reads what one replica holds, be it old.`;
}

function list(nodes: ReadonlySet<string>): string {
  return [...nodes].join(", ");
}
