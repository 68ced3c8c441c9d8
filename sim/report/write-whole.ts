/** Files that are there whole or not at all: written under a name for the time being, then renamed. */

import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Throws what the file system throws, and leaves nothing behind then. */
export function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
