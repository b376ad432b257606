-- Applies items in order: skips what was applied before, appends to streams, routes to nodes, remembers the position.
--
-- KEYS[1] base: prefix with hash tag; the keys of streams, users and nodes are built from it (same slot)
-- KEYS[2] source position; not used without a source
-- ARGV[1] last offset of the call before this one, '-1' for the first call, '' without a source
-- ARGV[2] last offset this call covers
-- ARGV[3] source offset of the first item
-- ARGV[4] how many items of that record were in the calls before
-- ARGV[5] '' or, when the record of ARGV[2] goes on in the next call, how many of its items are covered so far
-- ARGV[6] epoch for streams that begin one; with a `~` before it not for the first of a stream (include/tops.lua)
-- ARGV[7] name of this Redis process, with which that epoch begins
-- ARGV[8] bytes that may wait in an inbox
-- ARGV[9] '1': the reply has a row for each item
-- ARGV[10] source offset of each item, separated by spaces
-- ARGV[11] mark of the source's log that goes with the position of ARGV[2], '' for none
-- ARGV[12] nodes on which a message goes by the log that they share, 0 for none (include/shared-log.lua)
-- ARGV[13] number of classes; each follows as kind, topic, mode ('o' ordered, 'l' latest, '' no history; in upper case for
--   items whose life ends), size, ttl ms, bytes (0 for no bound), connection that must not get it ('' for none) and,
--   behind a space, a trace context, if there is one
-- then four for each item: number of its class, origin (src/wire.ts), address (user, stream or node), head; an item of kind b
--   has four more: block JSON ('' to lift it), its expiry ms ('' for none), command JSON ('' for none), step ('' for none,
--   include/blocks.lua); one of kind t or x has one more: ticket (include/ledger.lua); one whose life ends has one more at last: when that is, ms
-- Kinds: u user, t user whose message's outcome is wanted, x the same but too old for anybody, c channel, a all, b block,
--   k command to a user's nodes, C to a channel's, N to one node, K to all.
-- Returns {routed, offline, duplicates, batches} and with ARGV[9] nodes, epoch, offset for each item.
-- Errors: SOURCE_GAP.
local base = KEYS[1]
local previous, last, first = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ordinal, epochForNew, server = tonumber(ARGV[4]), string.gsub(ARGV[6], '^~', ''), ARGV[7]
local inboxBytesMax = tonumber(ARGV[8])
local sharingNodesMin = tonumber(ARGV[12])
local wantItems = ARGV[9] == '1'
local call, match = redis.call, string.match

-- @include outbox

-- @include clock
-- @include ledger
local accepted = string.format('\t%.0f', now)

-- The stored position is `<offset>` or, in the middle of a record with many items, `<offset before it> <items applied>`.
local applied, appliedItems = -1, 0
if previous ~= '' then
  local stored = call('GET', KEYS[2])
  if stored then
    local offset, items = string.match(stored, '^(-?%d+) ?(%d*)$')
    applied, appliedItems = tonumber(offset), tonumber(items) or 0
  end
  if tonumber(previous) >= 0 and applied < tonumber(previous) then
    return redis.error_reply('SOURCE_GAP applied ' .. applied .. ', expected ' .. previous)
  end
  if ordinal > 0 and applied < first and not (applied + 1 == first and appliedItems >= ordinal) then
    return redis.error_reply('SOURCE_GAP applied ' .. applied .. ', expected a part of ' .. ARGV[3])
  end
end
-- Nearly always everything is new, and then no item's offset need be looked at.
local mayRepeat = previous ~= '' and (applied >= first or appliedItems > 0)

