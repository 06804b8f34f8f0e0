/** Works on up to `concurrency` items at once and yields the results in the order of the items. */
export async function* ordered<T, R>(
  items: AsyncIterable<T>,
  concurrency: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  for await (const item of items) {
    const promise = work(item);
    // Its turn to be awaited may come long after it failed.
    promise.catch(() => undefined);
    underWay.push(promise);
    if (underWay.length < concurrency) continue;
    const first = underWay.shift();
    if (first !== undefined) yield await first;
  }
  for (const promise of underWay) yield await promise;
}
