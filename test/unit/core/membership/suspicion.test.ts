import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Suspicion } from "../../../../src/core/membership/suspicion.ts";
import type { Standing } from "../../../../src/core/membership/suspicion.ts";
import { forAll } from "../support/for-all.ts";

const MIN_MS = 300;
const MAX_MS = 600;
const LATE_MS = 5_000;
const OPTIONS = { peerSuspectAfterMinMs: MIN_MS, peerSuspectAfterMaxMs: MAX_MS };

interface Asked {
  readonly sentAt: number;
  readonly id: number;
  end?: { readonly at: number; readonly how: "answered" | "ended" };
}

/** The same judgement from the whole past, told over again at each step. */
class NaiveSuspicion {
  readonly #asked: Asked[] = [];
  readonly #judgedAt: number[] = [];
  readonly #silences: { readonly from: number; until: number }[] = [];

  do(event: "send" | "judge", at: number): Asked | undefined {
    if (event === "judge") {
      this.#judgedAt.push(at);
      const since = this.#owingSince(at);
      if (!this.#isSilent() && since !== undefined && at - since > this.#patience(at)) {
        this.#silences.push({ from: at, until: Number.POSITIVE_INFINITY });
      }
      return undefined;
    }
    const asked: Asked = { sentAt: at, id: this.#asked.length };
    this.#asked.push(asked);
    return asked;
  }

  end(asked: Asked, how: "answered" | "ended", at: number): void {
    asked.end = { at, how };
    const last = this.#silences.at(-1);
    if (how === "answered" && last !== undefined && this.#isSilent()) last.until = at;
  }

  standing(at: number): Standing {
    if (this.#isSilent()) return "silent";
    return this.#lateAt().some((since) => since <= at && at < since + LATE_MS) ? "late" : "trusted";
  }

  #isSilent(): boolean {
    return this.#silences.at(-1)?.until === Number.POSITIVE_INFINITY;
  }

  /** What was sent before the end of a silence says nothing afterwards. */
  #counts(sentAt: number, at: number): boolean {
    return this.#silences.every(({ until }) => until > at || sentAt >= until);
  }

  #times(before: number): number[] {
    return this.#asked
      .filter(
        ({ end, sentAt }) =>
          end?.how === "answered" && end.at < before && this.#counts(sentAt, end.at),
      )
      .toSorted((a, b) => (a.end?.at ?? 0) - (b.end?.at ?? 0))
      .map(({ sentAt, end }) => (end?.at ?? 0) - sentAt)
      .slice(-64);
  }

  #patience(at: number): number {
    const times = this.#times(at);
    if (times.length < 8) return MAX_MS;
    const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
    const variance = times.reduce((sum, ms) => sum + (ms - mean) ** 2, 0) / times.length;
    const overdue = mean + 5.6 * Math.max(Math.sqrt(variance), mean / 4);
    return Math.min(MAX_MS, Math.max(MIN_MS, overdue));
  }

  /** Since the last answer if something was owed then, else since the first request after it. */
  #owingSince(at: number): number | undefined {
    const answers = this.#asked.flatMap(({ end }) => (end?.how === "answered" ? [end.at] : []));
    const last = Math.max(Number.NEGATIVE_INFINITY, ...answers);
    const open = this.#asked.filter(
      ({ sentAt, end }) => sentAt < last && (end === undefined || end.at > last),
    );
    if (open.length > 0) return last;
    const later = this.#asked.filter(({ sentAt }) => sentAt > last && sentAt <= at);
    return later.length === 0 ? undefined : Math.min(...later.map(({ sentAt }) => sentAt));
  }

  #lateAt(): number[] {
    const lates: number[] = [];
    const isQuiet = (at: number): boolean =>
      this.#silences.some(({ from, until }) => from <= at && at <= until);
    for (const { sentAt, end } of this.#asked) {
      if (end !== undefined && this.#counts(sentAt, end.at)) {
        const limit = end.how === "answered" ? MAX_MS : this.#patience(end.at);
        if (end.at - sentAt > limit && !isQuiet(end.at)) lates.push(end.at);
      }
      for (const at of this.#judgedAt) {
        const isOpen = sentAt < at && (end === undefined || end.at > at);
        if (!isOpen || isQuiet(at) || !this.#counts(sentAt, at)) continue;
        if (at - sentAt > MAX_MS) lates.push(at);
      }
    }
    return lates;
  }
}

/** No two events share an instant. */
const step = fc.record({
  pauseMs: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 100, max: 900 }) },
  ),
  what: fc.constantFrom("send", "send", "answer", "answer", "end", "judge", "judge"),
  which: fc.nat(),
});

