// Writes docs/metrics.md from the built definitions: `npm run docs` in this package, after a build.
import { writeFileSync } from 'node:fs';
import { metricsDocs } from '../dist/index.js';

writeFileSync(new URL('../../../docs/metrics.md', import.meta.url), metricsDocs());
