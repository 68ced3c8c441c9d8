// ping, from what `tickwire/sys` and `tickwire/packets` offer: a raw socket, a filter in the kernel, headers, a poller.
//
//   sudo node dist/samples/ping/main.js localhost
import { lookup } from 'node:dns/promises';
import { addressOf, isIPv4, openRawSocket, openSys, READABLE } from 'tickwire/sys';
import { type PingOptions, parseCommandLine } from './command-line.ts';
import { Echo } from './echo.ts';
import { Tally } from './tally.ts';

try {
  await ping(parseCommandLine(process.argv));
} catch (error) {
  process.stderr.write(`ping: ${(error as Error).message}\n`);
  process.exitCode = 2;
}

async function ping({ host, family, count, intervalMicros, size, ttl, patienceMicros }: PingOptions): Promise<void> {
  const { address } = await lookup(host, { family });
  const peer = addressOf(address, 0)!;
  const sys = openSys({ backend: 'udp' });
  const echo = new Echo(isIPv4(peer), sys.rng.u32() & 0xffff, size);
  const { protocol, filter, slotBytes } = echo;
  const any = addressOf(isIPv4(peer) ? '0.0.0.0' : '::', 0)!;
  const socket = openRawSocket(sys, any, protocol, { filter, slotBytes, hopLimit: ttl, receivedAt: true });
  const poller = sys.openPoller();
  const tally = new Tally(host);
  let due = sys.clock.now();

  const turn = () => {
    poller.wait(0); // says that the socket is readable, or nothing, when the time is up
    while (socket.receive() > 0) {
      for (let slot = 0; slot < socket.rx.count; slot++) {
        if (echo.read(socket.rx, slot)) say(tally.answer(echo, socket.rx.receivedAt![slot]!));
      }
    }
    const now = sys.clock.now();
    if (tally.settled === count || (tally.sent === count && now >= due)) return end();
    if (now >= due) {
      echo.write(socket.tx, peer, tally.send(now));
      socket.flush();
      if (socket.stats.datagramsOut === 0) throw new Error(`no way to ${address}: no route, or a firewall forbids it`);
      due = now + (tally.sent < count ? intervalMicros : tally.lastWaitMicros(intervalMicros, patienceMicros));
    }
    poller.arm(due); // the next turn: when an answer comes, or then
  };
  const end = () => {
    poller.close();
    socket.close();
    say(`\n${tally.summary(sys.clock.now())}`);
    process.exitCode = tally.received > 0 ? 0 : 1;
  };
  poller.add(socket, 0, READABLE);
  say(`PING ${host} (${address}): ${size} data bytes`);
  turn();
  poller.attach(turn);
  process.once('SIGINT', end);
}

function say(line: string): void {
  if (line !== '') process.stdout.write(`${line}\n`);
}
