import type { Logger } from '@ws-gateway/core';
import { ClientCredentials, MskIam, SharedLoginToken, type KafkaSasl } from '@ws-gateway/kafka-source';
import type { Config } from '../config/config.js';

/** Both kinds of tokens are one mechanism for the broker; what differs is who issues them. */
export function kafkaLogin(sasl: NonNullable<Config['kafka']['sasl']>, logger: Logger): KafkaSasl {
  switch (sasl.mechanism) {
    case 'oauthbearer':
      return { mechanism: 'oauthbearer', tokens: new SharedLoginToken(new ClientCredentials(sasl), logger) };
    case 'aws-msk-iam':
      return { mechanism: 'oauthbearer', tokens: new SharedLoginToken(new MskIam(sasl), logger) };
    default:
      return sasl;
  }
}
