import { expect, it } from 'vitest';
import { AckTracker } from '../../../transport/recovery/ack-tracker.ts';
import { ACK_OK, LossDetector } from '../../../transport/recovery/loss-detector.ts';
import { LossRate } from '../../../transport/recovery/loss-rate.ts';
import { RttEstimator } from '../../../transport/recovery/rtt-estimator.ts';
import { PACKET_ACKED, PACKET_LOST, SentPackets } from '../../../transport/recovery/sent-packets.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';
import { heapBytesOfSlices } from '../../sys/collect-garbage.ts';

const CONNECTIONS = 64;
const TICK_MICROS = 4_000;
/** Ticks that a packet and its ack take together. */
const TRIP_TICKS = 10;
const LOST_ONE_IN = 20;
const TICKS_A_ROUND = 1_000_000 / CONNECTIONS;

/** Every connection sends a packet a tick, 5 % are lost, the rest come five ticks later, and are acked at once. */
class Traffic {
  now = 1_000_000;
  ticks = 0;
  acked = 0;
  lost = 0;
  readonly number: Float64Array = new Float64Array(1);
  readonly received: Float64Array = new Float64Array(1);
  readonly noAck: Float64Array = Float64Array.of(-1);
  readonly sent: SentPackets = new SentPackets(CONNECTIONS);
  readonly rtt: RttEstimator = new RttEstimator(CONNECTIONS);
  readonly rates: LossRate = new LossRate(CONNECTIONS);
  readonly detector: LossDetector = new LossDetector(CONNECTIONS, this.sent, this.rtt, this.rates);
  /** Of the other side, and the packets in which it sends its acks. */
  readonly tracker: AckTracker = new AckTracker(CONNECTIONS, this.received);
  readonly back: SentPackets = new SentPackets(CONNECTIONS);
  readonly backNumber: Float64Array = new Float64Array(1);
  readonly cursor: FrameCursor = new FrameCursor();
  readonly bytes: Uint8Array = new Uint8Array(256);
  readonly first: number;
  #random = 12345;

  constructor(first: number) {
    this.first = first;
  }

  packetAcked(c: number, slot: number): void {
    if (this.sent.state[slot] === PACKET_ACKED) this.acked++;
    this.rates.copies(c);
  }

  packetLost(_c: number, slot: number): void {
    if (this.sent.state[slot] === PACKET_LOST) this.lost++;
  }

  run(ticks: number): void {
    for (let tick = 0; tick < ticks; tick++) {
      this.now += TICK_MICROS;
      for (let c = 0; c < CONNECTIONS; c++) this.#step(c);
      this.ticks++;
    }
  }

  #step(c: number): void {
    this.number[0] = this.first + this.ticks;
    this.sent.record(c, 100, true, c, this.noAck, this.number, this.now);
    this.detector.onSent(c);
    if (this.detector.lossAt[c]! <= this.now) this.detector.onLossTimer(c, this.now, this);
    if (this.ticks < TRIP_TICKS) return;
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
    if ((this.#random >>> 8) % LOST_ONE_IN === 0) return;
    this.received[0] = this.first + this.ticks - TRIP_TICKS;
    this.tracker.onPacket(c, true, this.now);
    const end = this.tracker.write(c, this.bytes, 0, this.bytes.length, this.now);
    this.backNumber[0] = this.ticks;
    const slot = this.back.record(c, 20, false, -1, this.tracker.reported, this.backNumber, this.now);
    this.cursor.wrap(this.bytes, 1, end - 1);
    if (this.detector.onAck(c, this.bytes[0]!, this.cursor, this.now, this) !== ACK_OK) throw new Error('bad ack');
    this.tracker.onAckHeard(c, this.back, slot);
  }
}

it.each([
  ['small numbers', 0],
  ['numbers beyond 2^32', 2 ** 32 - 1000],
])(
  'grows the heap by at most half a byte a packet: a million sent, one in 20 lost, the rest acked, %s',
  (_name, first) => {
    const traffic = new Traffic(first);
    traffic.run(4_000);
    const bytesAPacket: number[] = [];
    for (let round = 0; round < 4 && !(bytesAPacket.at(-1)! <= 0.5); round++) {
      const before = traffic.acked + traffic.lost;
      const started = performance.now();
      const grown = heapBytesOfSlices(10, () => traffic.run(TICKS_A_ROUND / 10));
      const packets = traffic.acked + traffic.lost - before;
      if (process.env.PRINT_FIGURES) console.log(`${((performance.now() - started) * 1e6) / packets} ns a packet`);
      expect(packets).toBeGreaterThan(990_000);
      bytesAPacket.push(grown / packets);
    }
    expect(traffic.lost / (traffic.acked + traffic.lost)).toBeCloseTo(0.05, 2);
    expect(bytesAPacket.at(-1), `bytes a packet, round by round: ${bytesAPacket}`).toBeLessThanOrEqual(0.5);
  },
);
