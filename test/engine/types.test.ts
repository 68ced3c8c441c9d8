/** What is inferred from a declaration of channels, and what does not compile. Nothing here is run. */

import { describe, expectTypeOf, it } from 'vitest';
import {
  bytes,
  type Client,
  type Codec,
  type ConnectionStats,
  type Fate,
  json,
  latestState,
  type Message,
  type Peer,
  reliableOrdered,
  reliableSequenced,
  reliableUnordered,
  requests,
  type SendResult,
  type Server,
  tickInput,
  unreliable,
  unreliableSequenced,
} from '../../engine/index.ts';

interface Input {
  readonly buttons: number;
}
declare const input: Codec<Input>;

const channels = () => ({
  aim: unreliableSequenced(json<[number, number]>(), { priority: 2 }),
  chat: reliableOrdered(json<string>()),
  door: latestState(json<boolean>(), { keysMax: 64 }),
  hit: reliableUnordered(json<number>()),
  input: tickInput(input, { inputs: 8 }),
  map: reliableOrdered({ bulk: true, messageBytesMax: 1 << 25 }),
  score: reliableSequenced(json<number>()),
  state: unreliable(),
  trade: requests(json<{ gold: number }>(), bytes()),
});
type C = ReturnType<typeof channels>;
declare const server: Server<C>;
declare const client: Client<C>;
declare const peer: Peer<C>;

/** Compiled, never called. */
const compiled = (_body: () => void): void => {};

describe('from the declaration of channels', () => {
  it('follows what a listener gets, by the name of the channel', () =>
    compiled(() => {
      server.on('message', (from, channel, message, tag) => {
        expectTypeOf(from).toEqualTypeOf<Peer<C>>();
        if (channel === 'input') expectTypeOf({ message, tag }).toEqualTypeOf<{ message: Input; tag: number }>();
        if (channel === 'door') expectTypeOf({ message, tag }).toEqualTypeOf<{ message: boolean; tag: number }>();
        if (channel === 'chat') expectTypeOf({ message, tag }).toEqualTypeOf<{ message: string; tag: undefined }>();
        if (channel === 'state') expectTypeOf(message).toEqualTypeOf<Message>();
        // @ts-expect-error requests are no messages
        if (channel === 'trade') return;
      });
      server.on('message', (_from, channel, message) => {
        if (channel === 'chat') expectTypeOf(message).toEqualTypeOf<string>();
      });
      client.on('message', (channel) => {
        expectTypeOf(channel).toEqualTypeOf<Exclude<keyof C, 'trade'>>();
      });
      client.on('message', (channel, message) => {
        if (channel === 'aim') expectTypeOf(message).toEqualTypeOf<[number, number]>();
      });
      client.once('message', (channel, message, tag) => {
        if (channel === 'input') expectTypeOf({ message, tag }).toEqualTypeOf<{ message: Input; tag: number }>();
      });
      client.on('receipt', (receipt, fate) => {
        expectTypeOf({ receipt, fate }).toEqualTypeOf<{ receipt: number; fate: Fate }>();
      });
      peer.on('writable', (channel) => {
        expectTypeOf(channel).toEqualTypeOf<Exclude<keyof C, 'trade'>>();
      });
      // @ts-expect-error there is no such event
      client.on('mesage', () => {});
    }));

  it('follows what send takes', () =>
    compiled(() => {
      expectTypeOf(client.send('chat', 'hello')).toEqualTypeOf<SendResult>();
      client.send('chat', 'hello', { receipt: 1, ttlMicros: 5 });
      client.send('input', { buttons: 3 });
      client.send('input', { buttons: 3 }, { tick: 7, receipt: 2 });
      peer.send('door', true, { key: 3 });
      peer.send('map', new Uint8Array(3));
      server.broadcast('door', true, { key: 3, filter: (to) => to.clientId > 5n });
      // @ts-expect-error there is no such channel
      client.send('chta', 'hello');
      // @ts-expect-error chat carries strings
      client.send('chat', 5);
      // @ts-expect-error a key is for latest state
      client.send('chat', 'hello', { key: 3 });
      // @ts-expect-error a tick is for tick input
      peer.send('door', true, { tick: 3 });
      // @ts-expect-error one receipt cannot tell peers apart
      server.broadcast('chat', 'hello', { receipt: 1 });
      // @ts-expect-error requests are asked, not sent
      client.send('trade', { gold: 5 });
      // @ts-expect-error inputs are for tick input
      unreliable({ inputs: 4 });
      // @ts-expect-error keys are for latest state
      reliableOrdered(json<string>(), { keysMax: 4 });
    }));

  it('follows what is asked and answered', () =>
    compiled(() => {
      expectTypeOf(client.request('trade', { gold: 5 }, { timeoutMicros: 1 })).toEqualTypeOf<Promise<Uint8Array>>();
      expectTypeOf(peer.request('trade', { gold: 5 })).toEqualTypeOf<Promise<Uint8Array>>();
      server.respond('trade', (from, offer) => {
        expectTypeOf(from).toEqualTypeOf<Peer<C>>();
        expectTypeOf(offer).toEqualTypeOf<{ gold: number }>();
        return new Uint8Array(offer.gold);
      });
      client.respond('trade', async ({ gold }) => new Uint8Array(gold));
      // @ts-expect-error the answer is bytes
      client.respond('trade', () => 'no');
      // @ts-expect-error the question has gold
      client.request('trade', { silver: 5 });
      // @ts-expect-error chat carries messages
      client.request('chat', 'hello');
    }));

  it('does not stand in the way of reading a connection', () =>
    compiled(() => {
      expectTypeOf(peer.stats()).toEqualTypeOf<ConnectionStats>();
      expectTypeOf(client.stats(peer.stats()).rttMicros).toEqualTypeOf<number>();
      expectTypeOf(peer.budgetBytes).toEqualTypeOf<number>();
    }));
});
