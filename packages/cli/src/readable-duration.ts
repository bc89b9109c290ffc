/** "8 s", "3 min 20 s", "2 h 5 min". */
export function readableDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), 'min', whole % 60, 's');
  return two(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
}

function two(many: number, large: string, few: number, small: string): string {
  return few === 0 ? `${many} ${large}` : `${many} ${large} ${few} ${small}`;
}
