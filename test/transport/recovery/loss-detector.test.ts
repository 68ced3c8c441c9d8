import { describe, expect, it } from 'vitest';
import { NEVER } from '../../../sys/api.ts';
import {
  ACK_MALFORMED,
  ACK_OK,
  ACK_VIOLATION,
  type FateSink,
  LossDetector,
} from '../../../transport/recovery/loss-detector.ts';
import { LossRate } from '../../../transport/recovery/loss-rate.ts';
import { RttEstimator } from '../../../transport/recovery/rtt-estimator.ts';
import { SentPackets } from '../../../transport/recovery/sent-packets.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';

const C = 1;
const MS = 1000;
const NO_ACK = Float64Array.of(-1);

class Sender implements FateSink {
  readonly sent = new SentPackets(3);
  readonly rtt = new RttEstimator(3);
  readonly rates = new LossRate(3);
  readonly detector = new LossDetector(3, this.sent, this.rtt, this.rates);
  fates: string[] = [];

  packetAcked(_c: number, slot: number): void {
    this.fates.push(`acked ${this.sent.number[slot]}`);
  }

  packetLost(_c: number, slot: number): void {
    this.fates.push(`lost ${this.sent.number[slot]}`);
  }

  send(number: number, now: number, eliciting = true): void {
    this.sent.record(C, 100, eliciting, eliciting ? number % 1000 : -1, NO_ACK, Float64Array.of(number), now);
    if (eliciting) this.detector.onSent(C);
  }

  sendAll(from: number, to: number, now: number): void {
    for (let number = from; number <= to; number++) this.send(number, now);
  }

  /** The fates that an ack of these bytes brings, or its verdict. `rest`: run, then gap and run in turn. */
  ack(now: number, newest: number, delayMicros: number, ...rest: number[]): string[] | number {
    const delay = delayMicros / 8;
    const varints = rest.flatMap((v) => (v < 128 ? [v] : [(v & 127) | 128, ((v >> 7) & 127) | 128, (v >> 14) & 127]));
    const type = 0x10 + (rest.length - 1) / 2;
    return this.read(now, [type, newest & 255, (newest >>> 8) & 255, delay & 255, delay >> 8, ...varints]);
  }

  read(now: number, bytes: number[]): string[] | number {
    this.fates = [];
    const cursor = new FrameCursor().wrap(Uint8Array.from(bytes), 1, bytes.length - 1);
    const verdict = this.detector.onAck(C, bytes[0]!, cursor, now, this);
    return verdict === ACK_OK ? this.fates : verdict;
  }

  timer(now: number): string[] {
    this.fates = [];
    this.detector.onLossTimer(C, now, this);
    return this.fates;
  }
}

