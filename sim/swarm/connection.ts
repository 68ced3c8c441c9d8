/** One connection of the swarm: a client, its peer on the server, what they say to each other and how it is to end. */

import type { Client } from '../../engine/client.ts';
import type { Host } from '../../engine/host.ts';
import type { Peer } from '../../engine/peer.ts';
import type { Micros } from '../../sys/api.ts';
import type { ConnectionStats } from '../../transport/connection-stats.ts';
import type { DisconnectReason } from '../../transport/endpoint.ts';
import { openEngine } from '../world/engine-host.ts';
import type { SimHost } from '../world/host.ts';
import type { World } from '../world/world.ts';
import type { Complain } from './ledger.ts';
import type { ClientPlan, SwarmPlan } from './plan.ts';
import type { Sights } from './sights.ts';
import { type Speaker, SWARM_DECLARATIONS, type SwarmChannels, Talk } from './talk.ts';

/** Longer than the swarm waits for anything: some megabytes on its slowest line. */
const DRAIN_MICROS = 60_000_000;
/** How often a side without ticks speaks that was to speak with its ticks. */
const EVERY_MICROS = 16_667;

export class SwarmConnection {
  readonly host: SimHost;
  readonly name: string;
  readonly toServer: Talk;
  readonly toClient: Talk;
  client: Client<SwarmChannels> | null = null;
  readonly #world: World;
  readonly #plan: SwarmPlan & ClientPlan;
  readonly #sights: Sights;
  readonly #complain: Complain;
  #peer: Peer<SwarmChannels> | null = null;
  #ended = 0;
  /** The network has healed: nobody says anything more. */
  #healed = false;
  #isToLeave = false;
  #hasLeft = false;

