/** The labels of a metric, each with all the values that it may have: what else comes is counted as `other`. */
export type LabelValues<Label extends string> = Record<Label, readonly string[]>;

/** What can be counted and measured about this server. Names and units are as Prometheus has them. */
export interface Metrics {
  /** A number that only grows. Every value of its labels is shown from the start, as 0. */
  counter<Label extends string>(
    name: string,
    help: string,
    labels: LabelValues<Label>,
  ): (values: Record<Label, string>, by?: number) => void;

  /** How long something takes. */
  histogram<Label extends string>(
    name: string,
    help: string,
    labels: LabelValues<Label>,
  ): (values: Record<Label, string>, seconds: number) => void;

  /** A number that is read whenever somebody looks. The same name may come again, with other labels. */
  gauge(name: string, help: string, read: () => number, labels?: Record<string, string>): void;

  /** All of it in Prometheus' text format. */
  render(): Promise<{ type: string; text: string }>;
}

/** Where nobody looks, nothing is counted. */
export const noMetrics: Metrics = {
  counter: () => ignore,
  histogram: () => ignore,
  gauge: ignore,
  render: async () => ({ type: 'text/plain', text: '' }),
};

function ignore(): void {
  // Nobody looks.
}
