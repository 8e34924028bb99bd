
-- Decides: whose call it is, whether the plan has the product, and which limits count it.
-- PLANS: the products of a plan, the name of its limits, and those of operations with their own;
-- of fields of a GraphQL API (APIS: that of a version) also how many calls there are at most at once.
-- FIELDS: how many of these fields a call may ask for; asked_for: which it does (envoy_fields.lua).
-- KEYLESS: the plan by which calls without a key to a product are let in.
-- NO_LIMIT: what the filter that counts says of calls that nothing counts.
-- PROBLEMS: status and body of each answer in place of the API's; CHALLENGE: what a 401 asks for.
local function refuse(handle, name, header, value)
  local problem = PROBLEMS[name]
  handle:streamInfo():dynamicMetadata():set("gate", "refused", true)
  local headers = {[":status"] = problem.status, ["content-type"] = "application/problem+json"}
  if problem.status == "401" then headers["www-authenticate"] = CHALLENGE end
  if header then headers[header] = value end
  handle:respond(headers, problem.body)
end

-- Has the fields counted that have limits of their own; returns whether the call asks for others.
local function count_fields(handle, own)
  local asked, problem = asked_for(handle)
  if not asked then return refuse(handle, problem) end
  local metadata, nth, others = handle:streamInfo():dynamicMetadata(), 0, not next(asked)
  for field, calls in pairs(asked) do
    local limit = own[field]
    if not limit then
      others = true
    elseif calls > limit.most or nth == FIELDS then
      return refuse(handle, "FIELDS_MANY")
    else
      nth = nth + 1
      metadata:set("gate", "limits-" .. nth, limit.limits)
      metadata:set("gate", "calls-" .. nth, calls)
    end
  end
  return others
end

local function count(handle, plan, product, version, route, caller)
  local limits = plan.overrides[product .. " " .. route] or plan.limits
  local own = plan.fields[APIS[version]]
  if own and not count_fields(handle, own) then limits = nil end
  local headers = handle:headers()
  if limits then headers:replace("x-gate-limits", limits) end
  if limits or own then headers:replace("x-gate-caller", caller) end
end

local function keyless(handle, headers, product, version, route)
  local id = KEYLESS[product]
  if not id then return refuse(handle, "KEY_MISSING") end
  headers:replace("x-plan-id", id)
  local address = handle:streamInfo():downstreamRemoteAddress():gsub(":%d+$", "")
  count(handle, PLANS[id], product, version, route, address)
end

local function decide(handle)
  local product, version, route = handle:streamInfo():routeName():match("^(%S+) (%S+) (%S+)$")
  if not product then return end -- no such route, which the router says
  local headers = handle:headers()
  if not headers:get("x-gate-digest") then
    return keyless(handle, headers, product, version, route)
  end
  local record = headers:get("x-gate-record")
  if not record then
    return refuse(handle, headers:get("x-gate-token") and "NOT_INCLUDED" or "KEY_INVALID")
  end
  local subscription, application, id, ends_ms, over_until_ms =
    record:match("^(%S+) (%S+) (%S+) (%d+) (%d+)$")
  local now_ms = tonumber(handle:timestamp())
  if tonumber(ends_ms) <= now_ms then return refuse(handle, "KEY_INVALID") end
  local plan = PLANS[id]
  if not plan or not plan.products[product] then return refuse(handle, "NOT_INCLUDED") end
  if now_ms < tonumber(over_until_ms) then
    local wait_s = math.ceil((tonumber(over_until_ms) - now_ms) / 1000)
    return refuse(handle, "OVER_QUOTA", "retry-after", string.format("%d", wait_s))
  end
  headers:replace("x-subscription-id", subscription)
  headers:replace("x-application-id", application)
  headers:replace("x-plan-id", id)
  count(handle, plan, product, version, route, subscription)
end

function envoy_on_request(handle)
  -- Envoy lets a call go on whose script fails.
  if not pcall(decide, handle) then refuse(handle, "UNDECIDED") end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local left, reset = headers:get("x-ratelimit-remaining"), headers:get("x-ratelimit-reset")
  if not (left and reset) then return end
  if headers:get("x-ratelimit-limit") == NO_LIMIT then
    for _, name in ipairs({"limit", "remaining", "reset"}) do headers:remove("x-ratelimit-" .. name) end
    return
  end
  headers:replace("ratelimit", string.format('"default";r=%s;t=%s', left, reset))
  if headers:get(":status") == "429" then headers:replace("retry-after", reset == "0" and "1" or reset) end
end
