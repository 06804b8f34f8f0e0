type Fields = { readonly [name: string]: unknown };

/** Reads the fields of one JSON object and keeps the first thing that is wrong with it. */
export class LineReader {
  readonly #fields: Fields;
  readonly #read = new Set<string>();
  #problem: string | undefined;

  private constructor(fields: Fields) {
    this.#fields = fields;
  }

  /** undefined: the text is no JSON object. */
  static of(text: string): LineReader | undefined {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      return undefined;
    }
    return isObject(parsed) ? new LineReader(parsed) : undefined;
  }

  /** Also when a field is there that nobody read. */
  problem(): string | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const unknown = Object.keys(this.#fields).find((name) => !this.#read.has(name));
    return unknown === undefined ? undefined : `field ${JSON.stringify(unknown)} is not known`;
  }

  text(name: string): string {
    return this.textOrNone(name) ?? this.#wrong(name, "a text", "");
  }

  textOrNone(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === "string") return value;
    return this.#wrong(name, "a text", undefined);
  }

  boolean(name: string): boolean {
    const value = this.#take(name);
    return typeof value === "boolean" ? value : this.#wrong(name, "true or false", false);
  }

  /** What most lines leave out. */
  booleanOr(name: string, otherwise: boolean): boolean {
    const value = this.#take(name);
    if (value === undefined || typeof value === "boolean") return value ?? otherwise;
    return this.#wrong(name, "true or false", otherwise);
  }

  number(name: string): number {
    return this.numberOrNone(name) ?? this.#wrong(name, "a number", 0);
  }

  numberOrNone(name: string): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    // 1e999 is JSON and reads as Infinity.
    if (typeof value === "number" && Number.isFinite(value)) return value;
    return this.#wrong(name, "a number", undefined);
  }

  integer(
    name: string,
    { least, most = Number.MAX_SAFE_INTEGER }: { least: number; most?: number },
  ): number {
    const value = this.#take(name);
    if (
      Number.isSafeInteger(value) &&
      typeof value === "number" &&
      value >= least &&
      value <= most
    ) {
      return value;
    }
    const upTo = most === Number.MAX_SAFE_INTEGER ? "" : ` to ${most}`;
    return this.#wrong(name, `a whole number from ${least}${upTo}`, least);
  }

  oneOf<T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    const value = this.#take(name);
    const chosen = choices.find((choice) => choice === value);
    if (chosen !== undefined) return chosen;
    return this.#wrong(name, `one of ${choices.join(", ")}`, choices[0]);
  }

  /** undefined: the field is not there. What is wrong within it is wrong with the line. */
  objectOrNone<T>(name: string, read: (reader: LineReader) => T): T | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) return this.#wrong(name, "an object", undefined);
    return this.#within(value, read);
  }

  objectsOrNone<T>(name: string, read: (reader: LineReader) => T): readonly T[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every(isObject)) {
      return this.#wrong(name, "a list of objects", undefined);
    }
    return value.map((fields) => this.#within(fields, read));
  }

  #within<T>(fields: Fields, read: (reader: LineReader) => T): T {
    const reader = new LineReader(fields);
    const value = read(reader);
    this.#problem ??= reader.problem();
    return value;
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  #wrong<T>(name: string, expected: string, standIn: T): T {
    this.#problem ??= `${name} is ${expected}`;
    return standIn;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
