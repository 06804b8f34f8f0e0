import { describe, expect, test } from "vitest";
import { hex, utf8 } from "../../../src/core/bytes.ts";
import { ByteWriter, DecodeError } from "../../../src/core/codec.ts";
import { parsePeers } from "../../../src/core/config.ts";
import { stampOfMs } from "../../../src/core/hlc.ts";
import { parseBucketName, parseKey, parseNodeId, parseWriteId } from "../../../src/core/ids.ts";
import { firstClusterDocument } from "../../../src/core/layout/cluster-document.ts";
import {
  decodeLearnAnswer,
  decodeReadAnswer,
  decodeWriteAnswer,
} from "../../../src/core/messages/answer.ts";
import { decodeHeartbeatAnswer } from "../../../src/core/messages/heartbeat.ts";
import type { MintRequest } from "../../../src/core/messages/mint.ts";
import { encodeRequest } from "../../../src/core/messages/request.ts";
import type { PeerRequest } from "../../../src/core/messages/request.ts";
import type { WriteIdHash } from "../../../src/core/version/write-identity.ts";
import type { PeerHandler } from "../../../src/ports/peer-handler.ts";
import { FreshStamps } from "../../../src/node/membership/fresh-stamps.ts";
import { PeerServer } from "../../../src/node/peers/peer-server.ts";
import { RecordingTelemetry } from "../../../src/testing/recording-telemetry.ts";
import { VirtualTime } from "../../../src/testing/virtual-clock.ts";
import { drain } from "../../support/virtual-cluster.ts";
import { addressOf, writeOf } from "./support.ts";

const DOCUMENT = firstClusterDocument(parsePeers("n1=n1:1,n2=n2:1,n3=n3:1"));
const KEY = addressOf("k");
const WRITE = writeOf("k", "value");
const READ = { record: WRITE.record, clock: stampOfMs(7) };
const LEARNED = { newest: stampOfMs(9), known: { stamp: stampOfMs(8), contentHash: 5 } };
const SAID = {
  directory: { directoryId: "0123456789abcdef", startEpoch: 7, position: 3 },
  documentVersion: 4,
  wallMs: 1_700_000_000_000,
  resynchronising: false,
  readOnly: true,
};

/** Notes what the replica is asked; `replica` decides what it answers. */
function bench(replica: Partial<PeerHandler> = {}) {
  const time = new VirtualTime({ drain, wallMs: 0 });
  const telemetry = new RecordingTelemetry();
  const asked: unknown[][] = [];
  const noted: PeerHandler = {
    read(key, deadline, onAnswer) {
      asked.push(["read", key, deadline]);
      replica.read?.(key, deadline, onAnswer);
    },
    digest(key, deadline, onAnswer) {
      asked.push(["digest", key, deadline]);
      replica.digest?.(key, deadline, onAnswer);
    },
    learn(question, deadline, onAnswer) {
      asked.push(["learn", question.key, deadline, question.idHash]);
      replica.learn?.(question, deadline, onAnswer);
    },
    write(write, deadline, onAnswer) {
      const { key, record, durability, purpose } = write;
      const kind = purpose === "repair" ? "repair" : "write";
      asked.push([kind, key, deadline, durability, record.bytes]);
      replica.write?.(write, deadline, onAnswer);
    },
    mint(request, deadline, onAnswer) {
      asked.push(["mint", request.key, deadline, request.writeId]);
      replica.mint?.(request, deadline, onAnswer);
    },
    list(request, deadline, onAnswer) {
      asked.push(["list", request.range.after, deadline, request.entriesMax]);
      replica.list?.(request, deadline, onAnswer);
    },
  };
  const server = new PeerServer({
    clock: time.clock(),
    replica: noted,
    document: () => DOCUMENT,
    onScan: async () => ({ kind: "ok", value: { entries: [], ended: true } }),
    onDocument: (question) => {
      asked.push(["document", question]);
      return Promise.resolve({ kind: "document", document: { version: 4 } });
    },
    onHeartbeat: (heartbeat) => {
      asked.push(["heartbeat", heartbeat]);
      return SAID;
    },
    freshStamps: new FreshStamps({ clockOffsetMaxMs: 500 }, { clock: time.clock(), telemetry }),
  });
  const answers: Uint8Array[] = [];
  return {
    time,
    telemetry,
    asked,
    answers,
    handle: (payload: Uint8Array) =>
      server.handle(payload, (encode) => {
        const writer = new ByteWriter();
        encode(writer);
        answers.push(writer.written());
      }),
  };
}

function encoded(
  request: PeerRequest,
  { remainingMs = 1_000, epoch = DOCUMENT.layout.epoch } = {},
): Uint8Array {
  const writer = new ByteWriter();
  encodeRequest(writer, { epoch, documentVersion: 1, remainingMs }, request);
  return Uint8Array.from(writer.written());
}

