import { bearer } from './test-app.ts';

export const METRICS_TOKEN = 'prometheus-may-read-this';

/** Every sample by its name and labels, as they stand in the text. Throws where it is not Prometheus' text format. */
export async function scrape(request: (path: string, init: RequestInit) => Promise<Response>) {
  const answer = await request('/metrics', { headers: bearer(METRICS_TOKEN) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`no metrics: ${answer.status} ${text}`);
  return parseMetrics(text);
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/. prom-client writes "Nan", which Go reads as well. */
export function parseMetrics(text: string): Map<string, number> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  for (const line of text.slice(0, -1).split('\n')) {
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type !== null) {
      const [, name = '', kind = ''] = type;
      if (types.has(name)) throw new Error(`${name} stands there twice`);
      types.set(name, kind);
      continue;
    }
    if (line === '' || /^# HELP [a-zA-Z_:][\w:]* \S.*$/.test(line)) continue;
    const sample =
      /^(([a-zA-Z_:][\w:]*)(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)+\})?) (Nan|NaN|[+-]Inf|-?[\d.]+(?:e[+-]?\d+)?)$/.exec(
        line,
      );
    const [, key, name = '', value] = sample ?? [];
    if (key === undefined) throw new Error(`no line of the format: ${line}`);
    if (!types.has(name) && types.get(name.replace(/_(bucket|sum|count)$/, '')) === undefined) {
      throw new Error(`${name} has no type`);
    }
    if (samples.has(key)) throw new Error(`${key} stands there twice`);
    samples.set(key, Number(value));
  }
  return samples;
}
