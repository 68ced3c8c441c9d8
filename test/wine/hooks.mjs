/** Makes `import 'vitest'` mean `runner.mjs`. */

const RUNNER = new URL('./runner.mjs', import.meta.url).href;

export function resolve(specifier, context, next) {
  return specifier === 'vitest' ? { url: RUNNER, shortCircuit: true } : next(specifier, context);
}
