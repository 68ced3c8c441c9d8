/**
 * Questions and answers over reliable channels (PROTOCOL.md, section 7): who waits for what, until when.
 *
 * Bounded on both sides: open questions, and questions that are being answered, by `openMax` of the channel. Time comes
 * from the runtime, so that the simulator steps it.
 */

import type { Micros } from '../sys/api.ts';
import type { DisconnectReason } from '../transport/endpoint.ts';
import { ByteReader } from '../transport/wire/byte-reader.ts';
import type { ChannelTable } from './channel-table.ts';
import { decodeOr, NOT_DECODED } from './codec.ts';
import { Alarm, type AlarmTarget, type Timers } from './executor/timers.ts';
import type { Outbox } from './outbox.ts';
import { RequestError, type RequestFailure, type RequestOptions } from './request-channel.ts';

/** First byte of a message. */
const QUESTION = 0;
const ANSWER = 1;
const REFUSAL = 2;
/** That byte, and the number of the question. */
const HEADER_BYTES = 5;
const TIMEOUT_MICROS = 5_000_000;
const OPEN_MAX = 64;
/** Longest refusal in characters: for a person to read, as the text of a disconnect is. */
const REFUSAL_CHARACTERS_MAX = 255;
/** Most bytes of a character. */
const UTF8_BYTES_MAX = 3;

/** Gives the answer to a question of a connection, now or later; throws to refuse. */
export type Responder = (c: number, question: unknown) => unknown;

export interface RequestsParts {
  readonly channels: ChannelTable;
  readonly outbox: Outbox;
  readonly timers: Timers;
  readonly now: () => Micros;
  /** What a responder threw that is not a RequestError; the peer has been told its message. */
  readonly onError: (error: unknown) => void;
}

export class Requests {
  /** Answers that came too late, or to no question; answers that could not be sent because too much waited. */
  unasked = 0;
  unsent = 0;
  readonly #parts: RequestsParts;
  readonly #responders: (Responder | undefined)[] = [];
  readonly #open: Map<number, OpenRequest> = new Map();
  /** Open questions of each stream, and those that wait for our answer. */
  readonly #asking: Counts = new Counts();
  readonly #answering: Counts = new Counts();
  /** How many connections a number has stood for, of those that asked: an answer to one that has gone is not sent to the next. */
  readonly #generation: Map<number, number> = new Map();
  readonly #reader: ByteReader = new ByteReader();
  #lastNumber = 0;

  constructor(parts: RequestsParts) {
    this.#parts = parts;
  }

  /** Asks. Rejects with RequestError; with RangeError, or what the codec throws, when the question cannot be written. */
  async ask(c: number, channel: string, question: unknown, options: RequestOptions = {}): Promise<unknown> {
    const { channels, outbox, now, timers } = this.#parts;
    const id = this.#idOf(channel);
    const { question: codec, options: limits } = channels.requestsOf(id)!;
    const timeoutMicros = options.timeoutMicros ?? TIMEOUT_MICROS;
    if (!(timeoutMicros > 0)) throw new RangeError(`timeoutMicros ${timeoutMicros} is not a number above 0`);
    const stream = this.#streamOf(c, id);
    if (this.#asking.of(stream) >= (limits.openMax ?? OPEN_MAX)) {
      throw new RequestError('backlog-full', `${this.#asking.of(stream)} questions are open on '${channel}'`);
    }
    const number = this.#nextNumber();
    codec.encode(question, channels.scratch(id).u8(QUESTION).u32(number));
    if (outbox.sendScratch(c, id) !== 'queued') {
      throw new RequestError('backlog-full', `too much waits to be sent: '${channel}' was not asked`);
    }
    this.#asking.add(stream, 1);
    return new Promise((resolve, reject) => {
      const request = new OpenRequest(c, id, timers, resolve, reject, () => {
        this.#open.delete(number);
        this.#asking.add(stream, -1);
      });
      this.#open.set(number, request);
      request.waitUntil(now() + timeoutMicros);
    });
  }

  /** From now on `responder` answers the questions on a channel. */
  respond(channel: string, responder: Responder): void {
    this.#responders[this.#idOf(channel)] = responder;
  }

  /** A message on a channel of requests. Malformed ones are dropped and counted. */
  receive(c: number, id: number, bytes: Uint8Array, offset: number, length: number): void {
    const reader = this.#reader.wrap(bytes, offset, length);
    const type = reader.u8();
    const number = reader.u32();
    if (!reader.ok || type > REFUSAL) {
      this.#parts.channels.undecodable++;
      return;
    }
    const body = reader.wrap(bytes, offset + HEADER_BYTES, length - HEADER_BYTES);
    if (type === QUESTION) this.#answer(c, id, number, body);
    else this.#settle(c, id, number, type, body);
    reader.release();
  }

