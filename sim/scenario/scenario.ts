/**
 * A scenario: one game, so many clients, one kind of link, so much time. Runs it and reports what the network did.
 */

import type { GameModule, Host } from '../../engine/host.ts';
import type { MessageTap } from '../../engine/message-tap.ts';
import type { Capture } from '../capture/capture.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import { Fates } from '../link/fates.ts';
import type { Fault } from '../link/fault.ts';
import { openEngine } from '../world/engine-host.ts';
import { millisOf } from '../world/latency-histogram.ts';
import { SimAead } from '../world/sim-aead.ts';
import type { AeadFactory } from '../world/sim-sys.ts';
import { TimedFaults } from '../world/timed-faults.ts';
import { World } from '../world/world.ts';
import { ConnectionWatch } from './connection-watch.ts';
import { forgetful, Lives } from './lives.ts';
import { type ChannelReport, DEADLINE_MICROS, MessageLatencies } from './message-latencies.ts';
import type { Restart } from './scene.ts';
import { Series } from './series.ts';
import type { SeriesReport } from './series-report.ts';

/** The port that a simulated server is told to listen on. */
export const SERVER_PORT = 40_000;
const PRIVATE_KEY_BYTES = 32;
/** Clients begin within this time, each at a moment of its own: real ones do not come in step. */
const START_SPREAD_MICROS = 200_000;
/** The first may begin here: the server listens by then. */
const START_MICROS = 10_000;

/** What to simulate. */
export interface Scenario {
  /** Name for the report. */
  readonly name: string;
  /** The game: a module with `server(host, args)` and `client(host, args)`. May export `PROTOCOL_ID`. */
  readonly game: SimulatedGame;
  /** Clients, each on a host of its own. */
  readonly clients: number;
  /** From each client to the server, and back where `down` is not given. */
  readonly link: DirectionOptions;
  /** From the server to each client. */
  readonly down?: DirectionOptions;
  readonly seconds: number;
  readonly seed: string | number;
  /**
   * Called once when all hosts are there (`server`, `client-0`, ...) and before time begins: for what is more than one link
   * for all. `restart` begins another life of a host that has crashed: the game's code with the arguments of the first.
   */
  readonly prepare?: (world: World, restart: Restart) => void;
  /**
   * What becomes of packets, ways and hosts (`link/fault.ts`), in place of chance: latency, rate, queue, policer and MTU stay, and
   * nothing else befalls the run but this and what `prepare` does. Default: chance.
   */
  readonly script?: readonly Fault[];
  /** See `WorldOptions.strict`. */
  readonly strict?: boolean;
  /** See `WorldOptions.openAead`. */
  readonly openAead?: AeadFactory;
  /** Listens on every link and has the server's keys. */
  readonly capture?: Capture;
  /** Messages that take longer count as missed. Default 100 ms. */
  readonly deadlineMicros?: number;
  /** Samples over time go into the report (`series`). Default false. */
  readonly series?: boolean;
  /** Told what an operator would see: warnings of the engine, clients that could not connect. */
  readonly warn?: (text: string) => void;
}

/** A game that the simulator can run: it takes these arguments, or ignores them. */
export type SimulatedGame = GameModule<ServerArgs, ClientArgs> & { readonly PROTOCOL_ID?: bigint | number };

/** What the game's `server` is given besides its host. */
export interface ServerArgs {
  readonly port: number;
  /** The address to bind. */
  readonly address: string;
  readonly privateKey: Uint8Array;
  readonly maxClients: number;
}

/** What the game's `client` is given besides its host. */
export interface ClientArgs {
  /** Number of this client, from 0. */
  readonly index: number;
  /** `address:port` of the server. */
  readonly address: string;
  /** Mints a connect token for this client, as the game's backend would. */
  readonly token: () => Promise<Uint8Array>;
}

/** What happened. Packets are datagrams on links. */
export interface ScenarioReport {
  readonly scenario: string;
  readonly seed: string;
  readonly clients: number;
  /** Times that the code of a client could not connect: refused, or timed out. A client that is started again may once more. */
  readonly clientsFailed: number;
  readonly digest: string;
  readonly virtualSeconds: number;
  readonly events: number;
  readonly packetsSent: number;
  /** Copies that links made; not among the packets sent. */
  readonly packetsDuplicated: number;
  readonly packetsDropped: number;
  readonly dropped: {
    /** In the air. */
    readonly lost: number;
    /** By the queue before a link's line. */
    readonly queueFull: number;
    /** By a direction that was cut. */
    readonly cut: number;
    /** Larger than a link's MTU. */
    readonly tooLarge: number;
    /** By a policer. */
    readonly policed: number;
    /** At a full receive buffer. */
    readonly overflowed: number;
    /** At a port that nobody listened on (any more). */
    readonly unheard: number;
  };
  /** One-way delays of delivered packets; null when none was. */
  readonly latencyMs: { readonly p50: number | null; readonly p99: number | null };
  /** What `deadlineMissShare` of the channels is about. */
  readonly deadlineMs: number;
  /** Messages of the game, by direction and channel. */
  readonly channels: readonly ChannelReport[];
  /** Faults of the script, where there was one, and how many of them met their packet, or had something come of them. */
  readonly script?: { readonly faults: number; readonly met: number };
  /** The run over time, where it was asked for. */
  readonly series?: SeriesReport;
}

