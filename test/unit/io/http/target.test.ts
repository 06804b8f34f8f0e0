import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { base64url, latin1Text, utf8 } from "../../../../src/core/bytes.ts";
import { routeOf } from "../../../../src/node/io/http/routes.ts";
import { parseKeyTarget } from "../../../../src/node/io/http/target.ts";
import { bucketName, bytes, charOf } from "../../core/support/arbitraries.ts";
import { forAll } from "../../core/support/for-all.ts";
import { outcomeOf, thrownBy } from "../../core/support/outcome.ts";

function keyOf(path: string): number[] {
  return [...parseKeyTarget(`/v1/kv/default/${path}`).key];
}

/** The key's bytes, or the code with which the target is refused. */
function keyOrCode(url: string): number[] | string {
  const outcome = outcomeOf(() => parseKeyTarget(url));
  return "value" in outcome ? [...outcome.value.key] : outcome.error;
}

function percent(byte: number): string {
  return `%${byte.toString(16).padStart(2, "0")}`;
}

/** Cuts the text at each '%XX' and takes every other character as one byte. */
function naiveDecoded(text: string): number[] | undefined {
  const parts = text.split(/(%[0-9a-fA-F]{2})/);
  if (parts.some((part, i) => i % 2 === 0 && part.includes("%"))) return undefined;
  return parts.flatMap((part, i) =>
    i % 2 === 1
      ? [Number.parseInt(part.slice(1), 16)]
      : part.split("").map((char) => char.charCodeAt(0)),
  );
}

/** What /v1/kv takes: 1 to 1,024 bytes, no NUL, no segment '.' or '..'. */
function naiveIsTaken(key: readonly number[]): boolean {
  const segments = String.fromCharCode(...key).split("/");
  const fits = key.length >= 1 && key.length <= 1024;
  return fits && !key.includes(0) && !segments.some((it) => it === "." || it === "..");
}

describe("/v1/kv/{bucket}/{key}", () => {
  test("bytes written raw or percent-encoded, in either case of hex, are the same key", () => {
    const char = fc.oneof(
      fc
        .integer({ min: 0x21, max: 0xff })
        .filter((byte) => byte !== 0x25 && byte !== 0x3f)
        .map((byte) => String.fromCharCode(byte)),
      fc.nat(255).map(percent),
      fc.nat(255).map((byte) => percent(byte).toUpperCase()),
      fc.constantFrom(".", "/", "%2e", "%2F", "..", "%00"),
    );
    let taken = 0;
    forAll(
      [fc.array(char, { maxLength: 20 })],
      (chars) => {
        const text = chars.join("");
        const expected = naiveDecoded(text) ?? [];
        const isTaken = naiveIsTaken(expected);
        expect(keyOrCode(`/v1/kv/default/${text}`)).toEqual(isTaken ? expected : "key-invalid");
        if (isTaken) taken += 1;
      },
      2_000,
    );
    expect(taken).toBeGreaterThan(300);
  });

  test("UTF-8 is decoded as decodeURIComponent decodes it", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 });
    forAll(
      [text],
      (it) => {
        fc.pre(it !== "." && it !== ".." && !/[\0/]/.test(it));
        const encoded = encodeURIComponent(it);
        const key = parseKeyTarget(`/v1/kv/default/${encoded}`).key;
        expect([...key]).toEqual([...utf8(decodeURIComponent(encoded))]);
      },
      500,
    );
  });

  test("bytes that are not UTF-8 are a key too: %FF%FE", () => {
    expect(keyOf("%FF%FE")).toEqual([0xff, 0xfe]);
  });

  test("a key of every byte but NUL survives the way through encodeURIComponent-like encoding", () => {
    forAll([bytes({ minLength: 1, maxLength: 40 })], (key) => {
      fc.pre(naiveIsTaken([...key]));
      expect(keyOf([...key].map(percent).join(""))).toEqual([...key]);
    });
  });

  test.each(["%", "a%", "%4", "%zz", "%4g", "%%41", "%u0041", "% 41", "a%2", "%-1", "%+4"])(
    "'%s' is no percent-encoding and refused",
    (text) => {
      expect(naiveDecoded(text)).toBeUndefined();
      expect(keyOrCode(`/v1/kv/default/${text}`)).toBe("key-invalid");
    },
  );

  test.each([
    ["a/b", "a/b"],
    ["a%2Fb", "a/b"],
    ["a//b", "a//b"],
    ["/", "/"],
    ["/a", "/a"],
    ["a/", "a/"],
    ["//", "//"],
    ["a+b", "a+b"],
    ["a&b=c;d", "a&b=c;d"],
    ["a#b", "a#b"],
    ["%3F", "?"],
    ["%25", "%"],
    ["%2525", "%25"],
    ["...", "..."],
    [".a", ".a"],
    ["a.", "a."],
    ["a/.../b", "a/.../b"],
    ["a..b/c", "a..b/c"],
    ["..a/..b", "..a/..b"],
  ])("'%s' is the key '%s'", (path, key) => {
    expect(String.fromCharCode(...keyOf(path))).toBe(key);
  });

  test.each([
    ".",
    "..",
    "./",
    "../",
    "/.",
    "/..",
    "a/.",
    "a/..",
    "./a",
    "../a",
    "a/./b",
    "a/../b",
    "a//../b",
    "%2e",
    "%2E",
    "%2e%2e",
    ".%2e",
    "%2E.",
    "a/%2e",
    "a%2F.",
    "a%2f..%2fb",
    "a%2F%2E%2E%2Fb",
    "%2e/b",
  ])("'%s' has a segment '.' or '..' and is refused with a pointer to kv64", (path) => {
    const error = thrownBy(() => parseKeyTarget(`/v1/kv/default/${path}`));
    expect(error).toMatchObject({ name: "KvError", code: "key-invalid" });
    expect(String(error)).toContain("/v1/kv64/");
  });

  test("NUL is refused with a pointer to kv64", () => {
    for (const path of ["%00", "a%00b", "\0"]) {
      const error = thrownBy(() => parseKeyTarget(`/v1/kv/default/${path}`));
      expect(error).toMatchObject({ code: "key-invalid" });
      expect(String(error)).toContain("/v1/kv64/");
    }
  });

  test("0 bytes are refused, 1 and 1,024 taken, 1,025 refused, raw or encoded", () => {
    expect(keyOrCode("/v1/kv/default/")).toBe("key-invalid");
    expect(keyOrCode("/v1/kv/default/?r=1")).toBe("key-invalid");
    for (const unit of ["a", "%61", "%ff", "/"]) {
      expect(keyOf(unit)).toHaveLength(1);
      expect(keyOf(unit.repeat(1024))).toHaveLength(1024);
      expect(keyOrCode(`/v1/kv/default/${unit.repeat(1025)}`)).toBe("key-invalid");
    }
  });
});

