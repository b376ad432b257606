/** Writes everything that is generated, from the built packages: `npm run docs`. Tests compare each file with the code. */
import { writeFileSync } from 'node:fs';
import { schema } from '../apps/gateway/dist/config/schema/schema.js';
import { chartSchema } from '../apps/gateway/dist/docs/chart-schema.js';
import { configurationDocs } from '../apps/gateway/dist/docs/configuration-docs.js';
import { errorDocs } from '../apps/gateway/dist/docs/error-docs.js';
import { dashboardManifest, metricsDocs } from '../packages/telemetry/dist/index.js';

const generated = {
  'docs/configuration.md': () => configurationDocs(schema),
  'docs/errors.md': errorDocs,
  'docs/metrics.md': metricsDocs,
  'kubernetes/chart/values.schema.json': () => chartSchema(schema),
  'kubernetes/monitoring/grafana-dashboard.yaml': dashboardManifest,
};

for (const [file, text] of Object.entries(generated)) {
  writeFileSync(new URL(`../${file}`, import.meta.url), text());
  console.log(file);
}
