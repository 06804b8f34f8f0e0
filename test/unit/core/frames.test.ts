import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteWriter, DecodeError } from "../../../src/core/codec.ts";
import { appendFrame, FrameSplitter } from "../../../src/core/frames.ts";
import { crc32 } from "../../../src/core/hash.ts";
import { bytes, withBitFlipped } from "./support/arbitraries.ts";
import { forAll } from "./support/for-all.ts";

const FRAME_BYTES_MAX = 300;
const HEADER_BYTES = 8;

const u32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);

/** The layout of the doc comment, byte by byte. */
function framed(body: Uint8Array): number[] {
  return [...u32(body.byteLength), ...u32(crc32(body)), ...body];
}

/** Everything that arrived is kept, and cut from its beginning each time. */
function naiveFrames(arrived: readonly number[]): number[][] {
  const frames: number[][] = [];
  let rest = [...arrived];
  while (rest.length >= HEADER_BYTES) {
    const [a = 0, b = 0, c = 0, d = 0] = rest;
    const end = HEADER_BYTES + ((a * 256 + b) * 256 + c) * 256 + d;
    if (rest.length < end) break;
    frames.push(rest.slice(HEADER_BYTES, end));
    rest = rest.slice(end);
  }
  return frames;
}

function taken(splitter: FrameSplitter): number[][] {
  const frames: number[][] = [];
  for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
    frames.push([...frame]);
  }
  return frames;
}

const body = fc.oneof(
  { weight: 5, arbitrary: bytes({ maxLength: 12 }) },
  { weight: 1, arbitrary: bytes({ minLength: 250, maxLength: FRAME_BYTES_MAX, size: "max" }) },
);

/** Frames and the places at which the network cuts their bytes; equal places make empty chunks. */
const stream = fc.array(body, { maxLength: 8 }).chain((bodies) => {
  const whole = bodies.flatMap(framed);
  return fc.array(fc.nat(whole.length), { maxLength: 30 }).map((cuts) => {
    const edges = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
    const chunks = edges.slice(1).map((end, i) => Uint8Array.from(whole.slice(edges[i], end)));
    return { bodies, chunks };
  });
});

describe("FrameSplitter", () => {
  test("yields after each chunk what a naive split of everything so far yields", () => {
    forAll(
      [stream],
      ({ bodies, chunks }) => {
        const splitter = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX });
        const frames: number[][] = [];
        const arrived: number[] = [];
        for (const chunk of chunks) {
          arrived.push(...chunk);
          splitter.push(chunk);
          frames.push(...taken(splitter));
          expect(frames).toEqual(naiveFrames(arrived));
        }
        expect(frames).toEqual(bodies.map((it) => [...it]));
      },
      1_000,
    );
  });

  test("yields the same when several chunks arrive before anything is taken", () => {
    forAll(
      [stream, fc.array(fc.boolean(), { maxLength: 30 })],
      ({ bodies, chunks }, pauses) => {
        const splitter = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX });
        const frames: number[][] = [];
        for (const [i, chunk] of chunks.entries()) {
          splitter.push(chunk);
          if (pauses[i] !== true) continue;
          const one = splitter.next();
          if (one !== undefined) frames.push([...one]);
        }
        frames.push(...taken(splitter));
        expect(frames).toEqual(bodies.map((it) => [...it]));
      },
      500,
    );
  });

  test("frames within one chunk are views of it", () => {
    const chunk = Uint8Array.from([...framed(Uint8Array.of(1, 2)), ...framed(Uint8Array.of(3))]);
    const splitter = new FrameSplitter({ frameBytesMax: 2 });
    splitter.push(chunk);
    const frames = [splitter.next(), splitter.next()];
    for (const frame of frames) expect(frame?.buffer).toBe(chunk.buffer);
  });

  test("a frame put together from chunks stays as it was when later chunks come", () => {
    const splitter = new FrameSplitter({ frameBytesMax: 8 });
    const whole = framed(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    for (const byte of whole) splitter.push(Uint8Array.of(byte));
    const frame = splitter.next();
    for (const byte of whole) splitter.push(Uint8Array.of(byte ^ 0xff));
    expect([...(frame ?? [])]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a frame of exactly the bound passes, of one byte more is refused with its header alone", () => {
    const largest = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX });
    largest.push(Uint8Array.from(framed(new Uint8Array(FRAME_BYTES_MAX))));
    expect(largest.next()?.byteLength).toBe(FRAME_BYTES_MAX);

    const tooLarge = framed(new Uint8Array(FRAME_BYTES_MAX + 1)).slice(0, HEADER_BYTES);
    const splitter = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX });
    for (const byte of tooLarge.slice(0, HEADER_BYTES - 1)) {
      splitter.push(Uint8Array.of(byte));
      expect(splitter.next()).toBeUndefined();
    }
    splitter.push(Uint8Array.from(tooLarge.slice(HEADER_BYTES - 1)));
    expect(() => splitter.next()).toThrow(DecodeError);
  });

  test("a length of 2^32 - 1 is refused, after frames that were whole", () => {
    const splitter = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX });
    splitter.push(Uint8Array.from([...framed(Uint8Array.of(7)), 255, 255, 255, 255, 0, 0, 0, 0]));
    expect([...(splitter.next() ?? [])]).toEqual([7]);
    expect(() => splitter.next()).toThrow(DecodeError);
    expect(() => splitter.next()).toThrow(DecodeError);
  });

  test("every flip of one bit of checksum or body is refused", () => {
    const frame = Uint8Array.from(framed(Uint8Array.of(1, 2, 3)));
    for (let bit = 4 * 8; bit < frame.byteLength * 8; bit++) {
      const splitter = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX });
      splitter.push(withBitFlipped(frame, bit));
      expect(() => splitter.next()).toThrow(DecodeError);
    }
  });

  test("an empty frame is a frame, no chunk is not", () => {
    const splitter = new FrameSplitter({ frameBytesMax: 0 });
    expect(splitter.next()).toBeUndefined();
    splitter.push(Uint8Array.of());
    expect(splitter.next()).toBeUndefined();
    splitter.push(new Uint8Array(HEADER_BYTES));
    expect(splitter.next()?.byteLength).toBe(0);
    expect(splitter.next()).toBeUndefined();
  });
});

describe("appendFrame", () => {
  test("writes the layout of the contract, behind whatever was written before", () => {
    forAll([bytes({ maxLength: 300 }), fc.nat({ max: 20 })], (body, before) => {
      const writer = new ByteWriter(8);
      for (let i = 0; i < before; i++) writer.u8(7);
      appendFrame(writer, (it) => it.bytes(body));
      expect([...writer.written()]).toEqual([...Array<number>(before).fill(7), ...framed(body)]);
    });
  });
});
