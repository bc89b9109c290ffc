import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { LabelValues, Metrics } from '../../ports/metrics.ts';

/** In seconds: from an answer out of memory to a large picture over a slow line. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What of the process is watched costs an observer each, and cannot be given back: once, however many servers there are. */
let ofProcess: Registry | undefined;

/** Metrics as prom-client keeps them, each app's in a registry of its own. */
export function createPrometheusMetrics(): Metrics {
  const shared = (ofProcess ??= watchProcess());
  const ofApp = new Registry();
  const registers = [ofApp];
  const gauges = new Map<string, { labels: Record<string, string>; read: () => number }[]>();

  return {
    counter(name, help, labels) {
      const counter = new Counter({ name, help, labelNames: Object.keys(labels), registers });
      for (const values of combinations(labels)) counter.inc(values, 0);
      const bounded = boundedBy(labels);
      return (values, by = 1) => {
        counter.inc(bounded(values), by);
      };
    },

    histogram(name, help, labels) {
      const histogram = new Histogram({ name, help, labelNames: Object.keys(labels), buckets: BUCKETS, registers });
      const bounded = boundedBy(labels);
      return (values, seconds) => {
        histogram.observe(bounded(values), seconds);
      };
    },

    gauge(name, help, read, labels = {}) {
      const known = gauges.get(name);
      if (known !== undefined) {
        known.push({ labels, read });
        return;
      }
      const readings = [{ labels, read }];
      gauges.set(name, readings);
      const collect = function collect(this: Gauge) {
        for (const reading of readings) this.set(reading.labels, reading.read());
      };
      ofApp.registerMetric(new Gauge({ name, help, labelNames: Object.keys(labels), registers: [], collect }));
    },

    async render() {
      return { type: ofApp.contentType, text: `${await ofApp.metrics()}${await shared.metrics()}` };
    },
  };
}

function watchProcess(): Registry {
  const register = new Registry();
  collectDefaultMetrics({ register });
  return register;
}

/** Whatever a client can choose must not become a series: they are never forgotten. */
function boundedBy<Label extends string>(labels: LabelValues<Label>) {
  const known = Object.entries<readonly string[]>(labels).map(([label, values]) => [label, new Set(values)] as const);
  return (values: Record<Label, string>): Record<string, string> => {
    const given: Record<string, string> = values;
    return Object.fromEntries(
      known.map(([label, allowed]) => {
        const value = given[label] ?? '';
        return [label, allowed.has(value) ? value : 'other'];
      }),
    );
  };
}

function combinations(labels: Record<string, readonly string[]>): Record<string, string>[] {
  let all: Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries(labels)) {
    all = all.flatMap((before) => values.map((value) => ({ ...before, [label]: value })));
  }
  return all;
}
