import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flagOf, OPTION_NAMES, OPTIONS, parsePeers, variableOf } from "../../../src/core/config.ts";
import type { Config, OptionName } from "../../../src/core/config.ts";
import { parseConfig } from "../../../src/core/parse-config.ts";
import { forAll } from "./support/for-all.ts";
import { charOf, subsets } from "./support/arbitraries.ts";
import { outcomeOf, thrownBy } from "./support/outcome.ts";

type Texts = Partial<Record<string, string>>;
type Origin = "flags" | "variables" | "file";

const PEERS = "n1=127.0.0.1:7181,n2=127.0.0.1:7182,n3=127.0.0.1:7183";
const REQUIRED: Texts = { id: "n1", peers: PEERS, data: "/var/lib/quorate" };

function config(origins: Partial<Record<Origin, Texts>>): Config {
  const textsOf = (origin: Origin): Map<string, string> => {
    const entries = Object.entries(origins[origin] ?? {});
    return new Map(entries.map(([name, text]) => [name, text ?? ""]));
  };
  return parseConfig({
    flags: textsOf("flags"),
    variables: textsOf("variables"),
    file: textsOf("file"),
  });
}

interface Sample {
  /** A text that the option takes, other than its default. */
  readonly good: string;
  readonly bad: string;
}

const SAMPLES: Partial<Record<OptionName, Sample>> = {
  id: { good: "n2", bad: "N2" },
  listen: { good: "0.0.0.0:80", bad: "80" },
  peerListen: { good: "127.0.0.1:0", bad: "127.0.0.1:65536" },
  peers: { good: "n1=a:1,n2=b:2", bad: "n1" },
  data: { good: "/data", bad: "" },
  clusterId: { good: "berlin", bad: "Berlin" },
  secret: { good: "s3cret", bad: "" },
  secretFile: { good: "/etc/secret", bad: "" },
  logLevel: { good: "debug", bad: "verbose" },
  acceptDataLoss: { good: "true", bad: "yes" },
  salvage: { good: "true", bad: "" },
  requestTimeoutMs: { good: "1500", bad: "0" },
  requestTimeoutMaxMs: { good: "60000", bad: "300001" },
  clientRequestTimeoutMs: { good: "30000", bad: "9" },
  peerSuspectAfterMaxMs: { good: "900", bad: "9" },
  diskFreeBytesMin: { good: "1048576", bad: "-1" },
};

const NUMERIC = OPTION_NAMES.filter((name) => typeof OPTIONS[name].default === "number");

function sampleOf(name: OptionName): Sample {
  const given = SAMPLES[name];
  if (given !== undefined) return given;
  const { default: value, parse } = OPTIONS[name];
  for (let good = 1; NUMERIC.includes(name) && good < 2 ** 40; good *= 2) {
    try {
      if (good !== value && parse(String(good)) === good) return { good: String(good), bad: "-1" };
    } catch {
      // Outside the option's bounds.
    }
  }
  throw new Error(`SAMPLES needs a good and a bad text of '${name}'`);
}

describe("the option table", () => {
  test("flag and variable of each option are unique and tell its name", () => {
    expect(new Set(OPTION_NAMES.map(flagOf)).size).toBe(OPTION_NAMES.length);
    expect(new Set(OPTION_NAMES.map(variableOf)).size).toBe(OPTION_NAMES.length);
    for (const name of OPTION_NAMES) {
      expect(flagOf(name)).toMatch(/^--[a-z]+(-[a-z]+)*$/);
      expect(variableOf(name)).toMatch(/^KV_[A-Z]+(_[A-Z]+)*$/);
      const camel = (words: string): string =>
        words.toLowerCase().replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
      expect(camel(flagOf(name).slice(2))).toBe(name);
      expect(camel(variableOf(name).slice(3))).toBe(name);
    }
  });

  test("peerListen is --peer-listen and KV_PEER_LISTEN", () => {
    expect(flagOf("peerListen")).toBe("--peer-listen");
    expect(variableOf("peerListen")).toBe("KV_PEER_LISTEN");
  });

  test.each(OPTION_NAMES)(
    "%s has a doc and a placeholder; its bounds admit its default",
    (name) => {
      const { default: value, doc, parse, placeholder } = OPTIONS[name];
      expect(doc).toMatch(/^\S.{8,}[^.\s]$/);
      expect(placeholder).toMatch(/^\S+$/);
      const plain = typeof value === "string" || typeof value === "number";
      expect(plain ? parse(String(value)) : value).toBe(value);
    },
  );

  test("only the secret itself is secret", () => {
    const secrets = OPTION_NAMES.filter((name) => "secret" in OPTIONS[name]);
    expect(secrets).toEqual(["secret"]);
  });
});

