import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressText, parseAddress, parsePeers } from "../../../src/core/config.ts";
import { members } from "./support/arbitraries.ts";
import { forAll } from "./support/for-all.ts";
import { thrownBy } from "./support/outcome.ts";

const REFUSED = { name: "KvError", code: "option-invalid" };

describe("parseAddress", () => {
  test.each([
    ["127.0.0.1:7080", { host: "127.0.0.1", port: 7080 }],
    ["node-1.kv.example:1", { host: "node-1.kv.example", port: 1 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["0.0.0.0:65535", { host: "0.0.0.0", port: 65_535 }],
    ["[::1]:7080", { host: "::1", port: 7080 }],
    ["[::]:80", { host: "::", port: 80 }],
    ["[fd00::a:1]:80", { host: "fd00::a:1", port: 80 }],
    ["[::ffff:10.0.0.1]:80", { host: "::ffff:10.0.0.1", port: 80 }],
  ])("takes %s and writes it the same", (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(addressText(parseAddress(text))).toBe(text);
  });

  test.each([
    "",
    "7080",
    ":7080",
    "localhost",
    "localhost:",
    "localhost:65536",
    "localhost:100000",
    "localhost:-1",
    "localhost:80 ",
    " localhost:80",
    "localhost:80\n",
    "http://localhost:80",
    "localhost:80/",
    "::1:80",
    "[::1]",
    "[::1]80",
    "[]:80",
    "[::1:80",
    "::1]:80",
    "[localhost]:80",
    "user@localhost:80",
  ])("refuses %j", (text) => {
    expect(thrownBy(() => parseAddress(text))).toMatchObject(REFUSED);
  });

  test("every IPv4 and IPv6 address with every port survives text and back", () => {
    forAll([fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 65_535 })], (host, port) => {
      const text = addressText({ host, port });
      expect(text).toBe(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
      expect(parseAddress(text)).toEqual({ host, port });
    });
  });
});

describe("parsePeers", () => {
  const address = { host: "h", port: 1 };

  test("takes ID=HOST:PORT and ID@ZONE=HOST:PORT, blanks around entries, IPv6", () => {
    expect(parsePeers("n1=h:1")).toEqual([{ id: "n1", zone: undefined, address }]);
    expect(parsePeers("n1@zoneA=h:1, n2@zoneB=[::1]:2 ,n3=h:1")).toEqual([
      { id: "n1", zone: "zoneA", address },
      { id: "n2", zone: "zoneB", address: { host: "::1", port: 2 } },
      { id: "n3", zone: undefined, address },
    ]);
  });

  test("keeps 1 to 12 members in the order in which they stand", () => {
    for (let n = 1; n <= 12; n++) {
      const list = members(n, (index) => (index % 3 === 0 ? undefined : `z${index % 3}`));
      const text = list
        .map(({ id, zone, address: at }) =>
          [zone === undefined ? id : `${id}@${zone}`, addressText(at)].join("="),
        )
        .join(",");
      expect(parsePeers(text)).toEqual(list);
    }
  });

  test.each([
    ["nothing", ""],
    ["an entry without address", "n1"],
    ["an empty address", "n1="],
    ["an address without port", "n1=h"],
    ["two addresses", "n1=h:1=h:2"],
    ["an empty id", "=h:1"],
    ["an id in capitals", "N1=h:1"],
    ["an empty zone", "n1@=h:1"],
    ["a zone without id", "@a=h:1"],
    ["a zone with a blank", "n1@a b=h:1"],
    ["a trailing comma", "n1=h:1,"],
    ["a missing comma", "n1=h:1 n2=h:2"],
    ["one id twice", "n1=h:1,n1=h:2"],
    ["one id twice in different zones", "n1@a=h:1,n2=h:2,n1@b=h:3"],
  ])("refuses %s: %j", (_, text) => {
    expect(thrownBy(() => parsePeers(text))).toMatchObject(REFUSED);
  });

  test("refuses a second zone rather than dropping it", () => {
    expect(thrownBy(() => parsePeers("n1@a@b=h:1"))).toMatchObject(REFUSED);
  });
});
