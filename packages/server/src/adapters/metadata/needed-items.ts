import type { Item } from './read-items.ts';

/**
 * The items that make up what is shown: the primary one, the tiles and sources that it is made of, their transparency, and
 * what brightens it on screens that can. Not thumbnails, depth maps, and pictures that no viewer shows.
 *
 * @param alphaProperties numbers of the properties that make an item the transparency of another
 */
export function neededItems(items: Map<number, Item>, primary: number, alphaProperties: Set<number>): Set<number> {
  const needed = new Set<number>();
  const dependents = new Map<number, number[]>();
  for (const item of items.values()) {
    const isAlpha = item.properties.some((property) => alphaProperties.has(property));
    for (const { kind, to } of item.references) {
      if (!(kind === 'auxl' && isAlpha) && !(kind === 'dimg' && item.type === 'tmap')) continue;
      for (const id of to) {
        const known = dependents.get(id);
        if (known === undefined) dependents.set(id, [item.id]);
        else known.push(item.id);
      }
    }
  }
  const waiting = [primary];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const item = items.get(id);
    if (item === undefined || needed.has(id)) continue;
    needed.add(id);
    waiting.push(...(dependents.get(id) ?? []));
    for (const { kind, to } of item.references) {
      if (kind === 'dimg') waiting.push(...to);
    }
  }
  return needed;
}