describe('loss', () => {
  it('is declared when a packet sent three numbers later is acked', () => {
    const s = new Sender();
    s.sendAll(0, 5, 0);
    expect(s.ack(50 * MS, 2, 0, 1)).toEqual(['acked 1', 'acked 2']);
    expect(s.ack(50 * MS, 3, 0, 0)).toEqual(['acked 3', 'lost 0']);
    expect(s.detector.summary).toMatchObject({ ackedBytes: 100, ackedPackets: 1, lostBytes: 100, lostPackets: 1 });
    expect(s.sent.inFlightPackets[C]).toBe(2);
    expect(s.rates.lostPackets[C]).toBe(1);
  });

  it('is declared 9/8 of a round trip after sending while a later one is acked, and not before', () => {
    const s = new Sender();
    s.send(0, 0);
    s.send(1, 1 * MS);
    expect(s.ack(81 * MS, 1, 0, 0)).toEqual(['acked 1']);
    expect(s.detector.lossAt[C]).toBe(90 * MS);
    expect(s.timer(90 * MS - 1)).toEqual([]);
    expect(s.detector.lossAt[C]).toBe(90 * MS);
    expect(s.timer(90 * MS)).toEqual(['lost 0']);
    expect(s.detector.lossAt[C]).toBe(NEVER);
    expect(s.detector.probeAt[C]).toBe(NEVER);
    expect(s.detector.summary.newestLostSentAt[0]).toBe(0);
  });

  it('takes what was only late as a lesson: both thresholds widen, the fate stands', () => {
    const s = new Sender();
    s.sendAll(0, 10, 0);
    s.sendAll(11, 40, 0);
    s.ack(50 * MS, 20, 0, 14); // 6 .. 20: 0 .. 5 are lost
    expect(s.fates.filter((fate) => fate.startsWith('lost'))).toHaveLength(6);
    expect(s.ack(51 * MS, 20, 0, 19)).toEqual([]); // 1 .. 5 came late, 1 by 19 numbers
    expect(s.detector.spuriousPackets[C]).toBe(5);
    expect(s.ack(51 * MS, 20, 0, 19)).toEqual([]);
    expect(s.detector.spuriousPackets[C]).toBe(5);
    expect(s.ack(52 * MS, 39, 0, 0)).toEqual(['acked 39']); // 21 lies 18 below, the threshold is 20 now
    expect(s.ack(52 * MS, 40, 0, 1)).toEqual(['acked 40']);
    s.send(41, 53 * MS);
    expect(s.ack(54 * MS, 41, 0, 0)).toEqual(['acked 41', 'lost 21']);
    expect(s.detector.lossAt[C]).toBe(Math.ceil((s.rtt.longerMicros(C) * 10) / 8));
  });

  it('widens up to 256 numbers and two round trips', () => {
    const s = new Sender();
    let next = 0;
    for (let round = 0; round < 12; round++) {
      s.sendAll(next, next + 700, 0);
      s.ack(50 * MS, next + 700, 0, 0);
      s.ack(50 * MS, next + 700, 0, 700);
      next += 701;
    }
    expect(s.detector.spuriousPackets[C]).toBeGreaterThan(1000);
    s.sendAll(next, next + 256, 60 * MS);
    s.ack(61 * MS, next + 256, 0, 0);
    expect(s.fates).toEqual([`acked ${next + 256}`, `lost ${next}`]);
    expect(s.detector.lossAt[C]).toBe(60 * MS + 2 * s.rtt.longerMicros(C));
  });

  it('does not befall packets that asked for no ack, nor do those count', () => {
    const s = new Sender();
    s.send(0, 0);
    s.send(1, 0, false);
    s.sendAll(2, 6, 0);
    expect(s.ack(50 * MS, 6, 0, 4, 0, 0)).toHaveLength(6);
    expect(s.rates.settledPackets[C]).toBe(6);
    expect(s.rates.lostPackets[C]).toBe(0);
    s.send(7, 0, false);
    expect(s.detector.probeAt[C]).toBe(NEVER);
    expect(s.ack(60 * MS, 7, 0, 7)).toEqual(['acked 1', 'acked 7']);
    expect(s.detector.summary).toMatchObject({ ackedBytes: 0, ackedPackets: 0, rttMicros: 0 });
  });

  it('is persistent congestion when nothing came through for three probe timeouts', () => {
    const t = new Sender();
    t.send(0, 0);
    t.ack(50 * MS, 0, 0, 0);
    const span = 3 * t.rtt.ptoMicros(C) + 30 * MS;
    t.send(1, 100 * MS);
    t.send(2, 100 * MS + span);
    t.sendAll(3, 6, 110 * MS + span);
    t.ack(160 * MS + span, 6, 0, 3);
    expect(t.detector.summary).toMatchObject({ lostPackets: 2, persistentCongestion: true });
    const u = new Sender();
    u.send(0, 0);
    u.ack(50 * MS, 0, 0, 0);
    for (const n of [1, 2, 3]) u.send(n, 100 * MS + (n - 1) * (span / 2));
    u.sendAll(4, 6, 110 * MS + span);
    u.ack(160 * MS + span, 6, 0, 2, 0, 0); // 2 came through
    expect(u.detector.summary).toMatchObject({ lostPackets: 2, persistentCongestion: false });
    const v = new Sender();
    v.send(0, 0);
    v.ack(50 * MS, 0, 0, 0);
    v.send(1, 100 * MS);
    v.send(2, 100 * MS + span);
    v.send(3, 110 * MS + span);
    v.ack(145 * MS + span, 3, 0, 0); // 1 is lost by time, 2 a little later
    expect(v.detector.summary).toMatchObject({ lostPackets: 1, persistentCongestion: false });
    expect(v.timer(v.detector.lossAt[C]!)).toEqual(['lost 2']);
    expect(v.detector.summary.persistentCongestion).toBe(true);
  });
});

