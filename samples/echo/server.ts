// An echo server: every message goes back to whoever sent it.
//
//   node dist/samples/echo/server.js
//
// `insecure` spares the key and the tokens while you develop; it works on this machine only.
import { Server, unreliable } from 'tickwire';

const server = await Server.listen({
  port: Number(process.env.PORT ?? 40_000),
  insecure: true,
  wake: 'arrival',
  channels: { echo: unreliable() },
});
console.log(`listening on ${server.address}`);

server.on('connect', (peer) => console.log(`peer ${peer.id} came from ${peer.address}`));
server.on('message', (peer, channel, message) => peer.send(channel, message.bytes(message.length)));
server.on('disconnect', (peer, reason) => console.log(`peer ${peer.id} left: ${reason.code} ${reason.text}`));

process.once('SIGINT', () => server.close('the server stops'));
