// ping: a raw socket, a filter that the kernel runs, headers and a poller, put together by hand.
//
//   sudo node dist/samples/ping/main.js localhost
import { formatHost, openRawSocket, openSys, READABLE } from 'tickwire/sys';
import { type PingOptions, parseCommandLine } from './command-line.ts';
import { Echo } from './echo.ts';
import { findHost } from './find-host.ts';
import { Tally } from './tally.ts';

process.stdout.on('error', () => process.exit(2)); // `ping host | head`
try {
  await ping(parseCommandLine(process.argv));
} catch (error) {
  console.error(`ping: ${(error as Error).message}`);
  process.exitCode = 2;
}

async function ping({ host, family, count, intervalMicros, size, ttl, patienceMicros }: PingOptions): Promise<void> {
  const peer = await findHost(host, family);
  const sys = openSys({ backend: 'udp' });
  const { clock } = sys;
  const echo = new Echo(peer, sys.rng.u32() & 0xffff, size);
  const { local, protocol, filter, slotBytes } = echo;
  const socket = openRawSocket(sys, local, protocol, { filter, slotBytes, hopLimit: ttl, receivedAt: true });
  const poller = sys.openPoller();
  const tally = new Tally(host);
  let due = clock.now();

  const turn = () => {
    poller.wait(0);
    while (socket.receive() > 0) {
      for (let slot = 0; slot < socket.rx.count; slot++) {
        if (echo.read(socket.rx, slot)) console.log(tally.answer(echo, socket.rx.receivedAt![slot]!));
      }
    }
    if (tally.settled >= count || (tally.sent === count && clock.now() >= due)) return end();
    if (clock.now() >= due) {
      echo.write(socket.tx, peer, tally.nextNumber);
      tally.send(clock.now());
      socket.flush();
      if (socket.stats.datagramsOut === 0) throw new Error(`no way to ${host}: no route, or a firewall forbids it`);
      due = clock.now() + (tally.sent < count ? intervalMicros : tally.lastWaitMicros(intervalMicros, patienceMicros));
    }
    poller.arm(due); // the next turn is when an answer comes, or then
  };
  const end = () => {
    poller.close();
    socket.close();
    console.log(`\n${tally.summary(clock.now())}`);
    process.exitCode = tally.received > 0 ? 0 : 1;
  };
  console.log(`PING ${host} (${formatHost(peer)}): ${size} data bytes`);
  poller.add(socket, 0, READABLE);
  turn();
  poller.attach(turn);
  process.once('SIGINT', end);
}