describe('probes', () => {
  it('are due a probe timeout after the last packet that asks for an ack, times 1, 1.5, 2.25, 4.5', () => {
    const s = new Sender();
    s.send(0, 0);
    const pto = s.rtt.ptoMicros(C);
    expect(s.detector.probeAt[C]).toBe(pto);
    s.send(1, 10 * MS, false);
    expect(s.detector.probeAt[C]).toBe(pto);
    s.send(2, 20 * MS);
    let last = 20 * MS;
    expect(s.detector.probeAt[C]).toBe(last + pto);
    let number = 3;
    for (const factor of [1.5, 2.25, 4.5, 9]) {
      last = s.detector.probeAt[C]!;
      s.detector.onProbe(C, last);
      expect(s.detector.probeAt[C]).toBe(last + Math.ceil(pto * factor));
      s.send(number++, last);
      expect(s.detector.probeAt[C]).toBe(last + Math.ceil(pto * factor));
    }
    s.ack(last, 2, 0, 0);
    expect(s.detector.probes(C)).toBe(0);
    expect(s.detector.probeAt[C]).toBe(last + s.rtt.ptoMicros(C));
  });

  it('stay finite however many go unanswered', () => {
    const s = new Sender();
    s.send(0, 0);
    for (let i = 0; i < 500; i++) s.detector.onProbe(C, i);
    expect(s.detector.probeAt[C]).toBe(499 + 60_000_000);
  });
});

