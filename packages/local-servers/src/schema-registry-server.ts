import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findJava } from './java.js';
import { LOOPBACK, withFreePort, type LocalServer, type LocalServerOptions } from './local-server.js';
import { mavenFolder } from './maven.js';
import { startProgram } from './program.js';

const VERSION = '2.6.13.Final';
const READY_TIMEOUT_MS = 120_000;
const GRACE_SECONDS = 10;

export interface LocalSchemaRegistry extends LocalServer {
  /** Where it speaks as Confluent's registry does. */
  readonly url: string;
}

/** Starts an Apicurio Registry, which keeps its schemas in memory, on the loopback interface. */
export async function startLocalSchemaRegistry(options: LocalServerOptions): Promise<LocalSchemaRegistry> {
  const java = await findJava();
  const id = `io.apicurio:apicurio-registry-app:${VERSION}`;
  const dependencies = [{ id, type: 'tar.gz', classifier: 'all' }];
  const title = `Apicurio Registry ${VERSION}`;
  const folder = await mavenFolder(
    { name: `apicurio-registry-${VERSION}`, title, size: '142 MB', dependencies, unpack: true },
    options,
  );
  await mkdir(options.dataDir, { recursive: true });
  return withFreePort(options.port, async (port) => {
    const program = await startProgram({
      command: java.command,
      // prettier-ignore
      args: ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-Dquarkus.http.host=${LOOPBACK}`,
        `-Dquarkus.http.port=${port}`, '-jar', join(folder, `apicurio-registry-app-${VERSION}-runner.jar`)],
      logFile: join(options.dataDir, 'schema-registry.log'),
      ready: /Listening on: http/,
      readyTimeoutMs: READY_TIMEOUT_MS,
      graceSeconds: GRACE_SECONDS,
    });
    return Object.assign(program, { port, url: `http://${LOOPBACK}:${port}/apis/ccompat/v7` });
  });
}
