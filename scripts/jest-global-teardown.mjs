export default async function tearDown() {
  await globalThis.wsGatewayTestServers?.stop();
}
