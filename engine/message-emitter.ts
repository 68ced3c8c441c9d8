/** The types of an emitter whose listeners of `message` may leave out arguments at the end, the tag for one. */

import { EventEmitter } from 'eventemitter3';

/** The arguments without the last one. */
type WithoutLast<Args> = Args extends [...infer Rest, unknown] ? Rest : never;

/**
 * An EventEmitter of `Events`, where `Message` is the union of the arguments of `message`.
 *
 * A function of three parameters may not stand where a union of lists of four is passed, so each length is an overload, the longest
 * first: its types are the ones that parameters get.
 */
export interface MessageEmitter<Events extends EventEmitter.ValidEventTypes, Message extends unknown[]>
  extends Omit<EventEmitter<Events>, 'on' | 'once' | 'off' | 'addListener' | 'removeListener'> {
  on(event: 'message', listener: (...args: Message) => void): this;
  on(event: 'message', listener: (...args: WithoutLast<Message>) => void): this;
  on(event: 'message', listener: (...args: WithoutLast<WithoutLast<Message>>) => void): this;
  on(event: 'message', listener: (...args: WithoutLast<WithoutLast<WithoutLast<Message>>>) => void): this;
  on<E extends EventEmitter.EventNames<Events>>(event: E, listener: EventEmitter.EventListener<Events, E>): this;
  once(event: 'message', listener: (...args: Message) => void): this;
  once(event: 'message', listener: (...args: WithoutLast<Message>) => void): this;
  once(event: 'message', listener: (...args: WithoutLast<WithoutLast<Message>>) => void): this;
  once(event: 'message', listener: (...args: WithoutLast<WithoutLast<WithoutLast<Message>>>) => void): this;
  once<E extends EventEmitter.EventNames<Events>>(event: E, listener: EventEmitter.EventListener<Events, E>): this;
  off(event: 'message', listener?: (...args: Message) => void): this;
  off(event: 'message', listener?: (...args: WithoutLast<Message>) => void): this;
  off(event: 'message', listener?: (...args: WithoutLast<WithoutLast<Message>>) => void): this;
  off(event: 'message', listener?: (...args: WithoutLast<WithoutLast<WithoutLast<Message>>>) => void): this;
  off<E extends EventEmitter.EventNames<Events>>(event: E, listener?: EventEmitter.EventListener<Events, E>): this;
}

/** The class, to extend. */
export const MessageEmitter: new <
  Events extends EventEmitter.ValidEventTypes,
  Message extends unknown[],
>() => MessageEmitter<Events, Message> = EventEmitter as never;
