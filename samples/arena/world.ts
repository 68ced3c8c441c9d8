/**
 * The arena's rules: a rectangle seen from above, players who move, aim, shoot, die and come back.
 *
 * Pure: no clock, no network, chance is an argument. One `step` is one tick of 1/60 s. Lengths are in cells.
 */

export const ARENA_WIDTH = 64;
export const ARENA_HEIGHT = 32;
export const TICK_RATE_HZ = 60;
export const HEALTH_MAX = 100;

const PLAYER_RADIUS = 0.6;
const PLAYER_CELLS_PER_TICK = 10 / TICK_RATE_HZ;
const BULLET_CELLS_PER_TICK = 30 / TICK_RATE_HZ;
const BULLET_LIFE_TICKS = 60;
const BULLET_DAMAGE = 20;
const RELOAD_TICKS = 12;
const RESPAWN_TICKS = 120;
/** Bullets in flight at once; more are not fired. 64 players with a bullet life of 60 ticks and 12 to reload: 320. */
export const BULLETS_MAX = 128;
/** Inputs that may wait: what a late burst brings. More would only make the player lag behind its keys. */
const INPUTS_WAITING_MAX = 6;

/** What a player asks for in one tick. */
export interface Input {
  up: boolean;
  down: boolean;
  left: boolean;
  right: boolean;
  fire: boolean;
  /** Where the player aims, -127 .. 127 each; (0, 0): where it aimed before. */
  aimX: number;
  aimY: number;
}

export interface Player {
  readonly id: number;
  readonly name: string;
  x: number;
  y: number;
  /** Unit vector. */
  aimX: number;
  aimY: number;
  health: number;
  score: number;
  deaths: number;
  /** Ticks until it may shoot again, or until it comes back when health is 0. */
  waitTicks: number;
  input: Input;
  /** Inputs that have come and whose step has not: one is taken a step. */
  readonly inputs: Input[];
}

/** A player was killed. The killer may have left meanwhile. */
export interface Kill {
  readonly killer: number;
  readonly victim: number;
}

export interface Bullet {
  x: number;
  y: number;
  velocityX: number;
  velocityY: number;
  owner: number;
  lifeTicks: number;
}

export function idleInput(): Input {
  return { up: false, down: false, left: false, right: false, fire: false, aimX: 0, aimY: 0 };
}

export class ArenaWorld {
  readonly players: Map<number, Player> = new Map();
  readonly bullets: Bullet[] = [];
  /** What happened in the last step. */
  readonly kills: Kill[] = [];
  tick = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  join(id: number, name: string): Player {
    const player: Player = {
      id,
      name,
      x: 0,
      y: 0,
      aimX: 1,
      aimY: 0,
      health: HEALTH_MAX,
      score: 0,
      deaths: 0,
      waitTicks: 0,
      input: idleInput(),
      inputs: [],
    };
    this.#place(player);
    this.players.set(id, player);
    return player;
  }

  leave(id: number): void {
    this.players.delete(id);
  }

  /** Keeps the input of one of a player's ticks for a step to come. False: too many wait, and the oldest was dropped. */
  enqueue(id: number, input: Input): boolean {
    const inputs = this.players.get(id)?.inputs;
    if (inputs === undefined) return false;
    inputs.push(input);
    if (inputs.length <= INPUTS_WAITING_MAX) return true;
    inputs.shift();
    return false;
  }

  step(): void {
    this.tick++;
    this.kills.length = 0;
    for (const player of this.players.values()) this.#stepPlayer(player);
    this.#stepBullets();
  }

  #stepPlayer(player: Player): void {
    // Each tick's input is applied once, in order; where none has come, the keys are as they were.
    player.input = player.inputs.shift() ?? player.input;
    if (player.waitTicks > 0) player.waitTicks--;
    if (player.health === 0) {
      if (player.waitTicks === 0) this.#respawn(player);
      return;
    }
    const { input } = player;
    let dx = Number(input.right) - Number(input.left);
    let dy = Number(input.down) - Number(input.up);
    if (dx !== 0 && dy !== 0) {
      dx *= Math.SQRT1_2;
      dy *= Math.SQRT1_2;
    }
    player.x = clamp(player.x + dx * PLAYER_CELLS_PER_TICK, PLAYER_RADIUS, ARENA_WIDTH - PLAYER_RADIUS);
    player.y = clamp(player.y + dy * PLAYER_CELLS_PER_TICK, PLAYER_RADIUS, ARENA_HEIGHT - PLAYER_RADIUS);
    const aimLength = Math.sqrt(input.aimX * input.aimX + input.aimY * input.aimY);
    if (aimLength > 0) {
      player.aimX = input.aimX / aimLength;
      player.aimY = input.aimY / aimLength;
    }
    if (input.fire && player.waitTicks === 0 && this.bullets.length < BULLETS_MAX) this.#fire(player);
  }

  #fire(player: Player): void {
    player.waitTicks = RELOAD_TICKS;
    this.bullets.push({
      x: player.x + player.aimX * PLAYER_RADIUS,
      y: player.y + player.aimY * PLAYER_RADIUS,
      velocityX: player.aimX * BULLET_CELLS_PER_TICK,
      velocityY: player.aimY * BULLET_CELLS_PER_TICK,
      owner: player.id,
      lifeTicks: BULLET_LIFE_TICKS,
    });
  }

  #stepBullets(): void {
    let kept = 0;
    for (const bullet of this.bullets) {
      bullet.x += bullet.velocityX;
      bullet.y += bullet.velocityY;
      bullet.lifeTicks--;
      const inside = bullet.x >= 0 && bullet.y >= 0 && bullet.x <= ARENA_WIDTH && bullet.y <= ARENA_HEIGHT;
      if (inside && bullet.lifeTicks > 0 && !this.#hits(bullet)) this.bullets[kept++] = bullet;
    }
    this.bullets.length = kept;
  }

  #hits(bullet: Bullet): boolean {
    for (const player of this.players.values()) {
      if (player.id === bullet.owner || player.health === 0) continue;
      const dx = player.x - bullet.x;
      const dy = player.y - bullet.y;
      if (dx * dx + dy * dy > PLAYER_RADIUS * PLAYER_RADIUS) continue;
      player.health = Math.max(0, player.health - BULLET_DAMAGE);
      if (player.health === 0) this.#die(player, bullet.owner);
      return true;
    }
    return false;
  }

  #die(player: Player, killer: number): void {
    player.deaths++;
    player.waitTicks = RESPAWN_TICKS;
    this.kills.push({ killer, victim: player.id });
    const scorer = this.players.get(killer); // may have left while the bullet flew
    if (scorer !== undefined) scorer.score++;
  }

  #respawn(player: Player): void {
    player.health = HEALTH_MAX;
    this.#place(player);
  }

  #place(player: Player): void {
    player.x = PLAYER_RADIUS + this.#random() * (ARENA_WIDTH - 2 * PLAYER_RADIUS);
    player.y = PLAYER_RADIUS + this.#random() * (ARENA_HEIGHT - 2 * PLAYER_RADIUS);
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
