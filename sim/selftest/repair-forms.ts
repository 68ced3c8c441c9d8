/** Closed forms of what protocols do about loss: what a resend costs, and what an ordered stream makes of it. */

import type { Streams } from '../world/streams.ts';
import { Bed } from './bed.ts';
import { BatchMeans, type Check, mean, share } from './check.ts';

const MESSAGES = 100_000;
const RESEND_MICROS = 100_000;
const LOSSES = [0.05, 0.1, 0.2] as const;

/** A lossy way of one packet at a time: whether it arrived. */
class Way {
  readonly #bed: Bed;
  #arrived = false;

  constructor(streams: Streams, name: string, loss: number) {
    this.#bed = new Bed(streams, name, { loss }, () => {
      this.#arrived = true;
    });
  }

  arrives(): boolean {
    this.#arrived = false;
    this.#bed.send(0, 100);
    this.#bed.advance(this.#bed.now);
    return this.#arrived;
  }
}

/** How often a message is sent until one gets through. */
function attempts(way: Way): number {
  let count = 1;
  while (!way.arrives()) count++;
  return count;
}

/** Resent each R: mean extra delay R p / (1 - p), variance R^2 p / (1 - p)^2; at most one resend: 1 - p^2. */
export function resend(streams: Streams): Check[] {
  return LOSSES.flatMap((p) => {
    const way = new Way(streams, `way ${p}`, p);
    let [extra, soon] = [0, 0];
    for (let i = 0; i < MESSAGES; i++) {
      const count = attempts(way);
      extra += (count - 1) * RESEND_MICROS;
      if (count <= 2) soon++;
    }
    const variance = (RESEND_MICROS ** 2 * p) / (1 - p) ** 2;
    return [
      mean(`ARQ, loss ${p}: mean extra delay, us`, (RESEND_MICROS * p) / (1 - p), variance, extra, MESSAGES),
      share(`ARQ, loss ${p}: share within one resend`, 1 - p * p, soon, MESSAGES),
    ];
  });
}

/** The interval doubles: mean extra delay R p / (1 - 2p), which has no end from a loss of a half on. */
export function backoff(streams: Streams): Check[] {
  return [0.02, 0.05, 0.1].map((p) => {
    const way = new Way(streams, `way ${p}`, p);
    const means = new BatchMeans(MESSAGES);
    for (let i = 0; i < MESSAGES; i++) means.add(RESEND_MICROS * (2 ** (attempts(way) - 1) - 1));
    return means.check(`ARQ with backoff, loss ${p}: mean extra delay, us`, (RESEND_MICROS * p) / (1 - 2 * p));
  });
}

/** An ordered stream: P(delay <= d + x) = product over m of F(x + mT); resends after R = 4T. */
export function headOfLine(streams: Streams): Check[] {
  const periods = 4;
  return LOSSES.flatMap((p) => {
    const way = new Way(streams, `way ${p}`, p);
    const arrivedAt = new Int32Array(MESSAGES);
    for (let i = 0; i < MESSAGES; i++) arrivedAt[i] = i + (attempts(way) - 1) * periods;
    const delays = new BatchMeans(MESSAGES);
    const prompt = new BatchMeans(MESSAGES);
    let delivered = 0;
    for (let i = 0; i < MESSAGES; i++) {
      delivered = Math.max(delivered, arrivedAt[i]!);
      delays.add(delivered - i);
      prompt.add(delivered === i ? 1 : 0);
    }
    // F in steps of T: a wait of j periods has room for floor(j / 4) + 1 attempts.
    const within = (from: number): number => {
      let product = 1;
      for (let m = from; m < from + 400; m++) product *= 1 - p ** (Math.floor(m / periods) + 1);
      return product;
    };
    let expected = 0;
    for (let j = 0; j < 400; j++) expected += 1 - within(j);
    return [
      delays.check(`head of line, loss ${p}, R = 4T: mean delay, periods`, expected),
      prompt.check(`head of line, loss ${p}, R = 4T: share without delay`, within(0)),
    ];
  });
}

