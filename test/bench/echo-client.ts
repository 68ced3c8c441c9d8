/**
 * A process of its own: keeps a number of datagrams in flight to an echo server until it is ended.
 *
 * Arguments: port, datagrams in flight.
 */

import { ADDRESS_BYTES, addressOf, READABLE } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';

const DATAGRAM_BYTES = 64;
/** Silence after which all that was in flight counts as lost. */
const LOST_MICROS = 200_000;

const [port, inFlight] = process.argv.slice(2).map(Number);
const sys = openSys();
const server = addressOf('127.0.0.1', port!)!;
const poller = sys.openPoller();
const socket = await sys.openUdp(addressOf('127.0.0.1', 0)!, {
  rxSlots: inFlight!,
  txSlots: inFlight!,
  slotBytes: 256,
  gso: false, // a peer sends datagram by datagram; joined ones would arrive joined
});
poller.add(socket, 0, READABLE);

function send(count: number): void {
  const { tx } = socket;
  while (tx.count < count) {
    const slot = tx.count++;
    tx.offset[slot] = tx.home(slot);
    tx.length[slot] = DATAGRAM_BYTES;
    tx.address.set(server, slot * ADDRESS_BYTES);
  }
  socket.flush();
}

send(inFlight!);
for (;;) {
  const ready = poller.wait(LOST_MICROS);
  const echoes = ready > 0 ? socket.receive() : inFlight!;
  if (echoes > 0) send(echoes);
}
