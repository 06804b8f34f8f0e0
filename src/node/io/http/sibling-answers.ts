import { hash64 } from "../../../core/hash.ts";
import { KvError } from "../../../core/errors.ts";
import { msOfStamp } from "../../../core/hlc.ts";
import { dotText } from "../../../core/version/dot.ts";
import type { ReadResult, SiblingView } from "../../../ports/operations.ts";

/** Who names it in Accept expects siblings and gets them under status 200. */
const SIBLINGS_TYPE = "application/vnd.kv.siblings+json";

/** Several versions stand beside each other and at least one of them is a value. */
export function isConflict({ version, siblings }: ReadResult): boolean {
  return version === undefined && siblings.length > 1;
}

export function siblingsType(accept: string | undefined): { status: 200 | 300; type: string } {
  const named = accept?.toLowerCase().includes(SIBLINGS_TYPE) === true;
  return named ? { status: 200, type: SIBLINGS_TYPE } : { status: 300, type: "application/json" };
}

/** One item a version, newest first; the value of a delete, and of what expired, is null. */
export function siblingsBody(result: ReadResult): string {
  return JSON.stringify(siblingsJson(result));
}

export function siblingsJson({ siblings }: ReadResult): readonly object[] {
  return siblings.map((sibling) => {
    const { version } = sibling;
    const content = contentOf(sibling);
    return {
      version: dotText(version),
      value: content === undefined ? null : Buffer.from(content.value).toString("base64"),
      contentType: content?.contentType,
      contentEncoding: content?.contentEncoding,
      writeId: version.writeId,
      lastModified: new Date(msOfStamp(version.stamp)).toISOString(),
      expiresAt:
        version.expiresAt === undefined ? undefined : new Date(version.expiresAt).toISOString(),
    };
  });
}

/** Of all siblings together. */
export function siblingsEtag({ siblings }: ReadResult): string {
  const all = siblings.map(({ version, expired }) => [dotText(version), version.writeId, expired]);
  return `"${hash64(JSON.stringify(all))}"`;
}

/** @throws KvError `key-not-found`: it was superseded, or never was. */
export function siblingOf({ siblings }: ReadResult, dot: string): SiblingView {
  const found = siblings.find(({ version }) => dotText(version) === dot);
  if (found !== undefined) return found;
  throw new KvError("key-not-found", `the key has no version '${dot}' now`);
}

function contentOf({ version, expired }: SiblingView): SiblingView["version"]["content"] {
  return expired ? undefined : version.content;
}