/** n fragments: all arrive at once with (1 - p)^n; with selective resends it takes sum over k of 1 - (1 - p^k)^n rounds. */
export function fragments(streams: Streams): Check[] {
  return (
    [
      [2, 0.1],
      [16, 0.1],
      [64, 0.02],
    ] as const
  ).flatMap(([count, p]) => {
    const way = new Way(streams, `way ${count}`, p);
    const messages = Math.floor(MESSAGES / count) * 2;
    const rounds = new BatchMeans(messages);
    let whole = 0;
    for (let i = 0; i < messages; i++) {
      let most = 0;
      for (let n = 0; n < count; n++) most = Math.max(most, attempts(way));
      if (most === 1) whole++;
      rounds.add(most);
    }
    let expected = 0;
    for (let k = 0; k < 60; k++) expected += 1 - (1 - p ** k) ** count;
    return [
      share(`${count} fragments, loss ${p}: share whole at once`, (1 - p) ** count, whole, messages),
      rounds.check(`${count} fragments, loss ${p}: mean rounds of selective resends`, expected),
    ];
  });
}

/** The last k inputs in each packet: j periods late at most with 1 - p^(j + 1), never with p^k. */
export function redundancy(streams: Streams): Check[] {
  return [2, 3, 4].flatMap((copies) => {
    const p = 0.3;
    const way = new Way(streams, `way ${copies}`, p);
    const arrived = Uint8Array.from({ length: MESSAGES + copies }, () => (way.arrives() ? 1 : 0));
    const late = new BatchMeans(MESSAGES);
    const never = new BatchMeans(MESSAGES);
    for (let i = 0; i < MESSAGES; i++) {
      const first = arrived.subarray(i, i + copies).indexOf(1);
      late.add(first === 0 || first === 1 ? 1 : 0);
      never.add(first < 0 ? 1 : 0);
    }
    return [
      late.check(`inputs in ${copies} packets, loss ${p}: share at most a period late`, 1 - p * p),
      never.check(`inputs in ${copies} packets, loss ${p}: share never there`, p ** copies),
    ];
  });
}

/** Sent until an ack comes back over a way that loses q: 1 / ((1 - p)(1 - q)) times, of which a share of q is for nothing. */
export function lossyAcks(streams: Streams): Check[] {
  return LOSSES.flatMap((q) => {
    const p = 0.05;
    const there = new Way(streams, `there ${q}`, p);
    const back = new Way(streams, `back ${q}`, q);
    const success = (1 - p) * (1 - q);
    let [sent, repeats] = [0, 0];
    for (let i = 0; i < MESSAGES; i++) {
      for (let first = true; ; ) {
        sent++;
        if (!there.arrives()) continue;
        if (!first) repeats++;
        first = false;
        if (back.arrives()) break;
      }
    }
    const variance = (1 - success) / success ** 2;
    return [
      mean(`ARQ, acks lost ${q}: transmissions a message`, 1 / success, variance, sent, MESSAGES),
      mean(`ARQ, acks lost ${q}: arrivals for nothing a message`, q / (1 - q), q / (1 - q) ** 2, repeats, MESSAGES),
    ];
  });
}

/** An exchange of two flights, begun again each R by the client: mean extra R (1 - s) / s, s = (1 - p)^2. */
export function handshake(streams: Streams): Check[] {
  return [0.05, 0.3, 0.5].map((p) => {
    const there = new Way(streams, `there ${p}`, p);
    const back = new Way(streams, `back ${p}`, p);
    const success = (1 - p) ** 2;
    let extra = 0;
    for (let i = 0; i < MESSAGES; i++) while (!(there.arrives() && back.arrives())) extra += RESEND_MICROS;
    const variance = (RESEND_MICROS ** 2 * (1 - success)) / success ** 2;
    return mean(
      `handshake, loss ${p} both ways: mean extra, us`,
      (RESEND_MICROS * (1 - success)) / success,
      variance,
      extra,
      MESSAGES,
    );
  });
}
