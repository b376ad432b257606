/**
 * Lets plain Node import the packages' TypeScript sources, as jest and tsc do: condition `source` in package.json, and
 * `./x.js` meaning `./x.ts`. Node itself strips the types. This serves what runs before anything is built (jest's
 * set-up).
 */
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    // The condition is used for our packages only: others may mean something by that name that Node cannot run.
    if (specifier.startsWith('@ws-gateway/')) {
      return nextResolve(specifier, { ...context, conditions: ['source', ...context.conditions] });
    }
    const fromTypeScript = context.parentURL?.endsWith('.ts') && /^\.{1,2}\/.*\.js$/.test(specifier);
    return nextResolve(fromTypeScript ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});
