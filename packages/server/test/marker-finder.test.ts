import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMarkerFinder } from '../src/adapters/metadata/marker-finder.ts';

const byte = fc.constantFrom(0x00, 0x01, 0xcf, 0xd0, 0xd7, 0xd8, 0xd9, 0xda, 0xff);

/** As ITU-T T.81 has it, annex B.1.1. */
function isMarkerAt(bytes: number[], at: number): boolean {
  const [first, second = 0] = bytes.slice(at, at + 2);
  return first === 0xff && second !== 0 && second !== 0xff && (second < 0xd0 || second > 0xd7);
}

test('finds every marker, wherever the parts end that arrive', () => {
  fc.assert(
    fc.property(fc.array(fc.array(byte)), (parts) => {
      const finder = createMarkerFinder();
      for (const part of parts) finder.add(Uint8Array.from(part));
      const bytes = parts.flat();
      for (let from = 0; from <= bytes.length; from += 1) {
        const at = bytes.findIndex((_, index) => index >= from && isMarkerAt(bytes, index));
        expect(finder.next(from)).toBe(at === -1 ? null : at);
      }
    }),
  );
});

test('does not know what lies behind more markers than a JPEG has, and does not take memory for them', () => {
  const finder = createMarkerFinder();
  for (let part = 0; part < 100; part += 1) finder.add(Buffer.from('ffd8'.repeat(1000), 'hex'));
  expect(finder.next(0)).toBe(0);
  expect(finder.next(5000)).toBe(5000);
  expect(finder.next(150_000)).toBeUndefined();
});
