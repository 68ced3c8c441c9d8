/**
 * Access networks by name: `sim run --preset wifi`.
 *
 * Each says where its numbers come from and how far they are to be trusted. `measured`: the figures named in `sources` are
 * met (test/sim/scenario/presets.test.ts checks them). `shape`: the mechanism is documented, its size is chosen within what
 * the sources report. `guess`: plausible, and no more. What is not named by a source is an estimate in all of them.
 */

import type { DirectionOptions } from '../link/direction-options.ts';

export interface Preset {
  readonly name: string;
  /** What it stands for, in a line. */
  readonly text: string;
  readonly confidence: 'measured' | 'shape' | 'guess';
  readonly sources: readonly string[];
  /** From each client to the server. */
  readonly up: DirectionOptions;
  readonly down: DirectionOptions;
}

const MILLI = 1_000;
const SECOND = 1_000_000;
const MEGABIT = 1_000_000;

/** The bytes that wait `millis` before a line. */
const bufferOf = (bitsPerSecond: number, millis: number): number => Math.round((bitsPerSecond * millis) / 8_000);

const line = (megabits: number, queueMillis: number): Pick<DirectionOptions, 'rateBitsPerSecond' | 'queueBytes'> => ({
  rateBitsPerSecond: megabits * MEGABIT,
  queueBytes: bufferOf(megabits * MEGABIT, queueMillis),
});

/** A late packet holds up those behind it, as link layers that send again do. */
const inOrder = (latencyMillis: number, jitterMillis: number): DirectionOptions => ({
  latencyMicros: latencyMillis * MILLI,
  jitterMicros: jitterMillis * MILLI,
  jitterShape: 'gamma',
  keepOrder: true,
});

const outages = (loss: number, meanMillis: number): DirectionOptions => ({
  loss: { model: 'gilbert-elliott-time', loss, meanBurstMicros: meanMillis * MILLI },
});