describe("/v1/kv64/{bucket}/{base64url}", () => {
  test("every key of bytes has one form, '.', '..' and NUL included", () => {
    const key = fc.oneof(
      bytes({ minLength: 1, maxLength: 30 }),
      fc.constantFrom(".", "..", "a/../b", "\0", "%2e").map(utf8),
    );
    forAll([key], (of) => {
      const target = parseKeyTarget(`/v1/kv64/default/${base64url(of)}`);
      expect([...target.key]).toEqual([...of]);
    });
  });

  test("only the canonical form is taken: no two spellings address one key", () => {
    let taken = 0;
    const text = fc.string({ unit: charOf("ABQgwYZ019-_=+/%. "), maxLength: 9 });
    forAll(
      [text],
      (it) => {
        const outcome = outcomeOf(() => parseKeyTarget(`/v1/kv64/default/${it}`));
        const again = "value" in outcome ? base64url(outcome.value.key) : outcome.error;
        expect(["key-invalid", it]).toContain(again);
        if (again === it) taken += 1;
      },
      1_000,
    );
    expect(taken).toBeGreaterThan(20);
  });

  test.each(["YQ==", "YQ=", "YR", "Y", "YQ/YQ", "Y+", "Y/", "YQ ", "%59%51", "Y Q", "YQ\n"])(
    "'%s' is not canonical and refused",
    (text) => {
      expect(keyOrCode(`/v1/kv64/default/${text}`)).toBe("key-invalid");
    },
  );

  test("0 bytes are refused, 1,024 taken, 1,025 refused", () => {
    expect(keyOrCode("/v1/kv64/default/")).toBe("key-invalid");
    const url = (length: number): string => `/v1/kv64/default/${base64url(new Uint8Array(length))}`;
    expect(parseKeyTarget(url(1024)).key).toHaveLength(1024);
    expect(keyOrCode(url(1025))).toBe("key-invalid");
  });
});

describe("the target", () => {
  test("is bucket, key and what follows the first '?'", () => {
    const query = fc.string({ unit: charOf("rw=12&?/%timeou"), maxLength: 12 });
    forAll([bucketName, query], (bucket, it) => {
      for (const [route, key] of [
        ["kv", "k"],
        ["kv64", "aw"],
      ] as const) {
        const target = parseKeyTarget(`/v1/${route}/${bucket}/${key}?${it}`);
        expect(target.bucket).toBe(bucket);
        expect(latin1Text(target.key)).toBe("k");
        expect(target.query).toBe(it);
        expect(parseKeyTarget(`/v1/${route}/${bucket}/${key}`).query).toBe("");
      }
    });
  });

  test.each(["/v1/kv/", "/v1/kv64/", "/v1/kv/default", "/v1/kv/default?x=/k", "/v1/kv64/default"])(
    "'%s' names no key and is no route",
    (url) => {
      expect(routeOf(url)?.path).toContain("{key}");
      expect(keyOrCode(url)).toBe("route-not-found");
    },
  );

  test.each(["/v1/kv//k", "/v1/kv/Default/k", "/v1/kv/.a/k", "/v1/kv/a%62c/k", "/v1/kv/a b/k"])(
    "'%s' has no bucket that can exist",
    (url) => {
      expect(keyOrCode(url)).toBe("bucket-name-invalid");
    },
  );

  test.each([
    ["/v1/kv/default/k", true],
    ["/v1/kv64/default/aw", true],
    ["/v1/kv", false],
    ["/v1/kv6/default/k", false],
    ["/v1/kvx/default/k", false],
    ["/v1/KV/default/k", false],
    ["//v1/kv/default/k", false],
    ["/v1//kv/default/k", false],
    ["/", false],
    ["", false],
  ])("'%s' is a key route: %s", (url, is) => {
    expect(routeOf(url)?.path.includes("{key}") ?? false).toBe(is);
  });
});

describe("a route of the table", () => {
  test.each([
    ["/livez", "/livez"],
    ["/livez?x", "/livez"],
    ["/livez/", undefined],
    ["/livez2", undefined],
    ["/v1/buckets", "/v1/buckets"],
    ["/v1/buckets?timeout=1", "/v1/buckets"],
    ["/v1/buckets/", "/v1/buckets/{bucket}"],
    ["/v1/buckets/a/b", "/v1/buckets/{bucket}"],
    ["/v1/bucket", undefined],
    ["/v1/%63luster", undefined],
    ["/v1/cluster;x", undefined],
    ["/v1/cluster#x", undefined],
  ])("is found by what is written, never by what it may decode to: '%s'", (url, path) => {
    expect(routeOf(url)?.path).toBe(path);
  });
});
