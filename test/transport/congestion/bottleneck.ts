/**
 * A world of one bottleneck: flows that send into one queue, receivers behind it, acknowledgements on the way back.
 *
 * Virtual time in whole microseconds, chance from a seed, nothing else: a run is a pure function of its scenario. The queue is
 * a FIFO with tail drop; random loss and jitter come after it, as on a radio link behind a router.
 */

/** Ethernet is not counted; IP and UDP are: what a packet of ours takes on the wire beside its payload. */
export const WIRE_OVERHEAD_BYTES = 28;

export interface Path {
  /** Bytes a second on the wire, and later rates with the time from which they hold. */
  readonly bytesPerSecond: number;
  readonly rateChanges?: readonly (readonly [atMicros: number, bytesPerSecond: number])[];
  readonly bufferBytes: number;
  /** Share of packets lost by chance. */
  readonly loss?: number;
  /** Added to each packet's way, 0 to this much; packets overtake each other. */
  readonly jitterMicros?: number;
  /** Packets arrive in heaps, this far apart (Wi-Fi). */
  readonly heapMicros?: number;
  readonly ackLoss?: number;
  /** Acknowledgements arrive in heaps, this far apart. */
  readonly ackHeapMicros?: number;
}

/** What meets in the bottleneck. */
export interface Flow {
  /** Round trip without queue, microseconds; may change during a run. */
  rttMicros: number;
  start(now: number): void;
  /** An acknowledgement has arrived: the receiver's log is known up to `logged` entries. */
  acknowledged(logged: number, delayMicros: number, now: number): void;
  timer(now: number): void;
  readonly receiver: Receiver;
}

/** mulberry32: enough for a test, the same everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Acknowledges every second packet, but at most once a millisecond, and a lone packet after 25 ms. */
export class Receiver {
  /** Packet numbers in the order of arrival. An acknowledgement says how far the log goes, so a lost one costs nothing. */
  readonly log: number[] = [];
  bytes = 0;
  bytesInWindow = 0;
  windowFrom = 0;
  windowTo: number = Number.MAX_SAFE_INTEGER;
  #pending = 0;
  #lastAt = 0;
  #lastAckAt = -1_000_000;
  ackDueAt = -1;

  arrive(number: number, bytes: number, now: number): void {
    this.log.push(number);
    this.bytes += bytes;
    if (now >= this.windowFrom && now < this.windowTo) this.bytesInWindow += bytes;
    this.#lastAt = now;
    this.#pending++;
    const due = this.#pending >= 2 ? Math.max(now, this.#lastAckAt + 1000) : now + 25_000;
    if (this.ackDueAt < 0 || due < this.ackDueAt) this.ackDueAt = due;
  }

  /** The delay to report when an acknowledgement leaves now. */
  acknowledge(now: number): number {
    this.#pending = 0;
    this.#lastAckAt = now;
    this.ackDueAt = -1;
    return now - this.#lastAt;
  }
}

const DEPART = 0;
const ARRIVE = 1;
const ACK_LEAVES = 2;
const ACK_ARRIVES = 3;
const TIMER = 4;
const START = 5;
const CALL = 6;

interface Event {
  at: number;
  order: number;
  kind: number;
  flow: number;
  a: number;
  b: number;
}

interface Queued {
  readonly flow: number;
  readonly number: number;
  readonly bytes: number;
  readonly at: number;
  readonly realTime: boolean;
}

export class Bottleneck {
  now = 0;
  readonly flows: Flow[] = [];
  /** Waiting time of each real-time packet (or of each packet, where no flow has any): when it came and how long it waited. */
  readonly waits: { at: number; wait: number; flow: number; realTime: boolean }[] = [];
  /** Payload bytes that have left the queue, by flow. */
  dropped = 0;
  readonly random: () => number;
  readonly #path: Path;
  #rate: number;
  readonly #heap: Event[] = [];
  #order = 0;
  readonly #queue: Queued[] = [];
  #head = 0;
  #queuedBytes = 0;
  readonly #lastArrival: number[] = [];
  readonly #lastAckArrival: number[] = [];
  readonly #calls: (() => void)[] = [];
  readonly #ackTimer: number[] = [];

  constructor(path: Path, seed: number) {
    this.#path = path;
    this.#rate = path.bytesPerSecond;
    this.random = randomFrom(seed);
    for (const [at, rate] of path.rateChanges ?? []) {
      this.call(at, () => {
        this.#rate = rate;
      });
    }
  }

