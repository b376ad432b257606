export { GatewayProvider, useGateway, type GatewayProviderProps } from './gateway-provider.js';
export type { Status } from './status-store.js';
export { useStatus } from './use-status.js';
export { useTopic, type UseTopicOptions } from './use-topic.js';
