/** How this command is called: in the project by npm, where the package is installed as a part of `tickwire`, which says so. */

/** For commands to paste: in examples, and to repeat a run. */
export const SIM: string = process.env.TICKWIRE_COMMAND ?? 'npm run sim --';

/** The same without what npm says itself, where the output goes into a file. */
export const SIM_SILENT: string = SIM.replace('npm run', 'npm run --silent');
