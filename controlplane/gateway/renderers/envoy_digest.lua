-- Says which key a call has: its SHA-256 in x-gate-digest, the first digit of it in x-gate-shard.
-- A verified token is looked up like a key: by the hash of who vouches, for what, and for whom, in
-- lines, of which no header can hold two. So no key says what a token stands for.

local bit = require("bit")
local band, bnot, bor, bxor = bit.band, bit.bnot, bit.bor, bit.bxor
local lshift, ror, rshift, tobit, tohex = bit.lshift, bit.ror, bit.rshift, bit.tobit, bit.tohex
local KEY_CHARS = 512 -- more is none of ours, and would be work for nothing

-- The constants of FIPS 180-4: fractional parts of the roots of the first primes.
local function fraction(root) return tobit(math.floor((root - math.floor(root)) * 2 ^ 32)) end
local ROUND, START = {}, {}
local number = 2
while #ROUND < 64 do
  local prime = true
  for divisor = 2, math.floor(math.sqrt(number)) do prime = prime and number % divisor ~= 0 end
  if prime then
    ROUND[#ROUND + 1] = fraction(number ^ (1 / 3))
    if #START < 8 then START[#START + 1] = fraction(math.sqrt(number)) end
  end
  number = number + 1
end

local words = {}

local function sha256(text)
  local bits = #text * 8
  local padded = text .. "\128" .. string.rep("\0", (55 - #text) % 64 + 4)
    .. string.char(rshift(bits, 24), band(rshift(bits, 16), 255), band(rshift(bits, 8), 255), band(bits, 255))
  local h1, h2, h3, h4, h5, h6, h7, h8 = unpack(START)
  for at = 1, #padded, 64 do
    for i = 1, 16 do
      local b1, b2, b3, b4 = padded:byte(at + i * 4 - 4, at + i * 4 - 1)
      words[i] = bor(lshift(b1, 24), lshift(b2, 16), lshift(b3, 8), b4)
    end
    for i = 17, 64 do
      local x, y = words[i - 15], words[i - 2]
      words[i] = tobit(words[i - 16] + bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
        + words[i - 7] + bxor(ror(y, 17), ror(y, 19), rshift(y, 10)))
    end
    local a, b, c, d, e, f, g, h = h1, h2, h3, h4, h5, h6, h7, h8
    for i = 1, 64 do
      local one = tobit(h + bxor(ror(e, 6), ror(e, 11), ror(e, 25))
        + bxor(band(e, f), band(bnot(e), g)) + ROUND[i] + words[i])
      local two = tobit(bxor(ror(a, 2), ror(a, 13), ror(a, 22))
        + bxor(band(a, b), band(a, c), band(b, c)))
      h, g, f, e, d, c, b, a = g, f, e, tobit(d + one), c, b, a, tobit(one + two)
    end
    h1, h2, h3, h4 = tobit(h1 + a), tobit(h2 + b), tobit(h3 + c), tobit(h4 + d)
    h5, h6, h7, h8 = tobit(h5 + e), tobit(h6 + f), tobit(h7 + g), tobit(h8 + h)
  end
  return tohex(h1) .. tohex(h2) .. tohex(h3) .. tohex(h4) .. tohex(h5) .. tohex(h6) .. tohex(h7) .. tohex(h8)
end

local function vouched(handle, product)
  local verified = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  if not verified then return nil end
  for provider, payload in pairs(verified) do
    local id, claim = provider:match("^(%S+) (.+)$")
    local application = id and payload[claim]
    if type(application) == "string" then return id .. "\n" .. product .. "\n" .. application end
  end
end

function envoy_on_request(handle)
  local product = handle:streamInfo():routeName():match("^%S+")
  if not product then return end -- no such route, which the router says
  local headers = handle:headers()
  local shown = headers:get("x-api-key")
  if not shown then
    shown = vouched(handle, product)
    if not shown then return end
    headers:replace("x-gate-token", "verified")
  end
  local digest = #shown <= KEY_CHARS and sha256(shown) or string.rep("0", 64)
  headers:replace("x-gate-digest", digest)
  headers:replace("x-gate-shard", digest:sub(1, 1))
end