-- What items have in common is given once: arguments are the dearest part of a call.
local argCounts = { b = 8, t = 5, x = 5 }
local classes, at = {}, 14
for i = 1, tonumber(ARGV[13]) do
  local kind, size, ttl = ARGV[at], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local hasStreamOfUser = kind == 'u' or kind == 'b' or kind == 't' or kind == 'x'
  local mode = string.lower(ARGV[at + 2])
  local ends = mode ~= ARGV[at + 2]
  classes[tostring(i)] = {
    kind = kind,
    argCount = (argCounts[kind] or 4) + (ends and 1 or 0),
    ends = ends,
    toUser = kind ~= 'x' and (hasStreamOfUser or kind == 'k'),
    prefix = hasStreamOfUser and ARGV[at + 1] .. '/u/' or '',
    headerStart = 'm' .. ARGV[at + 6] .. '\t',
    kept = mode ~= '',
    size = size,
    slack = mode == 'l' and 1 or math.max(8, size / 4),
    ttl = ttl,
    bytesMax = tonumber(ARGV[at + 5]),
    metaTtl = math.max(2 * ttl, 129600000),
  }
  at = at + 7
end

-- First pass: what is new, and what must be known for it, read in one call.
local items, streams, itemCount, duplicates = {}, {}, 0, 0
local keys, keyCount, metaPlaces, nodesPlaces, stepPlaces = {}, 0, {}, {}, {}
local offsetAt, lastOffset = string.gmatch(ARGV[10], '%S+'), first
local function isRepeated()
  local offset = tonumber(offsetAt())
  if offset ~= lastOffset then lastOffset, ordinal = offset, 0 end
  local covered = offset <= applied or (offset == applied + 1 and ordinal < appliedItems)
  ordinal = ordinal + 1
  return covered
end
local argCount = #ARGV
while at <= argCount do
  local class, address = classes[ARGV[at]], ARGV[at + 2]
  if mayRepeat and isRepeated() then
    duplicates = duplicates + 1
  else
    local stream = class.prefix .. address
    itemCount = itemCount + 1
    items[itemCount], streams[itemCount] = at, stream
    if class.toUser and not nodesPlaces[address] then
      keyCount = keyCount + 1
      keys[keyCount], nodesPlaces[address] = base .. USER_NODES .. address, keyCount
    end
    if class.kind == 'b' and ARGV[at + 7] ~= '' then
      keyCount = keyCount + 1
      keys[keyCount], stepPlaces[at] = base .. BLOCK_STEP .. ARGV[at + 7] .. ' ' .. address, keyCount
    end
    -- A block without a frame has no message.
    if class.kept and not metaPlaces[stream] and ARGV[at + 3] ~= '' then
      keyCount = keyCount + 1
      keys[keyCount], metaPlaces[stream] = base .. META .. stream, keyCount
    end
  end
  at = at + class.argCount
end
local stored = keyCount > 0 and call('MGET', unpack(keys)) or {}

-- @include kept
-- @include tops

-- A meta is `<epoch> <top> <ms when the lives of list and meta are prolonged, 0 for no list>`, behind it `/<bytes>` where
-- these are bounded, and ` <epoch before> <top it ended with>` if there was one (src/keys.ts).
local metas, metaCount, metaOf = {}, 0, {}
local metaOfThisProcess = '^(' .. server .. '%S+) (%d+) (%d+)(.*)$'
local function readMeta(stream, class)
  local place = metaPlaces[stream]
  local epoch, offset, renewAt, before = nil, '0', '0', ''
  if not stored[place] then
    epoch = unwrittenEpoch(stream, ARGV[6])
  else
    epoch, offset, renewAt, before = match(stored[place], metaOfThisProcess)
    if not epoch then
      -- Another process wrote last, and this one may have older data: offsets behind this top may have been told.
      epoch, offset, renewAt = match(stored[place], '^(%S+) (%d+) (%d+)')
      epoch, before = epochForNew, ' ' .. epoch .. ' ' .. offset
    end
  end
  -- All fields at once: a table that grows is made anew.
  local meta = {
    key = keys[place],
    stream = stream,
    class = class,
    epoch = epoch,
    offset = tonumber(offset),
    offsetText = offset,
    renewAt = renewAt,
    before = before,
    entries = false,
    n = 0,
  }
  metaCount = metaCount + 1
  metas[metaCount], metaOf[stream] = meta, meta
  return meta
end

