import { addressText, flagOf, OPTION_NAMES, OPTIONS, variableOf } from "./config.ts";
import type { Address, Config, OptionName } from "./config.ts";
import { KvError } from "./errors.ts";

/** Option texts of one origin, by option name. */
export type OptionTexts = ReadonlyMap<string, string>;

/**
 * Layers the origins (flag over variable over file over default) and checks the whole.
 * @throws KvError `option-invalid`, `secret-required`: the detail names the option and its origin.
 */
export function parseConfig(origins: {
  flags: OptionTexts;
  variables: OptionTexts;
  file: OptionTexts;
}): Config {
  const layers = [
    { texts: origins.flags, spelled: flagOf },
    { texts: origins.variables, spelled: variableOf },
    { texts: origins.file, spelled: (name: OptionName) => `'${name}' in the file` },
  ];
  for (const { texts } of layers) {
    for (const name of texts.keys()) {
      if (!Object.hasOwn(OPTIONS, name)) {
        throw new KvError("option-invalid", `there is no option '${name}'`);
      }
    }
  }
  const values = new Map<OptionName, unknown>();
  for (const name of OPTION_NAMES) {
    const layer = layers.find(({ texts }) => texts.has(name));
    if (layer === undefined) {
      values.set(name, OPTIONS[name].default);
      continue;
    }
    try {
      values.set(name, OPTIONS[name].parse(layer.texts.get(name) ?? ""));
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      throw new KvError(
        "option-invalid",
        `${layer.spelled(name)}: ${error.message}`,
        {},
        { cause: error },
      );
    }
  }
  for (const name of ["id", "peers", "data"] as const) {
    if (values.get(name) === undefined) {
      throw new KvError("option-invalid", `${flagOf(name)} (or ${variableOf(name)}) is required`);
    }
  }
  const config = Object.fromEntries(values) as unknown as Config;
  checkRelations(config);
  return config;
}

/** The first of each pair is at most the second. */
const ORDERED = [
  ["requestTimeoutMs", "requestTimeoutMaxMs"],
  ["clientHeadersTimeoutMs", "clientRequestTimeoutMs"],
  ["peerSuspectAfterMinMs", "peerSuspectAfterMaxMs"],
] as const;

function checkRelations(config: Config): void {
  if (!config.peers.some((peer) => peer.id === config.id)) {
    throw new KvError(
      "option-invalid",
      `${flagOf("peers")} does not name this node, '${config.id}'`,
    );
  }
  for (const [least, most] of ORDERED) {
    if (config[least] > config[most]) {
      throw new KvError("option-invalid", `${flagOf(least)} exceeds ${flagOf(most)}`);
    }
  }
  if (config.secret !== undefined && config.secretFile !== undefined) {
    throw new KvError(
      "option-invalid",
      `${flagOf("secret")} and ${flagOf("secretFile")} are both given`,
    );
  }
  if (
    config.secret === undefined &&
    config.secretFile === undefined &&
    !isLoopback(config.peerListen)
  ) {
    throw new KvError(
      "secret-required",
      `${flagOf("peerListen")} ${addressText(config.peerListen)} can be reached by others and no secret is set`,
    );
  }
}

function isLoopback({ host }: Address): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