  constructor(
    world: World,
    host: SimHost,
    plan: SwarmPlan & ClientPlan,
    index: number,
    server: { readonly address: string; readonly key: Uint8Array },
    sights: Sights,
    complain: Complain,
  ) {
    this.host = host;
    this.name = host.name;
    this.#world = world;
    this.#plan = plan;
    this.#sights = sights;
    this.#complain = complain;
    const talk = (name: 'toServer' | 'toClient', number: number): Talk =>
      new Talk(
        plan[name],
        world.streams.stream(`swarm/${host.name}/${name}`),
        number,
        `${host.name} ${name}`,
        plan.messagesMax,
        sights,
        complain,
      );
    this.toServer = talk('toServer', index * 2);
    this.toClient = talk('toClient', index * 2 + 1);
    const engine = openEngine(world, host, (text) => complain(`${host.name}: ${text}`));
    world.start(host, plan.beginsAt, () => this.#connect(engine, index, server));
  }

  /** The server let it in. */
  connected(peer: Peer<SwarmChannels>, engine: Host): void {
    this.#peer = peer;
    if (this.#plan.toClient.everyMicros > 0 || this.#plan.tickRateHz === 0) {
      void this.#speakOnAndOn(engine, this.toClient, peer as unknown as Speaker, this.#plan.toClient.everyMicros);
    }
  }

  serverTick(): void {
    if (!this.#healed && this.#plan.toClient.everyMicros === 0) this.toClient.speak(this.#peer as unknown as Speaker);
  }

  ended(side: string, reason: DisconnectReason): void {
    this.#ended++;
    this.#sights.see('a connection closed with its network at its worst behind it', this.#plan.ending === 'close');
    this.#sights.see('a connection drained', this.#plan.ending === 'drain');
    if (!this.#isToLeave || reason.code !== 'closed') {
      this.#complain(`${this.name}: the connection ended on the ${side}: ${reason.code} ${reason.text}`);
    }
  }

  /** Its address has changed. */
  rebound(): void {
    const bytes = this.ends().reduce((sum, stats) => sum + stats.inFlightBytes, 0);
    this.#sights.see('an address changed with bytes in flight', bytes > 0);
  }

  /** The server has found it at another address. */
  moved(): void {
    this.#sights.see('a player found at a new address');
    if (this.#isToLeave && !this.#hasLeft && !this.#isLost) this.#leave();
  }

  /** Nothing more is said from now on, and who is to leave leaves. */
  heal(): void {
    this.#healed = true;
    for (const stats of this.ends()) {
      this.#sights.end(stats);
      this.#sights.see('messages waiting when the network heals', stats.waitingMessages > 0);
    }
    if (this.#plan.ending === 'stay' || !this.isConnected) return;
    this.#isToLeave = true;
    // A goodbye carries no id, and what is said to the old address is not heard: who is lost leaves once the server has found it.
    if (!this.#isLost) this.#leave();
  }

  /** Its address has changed, and the server has not noticed yet. */
  get #isLost(): boolean {
    const { nat } = this.host;
    return nat !== null && !nat.maps(portOfText(this.#peer!.address));
  }

  #leave(): void {
    this.#hasLeft = true;
    const { ending } = this.#plan;
    const act = (): void => {
      if (ending === 'close') void this.client!.close('enough');
      else if (ending === 'drain') void this.client!.close({ drain: true, drainMicros: DRAIN_MICROS });
      else this.#peer!.close({ drain: true, drainMicros: DRAIN_MICROS });
    };
    this.#world.start(this.host, this.#world.now, act);
  }

  /** Nothing leads a server to a client at a new address but an id that it gave it before. The first payloads bring one. */
  get canRebind(): boolean {
    return this.isConnected && this.client!.canRebind;
  }

  /** Both sides know of it. */
  get isConnected(): boolean {
    return this.client !== null && this.#peer !== null;
  }

  /** Nothing is under way any more. */
  get isSettled(): boolean {
    if (this.client === null || this.#peer === null) return false;
    if (this.#isToLeave) return this.#ended === 2;
    if (!this.toServer.isComplete || !this.toClient.isComplete) return false;
    return this.ends().every((stats) => stats.inFlightBytes + stats.unsettledMessages + stats.waitingMessages === 0);
  }

  /** How both ends fare, the client first. Of a connection that is over: nothing. */
  ends(): readonly ConnectionStats[] {
    return [this.client, this.#peer].filter((end) => end !== null).map((end) => end.stats());
  }

  /** Checks what can only be known in the end. A side that drained has seen all its messages arrive, the other may not. */
  close(): void {
    const stayed = !this.#isToLeave;
    this.toServer.close(stayed || this.#plan.ending === 'drain');
    this.toClient.close(stayed || this.#plan.ending === 'server drains');
    if (stayed && this.client?.state !== 'connected')
      this.#complain(`${this.name}: is ${this.client?.state ?? 'not there'}`);
  }

  describe(): string {
    const ends = this.ends().map(
      (s) => `${s.waitingMessages} wait, ${s.unsettledMessages} without fate, ${s.inFlightBytes} bytes in flight`,
    );
    const incomplete = [...this.toServer.ledgers, ...this.toClient.ledgers].filter((ledger) => !ledger.isComplete);
    return `${this.name} (${this.#plan.ending}; ${ends.join('; ')}; ${incomplete.map((l) => l.where).join(', ')})`;
  }

  async #connect(
    engine: Host,
    index: number,
    server: { readonly address: string; readonly key: Uint8Array },
  ): Promise<void> {
    const { clientTickRateHz, backlogMax, backlogBytesMax, windowBytes } = this.#plan;
    const token = await engine.mintToken({
      privateKey: server.key,
      clientId: index + 1,
      addresses: [server.address],
    });
    const client = await engine.connect<SwarmChannels>({
      token,
      channels: SWARM_DECLARATIONS,
      tickRateHz: clientTickRateHz,
      backlogMax,
      backlogBytesMax,
      windowBytes,
    });
    this.client = client;
    client.on('message', (channel, message, tag) => this.toClient.hear(channel, message.bytes(message.length), tag));
    client.on('receipt', (receipt, fate) => this.toServer.receipt(receipt, fate));
    client.on('disconnect', (reason) => this.ended('client', reason));
    const speaker = client as unknown as Speaker;
    const every: Micros = this.#plan.toServer.everyMicros;
    if (every === 0 && clientTickRateHz > 0) {
      client.on('tick', () => {
        if (!this.#healed) this.toServer.speak(speaker);
      });
    } else await this.#speakOnAndOn(engine, this.toServer, speaker, every);
  }

  async #speakOnAndOn(engine: Host, talk: Talk, speaker: Speaker, every: Micros): Promise<void> {
    while (!this.#healed) {
      talk.speak(speaker);
      await engine.sleep(every > 0 ? every : EVERY_MICROS);
    }
  }
}

/** The port of `10.0.0.1:40000`. */
function portOfText(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