local function keep(meta)
  local class, key, n, renewAt = meta.class, base .. LIST .. meta.stream, meta.n, meta.renewAt
  local counted, before = '', meta.before
  if before ~= '' then counted, before = match(before, '^/?(%d*)(.*)$') end
  -- Two elements a message: times and body. The first write, so that a Redis without memory refuses the whole call.
  local length = call('RPUSH', key, unpack(meta.entries, 1, n))
  if renewAt == '0' and length > n then
    -- The stream is new: what was there is of an epoch that was forgotten.
    call('LTRIM', key, -n, -1)
    length = n
  end
  local isNew = length == n
  -- Not with each message: setting an expiry costs as much as the rest of SET.
  local isDue = isNew or tonumber(renewAt) <= now
  local surplus = 0
  if length > 2 * (class.size + class.slack) then surplus = length / 2 - class.size end
  if isDue and not isNew then surplus = math.max(surplus, expiredOf(key, length / 2, now - class.ttl)) end
  local bytesText = ''
  if class.bytesMax > 0 then
    -- Counted anew from time to time: a node of an earlier release adds messages and does not count them.
    local bytes
    local kept = { messages = length / 2, surplus = surplus, max = class.bytesMax }
    surplus, bytes = fitting(key, kept, meta, isDue and '' or counted)
    bytesText = string.format('/%.0f', bytes)
  end
  if surplus > 0 then call('LTRIM', key, 2 * surplus, -1) end
  local text = meta.epoch .. ' ' .. meta.offsetText .. ' '
  if isDue then
    local pause = math.ceil(class.ttl / RENEWALS)
    call('PEXPIRE', key, class.ttl + pause)
    renewAt = string.format('%.0f', now + pause)
    call('SET', meta.key, text .. renewAt .. bytesText .. before, 'PX', class.metaTtl)
  else
    call('SET', meta.key, text .. renewAt .. bytesText .. before, 'KEEPTTL')
  end
end

