-- Applies items in order: skips what was applied before, appends to streams, routes to nodes, remembers the position.
--
-- KEYS[1] base: prefix with hash tag; the keys of sources, streams, users and nodes are built from it (same slot)
-- ARGV[1] epoch for streams that begin one; with a `~` before it not for the first of a stream (include/tops.lua)
-- ARGV[2] name of this Redis process, with which that epoch begins
-- ARGV[3] bytes that may wait in an inbox
-- ARGV[4] '1': the reply has a row for each item
-- ARGV[5] nodes on which a message goes by the log that they share, 0 for none (include/shared-log.lua)
-- ARGV[6] number of sources, each with a run of the items; each follows as
--   name, '' for items without a source, which have a call of their own
--   last offset of the call before this one, '-1' for the first call
--   last offset this call covers
--   offset of the first item
--   how many items of that record were in the calls before
--   '' or, when the record of the last offset goes on in the next call, how many of its items are covered so far
--   mark of the source's log that goes with the position of the last offset, '' for none
--   number of its items, and the offset of each, separated by spaces
-- then the number of classes; each follows as kind, topic, mode ('o' ordered, 'l' latest, '' no history; in upper case for
--   items whose life ends), size, ttl ms, bytes (0 for no bound), connection that must not get it ('' for none) and,
--   behind a space, a trace context, if there is one
-- then four for each item: number of its class, origin (src/wire.ts), address (user, stream or node), head; an item of kind b
--   has four more: block JSON ('' to lift it), its expiry ms ('' for none), command JSON ('' for none), step ('' for none,
--   include/blocks.lua); one of kind t or x has one more: ticket (include/ledger.lua); one whose life ends has one more at last: when that is, ms
-- Kinds: u user, t user whose message's outcome is wanted, x the same but too old for anybody, c channel, a all, b block,
--   k command to a user's nodes, C to a channel's, N to one node, K to all.
-- Returns {batches, then for each source routed, offline, duplicates} and with ARGV[4] nodes, epoch, offset for each item. A
--   source whose call before was not applied has the text SOURCE_GAP… for routed, and nothing of it is applied.
local base = KEYS[1]
local server = ARGV[2]
local inboxBytesMax = tonumber(ARGV[3])
local wantItems = ARGV[4] == '1'
local sharingNodesMin = tonumber(ARGV[5])
-- Looking for a global costs more than looking at a local.
local ARGV, call, match, tonumber, tostring = ARGV, redis.call, string.match, tonumber, tostring

-- @include outbox

-- @include clock
local accepted = string.format('\t%.0f', now)

local sources, sourceKeys, at = {}, {}, 7
for s = 1, tonumber(ARGV[6]) do
  sourceKeys[s] = base .. SOURCE .. ARGV[at]
  sources[s] = {
    name = ARGV[at],
    previous = tonumber(ARGV[at + 1]),
    last = ARGV[at + 2],
    first = tonumber(ARGV[at + 3]),
    ordinal = tonumber(ARGV[at + 4]),
    partial = ARGV[at + 5],
    mark = ARGV[at + 6],
    count = tonumber(ARGV[at + 7]),
    offsets = ARGV[at + 8],
    applied = -1,
    appliedItems = 0,
    gap = false,
    itemsTo = 0,
  }
  at = at + 9
end
local isSourced = sources[1].name ~= ''

-- The stored position is `<offset>` or, in the middle of a record with many items, `<offset before it> <items applied>`.
local function readPosition(source, stored)
  if stored then
    source.applied = tonumber(stored)
    if not source.applied then
      local offset, items = match(stored, '^(-?%d+) (%d+)$')
      source.applied, source.appliedItems = tonumber(offset), tonumber(items)
    end
  end
  local applied, first, ordinal = source.applied, source.first, source.ordinal
  if source.previous >= 0 and applied < source.previous then
    source.gap = 'SOURCE_GAP applied ' .. applied .. ', expected ' .. source.previous
  elseif ordinal > 0 and applied < first and not (applied + 1 == first and source.appliedItems >= ordinal) then
    source.gap = 'SOURCE_GAP applied ' .. applied .. ', expected a part of ' .. first
  end
