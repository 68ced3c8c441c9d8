/** Draws a snapshot as text: pure, so that a test can look at it. */

import type { PlayerView, Snapshot } from './protocol.ts';
import { ARENA_HEIGHT, ARENA_WIDTH, HEALTH_MAX } from './world.ts';

const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const HEALTH_BAR_CELLS = 10;

/** Lines of what happened and was said, below the arena. */
const FEED_LINES = 4;

/**
 * The arena scaled to a terminal of `columns` x `rows`, as text that overwrites what is there. `@` is you, letters are
 * the others, `x` the dead, `.` bullets. `typing`: the line of chat that is being written, null when none is.
 */
export function drawArena(
  snapshot: Snapshot | null,
  me: number,
  state: string,
  columns: number,
  rows: number,
  feed: readonly string[] = [],
  typing: string | null = null,
): string {
  const width = Math.max(10, Math.min(columns - 2, ARENA_WIDTH));
  const below = [...feed.slice(-FEED_LINES), ...(typing === null ? [] : [`> ${typing}`])];
  const height = Math.max(5, Math.min(rows - 4 - below.length, Math.floor(ARENA_HEIGHT / 1.6)));
  const grid = Array.from({ length: height }, () => new Array<string>(width).fill(' '));
  const put = (x: number, y: number, mark: string) => {
    const column = Math.min(width - 1, Math.floor((x / ARENA_WIDTH) * width));
    const row = Math.min(height - 1, Math.floor((y / ARENA_HEIGHT) * height));
    grid[row]![column] = mark;
  };
  for (const bullet of snapshot?.bullets ?? []) put(bullet.x, bullet.y, '.');
  for (const player of snapshot?.players ?? []) put(player.x, player.y, markOf(player, me));
  const edge = `+${'-'.repeat(width)}+`;
  const text = below.map((line) => line.slice(0, columns - 1));
  const lines = [edge, ...grid.map((row) => `|${row.join('')}|`), edge, ...text, statusOf(snapshot, me, state)];
  return `${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`;
}

function markOf(player: PlayerView, me: number): string {
  if (player.health === 0) return 'x';
  return player.id === me ? '@' : String.fromCharCode(65 + (player.id % 26));
}

function statusOf(snapshot: Snapshot | null, me: number, state: string): string {
  const self = snapshot?.players.find((player) => player.id === me);
  if (snapshot === null || self === undefined) return `${state}, waiting for the first snapshot`;
  const cells = Math.ceil((self.health / HEALTH_MAX) * HEALTH_BAR_CELLS);
  const bar = `${'#'.repeat(cells)}${'-'.repeat(HEALTH_BAR_CELLS - cells)}`;
  return `health [${bar}] score ${self.score} · ${snapshot.players.length} players · tick ${snapshot.tick} · ${state} · t talks, q leaves`;
}