-- By the text that lists them: few nodes serve many users.
local nodesIn = { [false] = {} }
local function nodesOfUser(user)
  local text = stored[nodesPlaces[user]]
  local nodes = nodesIn[text]
  if not nodes then
    nodes = {}
    for node in string.gmatch(text, '%S+') do nodes[#nodes + 1] = node end
    nodesIn[text] = nodes
  end
  return nodes
end

local channelNodes = {}
local function nodesOfChannel(stream)
  local nodes = channelNodes[stream]
  if not nodes then
    nodes = call('HKEYS', base .. INTEREST .. stream)
    channelNodes[stream] = nodes
  end
  return nodes
end

local allNodes
local function nodesOfAll()
  allNodes = allNodes or call('ZRANGE', base .. NODES, 0, -1)
  return allNodes
end

local socketNodes
local function nodesWithSockets()
  if not socketNodes then
    socketNodes = {}
    for _, node in ipairs(nodesOfAll()) do
      if not isRouter(node) then socketNodes[#socketNodes + 1] = node end
    end
  end
  return socketNodes
end

-- A node's name in a row is `<id>~<life>`: an id that registered again has new rows (see src/membership.ts).
local function nodesNamed(id)
  local named = {}
  for _, node in ipairs(nodesOfAll()) do
    if string.match(node, '^(.*)~') == id then named[#named + 1] = node end
  end
  return named
end

local function handAll(nodes, header, body)
  local count = 0
  for i = 1, #nodes do count = count + hand(nodes[i], header, body) end
  return count
end

-- Nodes that are not to be handed a message because they read it in the shared log, and the others. All who read the log
-- get what is in it, so it is only worth it for half of them.
local routes = {}
local function routeTo(nodes)
  local others, readers = {}, 0
  for i = 1, #nodes do
    if readsSharedLog(nodes[i]) then readers = readers + 1 else others[#others + 1] = nodes[i] end
  end
  local isShared = readers >= sharingNodesMin and 2 * readers >= call('ZCARD', base .. SHARED_READERS)
  routes[nodes] = isShared and { others = others, readers = readers } or { others = nodes, readers = 0 }
  return routes[nodes]
end

-- For a list of nodes that is the same one for all messages to them.
local function handMany(nodes, header, body)
  if sharingNodesMin == 0 or #nodes < sharingNodesMin then return handAll(nodes, header, body) end
  local route = routes[nodes] or routeTo(nodes)
  if route.readers > 0 then share(header, body) end
  return route.readers + handAll(route.others, header, body)
end

-- The header ends with what the reader puts behind the body of a message that has a position.
-- `life` is '' or, behind a tab, when it ends.
local function headerOf(class, stream, meta, origin, life, body)
  local start = class.headerStart
  if not meta then return start .. stream .. '\t' .. origin .. '\t' end
  local offset, n, times = meta.offset + 1, meta.n, origin .. life .. accepted
  local offsetText = tostring(offset)
  meta.offset, meta.offsetText, meta.n = offset, offsetText, n + 2
  if n == 0 then
    meta.entries = { times, body }
  else
    meta.entries[n + 1], meta.entries[n + 2] = times, body
  end
  return start .. stream .. '\t' .. origin .. '\t' .. meta.epoch .. '","offset":' .. offsetText .. '}'
end

local commandHeader = 'c\t\t0\t'

-- @include blocks

-- Second pass: positions, nodes, blocks.
local reply = { 0, 0, duplicates, 0 }
for i = 1, itemCount do
  local at, stream = items[i], streams[i]
  local class, origin, address, head = classes[ARGV[at]], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local kind = class.kind
  local life = class.ends and '\t' .. ARGV[at + class.argCount - 1] or ''
  local stepPlace = stepPlaces[at]
  local isDone = stepPlace and stored[stepPlace]
  local meta = not isDone and metaPlaces[stream] and class.kept and (metaOf[stream] or readMeta(stream, class)) or nil
  local nodes = 0
  if kind == 'u' then
    nodes = handAll(nodesOfUser(address), headerOf(class, stream, meta, origin, life, head), head)
  elseif kind == 't' then
    nodes = handAll(nodesOfUser(address), headerOf(class, stream, meta, origin, life, head), head)
    local message = { nodes = nodes, stream = stream, offset = meta and meta.offset or 0 }
    enter(match(origin, '%d+ %d+$') .. ' ' .. stream, ARGV[at + 4], message)
  elseif kind == 'x' then
    tell('expired', 0, now, match(ARGV[at + 4], '\t(.*)$'))
  elseif kind == 'c' then
    nodes = handMany(nodesOfChannel(stream), headerOf(class, stream, meta, origin, life, head), head)
  elseif kind == 'a' then
    nodes = handMany(nodesWithSockets(), 'a\t\t' .. origin .. '\t', head)
  elseif kind == 'b' and not (isDone and previous == '') then
    local holders = nodesOfUser(address)
    if head ~= '' and not isDone then
      nodes = handAll(holders, headerOf(class, stream, meta, origin, life, head), head)
    end
    setBlock(address, ARGV[at + 4], ARGV[at + 5])
    if ARGV[at + 6] ~= '' then nodes = handAll(holders, commandHeader, ARGV[at + 6]) end
    -- A day: who has not read the record by then has other troubles.
    if stepPlace then call('SET', keys[stepPlace], '', 'PX', 86400000) end
  elseif kind == 'k' then
    nodes = handAll(nodesOfUser(address), commandHeader, head)
  elseif kind == 'C' then
    -- Not by the shared log: those who do not watch the channel must not be told.
    nodes = handAll(nodesOfChannel(address), commandHeader, head)
  elseif kind == 'K' then
    nodes = handMany(nodesOfAll(), commandHeader, head)
  elseif kind == 'N' then
    nodes = handAll(nodesNamed(address), commandHeader, head)
  end
  if nodes > 0 then reply[1] = reply[1] + 1 else reply[2] = reply[2] + 1 end
  if wantItems then
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = nodes, meta and meta.epoch or '', meta and meta.offset or 0
  end
end

for i = 1, metaCount do keep(metas[i]) end
if previous ~= '' then
  if ARGV[5] ~= '' then
    local before = tonumber(last) - 1
    if before > applied or (before == applied and tonumber(ARGV[5]) > appliedItems) then
      call('SET', KEYS[2], string.format('%.0f', before) .. ' ' .. ARGV[5])
    end
  elseif tonumber(last) > applied then
    call('SET', KEYS[2], last)
    if ARGV[11] ~= '' then call('SET', base .. SOURCE_MARK .. string.sub(KEYS[2], #base + #SOURCE + 1), ARGV[11]) end
  end
end
reply[4] = sendOutbox()
return reply
