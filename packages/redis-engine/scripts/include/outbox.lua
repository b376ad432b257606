-- Collects what each node gets and adds it to its inbox as one numbered batch.
-- Needs the locals `base` (key prefix with hash tag), `server` (name of this Redis process), `inboxLengthMax` and
-- `inboxBytesMax` of the including script.
-- A message is a header and a body that are never joined here: this Lua hashes every byte of every string it makes, so a
-- long string costs more than the command that stores it.
local outbox, outboxTokens = {}, {}

-- Returns 1 when the node is registered, else 0: rows of a node that is being reaped lead nowhere.
local function hand(token, header, body)
  local batch = outbox[token]
  if batch == nil then
    batch = redis.call('EXISTS', base .. SEQUENCE .. token) == 1 and { n = 0, bytes = 0 }
    outbox[token] = batch
    if batch then outboxTokens[#outboxTokens + 1] = token end
  end
  if not batch then return 0 end
  local n = batch.n
  batch[n + 1], batch[n + 2], batch.n = header, body, n + 2
  batch.bytes = batch.bytes + #header + #body
  return 1
end

-- Returns the number of batches.
local function sendOutbox()
  for i = 1, #outboxTokens do
    local token = outboxTokens[i]
    local batch = outbox[token]
    -- Bounded by bytes as well as by count: a node that is gone must not fill the memory before it is reaped.
    local length = math.max(16, math.min(inboxLengthMax, math.floor(inboxBytesMax / batch.bytes)))
    local sequence = redis.call('INCR', base .. SEQUENCE .. token)
    -- With the process' name, because one that came back with older data gives numbers a second time.
    local id = sequence .. '-' .. server
    redis.call('XADD', base .. INBOX .. token, 'MAXLEN', '~', length, id, unpack(batch, 1, batch.n))
  end
  return #outboxTokens
end