end
if isSourced then
  local positions = call('MGET', unpack(sourceKeys))
  for s = 1, #sources do readPosition(sources[s], positions[s]) end
end

-- What items have in common is given once: arguments are the dearest part of a call.
local classes, classCount = {}, tonumber(ARGV[at])
at = at + 1
for i = 1, classCount do
  local kind, size, ttl = ARGV[at], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local hasStreamOfUser = kind == 'u' or kind == 'b' or kind == 't' or kind == 'x'
  local mode = string.lower(ARGV[at + 2])
  local ends = mode ~= ARGV[at + 2]
  classes[tostring(i)] = {
    kind = kind,
    argCount = (kind == 'b' and 8 or (kind == 't' or kind == 'x') and 5 or 4) + (ends and 1 or 0),
    ends = ends,
    toUser = kind ~= 'x' and (hasStreamOfUser or kind == 'k'),
    prefix = hasStreamOfUser and ARGV[at + 1] .. '/u/' or '',
    headerStart = 'm' .. ARGV[at + 6] .. '\t',
    kept = mode ~= '',
    size = size,
    slack = mode == 'l' and 1 or math.max(8, size / 4),
    ttl = ttl,
    bytesMax = tonumber(ARGV[at + 5]),
  }
  at = at + 7
end

-- First pass: what is new, and what must be known for it, read in one call.
local items, streams, itemCount = {}, {}, 0
local keys, keyCount, nodesPlaces, stepPlaces = {}, 0, {}, {}
-- By stream: the place of its meta among the keys, then the meta. And those that are written.
local metas, written = {}, {}
-- Tells of each item of a source in turn whether it was applied before.
local function repetitionsOf(source)
  local offsetAt, lastOffset, ordinal = string.gmatch(source.offsets, '%S+'), source.first, source.ordinal
  local applied, appliedItems = source.applied, source.appliedItems
  return function()
    local offset = tonumber(offsetAt())
    if offset ~= lastOffset then lastOffset, ordinal = offset, 0 end
    local covered = offset <= applied or (offset == applied + 1 and ordinal < appliedItems)
    ordinal = ordinal + 1
    return covered
  end
end
for s = 1, #sources do
  local source = sources[s]
  -- Nearly always everything is new, and then no item's offset need be looked at.
  local mayRepeat = isSourced and (source.applied >= source.first or source.appliedItems > 0)
  local isRepeated = mayRepeat and repetitionsOf(source)
  local duplicates = 0
  for _ = 1, source.count do
    local class, address = classes[ARGV[at]], ARGV[at + 2]
    if source.gap then
      -- Nothing of it is applied.
    elseif isRepeated and isRepeated() then
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
      if class.kept and not metas[stream] and ARGV[at + 3] ~= '' then
        keyCount = keyCount + 1
        keys[keyCount], metas[stream] = base .. META .. stream, keyCount
      end
    end
    at = at + class.argCount
  end
  source.duplicates, source.itemsTo = duplicates, itemCount
end
local stored = keyCount > 0 and call('MGET', unpack(keys)) or {}

-- What few calls need is made when it is needed: making a function costs as much as a small command.
local rare
local function rarely()
  if not rare then
    -- @include ledger
    -- @include blocks
    -- @include kept
    -- @include tops
    rare = {
      enter = enter,
      tell = tell,
      setBlock = setBlock,
      expiredOf = expiredOf,
      fitting = fitting,
      unwrittenEpoch = unwrittenEpoch,
    }
  end
  return rare
end

