-- Notes what became of messages on a node.
--
-- KEYS[1] base: prefix with hash tag; the keys of the ledger are built from it (same slot)
-- ARGV five for each message: its key, 1 when the node was handed it and says so first, else 0, and numbers of
--   connections: that took it, that have it waiting (less those that had), whose queue gave it up
-- Returns 0.
local base = KEYS[1]
-- @include clock
-- @include ledger
for at = 1, #ARGV, 5 do
  note(ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]))
end
return 0