  /** Whether no question of a connection, or to it, is open. */
  isIdle(c: number): boolean {
    for (let id = 0; id < this.#parts.channels.set.count; id++) {
      const stream = this.#streamOf(c, id);
      if (this.#asking.of(stream) > 0 || this.#answering.of(stream) > 0) return false;
    }
    return true;
  }

  /** The connection is over: its questions have no answer, and what is still being worked on for it is not sent. */
  end(c: number, reason: DisconnectReason): void {
    for (const request of this.#open.values()) {
      if (request.c !== c) continue;
      request.fail('disconnected', reason.text === '' ? reason.code : `${reason.code}: ${reason.text}`);
    }
    const generation = this.#generation.get(c);
    if (generation === undefined) return;
    this.#generation.set(c, generation + 1);
    for (let id = 0; id < this.#parts.channels.set.count; id++) this.#answering.clear(this.#streamOf(c, id));
  }

  #settle(c: number, id: number, number: number, type: number, body: ByteReader): void {
    const request = this.#open.get(number);
    if (request === undefined || request.c !== c || request.id !== id) {
      this.unasked++;
      return;
    }
    if (type === REFUSAL) {
      request.fail('refused', body.utf8());
      return;
    }
    const answer = decodeOr(this.#parts.channels.requestsOf(id)!.answer, body);
    if (answer === NOT_DECODED) {
      this.#parts.channels.undecodable++;
      request.fail('refused', 'the answer could not be read');
    } else request.complete(answer);
  }

  #answer(c: number, id: number, number: number, body: ByteReader): void {
    const { channels } = this.#parts;
    const { question: codec, options } = channels.requestsOf(id)!;
    const responder = this.#responders[id];
    if (responder === undefined) {
      this.#refuse(c, id, number, `nobody responds on '${channels.set.names[id]}'`);
      return;
    }
    const working = this.#answering.of(this.#streamOf(c, id));
    if (working >= (options.openMax ?? OPEN_MAX)) {
      this.#refuse(c, id, number, `${working} questions are being answered already`);
      return;
    }
    const question = decodeOr(codec, body);
    if (question === NOT_DECODED) {
      channels.undecodable++;
      this.#refuse(c, id, number, 'the question could not be read');
      return;
    }
    let answer: unknown;
    try {
      answer = responder(c, question);
    } catch (error) {
      this.#refuseAfter(c, id, number, error);
      return;
    }
    if (answer instanceof Promise) this.#answerLater(c, id, number, answer);
    else this.#reply(c, id, number, answer);
  }

  #answerLater(c: number, id: number, number: number, answer: Promise<unknown>): void {
    const stream = this.#streamOf(c, id);
    this.#answering.add(stream, 1);
    const generation = this.#generation.get(c) ?? 0;
    this.#generation.set(c, generation);
    const isStillThere = (): boolean => {
      if (this.#generation.get(c) !== generation) return false;
      this.#answering.add(stream, -1);
      return true;
    };
    answer.then(
      (value) => void (isStillThere() && this.#reply(c, id, number, value)),
      (error: unknown) => void (isStillThere() && this.#refuseAfter(c, id, number, error)),
    );
  }

  #reply(c: number, id: number, number: number, answer: unknown): void {
    const { channels, outbox } = this.#parts;
    try {
      channels.requestsOf(id)!.answer.encode(answer, channels.scratch(id).u8(ANSWER).u32(number));
      if (outbox.sendScratch(c, id) !== 'queued') this.unsent++;
    } catch (error) {
      this.#refuseAfter(c, id, number, error); // the codec threw, or the answer is too long
    }
  }

  /** The peer is told what was thrown, but not where; the game too, unless it was thrown on purpose. */
  #refuseAfter(c: number, id: number, number: number, error: unknown): void {
    this.#refuse(c, id, number, error instanceof Error ? error.message : String(error));
    if (!(error instanceof RequestError)) this.#parts.onError(error);
  }

  #refuse(c: number, id: number, number: number, text: string): void {
    const { channels, outbox } = this.#parts;
    const room = Math.floor((channels.set.messageBytesMax[id]! - HEADER_BYTES) / UTF8_BYTES_MAX);
    channels
      .scratch(id)
      .u8(REFUSAL)
      .u32(number)
      .utf8(text.slice(0, Math.min(room, REFUSAL_CHARACTERS_MAX)));
    if (outbox.sendScratch(c, id) !== 'queued') this.unsent++;
  }

  #idOf(channel: string): number {
    const id = this.#parts.channels.idOf(channel);
    if (this.#parts.channels.requestsOf(id) === null) {
      throw new TypeError(`'${channel}' carries messages: declare it with requests() to ask on it`);
    }
    return id;
  }

  #streamOf(c: number, id: number): number {
    return c * this.#parts.channels.set.count + id;
  }

  /** Numbers are u32 and start again after four billion; one that is still open is left out. */
  #nextNumber(): number {
    do this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    while (this.#open.has(this.#lastNumber));
    return this.#lastNumber;
  }
}

/** A question that waits for its answer. */
class OpenRequest implements AlarmTarget {
  readonly c: number;
  readonly id: number;
  readonly #alarm: Alarm;
  readonly #resolve: (answer: unknown) => void;
  readonly #reject: (error: RequestError) => void;
  readonly #close: () => void;

  /** @param close called once, before the promise is settled */
  constructor(
    c: number,
    id: number,
    timers: Timers,
    resolve: (answer: unknown) => void,
    reject: (error: RequestError) => void,
    close: () => void,
  ) {
    this.c = c;
    this.id = id;
    this.#alarm = new Alarm(timers, this);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#close = close;
  }

  waitUntil(deadline: Micros): void {
    this.#alarm.set(deadline);
  }

  complete(answer: unknown): void {
    this.#end();
    this.#resolve(answer);
  }

  fail(code: RequestFailure, text: string): void {
    this.#end();
    this.#reject(new RequestError(code, text));
  }

  /** Nothing came in time. */
  alarm(): void {
    this.fail('timeout', 'no answer came in time');
  }

  #end(): void {
    this.#alarm.release();
    this.#close();
  }
}

/** How many of something there are for each of a few of very many streams. */
class Counts {
  readonly #counts: Map<number, number> = new Map();

  of(stream: number): number {
    return this.#counts.get(stream) ?? 0;
  }

  add(stream: number, change: number): void {
    const count = this.of(stream) + change;
    if (count === 0) this.#counts.delete(stream);
    else this.#counts.set(stream, count);
  }

  clear(stream: number): void {
    this.#counts.delete(stream);
  }
}