-- A meta is `<epoch> <top> <ms when the lives of list and meta are prolonged, 0 for no list>`, behind it `/<bytes>` where
-- these are bounded, and ` <epoch before> <top it ended with>` if there was one (src/keys.ts).
local metaOfThisProcess = '^(' .. server .. '%S+) (%d+) (%d+)(.*)$'
local function metaOf(stream, class)
  local place = metas[stream]
  if type(place) == 'table' then return place end
  local epoch, top, renewAt, before = nil, '0', '0', ''
  -- Digits that another offset may be written over.
  local digits = 0
  if not stored[place] then
    epoch = rarely().unwrittenEpoch(stream, ARGV[1])
  else
    epoch, top, renewAt, before = match(stored[place], metaOfThisProcess)
    if epoch then
      digits = #top
    else
      -- Another process wrote last, and this one may have older data: offsets behind this top may have been told.
      epoch, top, renewAt = match(stored[place], '^(%S+) (%d+) (%d+)')
      before = ' ' .. epoch .. ' ' .. top
      epoch = string.gsub(ARGV[1], '^~', '')
    end
  end
  -- With times and body of each message in turn. All fields at once: a table that grows is made anew.
  local meta = {
    false,
    false,
    stream = stream,
    class = class,
    epoch = epoch,
    offset = top,
    digits = digits,
    renewAt = renewAt,
    before = before,
    n = 0,
  }
  metas[stream], written[#written + 1] = meta, meta
  return meta
end

-- The life of a list is prolonged this often in the ttl of its messages, and so often what is too old is taken away: a
-- message is gone when it is a quarter older than its ttl, if others come.
local RENEWALS = 4
local function keep(meta)
  local class, stream, n, renewAt, before = meta.class, meta.stream, meta.n, meta.renewAt, meta.before
  local key, metaKey, counted = base .. LIST .. stream, base .. META .. stream, ''
  if before ~= '' then counted, before = match(before, '^/?(%d*)(.*)$') end
  -- Two elements a message. The first write, so that a Redis without memory refuses the whole call.
  local length = n == 2 and call('RPUSH', key, meta[1], meta[2]) or call('RPUSH', key, unpack(meta, 1, n))
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
  if isDue and not isNew then
    surplus = math.max(surplus, rarely().expiredOf(key, length / 2, now - class.ttl))
  end
  local bytesText = ''
  if class.bytesMax > 0 then
    -- Counted anew from time to time: a node of an earlier release adds messages and does not count them.
    local bytes
    local kept = { messages = length / 2, surplus = surplus, max = class.bytesMax }
    surplus, bytes = rarely().fitting(key, kept, meta, isDue and '' or counted)
    bytesText = string.format('/%.0f', bytes)
  end
  if surplus > 0 then call('LTRIM', key, 2 * surplus, -1) end
  if not isDue and #meta.offset == meta.digits and counted .. bytesText == '' then
    -- Nearly always: what is not the top stays as it is.
    call('SETRANGE', metaKey, #meta.epoch + 1, meta.offset)
    return
  end
  local text = meta.epoch .. ' ' .. meta.offset .. ' '
  if isDue then
    local pause = math.ceil(class.ttl / RENEWALS)
    call('PEXPIRE', key, class.ttl + pause)
    renewAt = string.format('%.0f', now + pause)
    call('SET', metaKey, text .. renewAt .. bytesText .. before, 'PX', math.max(2 * class.ttl, 129600000))
  else
    call('SET', metaKey, text .. renewAt .. bytesText .. before, 'KEEPTTL')
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

local function handAll(nodes, header, body)
  local count = 0
  for i = 1, #nodes do count = count + hand(nodes[i], header, body) end
  return count
end

-- What is not for one user: made when it is needed.
local many
local function manyNodes()
  if not many then
    -- @include many-nodes
    many = {
      ofChannel = nodesOfChannel,
      all = nodesOfAll,
      withSockets = nodesWithSockets,
      named = nodesNamed,
      hand = handMany,
      sendShared = sendShared,
    }
  end
  return many
end

-- The header ends with what the reader puts behind the body of a message that has a position.
-- `life` is '' or, behind a tab, when it ends.
local function headerOf(class, stream, meta, origin, life, body)
  local start = class.headerStart
  if not meta then return start .. stream .. '\t' .. origin .. '\t' end
  local offset, n = tostring(meta.offset + 1), meta.n
  meta[n + 1], meta[n + 2] = origin .. life .. accepted, body
  meta.offset, meta.n = offset, n + 2
  return start .. stream .. '\t' .. origin .. '\t' .. meta.epoch .. '","offset":' .. offset .. '}'
end

local commandHeader = 'c\t\t0\t'

-- Second pass: positions, nodes, blocks.
local reply, rows, itemsFrom = { 0 }, {}, 1
for s = 1, #sources do
  local source, routed, offline = sources[s], 0, 0
  for i = itemsFrom, source.itemsTo do
    local at, stream = items[i], streams[i]
    local class, origin, address, head = classes[ARGV[at]], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local kind = class.kind
    local life = class.ends and '\t' .. ARGV[at + class.argCount - 1] or ''
    local stepPlace = stepPlaces[at]
    local isDone = stepPlace and stored[stepPlace]
    local meta = not isDone and class.kept and metas[stream] and metaOf(stream, class) or nil
    local nodes = 0
    if kind == 'u' then
      nodes = handAll(nodesOfUser(address), headerOf(class, stream, meta, origin, life, head), head)
    elseif kind == 't' then
      nodes = handAll(nodesOfUser(address), headerOf(class, stream, meta, origin, life, head), head)
      local message = { nodes = nodes, stream = stream, offset = meta and tonumber(meta.offset) or 0 }
      rarely().enter(match(origin, '%d+ %d+$') .. ' ' .. stream, ARGV[at + 4], message)
    elseif kind == 'x' then
      rarely().tell('expired', 0, now, match(ARGV[at + 4], '\t(.*)$'))
    elseif kind == 'c' then
      nodes = manyNodes().hand(manyNodes().ofChannel(stream), headerOf(class, stream, meta, origin, life, head), head)
    elseif kind == 'a' then
      nodes = manyNodes().hand(manyNodes().withSockets(), 'a\t\t' .. origin .. '\t', head)
    elseif kind == 'b' and not (isDone and not isSourced) then
      local holders = nodesOfUser(address)
      if head ~= '' and not isDone then
        nodes = handAll(holders, headerOf(class, stream, meta, origin, life, head), head)
      end
      rarely().setBlock(address, ARGV[at + 4], ARGV[at + 5])
      if ARGV[at + 6] ~= '' then nodes = handAll(holders, commandHeader, ARGV[at + 6]) end
      -- A day: who has not read the record by then has other troubles.
      if stepPlace then call('SET', keys[stepPlace], '', 'PX', 86400000) end
    elseif kind == 'k' then
      nodes = handAll(nodesOfUser(address), commandHeader, head)
    elseif kind == 'C' then
      -- Not by the shared log: those who do not watch the channel must not be told.
      nodes = handAll(manyNodes().ofChannel(address), commandHeader, head)
    elseif kind == 'K' then
      nodes = manyNodes().hand(manyNodes().all(), commandHeader, head)
    elseif kind == 'N' then
      nodes = handAll(manyNodes().named(address), commandHeader, head)
    end
    if nodes > 0 then routed = routed + 1 else offline = offline + 1 end
    if wantItems then
      local n = #rows
      rows[n + 1], rows[n + 2], rows[n + 3] = nodes, meta and meta.epoch or '', meta and tonumber(meta.offset) or 0
    end
  end
  itemsFrom = source.itemsTo + 1
  reply[3 * s - 1], reply[3 * s], reply[3 * s + 1] = source.gap or routed, offline, source.duplicates
end

for i = 1, #written do keep(written[i]) end
if isSourced then
  for s = 1, #sources do
    local source = sources[s]
    local applied, last, partial = source.applied, tonumber(source.last), source.partial
    if source.gap then
      -- It stays where it is.
    elseif partial ~= '' then
      if last - 1 > applied or (last - 1 == applied and tonumber(partial) > source.appliedItems) then
        call('SET', sourceKeys[s], string.format('%.0f', last - 1) .. ' ' .. partial)
      end
    elseif last > applied then
      call('SET', sourceKeys[s], source.last)
      if source.mark ~= '' then call('SET', base .. SOURCE_MARK .. source.name, source.mark) end
    end
  end
end
reply[1] = sendOutbox(many and many.sendShared)
for i = 1, #rows do reply[#reply + 1] = rows[i] end
return reply
