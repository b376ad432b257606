import type { Command } from 'commander';
import { dump } from 'js-yaml';
import { configurationDocs } from '../docs/configuration-docs.js';
import type { Finding } from '../config/language/finding.js';
import { loadConfig, type Loaded } from '../config/load.js';
import { masked } from '../config/language/mask.js';
import { schema } from '../config/schema/schema.js';
import { configOption, checked, type ConfigFlags } from './configured.js';
import { badConfig, CliError, exitCodes } from './exit.js';
import { print, printJson } from './output.js';

interface DataFlags extends ConfigFlags {
  readonly json?: true;
}

export function registerConfig(program: Command): void {
  const config = program
    .command('config')
    .description('check, show or describe the configuration')
    .addHelpText('after', '\nExample:\n  $ ws-gateway config check -c config.yaml');
  config
    .command('check')
    .description('list everything that would keep `serve` from starting (exit code 2)')
    .option(...configOption)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ JWT_SECRET=… ws-gateway config check -c config.yaml')
    .action(check);
  config
    .command('print')
    .description('show what applies: defaults, file, environment together; secrets are masked')
    .option(...configOption)
    .option('--json', 'as JSON instead of YAML')
    .addHelpText('after', '\nExample:\n  $ ws-gateway config print --json | jq .kafka')
    .action(show);
  config
    .command('docs')
    .description('describe every key, in Markdown')
    .addHelpText('after', '\nExample:\n  $ ws-gateway config docs > docs/configuration.md')
    .action(() => void process.stdout.write(configurationDocs(schema)));
}

async function check(flags: DataFlags): Promise<void> {
  const loaded = loadConfig({ file: flags.config, env: process.env, purpose: 'serve' });
  const findings = loaded.findings.length > 0 ? loaded.findings : await keyFindings(loaded);
  if (flags.json) {
    printJson({ ok: findings.length === 0, file: loaded.file, findings });
    if (findings.length > 0) throw new CliError(exitCodes.usage, '');
    return;
  }
  if (findings.length > 0) throw badConfig(findings);
  print(`${loaded.file ?? 'defaults and environment'}: ok`);
}

/** Finds key files that can be read and still hold no key: the verifier itself knows. */
async function keyFindings({ config }: Loaded): Promise<Finding[]> {
  const { AuthConfigError, createTokenVerifier } = await import('@ws-gateway/jwt-auth');
  const { verifierOptions } = await import('../node/identities.js');
  if (config.role === 'router') return [];
  try {
    createTokenVerifier(verifierOptions(config));
    return [];
  } catch (error) {
    if (!(error instanceof AuthConfigError)) throw error;
    const [path = 'auth', message = ''] = error.message.split(/: (.*)/s);
    return [{ path, message }];
  }
}

function show(flags: DataFlags): void {
  // Printing needs no secret.
  const tree = masked(schema, checked(flags, 'tool').tree);
  if (flags.json) printJson(tree);
  else process.stdout.write(dump(tree));
}
