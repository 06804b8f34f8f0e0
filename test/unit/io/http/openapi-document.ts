import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import type { RawResponse } from "../../../support/raw-http.ts";

const FILE = new URL("../../../../docs/openapi.yaml", import.meta.url);
const METHODS = ["get", "head", "put", "delete", "post", "patch", "options", "trace"] as const;
/** Headers of HTTP itself, which no description of an API lists. */
const TRANSPORT = new Set("connection content-length content-type date keep-alive".split(" "));
const BASE = "openapi";

type Json = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly example?: string | number;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly statuses: readonly number[];
}

/** docs/openapi.yaml, and what an answer must be to agree with it. */
export class OpenApiDocument {
  readonly root = parse(readFileSync(FILE, "utf8")) as Json;
  readonly operations: readonly Operation[];
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });

  constructor() {
    this.#ajv.addSchema(this.root, BASE, undefined, false);
    this.operations = Object.entries(this.root["paths"] as Record<string, Json>).flatMap(
      ([path, item]) =>
        METHODS.filter((method) => method in item).map((method): Operation => {
          const operation = item[method] as Json;
          const refs = [item["parameters"], operation["parameters"]].flat();
          return {
            id: String(operation["operationId"]),
            method: method.toUpperCase(),
            path,
            parameters: refs.filter(Boolean).map((ref) => this.#resolve(ref) as Parameter),
            statuses: Object.keys(operation["responses"] as Json).map(Number),
          };
        }),
    );
  }

  schema(name: string): Json {
    return this.#resolve({ $ref: `#/components/schemas/${name}` }) as Json;
  }

  /** What the answer has that the document does not allow, or lacks; nothing: they agree. */
  objections({ path, method }: Operation, answer: RawResponse, schema?: string): string[] {
    const operation = (this.root["paths"] as Record<string, Json>)[path]?.[method.toLowerCase()];
    const responses = (operation as Json)["responses"] as Json;
    const found = responses[String(answer.status)];
    if (found === undefined) return [`status ${answer.status} is not described`];
    const response = this.#resolve(found) as Json;
    return [
      ...this.#headerObjections(response, answer),
      ...(method === "HEAD" ? bodiless(answer) : this.#bodyObjections(response, answer, schema)),
    ];
  }

  #headerObjections(response: Json, { headers }: RawResponse): string[] {
    const described = new Map(
      Object.entries((response["headers"] ?? {}) as Json).map(([name, header]) => [
        name.toLowerCase(),
        this.#resolve(header) as Json,
      ]),
    );
    const missing = [...described]
      .filter(([name, header]) => header["required"] === true && headers[name] === undefined)
      .map(([name]) => `the header ${name} is missing`);
    const wrong = Object.entries(headers).flatMap(([name, value]) => {
      const header = described.get(name);
      if (header === undefined) {
        return TRANSPORT.has(name) ? [] : [`the header ${name} is not described`];
      }
      const schema = this.#resolve(header["schema"]) as Json;
      const typed = schema["type"] === "integer" ? Number(value) : value;
      return this.#mismatches(schema, typed, `header ${name}`);
    });
    return [...missing, ...wrong];
  }

  #bodyObjections(response: Json, answer: RawResponse, schema: string | undefined): string[] {
    const content = response["content"] as Record<string, Json> | undefined;
    if (content === undefined) return bodiless(answer);
    const type = answer.headers["content-type"] ?? "";
    const media = content[type] ?? content["*/*"];
    if (media === undefined) return [`the content type '${type}' is not described`];
    const wanted = schema === undefined ? media["schema"] : this.schema(schema);
    if (wanted === undefined) return [];
    const isJson = /[/+]json$/.test(type);
    return this.#mismatches(wanted, isJson ? JSON.parse(answer.body) : answer.body, "body");
  }

  #mismatches(schema: unknown, value: unknown, what: string): string[] {
    const check = this.#ajv.compile(absolute(schema) as Json);
    if (check(value)) return [];
    return (check.errors ?? []).map(
      ({ instancePath, message }) =>
        `${what}${instancePath} ${message ?? ""}: ${JSON.stringify(value)?.slice(0, 300)}`,
    );
  }

  #resolve(node: unknown): unknown {
    if (typeof node !== "object" || node === null || !("$ref" in node)) return node;
    const steps = String(node.$ref).slice(2).split("/");
    return steps.reduce<unknown>((at, step) => (at as Json)[step], this.root);
  }
}

function bodiless({ body }: RawResponse): string[] {
  return body === "" ? [] : [`a body that is not described: ${body.slice(0, 80)}`];
}

/** A part of the document taken by itself still refers to the whole. */
function absolute(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(absolute);
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === "$ref" ? `${BASE}${String(value)}` : absolute(value),
    ]),
  );
}
