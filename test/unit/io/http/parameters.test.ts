import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  attemptOf,
  checkConditionals,
  checkKvHeaders,
  contentHeaderOf,
  parseQuery,
  requestIdOf,
  writeIdOf,
} from "../../../../src/node/io/http/parameters.ts";
import { forAll } from "../../core/support/for-all.ts";
import { outcomeOf, thrownBy } from "../../core/support/outcome.ts";

const NONE = {
  r: undefined,
  w: undefined,
  timeoutMs: undefined,
  durability: undefined,
  ttlSeconds: undefined,
  version: undefined,
};
const REFUSED = { name: "KvError", code: "parameter-invalid" };

const WELL_FORMED: Readonly<Record<string, RegExp>> = {
  r: /^(one|quorum|all|[1-9][0-9]{0,2})$/,
  w: /^(one|quorum|all|[1-9][0-9]{0,2})$/,
  timeout: /^[1-9][0-9]{0,8}$/,
  durability: /^(sync|async)$/,
  ttl: /^[1-9][0-9]{0,8}$/,
  version: /^[0-9a-f]{24}-[0-9a-z]{1,11}$/,
};
const TAKES = {
  read: ["r", "timeout", "version"],
  put: ["w", "timeout", "durability", "ttl"],
  delete: ["w", "timeout", "durability"],
} as const;

describe("the query", () => {
  test.each(["read", "put", "delete"] as const)("may be empty on a %s", (kind) => {
    expect(parseQuery("", kind)).toEqual(NONE);
  });

  test("of a read takes r and timeout, of a write w, timeout and durability, of a put ttl too", () => {
    expect(parseQuery("r=2&timeout=500", "read")).toEqual({ ...NONE, r: 2, timeoutMs: 500 });
    expect(parseQuery("durability=async&w=all&timeout=1", "delete")).toEqual({
      ...NONE,
      w: "all",
      timeoutMs: 1,
      durability: "async",
    });
    expect(parseQuery("ttl=60", "put")).toEqual({ ...NONE, ttlSeconds: 60 });
  });

  test.each([
    ["read", "w=1", "takes r, timeout, version"],
    ["read", "durability=sync", "takes r, timeout, version"],
    ["put", "r=1", "takes w, timeout, durability, ttl"],
    ["put", "sloppy", "takes w, timeout, durability, ttl"],
    ["delete", "ttl=1", "takes w, timeout, durability"],
    ["read", "R=1", "takes r, timeout, version"],
    ["read", "%72=1", "takes r, timeout, version"],
    ["read", "__proto__=1", "takes r, timeout, version"],
    ["read", "r=1&", "takes r, timeout, version"],
    ["read", "&r=1", "takes r, timeout, version"],
    ["read", "?r=1", "takes r, timeout, version"],
    ["read", "r=1;timeout=5", "takes r, timeout, version"],
    ["read", "r=1,2", "r must be"],
    ["read", "r==1", "takes r, timeout, version"],
    ["read", "=1", "takes r, timeout, version"],
  ] as const)("of a %s refuses '%s' and says what it takes", (kind, query, detail) => {
    const error = thrownBy(() => parseQuery(query, kind));
    expect(error).toMatchObject(REFUSED);
    expect(String(error)).toContain(detail);
  });

  test.each([
    ["read", "r=1&r=1", "'r' stands twice"],
    ["delete", "timeout=5&w=1&timeout=6", "'timeout' stands twice"],
  ] as const)("of a %s refuses '%s': a parameter stands once", (kind, query, detail) => {
    expect(String(thrownBy(() => parseQuery(query, kind)))).toContain(detail);
  });

  test.each([
    [
      "r",
      ["one", "quorum", "all", "1", "999"],
      ["", "0", "-1", "1000", "01", "1.0", "1e0", " 1", "One", "%31", "majority"],
    ],
    [
      "timeout",
      ["1", "2000", "999999999"],
      ["", "0", "-5", "1.5", "1e3", "1000000000", "5ms", "005", "Infinity"],
    ],
    ["durability", ["sync", "async"], ["", "Sync", "fsync", "none", "1"]],
    ["ttl", ["1", "86400", "316224000"], ["", "0", "-1", "1.5", "60s", "316224001", "1e3"]],
  ] as const)("'%s' takes %j and refuses %j", (name, taken, refused) => {
    const kind = name === "r" ? "read" : "put";
    for (const text of taken) {
      const value = /^\d+$/.test(text) ? Number(text) : text;
      expect(Object.values(parseQuery(`${name}=${text}`, kind))).toContain(value);
    }
    for (const text of refused) {
      const error = thrownBy(() => parseQuery(`${name}=${text}`, kind));
      expect(error).toMatchObject(REFUSED);
      expect(String(error)).toContain(name);
    }
  });

  test("is taken exactly when each pair is known, well-formed and stands once", () => {
    const pair = fc
      .tuple(
        fc.constantFrom("r", "w", "timeout", "durability", "ttl", "x", ""),
        fc.constantFrom("=1", "=0", "=all", "=sync", "=async", "=2000", "=", "", "=1=1"),
      )
      .map(([name, value]) => name + value);
    const query = fc.array(pair, { minLength: 1, maxLength: 3 });
    forAll(
      [query, fc.constantFrom("read" as const, "put" as const, "delete" as const)],
      (pairs, kind) => {
        fc.pre(pairs.join("&") !== "");
        const known: readonly string[] = TAKES[kind];
        const names = pairs.map((it) => it.split("=")[0] ?? "");
        const good =
          new Set(names).size === names.length &&
          pairs.every((it, i) => {
            const name = names[i] ?? "";
            const form = WELL_FORMED[name];
            return (
              known.includes(name) && it.includes("=") && form?.test(it.slice(name.length + 1))
            );
          });
        const outcome = outcomeOf(() => parseQuery(pairs.join("&"), kind));
        const refused = "error" in outcome ? outcome.error : undefined;
        expect(refused).toBe(good ? undefined : "parameter-invalid");
      },
      1_000,
    );
  });
});

