// Writes docs/errors.md from the built tables: `npm run docs` in this package, after a build.
import { writeFileSync } from 'node:fs';
import { errorDocs } from '../dist/docs/error-docs.js';

writeFileSync(new URL('../../../docs/errors.md', import.meta.url), errorDocs());
