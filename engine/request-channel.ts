/** Question and answer as a channel: `trade: requests(json<Offer>(), json<Deal>())`. */

import type { ChannelOptions } from './channels.ts';
import type { Codec } from './codec.ts';

export interface RequestsOptions extends ChannelOptions {
  /**
   * Questions that may be open at once on one connection, each way, 1 .. 65,535. Default 64. One more fails with 'backlog-full' here;
   * there it is refused. Both sides may differ.
   */
  readonly openMax?: number;
}

/** A channel of requests. Either side may ask, if the other one responds. */
export interface RequestChannel<Question, Answer> {
  readonly kind: 'requests';
  readonly question: Codec<unknown>;
  readonly answer: Codec<unknown>;
  readonly options: RequestsOptions;
  /** Never there; carries the types. */
  readonly types?: { readonly question: Question; readonly answer: Answer };
}

/**
 * Requests with answers: `await client.request('trade', offer)` on one side, `server.respond('trade', (peer, offer) => ...)`
 * on the other. Each question arrives at most once, in any order; each is answered once, refused, or out of time. Messages
 * travel reliable unordered, 5 bytes longer than what the codecs write.
 */
export function requests<Question, Answer>(
  question: Codec<Question>,
  answer: Codec<Answer>,
  options: RequestsOptions = {},
): RequestChannel<Question, Answer> {
  return { kind: 'requests', question: question as Codec<unknown>, answer: answer as Codec<unknown>, options };
}

/** What may be said about one request. */
export interface RequestOptions {
  /** How long to wait for the answer, > 0. Default 5,000,000. */
  readonly timeoutMicros?: number;
}

/** Why there is no answer. */
export type RequestFailure =
  /** None came in time. The question may have been answered nevertheless. */
  | 'timeout'
  /** There is no connection (any more). */
  | 'disconnected'
  /** The other side does not respond on this channel, could not read the question, or said no; the message says which. */
  | 'refused'
  /** Too many questions are open, or too much waits to be sent: this one was not. */
  | 'backlog-full';

/** A request that was not answered; also what a responder throws to say no: `throw new RequestError('refused', 'not enough gold')`. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: RequestFailure;

  constructor(code: RequestFailure, text: string) {
    super(text);
    this.code = code;
  }
}
