import { describe, expect, test } from "vitest";
import { learnQuorumLeast, learnQuorumSize } from "../../../../src/core/quorum/learn-quorum.ts";
import { writeBackQuorumSize } from "../../../../src/core/quorum/read-quorum.ts";

const N_MAX = 7;

interface Sizes {
  readonly n: number;
  readonly r: number;
  readonly w: number;
}

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1);
}

const ALL: readonly Sizes[] = upTo(N_MAX).flatMap((n) =>
  upTo(n).flatMap((r) => upTo(n).map((w) => ({ n, r, w }))),
);

/** Subsets of n nodes as bit masks, listed by size. */
const SUBSETS = upTo(N_MAX).map((n) => {
  const bySize: number[][] = Array.from({ length: n + 1 }, () => []);
  for (let mask = 0; mask < 2 ** n; mask++) {
    bySize[mask.toString(2).replaceAll("0", "").length]?.push(mask);
  }
  return bySize;
});

/** Whether every set of `a` nodes shares a node with every set of `b` nodes, by trying them all. */
function alwaysMeet(n: number, a: number, b: number): boolean {
  const sets = SUBSETS[n - 1] ?? [];
  return (sets[a] ?? []).every((x) => (sets[b] ?? []).every((y) => (x & y) !== 0));
}

describe("every quorum of one kind meets every quorum of the other, for all R and W at N = 1..7", () => {
  test("140 combinations are tried", () => {
    expect(ALL).toHaveLength(140);
  });

  test("a learn round and every write of at least min(R, W) replicas: new stamps are above (I5)", () => {
    const missed = ALL.filter(({ n, r, w }) =>
      upTo(n).some(
        (write) => write >= Math.min(r, w) && !alwaysMeet(n, learnQuorumSize({ n, r, w }), write),
      ),
    );
    expect(missed).toEqual([]);
  });

  test("a learn round and every read quorum: new stamps are above all that was ever read", () => {
    expect(ALL.filter((it) => !alwaysMeet(it.n, learnQuorumSize(it), it.r))).toEqual([]);
  });

  test("a write-back and every read quorum: a value once read is never unread (I4)", () => {
    expect(ALL.filter((it) => !alwaysMeet(it.n, writeBackQuorumSize(it), it.r))).toEqual([]);
  });

  test("a write-back and every learn round: what was read is below every later stamp", () => {
    const missed = ALL.filter(
      (it) => !alwaysMeet(it.n, learnQuorumSize(it), writeBackQuorumSize(it)),
    );
    expect(missed).toEqual([]);
  });

  test("reads and writes meet exactly when R + W > N (I3)", () => {
    expect(ALL.filter(({ n, r, w }) => alwaysMeet(n, r, w) !== r + w > n)).toEqual([]);
  });

  test("all of them can be asked for: from 1 to N, a write-back of at least W", () => {
    const impossible = ALL.filter((it) => {
      const [learn, back] = [learnQuorumSize(it), writeBackQuorumSize(it)];
      return learn < 1 || learn > it.n || back < it.w || back > it.n;
    });
    expect(impossible).toEqual([]);
  });
});

describe("no quorum is larger than it must be", () => {
  test("one replica less in a learn round would miss some write or read quorum", () => {
    const larger = ALL.filter((it) =>
      alwaysMeet(it.n, learnQuorumSize(it) - 1, Math.min(it.r, it.w)),
    );
    expect(larger).toEqual([]);
  });

  test("one replica less in a write-back would fall below W or miss some read with R + R' > N", () => {
    const larger = ALL.filter(({ n, r }) => 2 * r > n).filter((it) => {
      const less = writeBackQuorumSize(it) - 1;
      const later = Array.from({ length: it.n }, (_, i) => i + 1).filter((r) => it.r + r > it.n);
      return less >= it.w && later.every((r) => alwaysMeet(it.n, less, r));
    });
    expect(larger).toEqual([]);
  });

  test("a write-back meets every later read with R + R' > N, and no less do R equal answers", () => {
    for (const it of ALL) {
      for (let later = it.n - it.r + 1; later <= it.n; later++) {
        expect(alwaysMeet(it.n, writeBackQuorumSize(it), later)).toBe(true);
        expect(alwaysMeet(it.n, it.r, later)).toBe(true);
      }
    }
  });

  test("N=3 R=2 W=2 learns from 2 and writes back to 2", () => {
    expect(learnQuorumSize({ n: 3, r: 2, w: 2 })).toBe(2);
    expect(writeBackQuorumSize({ n: 3, r: 2, w: 2 })).toBe(2);
  });
});

describe("with how few answers a learn round may do", () => {
  test("with no fewer than L when the write promises to be read (R + W > N)", () => {
    const strict = ALL.filter(({ n, r, w }) => r + w > n);
    expect(strict.map(learnQuorumLeast)).toEqual(strict.map(learnQuorumSize));
  });

  test("else with W of them and never more than L", () => {
    const weak = ALL.filter(({ n, r, w }) => r + w <= n);
    expect(weak.map(learnQuorumLeast)).toEqual(
      weak.map((it) => Math.min(it.w, learnQuorumSize(it))),
    );
  });

  test("N=3 R=2 W=1: L is 3 and 1 will do", () => {
    expect(learnQuorumSize({ n: 3, r: 2, w: 1 })).toBe(3);
    expect(learnQuorumLeast({ n: 3, r: 2, w: 1 })).toBe(1);
  });
});