describe("layers", () => {
  const layered: readonly Origin[] = ["flags", "variables", "file"];

  test.each(subsets(layered).map((given) => [given]))(
    "flag over variable over file over default, when it stands in %j",
    (given) => {
      const texts: Partial<Record<Origin, Texts>> = { file: REQUIRED };
      for (const [rank, origin] of given.entries()) {
        texts[origin] = { ...texts[origin], spareDelayMs: String(rank + 1) };
      }
      const expected = given.length === 0 ? OPTIONS.spareDelayMs.default : 1;
      expect(config(texts).spareDelayMs).toBe(expected);
    },
  );

  test.each(OPTION_NAMES)("%s is taken from each origin", (name) => {
    const { good } = sampleOf(name);
    for (const origin of layered) {
      const others = origin === "file" ? {} : { file: REQUIRED };
      const own = origin === "file" ? { ...REQUIRED, [name]: good } : { [name]: good };
      const parsed = config({ ...others, [origin]: own });
      expect(parsed[name]).toEqual(OPTIONS[name].parse(good));
      expect(parsed[name]).not.toEqual(OPTIONS[name].default);
    }
  });

  test("an option that nobody gives has its default", () => {
    const { id, peers, data, ...defaults } = config({ flags: REQUIRED });
    expect([id, data]).toEqual(["n1", "/var/lib/quorate"]);
    expect(peers).toHaveLength(3);
    const table = OPTION_NAMES.map((name) => [name, OPTIONS[name].default] as const);
    expect({ id, peers, data, ...defaults }).toEqual({
      ...Object.fromEntries(table),
      id,
      peers,
      data,
    });
  });

  test("a shadowed text is not read: the flag repairs a wrong variable", () => {
    const parsed = config({
      flags: { ...REQUIRED, spareDelayMs: "7" },
      variables: { spareDelayMs: "soon" },
    });
    expect(parsed.spareDelayMs).toBe(7);
  });
});

describe("refusals", () => {
  const origins: readonly (readonly [Origin, (name: OptionName) => string])[] = [
    ["flags", flagOf],
    ["variables", variableOf],
    ["file", (name) => `'${name}' in the file`],
  ];

  test.each(OPTION_NAMES)("a wrong %s names the option as its origin spells it", (name) => {
    for (const [origin, spelled] of origins) {
      const others = origin === "file" ? {} : { file: REQUIRED };
      const own = { ...(origin === "file" ? REQUIRED : {}), [name]: sampleOf(name).bad };
      const error = thrownBy(() => config({ ...others, [origin]: own }));
      expect(error).toMatchObject({ name: "KvError", code: "option-invalid" });
      expect(error instanceof Error && error.message.startsWith(`${spelled(name)}: `)).toBe(true);
    }
  });

  test.each(["spareDelay", "spare-delay-ms", "SPAREDELAYMS", "", "__proto__", "constructor"])(
    "the unknown option '%s' is refused in each origin",
    (name) => {
      for (const [origin] of origins) {
        const none = { flags: new Map(), variables: new Map(), file: new Map() };
        const error = thrownBy(() => parseConfig({ ...none, [origin]: new Map([[name, "1"]]) }));
        expect(error).toMatchObject({ code: "option-invalid" });
        expect(String(error)).toContain(`'${name}'`);
      }
    },
  );

  test.each(["id", "peers", "data"] as const)(
    "without %s the start names flag and variable",
    (name) => {
      const rest = Object.fromEntries(Object.entries(REQUIRED).filter(([other]) => other !== name));
      const missing = thrownBy(() => config({ flags: rest }));
      expect(missing).toMatchObject({ code: "option-invalid" });
      expect(String(missing)).toContain(`${flagOf(name)} (or ${variableOf(name)}) is required`);
    },
  );

  test.each(NUMERIC)(
    "%s takes no fraction, sign, exponent, blank, or number beyond 2^53",
    (name) => {
      for (const text of [
        "",
        "-1",
        "+1",
        "1.5",
        "1e3",
        " 7",
        "7 ",
        "7\n",
        "0x7",
        "9007199254740993",
      ]) {
        expect(outcomeOf(() => OPTIONS[name].parse(text))).toEqual({ error: "option-invalid" });
      }
    },
  );

  test("whole numbers are taken within their bounds and nothing else is", () => {
    const { parse } = OPTIONS.requestTimeoutMs;
    const text = fc.oneof(
      fc.integer({ min: -5, max: 30_005 }).map(String),
      fc.string({ unit: charOf("0123456789.-+ e\n"), maxLength: 7 }),
    );
    forAll(
      [text],
      (it) => {
        const digits = it.split("").map((char) => "0123456789".indexOf(char));
        const value = digits.reduce((sum, digit) => sum * 10 + digit, 0);
        const taken = !digits.includes(-1) && value >= 1 && value <= 30_000;
        expect(outcomeOf(() => parse(it))).toEqual(taken ? { value } : { error: "option-invalid" });
      },
      2_000,
    );
    for (const edge of ["1", "30000"]) expect(parse(edge)).toBe(Number(edge));
    for (const edge of ["0", "30001"]) expect(() => parse(edge)).toThrow("from 1 to 30000");
  });
});