  add(flow: Flow, startsAt: number): number {
    const index = this.flows.push(flow) - 1;
    this.#lastArrival.push(0);
    this.#lastAckArrival.push(0);
    this.#ackTimer.push(-1);
    this.#post(startsAt, START, index, 0, 0);
    return index;
  }

  call(at: number, what: () => void): void {
    this.#post(at, CALL, this.#calls.push(what) - 1, 0, 0);
  }

  timer(flow: number, at: number): void {
    this.#post(at, TIMER, flow, 0, 0);
  }

  /** A packet enters the queue, or is dropped at its tail. */
  send(flow: number, number: number, payloadBytes: number, realTime: boolean): void {
    const bytes = payloadBytes + WIRE_OVERHEAD_BYTES;
    if (this.#queuedBytes + bytes > this.#path.bufferBytes) {
      this.dropped++;
      return;
    }
    this.#queuedBytes += bytes;
    this.#queue.push({ flow, number, bytes, at: this.now, realTime });
    if (this.#queue.length - this.#head === 1) this.#serve();
  }

  #serve(): void {
    const first = this.#queue[this.#head]!;
    const wait = this.now - first.at;
    this.waits.push({ at: this.now, wait, flow: first.flow, realTime: first.realTime });
    this.#post(this.now + (first.bytes * 1e6) / this.#rate, DEPART, first.flow, 0, 0);
  }

  run(until: number): void {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until) break;
      this.#pop();
      this.now = event.at;
      this.#happen(event);
    }
    this.now = until;
  }

  #happen(event: Event): void {
    const flow = this.flows[event.flow]!;
    switch (event.kind) {
      case DEPART:
        this.#depart();
        return;
      case ARRIVE: {
        flow.receiver.arrive(event.a, event.b, this.now);
        const due = flow.receiver.ackDueAt;
        const armed = this.#ackTimer[event.flow]!;
        if (due >= 0 && (armed < this.now || due < armed)) {
          this.#ackTimer[event.flow] = due;
          this.#post(due, ACK_LEAVES, event.flow, 0, 0);
        }
        return;
      }
      case ACK_LEAVES: {
        if (flow.receiver.ackDueAt < 0) return;
        if (flow.receiver.ackDueAt > this.now) {
          this.#ackTimer[event.flow] = flow.receiver.ackDueAt;
          this.#post(flow.receiver.ackDueAt, ACK_LEAVES, event.flow, 0, 0);
          return;
        }
        this.#ackTimer[event.flow] = -1;
        const delay = flow.receiver.acknowledge(this.now);
        if (this.random() < (this.#path.ackLoss ?? 0)) return;
        let at = this.now + flow.rttMicros / 2;
        const heap = this.#path.ackHeapMicros ?? 0;
        if (heap > 0) at = Math.ceil(at / heap) * heap;
        at = Math.max(at, this.#lastAckArrival[event.flow]!);
        this.#lastAckArrival[event.flow] = at;
        this.#post(at, ACK_ARRIVES, event.flow, flow.receiver.log.length, delay);
        return;
      }
      case ACK_ARRIVES:
        flow.acknowledged(event.a, event.b, Math.round(this.now));
        return;
      case TIMER:
        flow.timer(Math.round(this.now));
        return;
      case START:
        flow.start(Math.round(this.now));
        return;
      default:
        this.#calls[event.flow]!();
    }
  }

  #depart(): void {
    const packet = this.#queue[this.#head++]!;
    if (this.#head > 4096 && this.#head > this.#queue.length / 2) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    this.#queuedBytes -= packet.bytes;
    if (this.#queue.length > this.#head) this.#serve();
    if (this.random() < (this.#path.loss ?? 0)) return;
    let at = this.now + this.flows[packet.flow]!.rttMicros / 2;
    const heap = this.#path.heapMicros ?? 0;
    if (heap > 0) at = Math.max(Math.ceil(at / heap) * heap, this.#lastArrival[packet.flow]!);
    const jitter = this.#path.jitterMicros ?? 0;
    if (jitter > 0) at += this.random() * jitter;
    this.#lastArrival[packet.flow] = at;
    this.#post(at, ARRIVE, packet.flow, packet.number, packet.bytes - WIRE_OVERHEAD_BYTES);
  }

  #post(at: number, kind: number, flow: number, a: number, b: number): void {
    const heap = this.#heap;
    const event: Event = { at, order: this.#order++, kind, flow, a, b };
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent]!;
      if (above.at < at || (above.at === at && above.order < event.order)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const length = heap.length;
    if (length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
