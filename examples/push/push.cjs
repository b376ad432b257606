// Hands what nobody received to Web Push: one push for each user in DEBOUNCE_MS, however many messages wait. It carries no
// payload (RFC 8030), so nothing has to be encrypted: it wakes the page's service worker, which connects and reads.
const { createPrivateKey, createPublicKey, sign } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { Kafka } = require('kafkajs');

const {
  KAFKA_BROKERS = 'localhost:9092',
  DELIVERIES = 'ws-deliveries',
  DEBOUNCE_MS = '5000',
  GROUP = 'push',
} = process.env;
// In real life a database: the endpoints that each user's browsers gave the page, {"u1":["https://push.example/…"]}.
const endpoints = JSON.parse(readFileSync(process.env.SUBSCRIPTIONS, 'utf8'));
const key = createPrivateKey(readFileSync(process.env.VAPID_KEY, 'utf8'));
const { x, y } = createPublicKey(key).export({ format: 'jwk' });
const publicKey = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]).toString(
  'base64url',
);

/** Who sends, for the push service: a token of RFC 8292, signed with the key that the page subscribed with. */
function vapid(endpoint) {
  const claims = {
    aud: new URL(endpoint).origin,
    exp: Math.floor(Date.now() / 1000) + 3600,
    sub: process.env.VAPID_SUBJECT,
  };
  const text = [{ typ: 'JWT', alg: 'ES256' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  return `vapid t=${text}.${signature}, k=${publicKey}`;
}

async function push(user, endpoint) {
  const headers = { TTL: '86400', Authorization: vapid(endpoint) };
  const answer = await fetch(endpoint, { method: 'POST', headers });
  // 404 and 410: the browser has given the subscription up. Anything else is tried again with the whole batch.
  if (!answer.ok && answer.status !== 404 && answer.status !== 410)
    throw new Error(`${user}: push service says ${answer.status}`);
  console.log(JSON.stringify({ user, status: answer.status }));
}

async function main() {
  const consumer = new Kafka({ clientId: 'push', brokers: KAFKA_BROKERS.split(',') }).consumer({
    groupId: GROUP,
    // The broker collects: a fetch returns when this much is there, or the time is over.
    minBytes: 1_000_000,
    maxWaitTimeInMs: Number(DEBOUNCE_MS),
  });
  await consumer.connect();
  await consumer.subscribe({ topic: DELIVERIES, fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const outcomes = batch.messages.map(({ value }) => JSON.parse(String(value)));
      const missed = outcomes.filter(({ outcome }) => outcome === 'offline' || outcome === 'unacked');
      const users = new Set(missed.map(({ user_id: user }) => user));
      for (const user of users) for (const endpoint of endpoints[user] ?? []) await push(user, endpoint);
    },
  });
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