/** A request as node:http hands it over: names as sent in rawHeaders, lower-cased in headers. */
function requestWith(headers: Readonly<Record<string, string>>): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  for (const [name, value] of Object.entries(headers)) {
    request.rawHeaders.push(name, value);
    request.headers[name.toLowerCase()] = value;
  }
  return request;
}

const HEADER_REFUSED = { name: "KvError", code: "header-invalid" };

describe("KV headers", () => {
  test.each([
    ["read", "KV-Request-Id"],
    ["write", "KV-Request-Id"],
    ["write", "KV-Write-Id"],
    ["write", "kv-attempt"],
    ["read", "KVX-Thing"],
    ["read", "X-KV-Session"],
    ["read", "Accept"],
  ] as const)("on a %s, %s is taken", (kind, name) => {
    const request = requestWith({ Host: "h", [name]: "1" });
    expect(() => checkKvHeaders(request, kind)).not.toThrow();
  });

  test.each([
    ["read", "KV-Write-Id"],
    ["read", "KV-Attempt"],
    ["write", "KV-Session"],
    ["read", "KV-Context"],
    ["read", "kv-session"],
    ["write", "Kv-X"],
  ] as const)("on a %s, %s is refused by name, never ignored", (kind, name) => {
    const request = requestWith({ Host: "h", [name]: "1" });
    const error = thrownBy(() => checkKvHeaders(request, kind));
    expect(error).toMatchObject(HEADER_REFUSED);
    expect(String(error)).toContain(`'${name}'`);
  });

  test("an attempt is 1 unless told, and a whole number from 1 to 1,000", () => {
    expect(attemptOf(requestWith({}))).toBe(1);
    for (const attempt of [1, 2, 1_000]) {
      expect(attemptOf(requestWith({ "KV-Attempt": String(attempt) }))).toBe(attempt);
    }
    for (const text of ["", "0", "-1", "1.5", "01", "1e2", "1001", "2, 2", " 2"]) {
      expect(thrownBy(() => attemptOf(requestWith({ "KV-Attempt": text })))).toMatchObject(
        HEADER_REFUSED,
      );
    }
  });

  test("a write id of 1 to 64 characters is taken, sent twice it is refused", () => {
    expect(writeIdOf(requestWith({}))).toBeUndefined();
    expect(writeIdOf(requestWith({ "KV-Write-Id": "w".repeat(64) }))).toBe("w".repeat(64));
    for (const text of ["", "w".repeat(65), "a b", "a, a", "é"]) {
      expect(thrownBy(() => writeIdOf(requestWith({ "KV-Write-Id": text })))).toMatchObject(
        HEADER_REFUSED,
      );
    }
  });

  test("a request id that cannot be logged as it is does not fail the request", () => {
    expect(requestIdOf(requestWith({ "KV-Request-Id": "a.b:c_d-1" }))).toBe("a.b:c_d-1");
    for (const text of ["", "a b", "a".repeat(65), "a\n"]) {
      expect(requestIdOf(requestWith({ "KV-Request-Id": text }))).toBeUndefined();
    }
    expect(requestIdOf(requestWith({}))).toBeUndefined();
  });
});

describe("conditionals", () => {
  test.each(["If-None-Match", "If-Modified-Since"])("on a read, %s is taken", (name) => {
    expect(() => checkConditionals(requestWith({ [name]: "*" }), "read")).not.toThrow();
  });

  test.each([
    ["read", "If-Match"],
    ["read", "If-Unmodified-Since"],
    ["write", "If-Match"],
    ["write", "If-None-Match"],
    ["write", "If-Unmodified-Since"],
  ] as const)("on a %s, %s is refused, never half-checked", (kind, name) => {
    const outcome = outcomeOf(() => checkConditionals(requestWith({ [name]: "*" }), kind));
    expect(outcome).toEqual({ error: "conditional-needs-strong-bucket" });
  });
});

describe("content headers", () => {
  test.each(["content-type", "content-encoding"] as const)(
    "%s of up to 255 printable ASCII characters is stored as it is",
    (name) => {
      expect(contentHeaderOf(requestWith({}), name)).toBeUndefined();
      for (const text of ["", "text/plain; charset=utf-8", "t".repeat(255)]) {
        expect(contentHeaderOf(requestWith({ [name]: text }), name)).toBe(text);
      }
      for (const text of ["t".repeat(256), "té", "a\tb", "a\x7f", "a\n"]) {
        expect(thrownBy(() => contentHeaderOf(requestWith({ [name]: text }), name))).toMatchObject(
          HEADER_REFUSED,
        );
      }
    },
  );
});
