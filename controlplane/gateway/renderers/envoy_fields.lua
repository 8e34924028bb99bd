-- Says which fields of Query, Mutation or Subscription a GraphQL request asks for, and how often.
-- It never guesses: what another reader could understand in another way is not read at all, or the
-- API behind would run other fields than those that were counted. It is as strict as RFC 8259 and
-- the specification of GraphQL. BODY_BYTES, DOCUMENT_BYTES: what is read at most.

local DEPTH = 64 -- of values in JSON, and of inline fragments around fields
local NOTHING, VALUE = {}, {} -- null, and what is not looked into: a list, a number, true or false

local function unread() error("unread", 0) end

local ESCAPES = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  local last = string.char(0x80 + code % 0x40)
  local rest = math.floor(code / 0x40)
  if code < 0x800 then return string.char(0xC0 + rest) .. last end
  last = string.char(0x80 + rest % 0x40) .. last
  rest = math.floor(rest / 0x40)
  if code < 0x10000 then return string.char(0xE0 + rest) .. last end
  return string.char(0xF0 + math.floor(rest / 0x40), 0x80 + rest % 0x40) .. last
end

local function unit(text, at)
  return tonumber(text:match("^%x%x%x%x", at) or unread(), 16)
end

-- Each of these takes where something begins and returns what it is and where it ends.

