/**
 * What happens to a checkpoint in one step, as Lua: `EVAL` runs a script as a whole, and the append-only file
 * holds all of its writes or none (Redis documentation, "Scripting with Lua" and "Transactions").
 *
 * Keys: the hash of a checkpoint (`generation`, `claimant`, `order`, `manifest`) and the hash of its parts (name
 * to number of shards). The shards of a part are named in the scripts, with the same hash tag.
 */

/**
 * ARGV: generation, claimant, start of the names of shards. Answers {1, manifest, names of whole parts} or, where
 * another has it, {0, its generation}. A part whose first shard is there is whole: it is written last.
 */
export const CLAIM = `
local held = redis.call('HMGET', KEYS[1], 'generation', 'claimant')
local generation = tonumber(ARGV[1])
if held[1] then
  local other = tonumber(held[1])
  if other > generation or (other == generation and held[2] ~= ARGV[2]) then return {0, held[1]} end
end
if held[2] ~= ARGV[2] then redis.call('HSET', KEYS[1], 'order', '0') end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'claimant', ARGV[2])
local answer = {1, redis.call('HGET', KEYS[1], 'manifest')}
for _, name in ipairs(redis.call('HKEYS', KEYS[2])) do
  if redis.call('EXISTS', ARGV[3] .. name .. ':0') == 1 then table.insert(answer, name) end
end
return answer
`;

/**
 * ARGV: generation, claimant, start of the names of shards, order, manifest, names of parts that must be there. Answers {1}, {0, generation of
 * another}, or {2, name} for a part that is not there any more. A save with a lower order than the last one of the
 * same claimant was overtaken on an old connection, and is passed over.
 */
export const SAVE = `
local held = redis.call('HMGET', KEYS[1], 'generation', 'claimant', 'order')
local generation = tonumber(ARGV[1])
if held[1] then
  local other = tonumber(held[1])
  if other > generation or (other == generation and held[2] ~= ARGV[2]) then return {0, held[1]} end
  if held[2] == ARGV[2] and tonumber(held[3] or '0') > tonumber(ARGV[4]) then return {1} end
end
for i = 6, #ARGV do
  if redis.call('EXISTS', ARGV[3] .. ARGV[i] .. ':0') == 0 then return {2, ARGV[i]} end
end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'claimant', ARGV[2], 'order', ARGV[4], 'manifest', ARGV[5])
return {1}
`;

/** ARGV: generation, claimant, start of the names of shards, names of parts to keep. Answers {1} or {0, generation}. */
export const KEEP_PARTS = `
local held = redis.call('HMGET', KEYS[1], 'generation', 'claimant')
if held[1] then
  local generation = tonumber(ARGV[1])
  local other = tonumber(held[1])
  if other > generation or (other == generation and held[2] ~= ARGV[2]) then return {0, held[1]} end
end
local keep = {}
for i = 4, #ARGV do keep[ARGV[i]] = true end
local parts = redis.call('HGETALL', KEYS[2])
for i = 1, #parts, 2 do
  if not keep[parts[i]] then
    for shard = 0, tonumber(parts[i + 1]) - 1 do redis.call('UNLINK', ARGV[3] .. parts[i] .. ':' .. shard) end
    redis.call('HDEL', KEYS[2], parts[i])
  end
end
return {1}
`;