export const PRESETS: readonly Preset[] = [
  {
    name: 'lan',
    text: 'two machines on a switch',
    confidence: 'guess',
    sources: ['estimate'],
    up: { latencyMicros: 150, jitterMicros: 50, loss: 0.00001, ...line(1_000, 5) },
    down: { latencyMicros: 150, jitterMicros: 50, loss: 0.00001, ...line(1_000, 5) },
  },
  {
    name: 'fiber',
    text: 'fibre to the home, a server in the same region',
    confidence: 'shape',
    sources: [
      'Unity Multiplayer Tools, preset "Home Fiber": 10 +- 1 ms',
      'kralo, round trips of first hops: GPON 1.5 ms',
    ],
    up: { ...inOrder(9, 1), loss: 0.00001, ...line(100, 50) },
    down: { ...inOrder(9, 1), loss: 0.00001, ...line(300, 50) },
  },
  {
    name: 'cable',
    text: 'DOCSIS at home, a server in the same region',
    confidence: 'shape',
    sources: [
      'Unity Multiplayer Tools, preset "Home Cable": 25 +- 5 ms',
      'FCC, Measuring Broadband America 9: most users lose less than 0.4 % at peak hours',
      'Facebook ATC, profile Cable: 6 and 1 Mbit/s, here ten times as fast',
    ],
    up: { ...inOrder(20, 5), loss: { model: 'gilbert-elliott', loss: 0.001, meanBurstPackets: 2 }, ...line(10, 150) },
    down: { ...inOrder(20, 5), loss: { model: 'gilbert-elliott', loss: 0.001, meanBurstPackets: 2 }, ...line(60, 100) },
  },
  {
    name: 'adsl-bufferbloat',
    text: 'ADSL with a deep buffer before a slow way up',
    confidence: 'shape',
    sources: [
      'Facebook ATC, profile DSL: 2,000 and 256 kbit/s',
      'kralo, round trips of first hops: ADSL 19 ms',
      'Armitage et al., Networking and Online Games: a packet of 1,500 bytes delays the next by 94 ms at 128 kbit/s',
    ],
    up: { ...inOrder(20, 2), loss: 0.001, ...line(0.256, 1_000) },
    down: { ...inOrder(20, 2), loss: 0.001, ...line(2, 250) },
  },
  {
    name: 'wifi',
    text: 'Wi-Fi at home behind a fast line',
    confidence: 'shape',
    sources: [
      'picoquic, sim_link.c: the model of a radio that tries again, meets others and suspends',
      'Pei et al., INFOCOM 2016: over 10 % of packets see more than 100 ms on a busy Wi-Fi hop; this one is quieter',
    ],
    up: { ...inOrder(12, 1), loss: 0.001, wifi: { busy: 0.001, suspendEveryMicros: 60 * SECOND }, ...line(20, 200) },
    down: { ...inOrder(12, 1), loss: 0.001, wifi: { busy: 0.001, suspendEveryMicros: 60 * SECOND }, ...line(50, 200) },
  },
  {
    name: 'wifi-lossy',
    text: 'Wi-Fi at the end of the garden',
    confidence: 'shape',
    sources: [
      'picoquic, sim_link.c: the model of a radio that tries again, meets others and suspends',
      'Pei et al., INFOCOM 2016: over 50 % of packets see more than 20 ms on a bad Wi-Fi hop',
    ],
    up: {
      ...inOrder(12, 3),
      ...outages(0.03, 30),
      wifi: { stepMicros: 3 * MILLI, busy: 0.01, suspendEveryMicros: 20 * SECOND },
      ...line(5, 300),
    },
    down: {
      ...inOrder(12, 3),
      ...outages(0.03, 30),
      wifi: { stepMicros: 3 * MILLI, busy: 0.01, suspendEveryMicros: 20 * SECOND },
      ...line(10, 300),
    },
  },
  {
    name: 'lte',
    text: 'a phone that stays where it is',
    confidence: 'shape',
    sources: ['Unity Multiplayer Tools, preset "Mobile 4G": 100 +- 20 ms and 4 %', 'Loadero, 4G: 0.2 % lost, 45 ms'],
    up: { ...inOrder(35, 10), ...outages(0.002, 40), ...line(10, 1_000) },
    down: { ...inOrder(35, 10), ...outages(0.002, 40), ...line(30, 1_000) },
  },
  {
    name: '4g-train',
    text: 'a phone in a fast train: handovers every ten seconds',
    confidence: 'guess',
    sources: [
      'Wang et al., 4G on rails at 300 km/h: frequent handovers are the cause of bad transfers; their length here is an estimate',
    ],
    up: {
      ...inOrder(50, 25),
      ...outages(0.03, 200),
      wifi: { stepMicros: MILLI, busy: 0.01, suspendEveryMicros: 10 * SECOND, suspendMicros: 150 * MILLI },
      ...line(3, 1_500),
    },
    down: {
      ...inOrder(50, 25),
      ...outages(0.03, 200),
      wifi: { stepMicros: MILLI, busy: 0.01, suspendEveryMicros: 10 * SECOND, suspendMicros: 150 * MILLI },
      ...line(10, 1_500),
    },
  },
  {
    name: '5g',
    text: 'a phone on a good 5G cell',
    confidence: 'guess',
    sources: [
      'Unity Multiplayer Tools, preset "Mobile 5G": 30 +- 20 ms; its 4 % of loss is left out, since no cell loses so much',
    ],
    up: { ...inOrder(15, 5), ...outages(0.0005, 20), ...line(50, 200) },
    down: { ...inOrder(15, 5), ...outages(0.0005, 20), ...line(200, 200) },
  },
  {
    name: 'starlink',
    text: 'low orbit: a new satellite every fifteen seconds',
    confidence: 'measured',
    sources: [
      'APNIC blog, 2022-11-28: round trips to European anchors: quartiles 40, 50 and 60 ms',
      'arXiv 2310.09242: everything is arranged anew each 15 s',
      'Kassem et al., IMC 2022: losses at handovers',
    ],
    up: {
      ...inOrder(12, 10),
      ...outages(0.01, 60),
      wifi: { stepMicros: 0, busy: 0, suspendEveryMicros: 15 * SECOND, suspendMicros: 60 * MILLI },
      ...line(15, 200),
    },
    down: {
      ...inOrder(12, 10),
      ...outages(0.01, 60),
      wifi: { stepMicros: 0, busy: 0, suspendEveryMicros: 15 * SECOND, suspendMicros: 60 * MILLI },
      ...line(150, 200),
    },
  },
  {
    name: 'geo',
    text: 'a geostationary satellite',
    confidence: 'measured',
    sources: ['Michel et al., IMC 2022: no round trip below about 600 ms'],
    up: { ...inOrder(300, 10), loss: 0.001, ...line(5, 500) },
    down: { ...inOrder(300, 10), loss: 0.001, ...line(50, 500) },
  },
  {
    name: 'intercontinental',
    text: 'Mumbai to Frankfurt by cable',
    confidence: 'shape',
    sources: [
      'great circle of about 6,600 km: no round trip below 66 ms in fibre; Denmark to India is reported at 110 to 150 ms',
    ],
    up: { ...inOrder(57, 1), loss: { model: 'gilbert-elliott', loss: 0.001, meanBurstPackets: 2 } },
    down: { ...inOrder(57, 1), loss: { model: 'gilbert-elliott', loss: 0.001, meanBurstPackets: 2 } },
  },
];

/** The preset of that name; null when there is none. */
export function presetNamed(name: string): Preset | null {
  return PRESETS.find((preset) => preset.name === name) ?? null;
}
