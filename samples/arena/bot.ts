/** A bot: walks towards the nearest living enemy, keeps some distance, and shoots when it has a line. */

import type { PlayerView, Snapshot } from './protocol.ts';
import { type Input, idleInput } from './world.ts';

const SHOOT_CELLS = 20;
const KEEP_CELLS = 5;
/** Ticks between changes of mind about which way to circle. */
const MOOD_TICKS = 45;

export class Bot {
  readonly #random: () => number;
  readonly #input: Input = idleInput();
  #circle = 1;
  #moodTicks = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** What to do in this tick, given the latest snapshot. The object is the bot's, changed by the next call. */
  decide(me: number, snapshot: Snapshot | null): Input {
    const input = this.#input;
    const self = snapshot?.players.find((player) => player.id === me);
    const enemy = self && nearestEnemy(self, snapshot!.players);
    if (this.#moodTicks-- <= 0) this.#changeMood();
    if (self === undefined || enemy === undefined) return this.#wander(input);
    const dx = enemy.x - self.x;
    const dy = enemy.y - self.y;
    const distance = Math.sqrt(dx * dx + dy * dy) || 1;
    // Towards or away along the line, and around it.
    const along = distance > KEEP_CELLS ? 1 : -1;
    steer(
      input,
      (dx / distance) * along - (dy / distance) * this.#circle,
      (dy / distance) * along + (dx / distance) * this.#circle,
    );
    input.aimX = Math.round((dx / distance) * 127);
    input.aimY = Math.round((dy / distance) * 127);
    input.fire = distance < SHOOT_CELLS;
    return input;
  }

  #wander(input: Input): Input {
    steer(input, this.#circle, this.#moodTicks % 2 === 0 ? 1 : -1);
    input.fire = false;
    return input;
  }

  #changeMood(): void {
    this.#moodTicks = MOOD_TICKS + Math.floor(this.#random() * MOOD_TICKS);
    this.#circle = this.#random() < 0.5 ? 1 : -1;
  }
}

function nearestEnemy(self: PlayerView, players: readonly PlayerView[]): PlayerView | undefined {
  let nearest: PlayerView | undefined;
  let nearestSquare = Number.POSITIVE_INFINITY;
  for (const player of players) {
    if (player.id === self.id || player.health === 0) continue;
    const square = (player.x - self.x) ** 2 + (player.y - self.y) ** 2;
    if (square < nearestSquare) {
      nearest = player;
      nearestSquare = square;
    }
  }
  return nearest;
}

/** Presses the keys that lead in a direction; a component below a third of a step is not worth a key. */
function steer(input: Input, x: number, y: number): void {
  input.left = x < -0.33;
  input.right = x > 0.33;
  input.up = y < -0.33;
  input.down = y > 0.33;
}
