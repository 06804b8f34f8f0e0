import type {
  Causality,
  History,
  Operation,
  ReplicaRecord,
  ReplicaState,
  SeenSibling,
} from "./history.ts";
import { LineReader } from "./line-reader.ts";

/**
 * A history as a file: one JSON object a line, so that a harness can append while it runs and a bug
 * report is one file.
 *
 *     {"type":"history","format":1}
 *     {"type":"operation","client":3,"key":"k1","kind":"put","call":12,"end":15,"outcome":"ok","version":"a7",…}
 *     {"type":"replica","node":"n1"}
 *     {"type":"record","node":"n1","key":"k1","version":"a7","stamp":77,"tombstone":false,"digest":"9f3c"}
 *
 * In a bucket that keeps siblings an operation has a `causality` besides, and what a get was shown is
 * there; so are what a replica holds:
 *
 *     {…,"kind":"put",…,"causality":{"blindWrites":"overwrite","siblingsMax":32,"sent":"AQ4f","context":"AQ5c"}}
 *     {…,"kind":"get",…,"causality":{…,"context":"AQ5c","siblings":[{"version":"a7","dot":"9e-2k","stamp":77}]}}
 *     {"type":"record",…,"siblings":[{"version":"a7","dot":"9e-2k","stamp":77}]}
 *
 * What is undefined, empty, or not `expired`, is left out. A field that this format does not know is an
 * error, not a comment: a misspelt `stamp` would otherwise leave promises unchecked. Blank lines are
 * allowed.
 */
export const HISTORY_FORMAT = 1;

export interface MalformedLine {
  /** From 1. */
  readonly line: number;
  readonly problem: string;
}

export type ParsedHistory =
  | { readonly kind: "history"; readonly history: History }
  | { readonly kind: "malformed"; readonly lines: readonly MalformedLine[] };

export function* historyLines({ operations, replicas }: History): Generator<string> {
  yield JSON.stringify({ type: "history", format: HISTORY_FORMAT });
  for (const operation of operations) yield operationLine(operation);
  for (const replica of replicas) yield* replicaLines(replica);
}

/** For a harness that writes while it runs. */
export function operationLine(operation: Operation): string {
  const expired = operation.expired || undefined;
  const causality = operation.causality && causalityFields(operation.causality);
  return JSON.stringify({ type: "operation", ...operation, expired, causality });
}

export function* replicaLines({ node, records }: ReplicaState): Generator<string> {
  yield JSON.stringify({ type: "replica", node });
  for (const [key, record] of records) {
    const siblings = record.siblings?.map(siblingFields);
    yield JSON.stringify({ type: "record", node, key, ...record, siblings });
  }
}

function causalityFields({ siblings, ...causality }: Causality): object {
  return siblings.length === 0
    ? causality
    : { ...causality, siblings: siblings.map(siblingFields) };
}

function siblingFields(sibling: SeenSibling): object {
  return { ...sibling, expired: sibling.expired || undefined };
}

/** All of it or, with every malformed line named, nothing: half a history proves nothing. */
export function parseHistory(lines: Iterable<string>): ParsedHistory {
  const parser = new Parser();
  for (const line of lines) parser.take(line);
  return parser.result();
}

class Parser {
  readonly #operations: Operation[] = [];
  readonly #replicas = new Map<string, Map<string, ReplicaRecord>>();
  readonly #malformed: MalformedLine[] = [];
  #line = 0;
  #begun = false;

  take(text: string): void {
    this.#line += 1;
    if (text.trim() === "") return;
    const reader = LineReader.of(text);
    if (reader === undefined) {
      this.#refuse("no JSON object");
      return;
    }
    const type = reader.text("type");
    if (!this.#begun) {
      this.#begun = true;
      if (type !== "history") this.#refuse(`the first line is {"type":"history","format":1}`);
      else this.#header(reader);
      if (type === "history") return;
    }
    switch (type) {
      case "operation":
        this.#operation(reader);
        return;
      case "replica":
        this.#replica(reader);
        return;
      case "record":
        this.#record(reader);
        return;
      default:
        this.#refuse(`type is one of "operation", "replica", "record"`);
    }
  }