local function text_of(text, at)
  local parts = {}
  while true do
    local stop = text:find('[%z\1-\31"\\]', at) or unread()
    parts[#parts + 1] = text:sub(at, stop - 1)
    local byte = text:byte(stop)
    if byte == 34 then return table.concat(parts), stop + 1 end
    local escape = byte == 92 and text:sub(stop + 1, stop + 1) or unread()
    at = stop + 2
    if escape == "u" then
      local code = unit(text, at)
      at = at + 4
      if code >= 0xD800 and code < 0xDC00 and text:sub(at, at + 1) == "\\u" then
        local low = unit(text, at + 2)
        if low < 0xDC00 or low > 0xDFFF then unread() end
        code, at = 0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00, at + 6
      elseif code >= 0xD800 and code < 0xE000 then
        unread()
      end
      parts[#parts + 1] = utf8(code)
    else
      parts[#parts + 1] = ESCAPES[escape] or unread()
    end
  end
end

local function after_blanks(text, at)
  local byte = text:byte(at)
  while byte == 32 or byte == 10 or byte == 13 or byte == 9 do
    at = at + 1
    byte = text:byte(at)
  end
  return at, byte
end

local value_of

local function object_of(text, at, depth)
  local found, byte, name = {}, nil, nil
  at, byte = after_blanks(text, at)
  if byte == 125 then return found, at + 1 end
  while true do
    if byte ~= 34 then unread() end
    name, at = text_of(text, at + 1)
    at, byte = after_blanks(text, at)
    if byte ~= 58 or found[name] ~= nil then unread() end -- of two alike one reader takes the last
    found[name], at = value_of(text, at + 1, depth)
    at, byte = after_blanks(text, at)
    if byte == 125 then return found, at + 1 end
    if byte ~= 44 then unread() end
    at, byte = after_blanks(text, at + 1)
  end
end

local function list_of(text, at, depth)
  local byte, _
  at, byte = after_blanks(text, at)
  if byte == 93 then return VALUE, at + 1 end
  while true do
    _, at = value_of(text, at, depth)
    at, byte = after_blanks(text, at)
    if byte == 93 then return VALUE, at + 1 end
    if byte ~= 44 then unread() end
    at = at + 1
  end
end

-- Numbers are the same in JSON and in GraphQL.
local function number_end(text, at)
  if text:find("^%-?0%d", at) then unread() end
  local stop = text:match("^%-?%d+()", at) or unread()
  stop = text:match("^%.%d+()", stop) or stop
  return text:match("^[eE][+-]?%d+()", stop) or stop
end

function value_of(text, at, depth)
  local byte
  at, byte = after_blanks(text, at)
  if depth == 0 then unread() end
  if byte == 34 then return text_of(text, at + 1) end
  if byte == 123 then return object_of(text, at + 1, depth - 1) end
  if byte == 91 then return list_of(text, at + 1, depth - 1) end
  if byte == 45 or (byte and byte >= 48 and byte <= 57) then return VALUE, number_end(text, at) end
  if text:sub(at, at + 3) == "null" then return NOTHING, at + 4 end
  if text:sub(at, at + 3) == "true" then return VALUE, at + 4 end
  if text:sub(at, at + 4) == "false" then return VALUE, at + 5 end
  unread()
end

local function check_utf8(text)
  if not text:find("[\128-\255]") then return end
  text = text:gsub("[\194-\223][\128-\191]", " "):gsub("\224[\160-\191][\128-\191]", " ")
    :gsub("[\225-\236\238\239][\128-\191][\128-\191]", " "):gsub("\237[\128-\159][\128-\191]", " ")
    :gsub("\240[\144-\191][\128-\191][\128-\191]", " "):gsub("\244[\128-\143][\128-\191][\128-\191]", " ")
    :gsub("[\241-\243][\128-\191][\128-\191][\128-\191]", " ")
  if text:find("[\128-\255]") then unread() end
end

local MEMBERS = {query = true, operationName = true, variables = true, extensions = true}

-- Returns the document of a request and the name of the operation, nil for its only one.
local function request_of(text)
  check_utf8(text)
  local at, byte = after_blanks(text, 1)
  if byte ~= 123 then unread() end
  local request
  request, at = object_of(text, at + 1, DEPTH)
  if after_blanks(text, at) <= #text then unread() end
  for name in pairs(request) do
    if not MEMBERS[name] then unread() end -- such as the id of a document that is kept elsewhere
  end
  for name in pairs(type(request.extensions) == "table" and request.extensions or {}) do
    if name:lower():find("persist", 1, true) then unread() end
  end
  local document, named = request.query, request.operationName
  if type(document) ~= "string" or #document > DOCUMENT_BYTES then unread() end
  if named == NOTHING or named == "" then named = nil end
  if named ~= nil and type(named) ~= "string" then unread() end
  return document, named
end

local function string_end(text, at)
  if text:sub(at, at + 2) == '"""' then
    at = at + 3
    while true do
      local stop = text:find('"""', at, true) or unread()
      at = stop + 3
      if text:byte(stop - 1) ~= 92 then return at end -- or it is escaped
    end
  end
  at = at + 1
  while true do
    local stop = text:find('["\\\r\n]', at) or unread()
    if text:byte(stop) == 34 then return stop + 1 end
    if not text:find('^\\["\\/bfnrtu]', stop) then unread() end
    at = stop + 2
  end
end

-- Returns the tokens of a document: names and punctuators as they are, each other value as '"'.
local function tokens_of(text)
  if text:find("[%z\1-\8\11\12\14-\31]") then unread() end
  local tokens, count, at = {}, 0, 1
  while true do
    at = text:find("[^ \t\r\n,]", at)
    if not at then return tokens end
    local byte, token, _ = text:byte(at), nil, nil
    if byte == 35 then
      at = text:find("[\r\n]", at) or #text + 1
    elseif text:sub(at, at + 2) == "\239\187\191" then -- a byte order mark, ignored anywhere
      at = at + 3
    else
      token = text:match("^[_A-Za-z][_0-9A-Za-z]*", at) or text:match("^[!$&():=@%[%]{|}]", at)
        or text:match("^%.%.%.", at)
      if token then
        at = at + #token
      else
        at = byte == 34 and string_end(text, at) or number_end(text, at)
        if byte ~= 34 and text:find("^[._0-9A-Za-z]", at) then unread() end
        token = '"'
      end
      count = count + 1
      tokens[count] = token
    end
  end
end

-- From here on places are those of tokens, not of bytes.

local function name_at(tokens, at)
  local token = tokens[at]
  return token and token:find("^[_A-Za-z]") and token or unread()
end

local CLOSES = {["("] = ")", ["{"] = "}", ["["] = "]"}
local CLOSING = {[")"] = true, ["}"] = true, ["]"] = true}

local function after_group(tokens, at, opening)
  if tokens[at] ~= opening then return at end
  local open, depth = {CLOSES[opening]}, 1
  while depth > 0 do
    at = at + 1
    local token = tokens[at] or unread()
    if CLOSES[token] then
      depth = depth + 1
      open[depth] = CLOSES[token]
    elseif CLOSING[token] then
      if token ~= open[depth] then unread() end
      depth = depth - 1
    end
  end
  return at + 1
end

local function after_directives(tokens, at)
  while tokens[at] == "@" do
    name_at(tokens, at + 1)
    at = after_group(tokens, at + 2, "(")
  end
  return at
end

-- Adds to `found` what is selected: {field, key in the answer}, and the names of fragments.
local function selections(tokens, at, found, depth)
  if tokens[at] ~= "{" or tokens[at + 1] == "}" or depth == 0 then unread() end
  at = at + 1
  while tokens[at] ~= "}" do
    if tokens[at] ~= "..." then
      local key, field = name_at(tokens, at), tokens[at]
      if tokens[at + 1] == ":" then
        at = at + 2
        field = name_at(tokens, at)
      end
      found.fields[#found.fields + 1] = {field, key}
      at = after_group(tokens, after_directives(tokens, after_group(tokens, at + 1, "(")), "{")
    elseif tokens[at + 1] == "on" or tokens[at + 1] == "@" or tokens[at + 1] == "{" then
      at = at + 1
      if tokens[at] == "on" and name_at(tokens, at + 1) then at = at + 2 end
      at = selections(tokens, after_directives(tokens, at), found, depth - 1)
    else
      found.spreads[#found.spreads + 1] = name_at(tokens, at + 1)
      at = after_directives(tokens, at + 2)
    end
  end
  return at + 1
end

local ROOTS = {query = "Query.", mutation = "Mutation.", subscription = "Subscription."}

-- Returns the only operation, or that of a name, and the fragments by name.
local function operation_of(tokens, named)
  local operations, fragments, at = {}, {}, 1
  while tokens[at] do
    local what, name = tokens[at], ""
    local found = {fields = {}, spreads = {}, root = ROOTS[what == "{" and "query" or what]}
    if what == "fragment" then
      name = name_at(tokens, at + 1)
      if name == "on" or tokens[at + 2] ~= "on" or fragments[name] then unread() end
      name_at(tokens, at + 3)
      fragments[name], at = found, after_directives(tokens, at + 4)
    elseif found.root then
      if what ~= "{" then
        at = at + 1
        if tokens[at] and tokens[at]:find("^[_A-Za-z]") then name, at = tokens[at], at + 1 end
        at = after_directives(tokens, after_group(tokens, at, "("))
      end
      if operations[name] then unread() end
      operations[name] = found
    else
      unread()
    end
    at = selections(tokens, at, found, DEPTH)
  end
  local one = next(operations) or unread()
  if not named and next(operations, one) then unread() end
  return operations[named or one] or unread(), fragments
end

-- Returns how often the operation of a request has each root field, under different keys.
local function fields_of(text)
  local document, named = request_of(text)
  local operation, fragments = operation_of(tokens_of(document), named)
  local counts, counted, spread, waiting = {}, {}, {}, {operation}
  while #waiting > 0 do
    local each = table.remove(waiting)
    for _, selected in ipairs(each.fields) do
      local field, key = operation.root .. selected[1], selected[1] .. ":" .. selected[2]
      if not counted[key] then
        counted[key], counts[field] = true, (counts[field] or 0) + 1
      end
    end
    for _, name in ipairs(each.spreads) do
      if not spread[name] then
        spread[name] = true
        waiting[#waiting + 1] = fragments[name] or unread()
      end
    end
  end
  return counts
end

-- Returns these counts, or nil and what is wrong with the request.
local function asked_for(handle)
  local headers = handle:headers()
  local kind = (headers:get("content-type") or ""):lower()
  if not (kind:find("^application/json%s*$") or kind:find('^application/json%s*;%s*charset="?utf%-8"?%s*$'))
    or headers:get("content-encoding") then
    return nil, "NOT_JSON"
  end
  if tonumber(headers:get("content-length") or 0) > BODY_BYTES then return nil, "TOO_LARGE" end
  if headers:get(":path"):find("?", 1, true) then return nil, "DOCUMENT_UNREAD" end -- a second document
  local body = handle:body()
  if body and body:length() > BODY_BYTES then return nil, "TOO_LARGE" end
  local read, counts = pcall(fields_of, body and body:getBytes(0, body:length()) or "")
  if not read then return nil, "DOCUMENT_UNREAD" end
  return counts
end
