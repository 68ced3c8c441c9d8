/**
 * The swarm: the whole engine in random networks, one seed a run, and everything that it promises checked.
 *
 * A run is a server and a client or two that say messages of all kinds to each other while the network does its worst.
 * Then the network heals, and within a bound everything that was promised has arrived, once and byte for byte, and the
 * connections fall idle. What a seed does is a function of the seed: a failure is repeated with one command.
 */

import type { Server } from '../../engine/server.ts';
import { type Micros, NEVER } from '../../sys/api.ts';
import type { ConnectionStats } from '../../transport/connection-stats.ts';
import { openEngine } from '../world/engine-host.ts';
import type { SimHost } from '../world/host.ts';
import { World } from '../world/world.ts';
import { SwarmConnection } from './connection.ts';
import { drawPlan, healed, type SwarmPlan } from './plan.ts';
import { SWARM_DECLARATIONS, type SwarmChannels } from './talk.ts';

export interface SwarmOptions {
  readonly seed: string | number;
  /** How long the network does its worst at most, beyond the first 200 ms. Default 0.5. */
  readonly secondsMax?: number;
}

/** What a run did. */
export interface SwarmReport {
  readonly seed: string;
  readonly digest: string;
  readonly sent: number;
  readonly arrived: number;
  /** From the healing until nothing was under way any more. */
  readonly settledAfterMicros: Micros;
  readonly virtualMicros: Micros;
  /** Broken promises, in sentences; none: all is well. */
  readonly complaints: readonly string[];
}

const PORT = 40_000;
/** The private key of every run. */
const KEY: Uint8Array = new Uint8Array(32).fill(7);
const STEP_MICROS = 50_000;
/**
 * From the healing on everything is there within so long: a few probes at doubled timeouts after a bad time, round trips
 * of up to 0.2 s, and what waits (at most 4 MiB, most of it less than 300 KB) over a line of 2 Mbit/s.
 */
export const SETTLED_WITHIN_MICROS = 5_000_000;
/** After that for so long no packet with a payload leaves, but for the last acks. */
const IDLE_MICROS = 1_000_000;
const IDLE_PACKETS_MAX = 2;
/** Complaints that a report keeps: the first ones tell, the rest follow from them. */
const COMPLAINTS_MAX = 20;
/** What arrives malformed, refused or unreadable between two honest sides is our own fault. */
const FAULTS: readonly string[] = ['malformedPayloads', 'undecodable', 'extensions'];