describe("Suspicion", () => {
  test("judges like an oracle that goes through the whole past, after each event", () => {
    forAll(
      [fc.array(step, { maxLength: 90 })],
      (steps) => {
        const suspicion = new Suspicion(OPTIONS);
        const naive = new NaiveSuspicion();
        const open: { asked: Asked; id: number }[] = [];
        let now = 0;
        for (const { pauseMs, what, which } of steps) {
          now += pauseMs;
          if (what === "send") {
            const asked = naive.do("send", now);
            if (asked !== undefined) open.push({ asked, id: suspicion.sent(now) });
          } else if (what === "judge") {
            naive.do("judge", now);
            suspicion.judge(now);
          } else if (open.length > 0) {
            const [ending] = open.splice(which % open.length, 1);
            if (ending === undefined) throw new Error("one is open");
            naive.end(ending.asked, what === "answer" ? "answered" : "ended", now);
            if (what === "answer") suspicion.answered(ending.id, now);
            else suspicion.ended(ending.id, now);
          }
          expect(suspicion.standing(now)).toBe(naive.standing(now));
          expect(suspicion.isSilent).toBe(naive.standing(now) === "silent");
          expect(suspicion.inFlight).toBe(open.length);
        }
      },
      1_500,
    );
  });

  /** Answers each of `count` requests after `tookMs`, one every 200 ms. */
  function answering(tookMs: number, count = 20): { suspicion: Suspicion; now: number } {
    const suspicion = new Suspicion(OPTIONS);
    let now = 0;
    for (let i = 0; i < count; i++) {
      now += 200;
      suspicion.answered(suspicion.sent(now), now + tookMs);
      now += tookMs;
    }
    return { suspicion, now };
  }

  /** When it turns suspect under a request that is not answered. */
  function suspectAfter(suspicion: Suspicion, now: number): number {
    suspicion.sent(now);
    for (let ms = 1; ms < 10_000; ms++) {
      suspicion.judge(now + ms);
      if (suspicion.isSilent) return ms;
    }
    throw new Error("never suspect");
  }

  test.each([
    [1, 20, MIN_MS],
    [50, 20, MIN_MS],
    [200, 20, 480],
    [500, 20, MAX_MS],
    [1, 3, MAX_MS],
  ])("answers of %i ms so far, %i of them: silent after %i ms", (tookMs, count, expected) => {
    const { suspicion, now } = answering(tookMs, count);
    expect(suspectAfter(suspicion, now)).toBe(expected + 1);
  });

  test("a peer that is asked nothing is trusted, for however long", () => {
    const { suspicion, now } = answering(1);
    suspicion.judge(now + 3_600_000);
    expect(suspicion.standing(now + 3_600_000)).toBe("trusted");
  });

  test("one answer ends a silence; what was held up in it is no lateness", () => {
    const { suspicion, now } = answering(1);
    const held = [now, now + 10, now + 20].map((at) => suspicion.sent(at));
    suspicion.judge(now + 2_000);
    expect(suspicion.standing(now + 2_000)).toBe("silent");
    for (const [i, id] of held.entries()) {
      suspicion.answered(id, now + 2_100 + i);
      expect(suspicion.standing(now + 2_100 + i)).toBe("trusted");
    }
    suspicion.judge(now + 2_200);
    expect(suspicion.standing(now + 2_200)).toBe("trusted");
  });

  test("a request that no answer came to by its deadline is owed all the same", () => {
    const { suspicion, now } = answering(1);
    suspicion.ended(suspicion.sent(now), now + 100);
    expect(suspicion.inFlight).toBe(0);
    suspicion.judge(now + MIN_MS + 1);
    expect(suspicion.standing(now + MIN_MS + 1)).toBe("silent");
  });

  test("a peer that answers heartbeats and nothing else is late, and again when it goes on so", () => {
    const { suspicion, now } = answering(1);
    suspicion.sent(now);
    const beat = (at: number): void => {
      suspicion.answered(suspicion.sent(at), at + 1);
      suspicion.judge(at + 2);
    };
    for (let at = now; at <= now + 1_000; at += 200) beat(at);
    expect(suspicion.standing(now + 1_000)).toBe("late");
  });

  test("a late peer is trusted 5 s after it was last late", () => {
    const { suspicion, now } = answering(1);
    suspicion.answered(suspicion.sent(now), now + 100);
    const slow = suspicion.sent(now);
    suspicion.answered(suspicion.sent(now + 500), now + 501);
    suspicion.answered(slow, now + 700);
    expect(suspicion.standing(now + 700 + LATE_MS - 1)).toBe("late");
    expect(suspicion.standing(now + 700 + LATE_MS)).toBe("trusted");
  });

  test("a request that never left is not owed", () => {
    const { suspicion, now } = answering(1);
    suspicion.unsent(suspicion.sent(now));
    suspicion.judge(now + 10_000);
    expect(suspicion.standing(now + 10_000)).toBe("trusted");
  });

  test("a request that never left takes nothing from what others owe", () => {
    const { suspicion, now } = answering(1);
    suspicion.ended(suspicion.sent(now), now + 10);
    suspicion.unsent(suspicion.sent(now + 20));
    suspicion.judge(now + MIN_MS + 1);
    expect(suspicion.standing(now + MIN_MS + 1)).toBe("silent");
  });

  test("time in which this node itself was held up is nobody's silence", () => {
    const { suspicion, now } = answering(1);
    const id = suspicion.sent(now);
    suspicion.judge(now + 50);
    suspicion.excuse(5_000, now + 5_050);
    suspicion.judge(now + 5_050);
    expect(suspicion.standing(now + 5_050)).toBe("trusted");
    suspicion.answered(id, now + 5_060);
    suspicion.judge(now + 5_100);
    expect(suspicion.standing(now + 5_100)).toBe("trusted");
  });

  test("after such a time a peer that stays silent is suspect all the same", () => {
    const { suspicion, now } = answering(1);
    suspicion.sent(now);
    suspicion.excuse(5_000, now + 5_000);
    suspicion.judge(now + 5_000 + MIN_MS + 1);
    expect(suspicion.standing(now + 5_000 + MIN_MS + 1)).toBe("silent");
  });
});
