/** What became of the requests, and how long answers took. */

import type { Echo } from './echo.ts';

/** Sequence numbers are 16 bits: a request is forgotten when its number is used again, 65,536 requests later. */
const NUMBERS = 65_536;

export class Tally {
  sent = 0;
  received = 0;
  duplicates = 0;
  errors = 0;
  private readonly host: string;
  private startedAt = 0;
  /** By sequence number; -1: not under way. */
  private readonly sentAt: Float64Array = new Float64Array(NUMBERS).fill(-1);
  private readonly answered: Uint8Array = new Uint8Array(NUMBERS);
  private least = Number.POSITIVE_INFINITY;
  private most = 0;
  private sum = 0;
  private sumOfSquares = 0;

  constructor(host: string) {
    this.host = host;
  }

  /** Requests of which something was heard. */
  get settled(): number {
    return this.received + this.errors;
  }

  /** Sequence number of the next request; the first has 1, as with other pings. */
  get nextNumber(): number {
    return (this.sent + 1) % NUMBERS;
  }

  /** Notes that request `nextNumber` leaves now. */
  send(now: number): void {
    if (this.sent === 0) this.startedAt = now;
    const sequence = this.nextNumber;
    this.sent++;
    this.sentAt[sequence] = now;
    this.answered[sequence] = 0;
  }

  /** Counts what has been read, and returns the line that says it. */
  answer({ bytes, from, sequence, ttl, trouble }: Readonly<AnswerFields>, receivedAt: number): string {
    const sentAt = this.sentAt[sequence]!;
    if (sentAt < 0) return `From ${from} icmp_seq=${sequence} which was not sent (forged?)`;
    if (trouble !== '') {
      this.errors++;
      return `From ${from} icmp_seq=${sequence} ${trouble}`;
    }
    const rtt = Math.max(0, receivedAt - sentAt);
    const again = this.answered[sequence] === 1;
    this.answered[sequence] = 1;
    if (again) this.duplicates++;
    else this.count(rtt);
    const ttlShown = ttl > 0 ? ` ttl=${ttl}` : '';
    return `${bytes} bytes from ${from}: icmp_seq=${sequence}${ttlShown} time=${millis(rtt)} ms${again ? ' (DUP!)' : ''}`;
  }

  /** How long to wait for answers once the last request has left: two round trips, as ping does, or all our patience. */
  lastWaitMicros(intervalMicros: number, patienceMicros: number): number {
    return this.received > 0 ? Math.max(intervalMicros, 2 * this.most) : patienceMicros;
  }

  /** The last lines, in ping's words: programs read them. */
  summary(now: number): string {
    const { sent, received, duplicates, errors } = this;
    const loss = sent === 0 ? 0 : ((sent - received) / sent) * 100;
    const lines = [
      `--- ${this.host} ping statistics ---`,
      `${sent} packets transmitted, ${received} received, ${duplicates > 0 ? `+${duplicates} duplicates, ` : ''}` +
        `${errors > 0 ? `+${errors} errors, ` : ''}${Number(loss.toPrecision(6))}% packet loss, ` +
        `time ${sent === 0 ? 0 : Math.round((now - this.startedAt) / 1000)}ms`,
    ];
    if (received > 0) {
      const average = this.sum / received;
      const deviation = Math.sqrt(Math.max(0, this.sumOfSquares / received - average * average));
      lines.push(`rtt min/avg/max/mdev = ${[this.least, average, this.most, deviation].map(millis).join('/')} ms`);
    }
    return lines.join('\n');
  }

  private count(rtt: number): void {
    this.received++;
    this.least = Math.min(this.least, rtt);
    this.most = Math.max(this.most, rtt);
    this.sum += rtt;
    this.sumOfSquares += rtt * rtt;
  }
}

type AnswerFields = Pick<Echo, 'bytes' | 'from' | 'sequence' | 'ttl' | 'trouble'>;

function millis(micros: number): string {
  return (micros / 1000).toFixed(3);
}
