/** Acknowledgement in its plain form, with sets and BigInt, to hold the real one against. */

export interface NaivePacket {
  number: bigint;
  sentAt: number;
  bytes: number;
  eliciting: boolean;
  frames: number;
  ackNewest: bigint;
  state: 'open' | 'acked' | 'lost' | 'spurious';
}

/** The ranges that a frame covers, the newest first, as [newest, oldest]; undefined: cut off. */
export function naiveRanges(frame: Uint8Array, newest: bigint): [bigint, bigint][] {
  let at = 5;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = frame[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const ranges: [bigint, bigint][] = [[newest, newest - varint()]];
  for (let gap = 0; gap < frame[0]! - 0x10; gap++) {
    const top = ranges.at(-1)![1] - varint() - 2n;
    ranges.push([top, top - varint()]);
  }
  return ranges;
}

function varintOf(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    if (rest <= 0x7fn) return bytes;
  }
}

export class NaiveTracker {
  readonly received: Set<bigint> = new Set<bigint>();
  newest: bigint = -1n;
  newestAt = 0;
  floor: bigint = 0n;
  eliciting = 0;
  disorder = false;
  lastAckAt: number = Number.NEGATIVE_INFINITY;
  dueAt: number = Number.MAX_SAFE_INTEGER;

  onPacket(number: bigint, eliciting: boolean, now: number): void {
    if (number <= this.newest - 2048n) return;
    if (this.newest >= 0n && number !== this.newest + 1n) this.disorder = true;
    this.received.add(number);
    if (number > this.newest) {
      this.newest = number;
      this.newestAt = now;
    }
    if (eliciting) this.eliciting++;
    if (this.eliciting === 0) return;
    let wish = now + 25_000;
    if (this.eliciting >= 2) wish = Math.max(now, this.lastAckAt + 1000);
    if (this.disorder || this.eliciting >= 32) wish = now;
    this.dueAt = Math.min(this.dueAt, wish);
  }

  /** The frame that should be written into `room` bytes, and what it reports. */
  frame(room: number, now: number): { bytes: number[]; reported: bigint } | undefined {
    if (this.newest < 0n || room < 6) return undefined;
    let low = this.floor;
    if (this.newest - 2047n > low) low = this.newest - 2047n;
    const runs: [bigint, bigint][] = [];
    for (let n = this.newest; n >= low && n >= 0n; n--) {
      if (!this.received.has(n)) continue;
      const last = runs.at(-1);
      if (last !== undefined && last[1] === n + 1n) last[1] = n;
      else runs.push([n, n]);
    }
    const delay = Math.min(Math.floor((now - this.newestAt) / 8), 65_535);
    const tail: number[] = varintOf(runs[0]![0] - runs[0]![1]);
    let whole = true;
    if (5 + tail.length > room) {
      tail.splice(0, tail.length, 127);
      whole = false;
    }
    let gaps = 0;
    for (let i = 1; i < runs.length && whole && gaps < 31; i++) {
      const next = [...varintOf(runs[i - 1]![1] - runs[i]![0] - 2n), ...varintOf(runs[i]![0] - runs[i]![1])];
      if (5 + tail.length + next.length > room) whole = false;
      else {
        tail.push(...next);
        gaps++;
      }
    }
    const low16 = Number(this.newest & 0xffffn);
    this.eliciting = 0;
    this.disorder = false;
    this.lastAckAt = now;
    this.dueAt = Number.MAX_SAFE_INTEGER;
    const head = [0x10 + gaps, low16 & 0xff, low16 >> 8, delay & 0xff, delay >> 8];
    return { bytes: [...head, ...tail], reported: whole ? this.newest : -1n };
  }
}

export class NaiveSender {
  readonly packets: Map<bigint, NaivePacket> = new Map<bigint, NaivePacket>();
  largestAcked: bigint = -1n;
  threshold: bigint = 3n;
  eighths = 9;
  spurious = 0;

  get inFlight(): NaivePacket[] {
    return [...this.packets.values()].filter((packet) => packet.eliciting && packet.state === 'open');
  }

  /** Takes the ranges of a frame; returns what is newly acked, in rising order. `held`: what the ring still knows. */
  acked(ranges: [bigint, bigint][], held: (number: bigint) => boolean): NaivePacket[] {
    const fresh: NaivePacket[] = [];
    let late = false;
    const before = this.largestAcked;
    for (const packet of this.packets.values()) {
      if (!ranges.some(([top, bottom]) => packet.number <= top && packet.number >= bottom)) continue;
      if (packet.state === 'open' && (packet.eliciting || held(packet.number))) {
        packet.state = 'acked';
        fresh.push(packet);
      } else if (packet.state === 'lost' && held(packet.number)) {
        packet.state = 'spurious';
        this.spurious++;
        late = true;
        const wish = before - packet.number + 1n;
        if (wish > this.threshold) this.threshold = wish > 256n ? 256n : wish;
      }
    }
    if (late && this.eighths < 16) this.eighths++;
    if (ranges[0]![0] > before) this.largestAcked = ranges[0]![0];
    return fresh;
  }

  /** Declares lost what is, in rising order. */
  lost(longerMicros: number, now: number): { lost: NaivePacket[]; next: number } {
    const wait = Math.max(1000, Math.ceil((longerMicros * this.eighths) / 8));
    const lost: NaivePacket[] = [];
    let next = Number.MAX_SAFE_INTEGER;
    for (const packet of this.inFlight) {
      if (packet.number >= this.largestAcked) continue;
      if (this.largestAcked - packet.number >= this.threshold || packet.sentAt + wait <= now) {
        packet.state = 'lost';
        lost.push(packet);
      } else next = Math.min(next, packet.sentAt + wait);
    }
    return { lost, next };
  }
}
