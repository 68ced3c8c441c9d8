/**
 * Faults in time of one seed: what befalls ways, hosts, NATs, kernels and clocks before the network heals. Half of the
 * seeds have none.
 *
 * Whatever silences a connection shares one budget of a seed, since a peer that hears nothing for five seconds gives up,
 * and may: the token says so.
 */

import type { Micros } from '../../sys/api.ts';
import type { HostFault, TimedFault } from '../link/timed-fault.ts';
import { RECEIVE_BUFFER_BYTES_MIN } from '../world/host.ts';
import { SEND_ERRORS } from '../world/socket-faults.ts';
import type { Stream } from '../world/streams.ts';

type Kind = TimedFault['kind'] | 'partition';

/** Drawn from evenly: what silences a way comes most often. */
const KINDS: readonly Kind[] = [
  'cut',
  'cut',
  'partition',
  'hold',
  'hold',
  'pause',
  'pause',
  'failSends',
  'failSends',
  'failReceives',
  'natTimeout',
  'receiveBuffer',
  'drift',
  'leap',
  'stepCalendar',
];
const MILLI = 1_000;
/** A seed has up to so many, and one more for each half second of bad network. */
const FAULTS_MAX = 3;
const FAULT_EVERY_MICROS = 500 * MILLI;
/** All that a seed may silence: a fifth of the timeout, for who is silenced may have to be found at a new address after it. */
const SILENCE_MICROS = 1_000 * MILLI;
/** Half of all spells are so short. */
const SHORT_MICROS = 50 * MILLI;
/** No spell is longer, however long the bad time. */
const SPELL_MICROS_MAX = 1_000 * MILLI;
/** A client asks for its token in its first moments; a calendar that is set before makes it one of another time. */
const CALENDAR_FROM_MICROS = 25 * MILLI;
/** The server's goes on only, and by less than a token lives: one from the future would be refused, one that is over too. */
const CALENDAR_STEP_MICROS = 5_000 * MILLI;
/** Quartz is off by 200 ppm at most; a clock that is steered hard by ten per cent. */
const DRIFT_PPM = 200;
const DRIFT_PPM_MAX = 100_000;
/** Some datagrams more than the least: those of one instant overflow it. */
const RECEIVE_BUFFER_BYTES = 6_000;
/** Clients speak each 5 to 50 ms: a NAT that forgets within that forgets often. */
const NAT_TIMEOUT_MICROS_MIN = 5 * MILLI;
const NAT_TIMEOUT_MICROS = 40 * MILLI;
const RECEIVE_ERRORS = 20;

/** Draws those of a seed, whose network heals at `healsAt` and which has so many clients. */
export function drawFaults(stream: Stream, healsAt: Micros, clients: number): TimedFault[] {
  if (stream.below(2) === 0) return [];
  const drawn: TimedFault[] = [];
  let silence = SILENCE_MICROS;
  const most = FAULTS_MAX + Math.floor(healsAt / FAULT_EVERY_MICROS);
  for (let left = 1 + stream.below(most); left > 0; left--) {
    const kind = KINDS[stream.below(KINDS.length)]!;
    const client = `client-${stream.below(clients)}`;
    const host = stream.below(2) === 0 ? client : 'server';
    const at = stream.below(healsAt);
    const isShort = stream.below(2) === 0;
    const isSilence = SILENCES.has(kind);
    if (isSilence && silence === 0) continue;
    const longest = Math.min(isShort ? SHORT_MICROS : SPELL_MICROS_MAX, healsAt - at, isSilence ? silence : healsAt);
    // What silences nobody goes on: it shows only together with something else.
    const lastsMicros = isSilence ? 1 + stream.below(longest) : Math.min(SPELL_MICROS_MAX, healsAt - at);
    if (isSilence) silence -= lastsMicros;
    if (kind === 'cut' || kind === 'hold' || kind === 'partition') {
      const ways = [`${client}>server`, `server>${client}`];
      const drawnWay = ways[stream.below(2)]!;
      for (const direction of kind === 'partition' ? ways : [drawnWay]) {
        drawn.push({ kind: kind === 'hold' ? 'hold' : 'cut', direction, at, lastsMicros });
      }
    } else drawn.push(drawHostFault(stream, kind as HostFault['kind'], client, host, at, lastsMicros));
  }
  return drawn;
}

/** What keeps packets from coming, or makes it seem so. */
const SILENCES: ReadonlySet<Kind> = new Set(['cut', 'partition', 'hold', 'pause', 'failSends', 'natTimeout', 'leap']);

function drawHostFault(
  stream: Stream,
  kind: HostFault['kind'],
  client: string,
  host: string,
  at: Micros,
  lastsMicros: Micros,
): HostFault {
  switch (kind) {
    case 'pause':
      return { kind, host, at, lastsMicros, amount: 0 };
    case 'failSends':
      return { kind, host, at, lastsMicros, amount: stream.below(SEND_ERRORS.length) };
    case 'failReceives':
      return { kind, host, at, lastsMicros: 0, amount: 1 + stream.below(RECEIVE_ERRORS) };
    case 'natTimeout': // clients alone stand behind one: nobody finds a server that moves
      return { kind, host: client, at, lastsMicros, amount: NAT_TIMEOUT_MICROS_MIN + stream.below(NAT_TIMEOUT_MICROS) };
    case 'receiveBuffer': {
      const amount = RECEIVE_BUFFER_BYTES_MIN + stream.below(RECEIVE_BUFFER_BYTES);
      return { kind, host, at, lastsMicros, amount };
    }
    case 'drift': {
      const most = stream.below(2) === 0 ? DRIFT_PPM : DRIFT_PPM_MAX;
      return { kind, host, at, lastsMicros, amount: stream.below(2 * most + 1) - most };
    }
    case 'leap': // as long as a spell is: it takes from the same budget
      return { kind, host, at, lastsMicros: 0, amount: lastsMicros };
    default: {
      const step = stream.below(2 * CALENDAR_STEP_MICROS) - CALENDAR_STEP_MICROS;
      const amount = host === 'server' ? Math.abs(step) : step;
      return { kind, host, at: Math.max(at, CALENDAR_FROM_MICROS), lastsMicros: 0, amount };
    }
  }
}
