import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { loadConfig, type Loaded, type LoadOptions } from '../../src/config/load.js';

/** Loads YAML text as `config.yaml` of a folder of its own. */
export function load(yaml: string, options: Partial<Omit<LoadOptions, 'file'>> = {}): Loaded {
  const folder = mkdtempSync(join(tmpdir(), 'wsg-config-'));
  try {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, yaml);
    return loadConfig({ env: {}, purpose: 'serve', ...options, file });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Does the same with a secret, so that its absence is not a finding. */
export function loadWithSecret(yaml: string, options: Partial<Omit<LoadOptions, 'file'>> = {}): Loaded {
  return load(yaml, { ...options, env: { JWT_SECRET: TEST_SECRET, ...options.env } });
}

/** Writes findings as `path: message`. */
export function findingsOf(loaded: Loaded): string[] {
  return loaded.findings.map(({ path, message }) => `${path}: ${message}`);
}
