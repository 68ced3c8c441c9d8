/**
 * The sample multiplayer server: an arena, a token endpoint that stands for the game's backend, and bots that connect
 * over real UDP. `npm start -- --help` lists the options.
 */

import { Command } from 'commander';
import { createHost, generatePrivateKey } from 'tickwire';
import { exitCodeOf, whole } from './command-line.ts';
import { type ArenaClient, client, PROTOCOL_ID } from './game.ts';
import { addNetwork, type NetworkFlags, networkOf, WayNews } from './network.ts';
import { openHere, openInWorkers } from './stage.ts';
import { fetchToken, openTokenEndpoint, type TokenEndpoint } from './token-endpoint.ts';

interface Options extends NetworkFlags {
  port: number;
  host: string;
  bots: number;
  workers: number;
  seconds: number;
  tokenPort: number;
  json: boolean;
}

const command = addNetwork(
  new Command('arena')
    .description('A multiplayer arena over UDP, with bots.')
    .option('--port <port>', 'UDP port of the game', whole(0, 65_535), 40_000)
    .option('--host <address>', 'address to bind', '127.0.0.1')
    .option('--bots <count>', 'bots that connect and play', whole(0, 52), 8)
    .option(
      '--workers <count>',
      'worker threads that share the port, each with an arena; 0: this thread',
      whole(0, 64),
      0,
    ),
)
  .option('--seconds <count>', 'stop after so many seconds; 0: run until SIGINT', whole(0, 86_400), 0)
  .option('--token-port <port>', 'TCP port of the token endpoint', whole(0, 65_535), 40_001)
  .option('--json', 'print the summary as one JSON object', false)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();

try {
  await run(command.opts<Options>());
} catch (error) {
  process.stderr.write(`arena: ${(error as Error).message}\n`);
  process.exitCode = exitCodeOf(error);
}

async function run(options: Options): Promise<void> {
  const privateKey = generatePrivateKey();
  const args = { port: options.port, address: options.host, privateKey, freshKey: true };
  const stage = await (options.workers > 0
    ? openInWorkers(options.workers, args, networkOf(options))
    : openHere(args, networkOf(options)));
  const stop = stopSignal(options.seconds);
  let tokens: TokenEndpoint | null = null;
  let bots: readonly ArenaClient[] = [];
  const news = new WayNews(stage.way());
  const lines = setInterval(() => {
    news.look(stage.way());
    showLine(stage.line());
  }, 1000);
  try {
    tokens = await openTokenEndpoint(options.tokenPort, {
      privateKey,
      protocolId: PROTOCOL_ID,
      addresses: [stage.address],
    });
    process.stderr.write(`arena on udp ${stage.address}, tokens from ${tokens.url}; npm run client joins\n`);
    process.stderr.write(`${news.text}\n`);
    bots = await Promise.all(Array.from({ length: options.bots }, (_, index) => startBot(tokens!.url, index)));
    await stop;
  } finally {
    clearInterval(lines);
    // Measured before the goodbyes, so that the figures are those of the game.
    const { figures, text } = stage.summary();
    await stage.close('the server stops');
    await Promise.all(bots.map((bot) => bot.client.close()));
    await tokens?.close();
    endLine();
    process.stdout.write(options.json ? `${JSON.stringify(figures)}\n` : `${text}\n`);
  }
}

function startBot(tokenUrl: string, index: number): Promise<ArenaClient> {
  const name = `bot-${index + 1}`;
  return client(createHost(name), { token: () => fetchToken(tokenUrl, name) });
}

/** Resolves after `seconds`, or at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = () => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    process.on('SIGINT', ask);
    process.on('SIGTERM', ask);
    if (seconds > 0) setTimeout(resolve, seconds * 1000);
  });
}

/** On a terminal the line is drawn over the last one, cut to its width; in a log it follows it. */
function showLine(text: string): void {
  const { isTTY, columns = 80 } = process.stderr;
  process.stderr.write(isTTY ? `\r\x1b[2K${text.slice(0, columns - 1)}` : `${text}\n`);
}

function endLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\n');
}
