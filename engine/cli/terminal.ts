/** Where a command writes: data to one side, everything else to the other. Tests pass their own. */

/** The two streams of a command, and whether they may be coloured. */
export interface Terminal {
  /** Data: what a pipe behind the command gets. */
  out(text: string): void;
  /** Everything else. */
  err(text: string): void;
  /** Whether `out` is a terminal that shows colours. */
  readonly colour: boolean;
  /** Its size in characters; null or missing where `out` is no terminal that a table can be redrawn on. */
  screen?(): { readonly columns: number; readonly rows: number } | null;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Of a terminal that does not tell its size. */
const COLUMNS_DEFAULT = 80;
const ROWS_DEFAULT = 24;

/** This process's terminal. NO_COLOR switches colours off, whatever its value (no-color.org). */
export function processTerminal(): Terminal {
  const { env, stdout, stderr } = process;
  // `tickwire doctor | head -1`: the reader has seen enough, which is no error of ours.
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit();
      throw error;
    });
  }
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    colour: stdout.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
    screen: () =>
      stdout.isTTY === true && env.TERM !== 'dumb'
        ? { columns: stdout.columns || COLUMNS_DEFAULT, rows: stdout.rows || ROWS_DEFAULT }
        : null,
    env,
  };
}
