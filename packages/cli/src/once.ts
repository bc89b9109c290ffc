/** Makes something when it is first asked for, of what is given then, and gives the same from then on. */
export function once<Given extends unknown[], T>(make: (...given: Given) => T): (...given: Given) => T {
  let made: { value: T } | undefined;
  return (...given) => (made ??= { value: make(...given) }).value;
}
