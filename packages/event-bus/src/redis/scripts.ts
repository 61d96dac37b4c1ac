/**
 * All that writes is a script, so that the check of the claim and the write are one step on the server: what a writer sent
 * before it was fenced is refused however it was sent.
 */

const lastId = `
local function last_id(key)
  if redis.call('EXISTS', key) == 0 then return nil end
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end
`;

/** Answers why not, where the claim in `KEYS[1]` is not the one of `ARGV[1]` (number) and `ARGV[2]` (nonce). */
const onlyLatest = `
local latest = redis.call('HMGET', KEYS[1], 'number', 'nonce', 'append')
if not latest[1] then return 'the server no longer knows the claim' end
if latest[1] ~= ARGV[1] or latest[2] ~= ARGV[2] then return 'there is a later claim' end
`;

/** KEYS: lease. ARGV: holder, milliseconds. Answers 1 or 0. */
const acquire = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`;

/** KEYS: lease. ARGV: holder, milliseconds. Answers 1 or 0. */
const renew = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** KEYS: lease. ARGV: holder. */
const release = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`;

/**
 * KEYS: claim, head, logs, log. ARGV: nonce. Answers the claim's number. It is at least the server's time, so that a server
 * that lost its data does not count anew, and larger than any number that is still known, so that a clock that was set back
 * does not matter.
 */
const claim = `
${lastId}
local previous = tonumber(redis.call('HGET', KEYS[1], 'number') or '0')
local head = last_id(KEYS[2])
if head then previous = math.max(previous, tonumber(string.match(head, '^%d+'))) end
local logs = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
if logs[2] then previous = math.max(previous, tonumber(logs[2])) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local number = string.format('%.0f', math.max(previous + 1, now))
redis.call('HSET', KEYS[1], 'number', number, 'nonce', ARGV[1])
redis.call('HDEL', KEYS[1], 'append')
redis.call('ZADD', KEYS[3], number, ARGV[1])
-- An empty stream that knows where it begins.
redis.call('XADD', KEYS[4], number .. '-0', 'f', '')
redis.call('XDEL', KEYS[4], number .. '-0')
return number
`;

/**
 * KEYS: claim, log. ARGV: number, nonce, position to append behind, id of the append, frames. Answers OK or why not. The
 * same append may be sent again where its answer was lost.
 */
const append = `
${lastId}
${onlyLatest}
local log_end = last_id(KEYS[2])
if not log_end then return 'the log is gone' end
local first = 5
local function id(position) return ARGV[1] .. '-' .. string.format('%.0f', position) end
local after = tonumber(ARGV[3])
if latest[3] == ARGV[4] and log_end == id(after + #ARGV - first + 1) then return 'OK' end
if log_end ~= id(after) then return 'the log does not end at ' .. ARGV[3] end
for i = first, #ARGV do redis.call('XADD', KEYS[2], id(after + i - first + 1), 'f', ARGV[i]) end
redis.call('HSET', KEYS[1], 'append', ARGV[4])
return 'OK'
`;

/** KEYS: claim, head. ARGV: number, nonce, position of the snapshot. Answers OK or why not. */
const setHead = `
${lastId}
${onlyLatest}
local id = ARGV[1] .. '-' .. ARGV[3]
if last_id(KEYS[2]) ~= id then redis.call('XADD', KEYS[2], 'MAXLEN', '1', id, 'nonce', ARGV[2]) end
return 'OK'
`;

/** KEYS: claim, log. ARGV: number, nonce, position. Answers OK or why not. */
const trim = `
${onlyLatest}
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[1] .. '-' .. ARGV[3])
return 'OK'
`;

/** KEYS: claim, logs, one log or more. ARGV: number, nonce, the nonces of the logs. Answers OK or why not. */
const removeLogs = `
${onlyLatest}
for i = 3, #KEYS do
  redis.call('UNLINK', KEYS[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
return 'OK'
`;

/** The scripts by the names under which a connection has them. */
export const scripts = { acquire, renew, release, claim, append, setHead, trim, removeLogs } as const;

/** Name of a script. */
export type ScriptName = keyof typeof scripts;
