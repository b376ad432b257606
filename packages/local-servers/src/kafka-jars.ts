import { mavenFolder } from './maven.js';

const KAFKA_VERSION = '4.1.1';
/** The binding must fit the slf4j-api that this Kafka brings (1.7). */
const SLF4J_VERSION = '1.7.36';

/** Returns the folder with Kafka's jars. */
export function kafkaJars(cacheDir: string, log: (line: string) => void): Promise<string> {
  const dependencies = [
    { id: `org.apache.kafka:kafka_2.13:${KAFKA_VERSION}` },
    { id: `org.slf4j:slf4j-simple:${SLF4J_VERSION}` },
  ];
  const [name, title] = [`kafka-${KAFKA_VERSION}`, `Kafka ${KAFKA_VERSION}`];
  return mavenFolder({ name, title, size: '43 MB', dependencies }, { cacheDir, log });
}
