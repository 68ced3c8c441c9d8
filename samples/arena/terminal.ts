/**
 * A player's client in the terminal: arrow keys or WASD to move, space to shoot, t to talk, q to leave. You shoot where you last
 * walked. Needs a running server (`npm start`).
 */

import { Command } from 'commander';
import { createHost } from 'tickwire';
import { exitCodeOf, whole } from './command-line.ts';
import { type ArenaClient, join } from './game.ts';
import { Keys } from './keys.ts';
import { drawArena } from './screen.ts';
import { fetchToken } from './token-endpoint.ts';
import { idleInput } from './world.ts';

interface Options {
  tokenUrl: string;
  name: string;
  seconds: number;
}

const FRAME_MILLIS = 50;
const ENTER_SCREEN = '\x1b[?1049h\x1b[?25l';
const LEAVE_SCREEN = '\x1b[?25h\x1b[?1049l';

const command = new Command('client')
  .description('Plays in the arena: arrow keys or WASD move, space shoots, t talks, q leaves.')
  .option('--token-url <url>', 'where to get a connect token', 'http://127.0.0.1:40001/token')
  .option('--name <name>', 'name of the player', process.env.USER ?? 'player')
  .option('--seconds <count>', 'leave after so many seconds; 0: stay until q', whole(0, 86_400), 0)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();

try {
  await play(command.opts<Options>());
} catch (error) {
  const cause = (error as Error).cause;
  const refused = cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
  const text = refused
    ? 'nobody answers at the token endpoint; is the server running (npm start)?'
    : (error as Error).message;
  process.stderr.write(`client: ${text}\n`);
  process.exitCode = exitCodeOf(error);
}

async function play(options: Options): Promise<void> {
  if (!process.stdout.isTTY) throw new Error('this client draws on a terminal; its output is not one');
  const player = await join(createHost(options.name), { token: () => fetchToken(options.tokenUrl, options.name) });
  const keys = new Keys(process.stdin);
  const input = idleInput();
  player.client.on('tick', () => {
    keys.apply(input);
    player.client.send('input', input);
  });
  process.stdout.write(ENTER_SCREEN);
  keys.onLine = (text) => void player.client.send('chat', { player: 0, text });
  const frames = setInterval(() => draw(player, keys.line), FRAME_MILLIS);
  const goodbye = await new Promise<string>((resolve) => {
    keys.onQuit = () => resolve('you left');
    player.client.on('disconnect', (reason) => resolve(`disconnected: ${reason.code} ${reason.text}`));
    process.once('SIGTERM', () => resolve('ended'));
    if (options.seconds > 0) setTimeout(() => resolve('time is up'), options.seconds * 1000);
  }).finally(() => {
    clearInterval(frames);
    keys.close();
    process.stdout.write(LEAVE_SCREEN);
  });
  await player.client.close('bye');
  process.stdout.write(`${goodbye}\n`);
}

function draw({ client, feed, snapshot }: ArenaClient, typing: string | null): void {
  const { columns = 80, rows = 24 } = process.stdout;
  process.stdout.write(drawArena(snapshot(), client.index, client.state, columns, rows, feed.lines, typing));
}
