/** Where an arena is played: in this thread, or in several workers that share its port. */

import {
  type Backend,
  type BackendOptions,
  createHost,
  type SocketWay,
  startWorkers,
  type WorkerGroupReport,
} from 'tickwire';
import { type ServerArgs, server } from './game.ts';
import { formatSummary, kilobytes, Meter } from './meter.ts';

export interface Stage {
  /** As players dial it. */
  readonly address: string;
  /** Which way the datagrams go now. */
  way(): SocketWay;
  /** What happened since the last line, for people. */
  line(): string;
  /** What happened since the start: as one object, and as text. */
  summary(): { readonly figures: object; readonly text: string };
  /** Tells every player why, and stops. */
  close(why: string): Promise<void>;
}

/** One arena, beside whatever else this thread does. */
export async function openHere(args: ServerArgs, sys: Backend | BackendOptions): Promise<Stage> {
  const arena = await server(createHost('server', sys), args);
  const meter = new Meter(arena);
  return {
    address: arena.server.address,
    way: () => arena.server.way,
    line: () => meter.line(),
    summary: () => {
      const figures = meter.summary();
      return { figures, text: formatSummary(figures) };
    },
    close: (why) => arena.server.close(why),
  };
}

/** As many arenas as workers: a player is in that of the worker which the kernel leads him to. */
export async function openInWorkers(workers: number, args: ServerArgs, sys: Backend | BackendOptions): Promise<Stage> {
  const group = await startWorkers({
    workers,
    moduleUrl: new URL('./game.js', import.meta.url), // built code, so .js
    args,
    port: args.port,
    sys,
    ...(args.address === undefined ? {} : { host: args.address }),
  });
  group.on('lost', (worker, error, told) => {
    process.stderr.write(`\nworker ${worker} was lost, ${told} players were told: ${error.message}\n`);
  });
  let before = group.report().total;
  return {
    address: group.address,
    way: () => group.way,
    line: () => {
      const { total, workers: all, notAdmitted } = group.report();
      const text = [
        `${all.map(({ clients }) => clients).join(' + ')} clients`,
        `in ${total.datagramsIn - before.datagramsIn} ${kilobytes(total.bytesIn - before.bytesIn)}/s`,
        `out ${total.datagramsOut - before.datagramsOut} ${kilobytes(total.bytesOut - before.bytesOut)}/s`,
        ...(notAdmitted === 0 ? [] : [`${notAdmitted} not admitted`]),
      ].join(' · ');
      before = total;
      return text;
    },
    summary: () => {
      const figures = group.report();
      return { figures, text: formatReport(figures) };
    },
    close: (why) => group.stop(why),
  };
}

function formatReport({ workers, total, notAdmitted }: WorkerGroupReport): string {
  const row = (name: string, of: WorkerGroupReport['total']): string => {
    const wayIn = `in ${of.datagramsIn} packets ${kilobytes(of.bytesIn)}`;
    const wayOut = `out ${of.datagramsOut} packets ${kilobytes(of.bytesOut)}`;
    return `${name.padEnd(10)} ${of.clients} clients, ${wayIn}, ${wayOut}, ${of.dropped} dropped`;
  };
  const rows = [...workers.map((one) => row(`worker ${one.worker}`, one)), row('all', total)];
  if (notAdmitted > 0) rows.push(`dropped before them, by the admission filter: ${notAdmitted}`);
  return rows.join('\n');
}