const MINT: MintRequest = {
  key: KEY,
  writeId: parseWriteId("write-1"),
  content: { value: utf8("v"), contentType: undefined, contentEncoding: undefined },
  ttlSeconds: undefined,
  attempt: 1,
  durability: "sync",
  w: 2,
  context: undefined,
};
const LIST = {
  range: { bucket: parseBucketName("b"), prefix: new Uint8Array(0), after: parseKey(KEY) },
  partitions: [0, 255],
  entriesMax: 7,
};
const REQUESTS: readonly PeerRequest[] = [
  { kind: "read", key: KEY },
  { kind: "learn", key: KEY, idHash: "0123456789abcdef" as WriteIdHash },
  { kind: "write", key: KEY, record: WRITE.record, durability: "sync" },
  { kind: "write", key: KEY, record: WRITE.record, durability: "async" },
  { kind: "digest", key: KEY },
  { kind: "repair", key: KEY, record: WRITE.record },
  { kind: "mint", mint: MINT },
  { kind: "list", list: LIST },
];

describe("a request that is whole", () => {
  test.each(REQUESTS)("reaches the replica: $kind", (request) => {
    const { handle, asked } = bench();
    handle(encoded(request));
    expect(asked).toHaveLength(1);
    const [kind, key, , about, bytes] = asked[0] ?? [];
    expect([kind, Buffer.from(key as Uint8Array)]).toEqual([request.kind, Buffer.from(KEY)]);
    const expected = {
      read: undefined,
      digest: undefined,
      learn: "0123456789abcdef",
      write: request.kind === "write" ? request.durability : undefined,
      repair: "sync",
      heartbeat: undefined,
      scan: undefined,
      document: undefined,
      mint: "write-1",
      list: 7,
    };
    expect(about).toBe(expected[request.kind]);
    const carries = request.kind === "write" || request.kind === "repair";
    const sent = carries ? Buffer.from(WRITE.record.bytes) : undefined;
    expect(bytes === undefined ? undefined : Buffer.from(bytes as Uint8Array)).toEqual(sent);
  });

  test.each(REQUESTS)(
    "what remains of its time becomes a deadline of this clock: $kind",
    async (request) => {
      const { handle, asked, time } = bench();
      await time.advance(5_000);
      handle(encoded(request, { remainingMs: 250 }));
      handle(encoded(request, { remainingMs: 0 }));
      handle(encoded(request, { remainingMs: 0.25 }));
      // Rounded up: a replica does not give up earlier than its coordinator.
      expect(asked.map(([, , deadline]) => deadline)).toEqual([5_250, 5_000, 5_001]);
    },
  );

  test("answers go back as the replica gave them, later too", () => {
    const later: (() => void)[] = [];
    const { handle, answers } = bench({
      read: (_key, _deadline, onAnswer) => onAnswer({ kind: "ok", value: READ }),
      learn: (_key, _deadline, onAnswer) => {
        later.push(() => onAnswer({ kind: "ok", value: LEARNED }));
      },
      write: (_write, _deadline, onAnswer) => onAnswer({ kind: "ok", value: "applied" }),
    });
    for (const request of REQUESTS.slice(0, 3)) handle(encoded(request));
    const [read, write] = answers;
    expect(decodeReadAnswer(read ?? utf8(""), KEY)).toMatchObject({
      kind: "ok",
      value: { record: { stamp: WRITE.record.stamp }, clock: READ.clock },
    });
    expect(decodeWriteAnswer(write ?? utf8(""))).toEqual({ kind: "ok", value: "applied" });
    for (const act of later) act();
    expect(decodeLearnAnswer(answers[2] ?? utf8(""))).toEqual({ kind: "ok", value: LEARNED });
  });

  test.each([
    { kind: "refused", reason: "overloaded" },
    { kind: "refused", reason: "damaged-record" },
    { kind: "unknown", reason: "storage-error" },
  ] as const)("a failure goes back with its reason: $reason", (failure) => {
    const fail = (_a: unknown, _b: unknown, onAnswer: (answer: typeof failure) => void) =>
      onAnswer(failure);
    const { handle, answers } = bench({
      read: fail,
      digest: fail,
      learn: fail,
      write: fail,
      mint: fail,
      list: fail,
    });
    for (const request of REQUESTS) handle(encoded(request));
    expect(answers.map((answer) => decodeWriteAnswer(answer))).toEqual(REQUESTS.map(() => failure));
  });
});

