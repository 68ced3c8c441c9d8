// A client of the echo server: sends five messages, prints what comes back and how long it took.
//
//   node dist/samples/echo/client.js
import { Client, unreliable } from 'tickwire';

const client = await Client.connect({
  insecureAddress: `127.0.0.1:${process.env.PORT ?? 40_000}`,
  channels: { echo: unreliable() },
});
console.log(`connected as client ${client.index}`);

client.on('message', (_channel, message) => {
  const text = new TextDecoder().decode(message.copy());
  console.log(`${text} came back after ${(performance.now() - sentAt).toFixed(2)} ms`);
});

let sentAt = 0;
for (const word of ['one', 'two', 'three', 'four', 'five']) {
  sentAt = performance.now();
  client.send('echo', new TextEncoder().encode(word));
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await client.close('bye');
