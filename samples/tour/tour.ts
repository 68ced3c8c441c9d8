// The whole of it on a page: a server and a client in one program.
//
//   node dist/samples/tour/tour.js
//
// `insecure` spares the key and the tokens while you develop; it works on this machine only.
import { Client, json, latestState, reliableOrdered, requests, Server, tickInput, unreliable } from 'tickwire';

const channels = {
  chat: reliableOrdered(json<string>()), // every line, once, in order
  door: latestState(json<'open' | 'shut'>()), // of each door the newest, for certain
  input: tickInput(json<{ x: number; y: number }>()), // one a tick; a lost packet loses none
  trade: requests(json<{ gold: number }>(), json<string>()), // a question, an answer
  world: unreliable(), // bytes, sent again with the next tick anyway
};

const server = await Server.listen({ port: 0, insecure: true, tickRateHz: 60, channels });
const inputs = new Map<number, { x: number; y: number }>();

server.on('connect', (peer) => {
  peer.send('chat', `welcome, number ${peer.id}`);
  for (const door of [0, 1, 2]) peer.send('door', door === 1 ? 'open' : 'shut', { key: door });
});
server.on('message', (peer, channel, message) => {
  if (channel === 'input') inputs.set(peer.id, message);
  if (channel === 'chat') server.broadcast('chat', `${peer.id} says ${message}`);
});
server.respond('trade', (_peer, { gold }) => {
  if (gold < 10) throw new Error('not enough gold');
  return 'a sword';
});
server.on('tick', (tick) => {
  server.broadcast('world', Uint8Array.of(tick, inputs.size));
});

const client = await Client.connect({ insecureAddress: server.address, tickRateHz: 60, channels });
let worlds = 0;

client.on('message', (channel, message, key) => {
  if (channel === 'chat') console.log(`chat: ${message}`);
  if (channel === 'door') console.log(`door ${key} is ${message}`);
  if (channel === 'world') worlds++;
});
client.on('receipt', (receipt, fate) => console.log(`message ${receipt} was ${fate}`));
client.on('tick', () => client.send('input', { x: 1, y: 0 }));

client.send('chat', 'hello', { receipt: 1 });
console.log(`12 gold buy ${await client.request('trade', { gold: 12 })}`);
console.log(`3 gold: ${await client.request('trade', { gold: 3 }).catch((error: Error) => error.message)}`);
await new Promise((resolve) => setTimeout(resolve, 500));
console.log(`${worlds > 10 ? 'the world came again and again' : 'where is the world?'}, ${inputs.size} player moved`);

await client.close({ text: 'bye', drain: true });
await server.close();
