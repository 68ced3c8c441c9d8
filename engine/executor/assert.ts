/** `assert`, on in production: our own program is wrong, so stop here and say what was promised. */

/** Thrown by `assert` only; nobody catches it except the outermost loop. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws `AssertionError` when `condition` is false. `message` is a constant, so that nothing is built when it holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
