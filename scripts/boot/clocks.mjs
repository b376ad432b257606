import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ROOT } from './toolchain.mjs';

const SOURCES = ['packages/*/src/*.ts', 'apps/gateway/src/*.ts'];
/** Programs that run for a moment, and those that run elsewhere. */
const OTHERS = /^(packages\/(client|react|testkit|conformance|local-servers|load-generator)|apps\/gateway\/src\/cli)\//;

/** Files that need the time of day, and what for. Everything else is a duration, and a step of the clock must not change it. */
const TIME_OF_DAY = {
  'packages/core/src/message-life.ts': 'end of the life of a message',
  'packages/core/src/edge/delivery/takes.ts': 'when a message was accepted, as the store tells it',
  'packages/core/src/edge/delivery/delivery.ts': 'age of a message against the time of its record',
  'packages/core/src/edge/pipes/action-runner.ts': 'time of a record that a back end makes',
  'packages/core/src/edge/commands/send-command.ts': 'time of a record that a client makes',
  'packages/core/src/engine-notifier.ts': 'time of a record that an API call makes',
  'packages/core/src/edge/handshake/handshaker.ts': 'since when a connection is there, as others are told',
  'packages/core/src/edge/commands/authentication-command.ts':
    'since when a connection is its user’s, as others are told',
  'packages/core/src/edge/edge.ts': 'end of a token',
  'packages/core/src/router/router.ts': 'time to live of records',
  'packages/core/src/memory-engine/memory-engine.ts': 'ends of blocks and revocations',
  'packages/redis-engine/src/blocks.ts': 'end of a block',
  'packages/redis-engine/src/epoch.ts': 'name that no other has',
  'packages/redis-engine/src/redis-engine.ts': 'since when a node is there, as others are told',
  'packages/jwt-auth/src/jose-token-verifier.ts': 'validity of a token',
  'packages/jwt-auth/src/http-handshake-identifier.ts': 'end of an identity',
  'packages/kafka-source/src/login/aws-credentials.ts': 'date of a signature, and end of credentials',
  'packages/kafka-source/src/login/msk-iam.ts': 'date of a signature',
  'packages/kafka-source/src/start-positions.ts': 'when a topic was seen first, against times of its records',
  'packages/kafka-source/src/kafkajs-record-source.ts': 'when a topic was absent, against times of its records',
  'packages/telemetry/src/loki-sink.ts': 'time of a line in the log',
  'apps/gateway/src/admin/message.ts': 'time of a record that an API call makes',
  'apps/gateway/src/admin/revocations.ts': 'tokens issued until now',
  'apps/gateway/src/node/node-readings.ts': 'when something was so, as operators are told',
  'apps/gateway/src/records/topic-decoding.ts': 'time to live of records',
  'apps/gateway/src/probes/checkup.ts': 'days until a certificate ends',
  'apps/gateway/src/probes/redis-probe.ts': 'clock of this machine against that of Redis',
};

/** Durations by a clock that nobody sets: finds files that read the time of day without a reason. */
export async function checkClocks() {
  const files = execFileSync('git', ['ls-files', ...SOURCES], { cwd: ROOT, encoding: 'utf8' })
    .trim()
    .split('\n');
  const readers = files.filter(
    (file) => !OTHERS.test(file) && /\bDate\.now\b/.test(readFileSync(`${ROOT}/${file}`, 'utf8')),
  );
  const unknown = readers.filter((file) => !Object.hasOwn(TIME_OF_DAY, file));
  for (const file of unknown) {
    console.log(
      `${file}: reads the time of day; measure durations by performance.now, or say in scripts/boot/clocks.mjs what for`,
    );
  }
  const gone = Object.keys(TIME_OF_DAY).filter((file) => !readers.includes(file));
  for (const file of gone) console.log(`scripts/boot/clocks.mjs: ${file} does not read the time of day`);
  return { code: unknown.length + gone.length === 0 ? 0 : 1 };
}
