import { writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fillOnce } from './cache-folder.js';
import { LocalServersError } from './errors.js';
import { runCommand } from './program.js';

const KAFKA_VERSION = '4.1.1';
/** The binding must fit the slf4j-api that this Kafka brings (1.7). */
const SLF4J_VERSION = '1.7.36';

const FETCH_TIMEOUT_MS = 300_000;

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ws-gateway</groupId>
  <artifactId>local-kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>${SLF4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

/** Returns the folder with Kafka's jars; Maven fetches them (43 MB) when they are not there yet. */
export async function kafkaJars(cacheDir: string, log: (line: string) => void): Promise<string> {
  const folder = join(cacheDir, `kafka-${KAFKA_VERSION}`);
  if (!existsSync(folder)) log(`fetching Kafka ${KAFKA_VERSION} by Maven (43 MB, once)`);
  await fillOnce(folder, fetchInto);
  return folder;
}

async function fetchInto(folder: string): Promise<void> {
  await writeFile(join(folder, 'pom.xml'), POM);
  const { ok, output } = await runCommand(
    'mvn',
    ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`],
    { cwd: folder, timeoutMs: FETCH_TIMEOUT_MS },
  );
  if (ok) return;
  const reason = output.split('\n').find((line) => line.includes('ERROR')) ?? output.trim();
  throw new LocalServersError('not_available', `Maven could not fetch Kafka ${KAFKA_VERSION}: ${reason}`);
}