describe("a heartbeat", () => {
  const heartbeat = { from: parseNodeId("n2"), directory: SAID.directory, remembered: undefined };

  test("is handed on and answered with what the node says of itself", () => {
    const { handle, asked, answers } = bench();
    handle(encoded({ kind: "heartbeat", heartbeat }));
    expect(asked).toEqual([["heartbeat", heartbeat]]);
    expect(decodeHeartbeatAnswer(answers[0] ?? utf8(""))).toEqual(SAID);
  });

  test("under another epoch is refused: nodes of different layouts do not greet each other", () => {
    const { handle, asked, answers } = bench();
    const { number, hash } = DOCUMENT.layout.epoch;
    handle(encoded({ kind: "heartbeat", heartbeat }, { epoch: { number, hash: hash + 1 } }));
    expect(asked).toEqual([]);
    expect(() => decodeHeartbeatAnswer(answers[0] ?? utf8(""))).toThrow(DecodeError);
  });
});

describe("a write that is stamped ahead of this node's clock", () => {
  const write = (aheadMs: number): Uint8Array => {
    const { record } = writeOf("k", "value", aheadMs);
    return encoded({ kind: "write", key: KEY, record, durability: "sync" });
  };

  test("by more than 500 ms is counted and done, by less is none of that", () => {
    const { handle, asked, telemetry } = bench();
    for (const aheadMs of [500, 501, 60_000]) handle(write(aheadMs));
    expect(asked.map(([kind]) => kind)).toEqual(["write", "write", "write"]);
    expect(telemetry.count("stampsAhead")).toBe(2);
  });

  test("is logged once in 10 s, however many come", async () => {
    const { handle, telemetry, time } = bench();
    for (let i = 0; i < 100; i++) handle(write(60_000));
    expect(telemetry.lines).toHaveLength(1);
    expect(telemetry.lines[0]).toMatchObject({ level: "warn", fields: { aheadMs: 60_000 } });
    await time.advance(9_999);
    handle(write(60_000));
    expect(telemetry.lines).toHaveLength(1);
    await time.advance(1);
    handle(write(80_000));
    expect(telemetry.lines).toHaveLength(2);
    expect(telemetry.count("stampsAhead")).toBe(102);
  });
});

describe("a request that must not be done", () => {
  const damaged = { kind: "refused", reason: "damaged-message" };

  test.each(REQUESTS)("cut short anywhere: damaged-message ($kind)", (request) => {
    const whole = encoded(request);
    const { handle, answers, asked } = bench();
    for (let length = 0; length < whole.byteLength; length++) handle(whole.slice(0, length));
    expect(asked).toEqual([]);
    expect(answers.map((answer) => decodeWriteAnswer(answer))).toEqual(
      Array.from({ length: whole.byteLength }, () => damaged),
    );
  });

  test.each(REQUESTS)("with bytes left over: damaged-message ($kind)", (request) => {
    const { handle, answers, asked } = bench();
    handle(Buffer.concat([encoded(request), Buffer.of(0)]));
    expect(asked).toEqual([]);
    expect(answers.map((answer) => decodeWriteAnswer(answer))).toEqual([damaged]);
  });

  test("a flipped bit in a write never reaches the replica as another record or key", () => {
    const whole = encoded({ kind: "write", key: KEY, record: WRITE.record, durability: "sync" });
    const { handle, asked } = bench();
    for (let bit = 0; bit < whole.byteLength * 8; bit++) {
      const flipped = Uint8Array.from(whole);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      handle(flipped);
    }
    // What is left is bits of the kind, of the remaining time and of the document's version.
    const records = asked.filter(([kind]) => kind === "write").map((write) => write[4]);
    expect(new Set(asked.map(([, key]) => hex(key as Uint8Array)))).toEqual(new Set([hex(KEY)]));
    expect(new Set(records.map((bytes) => hex(bytes as Uint8Array)))).toEqual(
      new Set([hex(WRITE.record.bytes)]),
    );
  });

  test.each([
    ["an unknown kind", 0],
    ["another unknown kind", 99],
  ])("%s: damaged-message", (_name, kind) => {
    const payload = encoded({ kind: "read", key: KEY });
    payload[0] = kind;
    const { handle, answers, asked } = bench();
    handle(payload);
    expect(asked).toEqual([]);
    expect(decodeReadAnswer(answers[0] ?? utf8(""), KEY)).toEqual(damaged);
  });

  test("under another epoch, by number or by hash: epoch-mismatch", () => {
    const { number, hash } = DOCUMENT.layout.epoch;
    const { handle, answers, asked } = bench();
    const epochs = [
      { number: number + 1, hash },
      { number, hash: (hash ^ 1) >>> 0 },
    ];
    for (const request of REQUESTS) {
      for (const epoch of epochs) handle(encoded(request, { epoch }));
    }
    expect(asked).toEqual([]);
    expect(answers.map((answer) => decodeWriteAnswer(answer))).toEqual(
      answers.map(() => ({ kind: "refused", reason: "epoch-mismatch" })),
    );
    expect(answers).toHaveLength(2 * REQUESTS.length);
  });
});
