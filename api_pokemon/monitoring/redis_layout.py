"""What is kept in Redis on the way from the outboxes to the log, and the scripts that change it.

::

    <name>                                stream: writer, session, sequence, body
    <name>:confirmed:<writer>:<session>   list: sequences that are logged, as "1-500,502"
    <name>:outboxes                       hash: by writer, what its outbox last held (an `OutboxState`)
    <name>:broken                         list: entries that say neither whose they are nor which

A *session* is one run of a forwarder over one outbox. Confirmations are for the session that sent the entry: an outbox
that lost its last entries in a power cut gives their sequences to other events, which an old confirmation must not let
go. What an earlier session sent and did not see confirmed is sent again in any case.

Each change is one script, so that it happens as a whole or not at all. Beyond what MULTI does, a script whose first
write frees memory may go on to write where ``maxmemory`` is reached; otherwise a full Redis could never be emptied.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

SEND = """
local ids = {}
for i = 3, #ARGV, 2 do
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*',
    'writer', ARGV[1], 'session', ARGV[2], 'sequence', ARGV[i], 'body', ARGV[i + 1])
end
return ids
"""
"""KEYS: stream. ARGV: writer, session, then sequence and body of each entry. Returns the id of each."""

FIND_ABSENT = """
local absent = {}
for i = 2, #ARGV, 2 do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  local fields = found and found[2] or {}
  if fields[4] ~= ARGV[1] or fields[6] ~= ARGV[i + 1] then absent[#absent + 1] = i / 2 - 1 end
end
return absent
"""
"""KEYS: stream. ARGV: session, then id and sequence of each entry. Returns the places, from 0, of those that the stream
does not hold; another entry may have the id of one that was lost, where the clock of the next server is behind."""

SETTLE = """
local last = 3 + tonumber(ARGV[3])
for i = 4, last, 1000 do
  local upto = math.min(i + 999, last)
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, i, upto))
  redis.call('XDEL', KEYS[1], unpack(ARGV, i, upto))
end
for i = 2, #KEYS do
  redis.call('RPUSH', KEYS[i], ARGV[last + i - 1])
  redis.call('LTRIM', KEYS[i], -10000, -1)
  redis.call('EXPIRE', KEYS[i], ARGV[2])
end
"""
"""KEYS: stream, lists. ARGV: group, life of a list in seconds, number of ids, ids, then what to add to each list.
Takes entries out of the stream and notes that they are settled."""

TIDY = """
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
  end
end
local stream, flat = {}, redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #flat, 2 do stream[flat[i]] = flat[i + 1] end
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
  if group.name == ARGV[1] and group.pending == 0 and stream.length > 0
      and group['last-delivered-id'] == stream['last-generated-id'] then
    redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], '0')
    return stream.length
  end
end
return 0
"""
"""KEYS: stream. ARGV: group, idle milliseconds. Deletes consumers that have been silent so long and own nothing, and
lets entries be delivered anew that were delivered and that no consumer owns, as happens where somebody deletes a
consumer by hand. Returns their number. As one script, no entry can be delivered between the look and the deed."""

LEAVE = """
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  if consumer.name == ARGV[2] and consumer.pending == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  end
end
"""
"""KEYS: stream. ARGV: group, consumer. Deletes the consumer if it owns nothing."""


class Keys(NamedTuple):
    """The names of one stream's keys."""

    stream: str
    outboxes: str
    broken: str

    @classmethod
    def of(cls, name: str) -> "Keys":
        return cls(name, f"{name}:outboxes", f"{name}:broken")

    def confirmed(self, writer: str, session: str) -> str:
        return f"{self.stream}:confirmed:{writer}:{session}"


def write_ranges(sequences: Iterable[int]) -> str:
    """Write sequences down in few bytes.

    Examples
    --------
    >>> write_ranges([3, 1, 2, 9])
    '1-3,9'
    """
    ranges: list[list[int]] = []
    for sequence in sorted(sequences):
        if ranges and sequence <= ranges[-1][1] + 1:
            ranges[-1][1] = sequence
        else:
            ranges.append([sequence, sequence])
    return ",".join(f"{first}-{last}" if first < last else f"{first}" for first, last in ranges)


def read_ranges(ranges: bytes) -> Iterator[int]:
    """Yield the sequences that :func:`write_ranges` wrote.

    Examples
    --------
    >>> list(read_ranges(b"1-3,9"))
    [1, 2, 3, 9]
    """
    for part in ranges.split(b","):
        first, _, last = part.partition(b"-")
        yield from range(int(first), int(last or first) + 1)
