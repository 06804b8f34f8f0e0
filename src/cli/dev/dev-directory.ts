import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CliError, EXIT } from "../exit-code.ts";
import { fileError } from "../files.ts";

const NODES_DEFAULT = 3;

/** What a directory's cluster is, made once and kept: nodes refuse another cluster's directories. */
export interface DevIdentity {
  readonly clusterId: string;
  readonly nodes: number;
}

/** The folder of `kv dev`: one cluster, a folder a node. */
export class DevDirectory {
  readonly path: string;
  readonly lockFile: string;
  readonly secretFile: string;
  readonly #identityFile: string;

  constructor(path: string) {
    this.path = resolve(path);
    this.lockFile = join(this.path, "dev.lock");
    this.secretFile = join(this.path, "secret");
    this.#identityFile = join(this.path, "cluster.json");
  }

  async create(): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true });
    } catch (error) {
      throw fileError("write", this.path, error);
    }
  }

  /** `nodes`: as the user asked, undefined if not at all. */
  async identity(nodes: number | undefined): Promise<DevIdentity> {
    const known = await this.#known();
    if (known === undefined) return this.#found(nodes ?? NODES_DEFAULT);
    if (nodes !== undefined && nodes !== known.nodes) {
      throw new CliError(
        EXIT.usage,
        `the cluster in ${this.path} has ${known.nodes} nodes, not ${nodes}`,
        "The members of a cluster are fixed in this release. Use another --data, or remove that folder and all its data.",
      );
    }
    return known;
  }

  async #known(): Promise<DevIdentity | undefined> {
    const text = await readFile(this.#identityFile, "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      const { clusterId, nodes } = JSON.parse(text) as Partial<DevIdentity>;
      if (typeof clusterId === "string" && typeof nodes === "number") return { clusterId, nodes };
    } catch {
      // Told below, as for any other content.
    }
    throw new CliError(EXIT.usage, `${this.#identityFile} is not what kv dev wrote`);
  }

  async #found(nodes: number): Promise<DevIdentity> {
    const identity = { clusterId: `dev-${randomBytes(4).toString("hex")}`, nodes };
    // The identity comes last: where it is, the secret is.
    await writeFile(this.secretFile, randomBytes(32).toString("base64url"), { mode: 0o600 });
    await writeFile(this.#identityFile, `${JSON.stringify(identity)}\n`);
    return identity;
  }
}
