import { closeReason } from '@ws-gateway/core';
import type { Device } from './device.js';
import type { Stay } from './device-socket.js';
import type { Model } from './model.js';
import { HISTORY, streamsOf, USERS, type User } from './scenario.js';
import type { BlockChange, RecordLog } from './record-log.js';

const BLOCKED = closeReason('user_blocked').code;

/** Lists in words what should not be. The model must be at rest. */
export async function faultsOf(model: Model): Promise<string[]> {
  const faults = model.nodes.flatMap((node) => node.faults.map((fault) => `${node.name}: ${fault}`));
  for (const user of USERS) {
    const probe = await model.probe(user);
    const isBlocked = model.log.changesOf(user).at(-1)?.blocked ?? false;
    if ((probe.refused === 'user_blocked') !== isBlocked)
      faults.push(`${user} blocked: ${isBlocked}, yet ${probe.refused}`);
    faults.push(...(await presenceFaults(model, user)));
  }
  for (const [at, device] of model.devices.entries()) {
    const name = `device ${at} of ${device.user} on ${device.node.name}`;
    faults.push(...deviceFaults(device, model.log).map((fault) => `${name}: ${fault}`));
  }
  return faults;
}

async function presenceFaults({ devices, liveNodes }: Model, user: User): Promise<string[]> {
  const faults: string[] = [];
  for (const node of liveNodes) {
    const rows = (await node.engine.presence(user)).filter((row) => row.node === node.name).length;
    const open = devices.filter((device) => device.open && device.node === node && device.user === user).length;
    if (rows !== open) faults.push(`${rows} presence rows of ${user} on ${node.name}, ${open} open`);
  }
  return faults;
}

function deviceFaults(device: Device, log: RecordLog): string[] {
  const { socket, connected, open, cut } = device;
  const changes = log.changesOf(device.user);
  if (device.refused !== null) return refusalFaults(device, changes);
  const faults = [...socket.faults, ...closeFaults(device, changes)];
  if (!connected && !cut) faults.push('no connected frame');
  const { own, public: everybody, room, keys } = streamsOf(device.user);
  for (const stay of socket.stays) {
    const { stream } = stay.told;
    const found = stayFaults(stay, log, { complete: open && !stay.over });
    if (![own, everybody, room, ...keys].includes(stream)) found.push('not the user’s');
    faults.push(...found.map((fault) => `${stream}: ${fault}`));
  }
  return faults;
}

function refusalFaults({ node, refused, startedAt, decidedAt }: Device, changes: readonly BlockChange[]): string[] {
  if (!node.alive && refused === 'unavailable') return [];
  if (refused !== 'user_blocked') return [`refused: ${refused}`];
  const isPossible = changes.some(({ blocked, issuedAt }, at) => {
    const end = changes[at + 1]?.appliedAt ?? Infinity;
    return blocked && issuedAt < decidedAt && end > startedAt;
  });
  return isPossible ? [] : ['refused without a block'];
}

function closeFaults(
  { socket, cut, open, node, startedAt, decidedAt }: Device,
  changes: readonly BlockChange[],
): string[] {
  const faults: string[] = [];
  const wasBlocked = changes.some(({ blocked, deliveredAt }) => blocked && deliveredAt > startedAt);
  if (socket.code === BLOCKED && !wasBlocked) faults.push('closed as blocked without a block');
  if (socket.code !== null && socket.code !== BLOCKED && !cut) faults.push(`closed with ${socket.code}`);
  if (!node.alive) return faults;
  const mustEnd = changes.some(({ blocked, issuedAt }) => blocked && issuedAt > decidedAt);
  if (mustEnd && open) faults.push('open in spite of a block');
  const mayNotEnter = changes.some(({ blocked, appliedAt }, at) => {
    const end = changes[at + 1]?.issuedAt ?? Infinity;
    return blocked && appliedAt < startedAt && end > decidedAt;
  });
  if (mayNotEnter) faults.push('admitted in spite of a block');
  return faults;
}

/**
 * A stay must hold an unbroken run of the stream's messages, from where the client was told (or had been) up to the
 * newest.
 */
function stayFaults({ told, after, frames }: Stay, log: RecordLog, { complete }: { complete: boolean }): string[] {
  const faults: string[] = [];
  const begin = told.offset - (told.replayed ?? 0);
  for (const [at, { offset, id }] of frames.entries()) {
    if (offset !== begin + at + 1) faults.push(`offset ${offset} where ${begin + at + 1} was due`);
    if (log.idAt(told.stream, offset) !== id) faults.push(`record ${id} as offset ${offset}`);
  }
  if ((after === null) !== (told.recovered === undefined)) faults.push(`recovered: ${told.recovered}`);
  if (after !== null && told.recovered === true && begin !== after.offset)
    faults.push(`recovered behind ${begin}, from ${after.offset}`);
  if (after !== null && told.recovered === false && told.offset - after.offset <= HISTORY)
    faults.push(`not recovered from ${after.offset} at ${told.offset}`);
  const last = frames.at(-1)?.offset ?? told.offset;
  const top = log.top(told.stream);
  if (complete && last !== top) faults.push(`ends with ${last} of ${top}`);
  return faults;
}