/**
 * Runs a scenario to its end. Rejects with the first error of the game's code; a client that cannot connect is no error
 * but a result (`clientsFailed`).
 */
export async function runScenario(scenario: Scenario): Promise<ScenarioReport> {
  const { game, capture, script, warn = () => {} } = scenario;
  const fates = script === undefined ? null : new Fates({ script, replaces: true });
  const world = new World({
    seed: scenario.seed,
    link: scenario.link,
    strict: scenario.strict ?? false,
    ...(scenario.openAead === undefined ? {} : { openAead: scenario.openAead }),
    ...(fates === null ? {} : { fates }),
  });
  const server = world.host('server');
  const address = server.address(SERVER_PORT);
  const privateKey = new Uint8Array(PRIVATE_KEY_BYTES);
  world.streams.stream('scenario/private-key').fill(privateKey);
  const messages = new MessageLatencies(() => world.now, scenario.deadlineMicros ?? DEADLINE_MICROS);
  const watch = new ConnectionWatch();
  if (capture !== undefined) listenIn(capture, world, scenario, privateKey, watch);
  const tapOf = (tap: MessageTap) => capture?.tap(tap) ?? tap;
  const lives = new Lives(world);
  const args = { port: SERVER_PORT, address: address.replace(/:\d+$/, ''), privateKey };
  lives.begin(
    server,
    0,
    () => watch.server(forgetful(openEngine(world, server, warn, tapOf(messages.server())), messages)),
    (engine) => game.server?.(engine, { ...args, maxClients: Math.max(1, scenario.clients) }),
  );
  let clientsFailed = 0;
  for (let index = 0; index < scenario.clients; index++) {
    const host = world.host(`client-${index}`);
    if (scenario.down !== undefined) world.direction(server, host).configure(scenario.down);
    const begin = START_MICROS + world.streams.stream(`scenario/start/${host.name}`).below(START_SPREAD_MICROS);
    const open = () => watch.client(openEngine(world, host, warn, tapOf(messages.client(BigInt(index + 1)))), index);
    lives.begin(host, begin, open, async (engine) => {
      const token = () => mint(engine, game, privateKey, address, host.name, index);
      try {
        await game.client?.(engine, { index, address, token });
      } catch (error) {
        // A client that is refused or times out is what a lossy link does; any other error is a bug of the game.
        if ((error as Error).name !== 'ConnectError') throw error;
        clientsFailed++;
        warn(`${host.name}: could not connect: ${(error as Error).message}`);
      }
    });
  }
  scenario.prepare?.(world, lives.restart);
  const timed = fates === null ? null : new TimedFaults({ world, fates, faults: fates.timed });
  timed?.schedule();
  if (script?.some(({ kind }) => kind === 'replay') === true) world.stranger(null);
  const series = scenario.series === true ? new Series(world, messages, watch) : null;
  const untilMicros = scenario.seconds * 1_000_000;
  try {
    await (series === null ? world.run({ untilMicros }) : series.run(untilMicros));
  } finally {
    capture?.end(world.now); // also of a run that failed: of that one most of all
  }
  timed?.settle();
  return {
    ...reportOf(scenario, world, clientsFailed, messages, watch),
    ...(fates === null ? {} : { script: { faults: script!.length, met: fates.met.size } }),
    ...(series === null ? {} : { series: series.report() }),
  };
}

function listenIn(
  capture: Capture,
  world: World,
  { game, openAead }: Scenario,
  privateKey: Uint8Array,
  watch: ConnectionWatch,
): void {
  const keys = {
    privateKey,
    protocolId: BigInt(game.PROTOCOL_ID ?? 0),
    openAead: openAead ?? ((slots, slotBytes) => new SimAead(slots, slotBytes)),
  };
  capture.begin(keys, watch);
  world.observe(capture.observe);
}

function mint(
  engine: Host,
  game: SimulatedGame,
  privateKey: Uint8Array,
  address: string,
  name: string,
  index: number,
): Promise<Uint8Array> {
  return engine.mintToken({
    privateKey,
    clientId: index + 1,
    addresses: [address],
    protocolId: game.PROTOCOL_ID ?? 0,
    userData: new TextEncoder().encode(name),
  });
}

function reportOf(
  scenario: Scenario,
  world: World,
  clientsFailed: number,
  messages: MessageLatencies,
  { tickMicros }: ConnectionWatch,
): ScenarioReport {
  const { sent, duplicated, lost, queueDropped, cut, tooLarge, policed, overflowed, unheard } = world.stats;
  return {
    scenario: scenario.name,
    seed: world.seed,
    clients: scenario.clients,
    clientsFailed,
    digest: world.digest(),
    virtualSeconds: world.now / 1_000_000,
    events: world.events,
    packetsSent: sent,
    packetsDuplicated: duplicated,
    packetsDropped: lost + queueDropped + cut + tooLarge + policed + overflowed + unheard,
    dropped: { lost, queueFull: queueDropped, cut, tooLarge, policed, overflowed, unheard },
    latencyMs: { p50: millisOf(world.latency.quantile(0.5)), p99: millisOf(world.latency.quantile(0.99)) },
    deadlineMs: messages.deadlineMicros / 1000,
    channels: messages.report({ tickMicros }),
  };
}
