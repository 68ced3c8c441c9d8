/** The distribution of several runs' latencies together, from the quantiles that each run reports. */

import { LATENCY_SHARES } from '../scenario/message-latencies.ts';

/** One run's distribution. */
export interface Part {
  /** Messages that it is about. */
  readonly count: number;
  /** At each of `LATENCY_SHARES`. */
  readonly quantiles: readonly number[];
}

/** Quantiles of all parts together, each as heavy as it has messages; null of none. */
export function poolQuantiles(parts: readonly Part[]): number[] | null {
  let fastest = Number.POSITIVE_INFINITY;
  const steps: { readonly value: number; readonly weight: number }[] = [];
  for (const { count, quantiles } of parts) {
    if (quantiles.length !== LATENCY_SHARES.length) continue;
    if (count > 0 && quantiles[0]! < fastest) fastest = quantiles[0]!;
    let before = 0;
    for (let i = 0; i < quantiles.length; i++) {
      const weight = (LATENCY_SHARES[i]! - before) * count;
      before = LATENCY_SHARES[i]!;
      if (weight > 0) steps.push({ value: quantiles[i]!, weight });
    }
  }
  const total = steps.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return null;
  steps.sort((a, b) => a.value - b.value);
  const pooled: number[] = [];
  let [seen, next] = [0, 0];
  let value = fastest;
  for (const share of LATENCY_SHARES) {
    // A sum of shares may miss a whole by its last bits.
    while (next < steps.length && seen < share * total * (1 - 1e-9)) {
      seen += steps[next]!.weight;
      value = steps[next++]!.value;
    }
    pooled.push(value);
  }
  return pooled;
}
