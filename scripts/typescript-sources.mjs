/**
 * Lets plain Node import the packages' TypeScript sources, as jest and tsc do: condition `source` in package.json, and
 * `./x.js` meaning `./x.ts`. Node itself strips the types. For what runs before anything is built (jest's set-up).
 */
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    // Ours only: other packages may know a condition of that name, too, and mean something that Node can't run.
    if (specifier.startsWith('@ws-gateway/')) {
      return nextResolve(specifier, { ...context, conditions: ['source', ...context.conditions] });
    }
    const fromTypeScript = context.parentURL?.endsWith('.ts') && /^\.{1,2}\/.*\.js$/.test(specifier);
    return nextResolve(fromTypeScript ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});
