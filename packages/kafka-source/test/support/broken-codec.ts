import kafkajs from 'kafkajs';

const { CompressionCodecs, CompressionTypes } = kafkajs;

/** Makes batches packed with ZSTD unreadable for this process until the returned function is called. */
export function breakZstd(): () => void {
  const working = CompressionCodecs[CompressionTypes.ZSTD];
  const broken = async (): Promise<never> => {
    throw new kafkajs.KafkaJSNotImplemented();
  };
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({ ...working(), decompress: broken });
  return () => {
    CompressionCodecs[CompressionTypes.ZSTD] = working;
  };
}
