/**
 * A process of its own at one end of a veth: echoes, or keeps datagrams in flight to who echoes, and polls without rest.
 *
 * Arguments: backend, side, port of the server (0: this is the server), datagrams in flight, seconds.
 */

import { ADDRESS_BYTES, addressOf, type DatagramSocket, portOf } from '../../sys/api.ts';
import { XdpSocket } from '../../sys/xdp/xdp-socket.ts';
import { FAR, NEAR } from '../sys/linux/namespaces.ts';
import { openLinux, openXdp } from '../sys/xdp/veth.ts';
import { report } from './bench-child.ts';

const PAYLOAD_BYTES = 100;
/** Silence after which all that was in flight counts as lost. */
const LOST_MICROS = 100_000;

const [backend, side, portText, windowText, secondsText] = process.argv.slice(2);
const sys = backend === 'xdp' ? openXdp() : openLinux();
const socket = await sys.openUdp(addressOf(side === 'near' ? NEAR : FAR, 0)!, { slotBytes: 256, gso: false });
const { tx } = socket;

function echo(from: DatagramSocket): number {
  const { rx } = from;
  const count = from.receive();
  for (let i = 0; i < count; i++) {
    const slot = tx.count++;
    tx.length[slot] = rx.length[i]!;
    for (let byte = 0; byte < ADDRESS_BYTES; byte++) {
      tx.address[slot * ADDRESS_BYTES + byte] = rx.address[i * ADDRESS_BYTES + byte]!;
    }
  }
  if (count > 0) from.flush();
  return count;
}

function send(server: Uint8Array, count: number): void {
  while (tx.count < count) {
    const slot = tx.count++;
    tx.length[slot] = PAYLOAD_BYTES;
    tx.address.set(server, slot * ADDRESS_BYTES);
  }
  socket.flush();
}

if (portText === '0') {
  report({ port: portOf(socket.localAddress) });
  for (;;) echo(socket);
}

const server = addressOf(NEAR, Number(portText))!;
const inFlight = Number(windowText);
const seconds = Number(secondsText);
send(server, inFlight);
let echoes = 0;
let heard = sys.clock.now();
const start = heard + 500_000; // compiled by then
const end = start + seconds * 1_000_000;
let before = 0;
for (let now = heard; now < end; now = sys.clock.now()) {
  const count = echo(socket);
  echoes += count;
  if (before === 0 && now >= start) before = echoes;
  if (count > 0) heard = now;
  else if (now - heard > LOST_MICROS) {
    send(server, inFlight);
    heard = now;
  }
}
report({
  micros: (seconds * 1_000_000) / (echoes - before),
  frames: socket instanceof XdpSocket ? socket.traffic.framesOut : 0,
});
process.exit(0);