/** Runs one seed. Resolves also when promises were broken: the report says which. */
export async function runSwarm({ seed, secondsMax = 0.5 }: SwarmOptions): Promise<SwarmReport> {
  const world = new World({ seed });
  const plan = drawPlan(world.streams.stream('swarm/plan'), secondsMax);
  const run = new SwarmRun(world, plan);
  try {
    await run.play();
  } catch (error) {
    run.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const talks = run.connections.flatMap((one) => [one.toServer, one.toClient]);
  return {
    seed: world.seed,
    digest: world.digest(),
    sent: talks.reduce((sum, talk) => sum + talk.sent, 0),
    arrived: talks.reduce((sum, talk) => sum + talk.arrived, 0),
    settledAfterMicros: run.settledAfterMicros,
    virtualMicros: world.now,
    complaints: run.complaints,
  };
}

class SwarmRun {
  readonly complaints: string[] = [];
  readonly connections: SwarmConnection[] = [];
  settledAfterMicros: Micros = NEVER;
  readonly #world: World;
  readonly #plan: SwarmPlan;
  readonly #serverHost: SimHost;
  #server: Server<SwarmChannels> | null = null;

  constructor(world: World, plan: SwarmPlan) {
    this.#world = world;
    this.#plan = plan;
    this.#serverHost = world.host('server');
    this.#listen();
    const server = { address: this.#serverHost.address(PORT), key: KEY };
    plan.clients.forEach((client, index) => {
      const host = world.host(`client-${index}`);
      world.link(host, this.#serverHost, client.up, client.down);
      this.connections.push(
        new SwarmConnection(world, host, { ...plan, ...client }, index, server, (text) => this.complain(text)),
      );
    });
  }

  complain(text: string): undefined {
    if (this.complaints.length < COMPLAINTS_MAX) this.complaints.push(text);
  }

  async play(): Promise<void> {
    for (const rebinding of this.#rebindings()) {
      await this.#world.run({ untilMicros: rebinding.at });
      if (!rebinding.one.canRebind) continue; // a new address would be the end, also of an attempt to connect
      rebinding.one.rebound();
      this.#world.rebind(rebinding.one.host, { address: rebinding.address });
    }
    await this.#world.run({ untilMicros: this.#plan.healsAt });
    this.#heal();
    await this.#settle();
    await this.#beIdle();
    for (const one of this.connections) one.close();
    this.#countFaults();
  }

  /** Those during the bad time, in order. */
  #rebindings(): readonly { readonly at: Micros; readonly one: SwarmConnection; readonly address: boolean }[] {
    return this.#plan.clients
      .map((client, i) => ({
        at: client.rebindAt ?? NEVER,
        one: this.connections[i]!,
        address: client.rebindAddress,
      }))
      .filter(({ at }) => at < this.#plan.healsAt)
      .sort((a, b) => a.at - b.at);
  }

  #heal(): void {
    this.#plan.clients.forEach((client, i) => {
      const one = this.connections[i]!;
      this.#world.link(one.host, this.#serverHost, healed(client.up), healed(client.down));
      one.heal();
    });
  }

  async #settle(): Promise<void> {
    const { healsAt } = this.#plan;
    for (let at = healsAt; at < healsAt + SETTLED_WITHIN_MICROS; at += STEP_MICROS) {
      await this.#world.run({ untilMicros: at });
      if (!this.connections.every((one) => one.isSettled)) continue;
      this.settledAfterMicros = this.#world.now - healsAt;
      return;
    }
    for (const one of this.connections) if (!one.isSettled) this.complain(`${one.describe()} is not settled in time`);
  }

  async #beIdle(): Promise<void> {
    await this.#world.run({ untilMicros: this.#world.now + STEP_MICROS * 4 });
    const before = this.connections.map((one) => one.ends().map((stats) => stats.packetsSent));
    await this.#world.run({ untilMicros: this.#world.now + IDLE_MICROS });
    this.connections.forEach((one, i) => {
      one.ends().forEach((stats, end) => {
        const packets = stats.packetsSent - before[i]![end]!;
        const side = end === 0 ? 'client' : 'server';
        if (packets > IDLE_PACKETS_MAX) this.complain(`${one.name}: the idle ${side} sent ${packets} packets`);
        this.#checkEmpty(`${one.name}: the idle ${side}`, stats);
      });
    });
  }

  #checkEmpty(whose: string, stats: ConnectionStats): void {
    const { waitingMessages, waitingBytes, unsettledMessages, inFlightBytes } = stats;
    if (waitingMessages + waitingBytes + unsettledMessages + inFlightBytes === 0) return;
    this.complain(
      `${whose} holds ${waitingMessages} messages of ${waitingBytes} bytes, ${unsettledMessages} without fate, ` +
        `and has ${inFlightBytes} bytes in flight`,
    );
  }

  #countFaults(): void {
    const drops = [this.#server?.drops, ...this.connections.map((one) => one.client?.drops)];
    for (const one of drops) {
      for (const fault of FAULTS) if ((one?.[fault] ?? 0) > 0) this.complain(`${one![fault]} ${fault}`);
    }
  }

  #listen(): void {
    const { tickRateHz, wake, backlogMax, backlogBytesMax, windowBytes } = this.#plan;
    const engine = openEngine(this.#world, this.#serverHost, (text) => this.complain(`server: ${text}`));
    this.#world.start(this.#serverHost, 0, async () => {
      const server = await engine.listen<SwarmChannels>({
        port: PORT,
        host: '0.0.0.0',
        publicAddresses: [this.#serverHost.address(PORT)],
        privateKey: KEY,
        freshKey: true,
        channels: SWARM_DECLARATIONS,
        tickRateHz,
        wake,
        backlogMax,
        backlogBytesMax,
        windowBytes,
      });
      this.#server = server;
      const of = (clientId: bigint): SwarmConnection => this.connections[Number(clientId) - 1]!;
      server.on('connect', (peer) => of(peer.clientId).connected(peer, engine));
      server.on('disconnect', (peer, reason) => of(peer.clientId).ended('server', reason));
      server.on('path', (peer) => of(peer.clientId).moved());
      server.on('message', (peer, channel, message, tag) =>
        of(peer.clientId).toServer.hear(channel, message.copy(), tag),
      );
      server.on('receipt', (peer, receipt, fate) => of(peer.clientId).toClient.receipt(receipt, fate));
      server.on('tick', () => {
        for (const peer of server.peers) of(peer.clientId).serverTick();
      });
    });
  }
}
