import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillOnce } from './cache-folder.js';
import { LocalServersError } from './errors.js';
import { runCommand } from './program.js';

export interface MavenFolder {
  /** Name of the folder in the cache; it tells the version. */
  readonly name: string;
  /** What is fetched and how much it is, for people. */
  readonly title: string;
  readonly size: string;
  readonly dependencies: readonly MavenDependency[];
  /** Archives are unpacked instead of copied. */
  readonly unpack?: boolean;
}

export interface MavenDependency {
  /** `group:artifact:version` */
  readonly id: string;
  readonly type?: string;
  readonly classifier?: string;
}

const FETCH_TIMEOUT_MS = 300_000;

/** Returns a folder with what Maven fetches; it does so when it is not there yet. */
export async function mavenFolder(
  wanted: MavenFolder,
  { cacheDir, log }: { readonly cacheDir: string; readonly log: (line: string) => void },
): Promise<string> {
  const folder = join(cacheDir, wanted.name);
  if (!existsSync(folder)) log(`fetching ${wanted.title} by Maven (${wanted.size}, once)`);
  await fillOnce(folder, (unfinished) => fetchInto(unfinished, wanted));
  return folder;
}

async function fetchInto(folder: string, wanted: MavenFolder): Promise<void> {
  await writeFile(join(folder, 'pom.xml'), pomOf(wanted));
  const goal = wanted.unpack === true ? 'unpack-dependencies' : 'copy-dependencies';
  const args = ['-q', '-B', `dependency:${goal}`, `-DoutputDirectory=${folder}`];
  const { ok, output } = await runCommand('mvn', args, { cwd: folder, timeoutMs: FETCH_TIMEOUT_MS });
  if (ok) return;
  const reason = output.split('\n').find((line) => line.includes('ERROR')) ?? output.trim();
  throw new LocalServersError('not_available', `Maven could not fetch ${wanted.title}: ${reason}`);
}

function pomOf({ name, dependencies }: MavenFolder): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ws-gateway</groupId>
  <artifactId>local-${name.replaceAll(/[^a-z]+/g, '-')}</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>${dependencies.map(dependencyOf).join('')}
  </dependencies>
</project>
`;
}

/** An archive holds all that it needs, so that what it depends on is left out. */
function dependencyOf({ id, type, classifier }: MavenDependency): string {
  const [group, artifact, version] = id.split(':');
  const archive =
    type === undefined
      ? ''
      : `<type>${type}</type><classifier>${classifier}</classifier>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>`;
  return `
    <dependency>
      <groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${archive}
    </dependency>`;
}
