import type { ExplainedVersion, KeyExplanation } from "../../client/key-explanation.ts";
import type { VersionLabels } from "./version-labels.ts";

const BYTES_IN_A_KIB = 1_024;

/** Two lines for each version that some replica holds, newest first. */
export function versionLines(explained: KeyExplanation, labels: VersionLabels): readonly string[] {
  const { newest } = explained;
  return labels.versions.flatMap((version) => {
    const label = labels.of([version.dot]);
    const mark = newest.includes(version.dot) ? "newest: " : "older: ";
    return [
      `${label}  ${mark}${whatText(version)}${endText(version, explained)}, written ${version.time} +${version.counter}`,
      `${" ".repeat(label.length)}  dot ${version.dot}, write id ${version.writeId}`,
    ];
  });
}

function whatText(version: ExplainedVersion): string {
  const { tombstone, valueBytes, contentType, contentEncoding } = version;
  const what = tombstone ? ["deleted"] : ["value", sizeText(valueBytes ?? 0)];
  if (contentType !== null) what.push(contentType);
  if (contentEncoding !== null) what.push(contentEncoding);
  return what.join(", ");
}

/** Clocks differ: while some say that it is over and others that it is not, they are named. */
function endText({ dot, expiresAt }: ExplainedVersion, explained: KeyExplanation): string {
  if (expiresAt === null) return "";
  const judged = explained.replicas.flatMap(({ node, record }) =>
    (record?.versions ?? []).flatMap(({ dot: held, expiredBy }) => {
      if (held !== dot) return [];
      return [
        { node, over: expiredBy.includes("replica") },
        { node: explained.node, over: expiredBy.includes("coordinator") },
      ];
    }),
  );
  const over = new Set(judged.filter((one) => one.over).map(({ node }) => node));
  if (over.size === 0) return `, expires ${expiresAt}`;
  if (judged.every((one) => one.over)) return `, expired ${expiresAt}`;
  return `, expires ${expiresAt} and is over by the clock of ${[...over].join(", ")}`;
}

export function sizeText(bytes: number): string {
  if (bytes < BYTES_IN_A_KIB) return `${bytes} B`;
  const kib = bytes / BYTES_IN_A_KIB;
  return kib < BYTES_IN_A_KIB
    ? `${kib.toFixed(1)} KiB`
    : `${(kib / BYTES_IN_A_KIB).toFixed(1)} MiB`;
}