describe("relations", () => {
  test("the peer list must name the node itself", () => {
    const error = thrownBy(() => config({ flags: { ...REQUIRED, id: "n4" } }));
    expect(error).toMatchObject({ code: "option-invalid" });
    expect(String(error)).toContain("--peers does not name this node, 'n4'");
  });

  test("the default timeout may equal the longest one and not exceed it", () => {
    const timeouts = (ms: string, maxMs: string): Config =>
      config({ flags: { ...REQUIRED, requestTimeoutMs: ms, requestTimeoutMaxMs: maxMs } });
    expect(timeouts("500", "500").requestTimeoutMs).toBe(500);
    const error = thrownBy(() => timeouts("501", "500"));
    expect(error).toMatchObject({ code: "option-invalid" });
    expect(String(error)).toMatch(/--request-timeout-ms .*--request-timeout-max-ms/);
  });

  test("the least patience with a silent peer may equal the most and not exceed it", () => {
    const patience = (min: string, max: string): Config =>
      config({
        flags: { ...REQUIRED, peerSuspectAfterMinMs: min, peerSuspectAfterMaxMs: max },
      });
    expect(patience("400", "400").peerSuspectAfterMinMs).toBe(400);
    const error = thrownBy(() => patience("401", "400"));
    expect(error).toMatchObject({ code: "option-invalid" });
    expect(String(error)).toMatch(/--peer-suspect-after-min-ms .*--peer-suspect-after-max-ms/);
  });

  test("headers may take as long as the whole request and no longer", () => {
    const late = (headers: string, request: string): Config =>
      config({
        flags: { ...REQUIRED, clientHeadersTimeoutMs: headers, clientRequestTimeoutMs: request },
      });
    expect(late("400", "400").clientHeadersTimeoutMs).toBe(400);
    const error = thrownBy(() => late("401", "400"));
    expect(error).toMatchObject({ code: "option-invalid" });
    expect(String(error)).toMatch(/--client-headers-timeout-ms .*--client-request-timeout-ms/);
  });

  test("a secret and a file of it are not given both, and the refusal does not tell it", () => {
    const both = { ...REQUIRED, secret: "s3cret", secretFile: "/etc/secret" };
    const error = thrownBy(() => config({ flags: both }));
    expect(error).toMatchObject({ code: "option-invalid" });
    expect(String(error)).toMatch(/--secret .*--secret-file/);
    expect(String(error)).not.toContain("s3cret");
  });

  test.each(["127.0.0.1", "127.255.0.7", "localhost", "[::1]"])(
    "a peer port on %s needs no secret",
    (host) => {
      const parsed = config({ flags: { ...REQUIRED, peerListen: `${host}:7180` } });
      expect(parsed.secret).toBeUndefined();
    },
  );

  test.each([
    "0.0.0.0",
    "[::]",
    "10.0.0.1",
    "[fd00::1]",
    "[::ffff:10.0.0.1]",
    "128.0.0.1",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "n1",
  ])("a peer port on %s needs a secret, or a file of one", (host) => {
    const beyond = { ...REQUIRED, peerListen: `${host}:7180` };
    const error = thrownBy(() => config({ flags: beyond }));
    expect(error).toMatchObject({ code: "secret-required" });
    expect(String(error)).toContain(`--peer-listen ${host}:7180`);
    expect(config({ flags: { ...beyond, secret: "s" } }).secret).toBe("s");
    expect(config({ flags: beyond, file: { secretFile: "f" } }).secretFile).toBe("f");
  });

  test("the client port may face the world without a secret", () => {
    const parsed = config({ flags: { ...REQUIRED, listen: "0.0.0.0:80" } });
    expect(parsed.listen).toEqual({ host: "0.0.0.0", port: 80 });
  });

  test("the peers of a configuration are what parsePeers makes of the text", () => {
    expect(config({ flags: REQUIRED }).peers).toEqual(parsePeers(PEERS));
  });
});
