// Writes docs/metrics.md and the dashboard from the built definitions: `npm run docs` in this package, after a build.
import { writeFileSync } from 'node:fs';
import { dashboardManifest, metricsDocs } from '../dist/index.js';

const repository = new URL('../../../', import.meta.url);
writeFileSync(new URL('docs/metrics.md', repository), metricsDocs());
writeFileSync(new URL('kubernetes/monitoring/grafana-dashboard.yaml', repository), dashboardManifest());
