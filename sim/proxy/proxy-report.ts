/** What a proxy has done, as data. */

import { type LatencyHistogram, millisOf } from '../world/latency-histogram.ts';
import { DOWN, UP } from './proxy-clients.ts';
import type { UdpProxy } from './udp-proxy.ts';

/** How long something took; null while nothing has happened. */
export interface QuantilesMs {
  readonly p50: number | null;
  readonly p99: number | null;
}

/**
 * One way, over all clients;
 * `sent + duplicated = delivered + lost + queueDropped + cut + tooLarge + policed + unheard + overflowed + underWay`.
 */
export interface WayReport {
  /** Came in and set out on a link. */
  readonly sent: number;
  readonly sentBytes: number;
  /** Given to the kernel at the end of the link. */
  readonly delivered: number;
  readonly lost: number;
  readonly queueDropped: number;
  /** Came while the link was cut. */
  readonly cut: number;
  readonly tooLarge: number;
  readonly policed: number;
  readonly corrupted: number;
  readonly duplicated: number;
  /** Were on their way to a mapping that was replaced meanwhile. */
  readonly unheard: number;
  /** Found no room in a socket's batch, or no socket. */
  readonly overflowed: number;
  readonly underWay: number;
  /** Delivered in a second, in the mean. */
  readonly packetsPerSecond: number;
  /** From coming in to going out. */
  readonly latencyMs: QuantilesMs;
}

export interface ProxyReport {
  readonly seed: string;
  readonly seconds: number;
  readonly clients: {
    readonly now: number;
    readonly highest: number;
    readonly seen: number;
    readonly forgotten: number;
  };
  readonly rebinds: number;
  /** From clients to the server. */
  readonly up: WayReport;
  readonly down: WayReport;
  /** How much later than its time a datagram went out. */
  readonly latenessMs: QuantilesMs & { readonly max: number };
  /** Datagrams that never set out on a link. */
  readonly dropped: {
    /** Of clients beyond the most that may be. */
    readonly refused: number;
    /** Came while too many were under way. */
    readonly crowded: number;
    /** Came to a client's socket and not from the server. */
    readonly strangers: number;
    /** Longer than what is taken in. */
    readonly tooLong: number;
  };
  /** Delivered, and not taken by the kernel. */
  readonly notSent: number;
}

/** As of now. */
export function proxyReport(proxy: UdpProxy): ProxyReport {
  const { clients, counters, departures } = proxy;
  const sockets = proxy.sockets.totals();
  const seconds = proxy.now / 1_000_000;
  return {
    seed: proxy.seed,
    seconds: Math.round(seconds * 1000) / 1000,
    clients: { now: clients.count, highest: clients.highest, seen: clients.seen, forgotten: clients.forgotten },
    rebinds: counters.rebinds,
    up: wayOf(proxy, UP, seconds),
    down: wayOf(proxy, DOWN, seconds),
    latenessMs: { ...quantiles(departures.lateness), max: millisOf(departures.latestMicros)! },
    dropped: {
      refused: counters.refused,
      crowded: counters.crowded,
      strangers: counters.strangers,
      tooLong: sockets.truncated,
    },
    notSent: sockets.notSent,
  };
}

function wayOf(proxy: UdpProxy, way: typeof UP | typeof DOWN, seconds: number): WayReport {
  const { sent, sentBytes, lost, dropped, cut, tooLarge, policed, corrupted, duplicated, ...rest } =
    proxy.clients.totals(way);
  const { unheard, overflowed } = proxy.ways[way];
  const delivered = rest.delivered - unheard - overflowed;
  return {
    sent,
    sentBytes,
    delivered,
    lost,
    queueDropped: dropped,
    cut,
    tooLarge,
    policed,
    corrupted,
    duplicated,
    unheard,
    overflowed,
    underWay: sent + duplicated - rest.delivered - lost - dropped - cut - tooLarge - policed,
    packetsPerSecond: Math.round(delivered / seconds),
    latencyMs: quantiles(proxy.departures.latency[way]),
  };
}

function quantiles(histogram: LatencyHistogram): QuantilesMs {
  return { p50: millisOf(histogram.quantile(0.5)), p99: millisOf(histogram.quantile(0.99)) };
}