  result(): ParsedHistory {
    if (!this.#begun) this.#refuse("the file is empty");
    if (this.#malformed.length > 0) return { kind: "malformed", lines: this.#malformed };
    const replicas = Array.from(this.#replicas, ([node, records]) => ({ node, records }));
    return { kind: "history", history: { operations: this.#operations, replicas } };
  }

  #header(reader: LineReader): void {
    const format = reader.integer("format", { least: 0 });
    const problem =
      reader.problem() ??
      (format === HISTORY_FORMAT
        ? undefined
        : `format ${format} is not known, ${HISTORY_FORMAT} is`);
    if (problem !== undefined) this.#refuse(problem);
  }

  #operation(reader: LineReader): void {
    const n = reader.integer("n", { least: 1 });
    const operation: Operation = {
      client: reader.integer("client", { least: 0 }),
      key: reader.text("key"),
      kind: reader.oneOf("kind", ["put", "delete", "get"]),
      call: reader.number("call"),
      end: reader.numberOrNone("end"),
      outcome: reader.oneOf("outcome", ["ok", "not-applied", "unknown"]),
      version: reader.textOrNone("version"),
      stamp: reader.numberOrNone("stamp"),
      expiresAt: reader.numberOrNone("expiresAt"),
      expired: reader.booleanOr("expired", false),
      n,
      r: reader.integer("r", { least: 1, most: n }),
      w: reader.integer("w", { least: 1, most: n }),
      durability: reader.oneOf("durability", ["sync", "async"]),
      causality: reader.objectOrNone("causality", causalityOf),
    };
    const problem = reader.problem() ?? contradiction(operation);
    if (problem === undefined) this.#operations.push(operation);
    else this.#refuse(problem);
  }

  #replica(reader: LineReader): void {
    const node = reader.text("node");
    const problem =
      reader.problem() ??
      (this.#replicas.has(node) ? `replica ${JSON.stringify(node)} was there before` : undefined);
    if (problem === undefined) this.#replicas.set(node, new Map());
    else this.#refuse(problem);
  }

  #record(reader: LineReader): void {
    const node = reader.text("node");
    const key = reader.text("key");
    const record: ReplicaRecord = {
      version: reader.text("version"),
      stamp: reader.number("stamp"),
      tombstone: reader.boolean("tombstone"),
      digest: reader.text("digest"),
      siblings: reader.objectsOrNone("siblings", siblingOf),
    };
    const records = this.#replicas.get(node);
    const problem = reader.problem();
    if (problem !== undefined) this.#refuse(problem);
    else if (records === undefined) this.#refuse(`no replica ${JSON.stringify(node)} came before`);
    else if (records.has(key)) this.#refuse(`${node} held key ${JSON.stringify(key)} before`);
    else records.set(key, record);
  }

  #refuse(problem: string): void {
    this.#malformed.push({ line: this.#line, problem });
  }
}

function causalityOf(reader: LineReader): Causality {
  return {
    blindWrites: reader.oneOf("blindWrites", ["overwrite", "sibling", "refuse"]),
    siblingsMax: reader.integer("siblingsMax", { least: 1 }),
    sent: reader.textOrNone("sent"),
    context: reader.textOrNone("context"),
    siblings: reader.objectsOrNone("siblings", siblingOf) ?? [],
  };
}

function siblingOf(reader: LineReader): SeenSibling {
  return {
    version: reader.text("version"),
    dot: reader.text("dot"),
    stamp: reader.number("stamp"),
    expiresAt: reader.numberOrNone("expiresAt"),
    expired: reader.booleanOr("expired", false),
  };
}

/** What no client can have seen. */
function contradiction({
  kind,
  call,
  end,
  outcome,
  version,
  stamp,
  expired,
  causality,
}: Operation): string | undefined {
  if (causality !== undefined && kind !== "get" && causality.siblings.length > 0) {
    return `a ${kind} is shown no siblings`;
  }
  if (causality?.sent !== undefined && kind === "get") return "a get sends no context";
  if (causality !== undefined && kind === "get" && version !== undefined) {
    return "a get of siblings has no version of its own";
  }
  if (end !== undefined && end < call) return "end is before call";
  if (outcome === "ok" && end === undefined) return "outcome ok needs an end";
  if (kind !== "get" && expired) return `a ${kind} does not expire`;
  if (kind !== "get") return version === undefined ? `a ${kind} needs a version` : undefined;
  if (outcome !== "ok" && version !== undefined) return "a get without answer has no version";
  if (version === undefined && stamp !== undefined) return "a stamp needs a version";
  if (version === undefined && expired) return "an expired get needs a version";
  return undefined;
}
