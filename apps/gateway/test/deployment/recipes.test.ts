import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { loadAll } from 'js-yaml';
import { findingsOf, load } from '../config/loading.js';
import { manifestsOf, repository, schemaCheck, type Manifest } from './kubernetes-manifests.js';

const text = readFileSync(join(repository, 'docs/kubernetes-recipes.md'), 'utf8');
const blocks = [...text.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml]) => yaml!);
const documents = blocks.flatMap((yaml) => loadAll(yaml) as Manifest[]);
const manifests = documents.filter(({ kind }) => kind !== undefined);
const violations = schemaCheck();

describe('the recipes for Kubernetes', () => {
  test.each(blocks.filter((yaml) => !yaml.includes('kind:')).map((yaml) => [yaml.split('\n')[0]!, yaml]))(
    'have a configuration that starts: %s',
    (_first, yaml) => {
      // The files of the example are not on this machine.
      const problems = findingsOf(load(yaml, { env: { JWT_SECRET: TEST_SECRET } }));
      expect(problems.filter((problem) => !/cannot read \/etc\/kafka\//.test(problem))).toEqual([]);
    },
  );

  test('patch what there is, with what Kubernetes knows', () => {
    const base = manifestsOf('');
    const patches = manifests.filter(({ apiVersion }) => /^(v1|apps\/v1|networking\.k8s\.io\/v1)$/.test(apiVersion));
    expect(patches.length).toBeGreaterThanOrEqual(4);
    for (const patch of patches) {
      const { kind, metadata } = patch;
      const target = base.find((one) => one.kind === kind && one.metadata.name === metadata.name);
      expect([kind, metadata.name, target?.kind]).toEqual([kind, metadata.name, kind]);
      // A patch leaves out what the base has.
      expect(violations(patch).filter((violation) => !violation.includes('must have required property'))).toEqual([]);
    }
  });

  test('name variables that the configuration has', () => {
    const names = documents.flatMap(
      (document) => JSON.stringify(document).match(/\b(WSGATEWAY_\w+|JWT_SECRET\w*)/g) ?? [],
    );
    expect(names.length).toBeGreaterThan(4);
    for (const name of new Set(names)) {
      const env = name.endsWith('_FILE') ? { [name]: '/dev/null' } : { [name]: 'x'.repeat(40) };
      const findings = findingsOf(load('', { env }));
      expect([name, findings.filter((finding) => finding.startsWith('WSGATEWAY_'))]).toEqual([name, []]);
    }
  });
});