describe('hostile and broken acks', () => {
  const sender = () => {
    const s = new Sender();
    s.sendAll(1000, 1005, 0);
    s.sent.skip(C, Float64Array.of(1006));
    s.sendAll(1007, 1009, 0);
    s.send(1012, 0); // 1010 and 1011: keep-alives
    return s;
  };
  const untouched = (s: Sender) => {
    expect(s.fates).toEqual([]);
    expect(s.sent.inFlightPackets[C]).toBe(10);
    expect(s.sent.largestAcked[C]).toBe(-1);
    expect(s.rtt.hasSample(C)).toBe(false);
  };

  it.each([
    ['a number beyond the last one sent', [1013, 0, 0]],
    ['a number before the first one', [999, 0, 0]],
    ['a run that reaches before the first one', [1003, 0, 4]],
    ['a range that reaches before the first one', [1012, 0, 0, 10, 1]],
    ['a skipped number as newest', [1006, 0, 0]],
    ['a skipped number in a run', [1008, 0, 2]],
    ['a skipped number in a run after a gap', [1012, 0, 0, 2, 2]],
    ['the number of a keep-alive', [1011, 0, 0]],
    ['a keep-alive in a run', [1012, 0, 1]],
  ])('of %s break the protocol and change nothing', (_name, [newest, delay, ...rest]) => {
    const s = sender();
    expect(s.ack(10 * MS, newest!, delay!, ...rest)).toBe(ACK_VIOLATION);
    untouched(s);
  });

  it('that reach below 0 or are cut off are malformed and change nothing', () => {
    const s = sender();
    expect(s.ack(10 * MS, 1005, 0, 1006)).toBe(ACK_MALFORMED);
    expect(s.ack(10 * MS, 1005, 0, 0, 2000, 0)).toBe(ACK_MALFORMED);
    const whole = [0x11, 1005 & 255, 1005 >> 8, 0, 0, 0x81, 0x00, 0, 0];
    for (let length = 1; length < whole.length; length++) {
      expect(s.read(10 * MS, whole.slice(0, length))).toBe(ACK_MALFORMED);
    }
    expect(s.read(10 * MS, [0x10, 1005 & 255, 1005 >> 8, 0, 0, 0x80, 0x80, 0x80, 0x80, 0])).toBe(ACK_MALFORMED);
    const huge = Array.from({ length: 63 }, () => [0xff, 0xff, 0xff, 0x7f]).flat();
    expect(s.read(10 * MS, [0x2f, 1005 & 255, 1005 >> 8, 0, 0, ...huge])).toBe(ACK_MALFORMED);
    untouched(s);
    const acked = ['acked 1002', 'acked 1004', 'acked 1005'];
    expect(s.read(10 * MS, whole)).toEqual([...acked, 'lost 1000', 'lost 1001']);
  });

  it('before anything was sent break the protocol', () => {
    expect(new Sender().ack(0, 0, 0, 0)).toBe(ACK_VIOLATION);
    expect(new Sender().ack(0, 65_535, 0, 0)).toBe(ACK_VIOLATION);
  });

  it('of numbers that the ring no longer holds are heard without effect', () => {
    const s = new Sender();
    for (let n = 0; n < 5000; n++) {
      s.send(n, n);
      s.ack(n + 1, n, 0, 0);
    }
    expect(s.ack(6000, 4999, 0, 4000)).toEqual([]);
    expect(s.ack(6000, 2, 0, 2)).toEqual([]);
  });
});

describe('numbers', () => {
  it.each([0, 2 ** 32 - 5, 2 ** 53 - 100_000])('from %d on are expanded to the greatest that was used', (first) => {
    const s = new Sender();
    s.sendAll(first, first + 30_000, 0);
    s.send(first + 40_000, 0); // a gap of 10,000 numbers
    expect(s.ack(50 * MS, first + 40_000, 0, 0)).toHaveLength(30_002);
    expect(s.fates[0]).toBe(`acked ${first + 40_000}`);
    expect(s.fates.at(-1)).toBe(`lost ${first + 30_000}`);
    expect(s.sent.ringSlots(C)).toBe(8);
    s.send(first + 140_000, 60 * MS);
    expect(s.ack(90 * MS, first + 140_000, 0, 0)).toEqual([`acked ${first + 140_000}`]);
  });
});

describe('round trips', () => {
  it('are taken from the newest packet when it is newly acked, less the delay of the peer', () => {
    const s = new Sender();
    s.sendAll(0, 3, 0);
    s.ack(40 * MS, 1, 0, 0);
    expect(s.detector.summary.rttMicros).toBe(40 * MS);
    s.ack(60 * MS, 1, 0, 1); // 0 comes late: the delay does not belong to it
    expect(s.detector.summary.rttMicros).toBe(0);
    s.ack(60 * MS, 2, 16 * MS, 0);
    expect(s.rtt.latest[C]).toBe(44 * MS);
    s.ack(70 * MS, 3, 8 * 0xffff, 0); // too long to say
    expect(s.detector.summary.rttMicros).toBe(0);
    expect(s.rtt.latest[C]).toBe(44 * MS);
    s.send(4, 70 * MS);
    s.send(5, 80 * MS, false); // the ack of a packet that asked for none tells the time as well
    s.ack(125 * MS, 5, 0, 1);
    expect(s.rtt.latest[C]).toBe(45 * MS);
    expect(s.rtt.latest[0]).toBe(100 * MS);
  });
});
