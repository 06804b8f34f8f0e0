import { compareBytes } from "../bytes.ts";
import type { Key } from "../ids.ts";

export interface PageEntry<T> {
  readonly key: Key;
  readonly value: T;
}

/** A beginning of an ordered sequence. */
export interface OrderedPage<T> {
  /** In key order, each key once. */
  readonly entries: readonly PageEntry<T>[];
  /** The sequence ends here. A page that does not end it holds an entry. */
  readonly ended: boolean;
}

export interface MergedPages<T> {
  /** In key order, each with what the pages say of it, as far as all of them reach. */
  readonly entries: readonly { readonly key: Key; readonly values: readonly T[] }[];
  /** Nothing is known beyond it; undefined: the pages end all sequences. */
  readonly through: Key | undefined;
}

/**
 * What is certain of the union of sequences of which only beginnings are known: everything up to the
 * least of their last keys. Beyond that, a page that stops earlier may have left something out.
 */
export function mergePages<T>(pages: readonly OrderedPage<T>[]): MergedPages<T> {
  const through = reachOf(pages);
  const known = pages
    .flatMap((page) => upTo(page, through))
    .toSorted((a, b) => compareBytes(a.key, b.key));
  const entries: { readonly key: Key; readonly values: T[] }[] = [];
  for (const { key, value } of known) {
    const last = entries.at(-1);
    if (last !== undefined && compareBytes(last.key, key) === 0) last.values.push(value);
    else entries.push({ key, values: [value] });
  }
  return { entries, through };
}

function reachOf<T>(pages: readonly OrderedPage<T>[]): Key | undefined {
  let least: Key | undefined;
  for (const { entries, ended } of pages) {
    const last = entries.at(-1)?.key;
    if (ended || last === undefined) continue;
    if (least === undefined || compareBytes(last, least) < 0) least = last;
  }
  return least;
}

function upTo<T>({ entries }: OrderedPage<T>, through: Key | undefined): readonly PageEntry<T>[] {
  if (through === undefined) return entries;
  return entries.filter(({ key }) => compareBytes(key, through) <= 0);
}
