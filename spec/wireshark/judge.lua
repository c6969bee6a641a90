-- SPDX-License-Identifier: MIT
-- Finds the first fault of a frame and the clause that it breaks (chapters 3 and 5).
-- Octets are Lua strings, places in them count from 0. Nothing of Wireshark is used here.
--
-- A fault is {clause = "WIRE-16", text = words for people, at = place, length = octets}.

local here = debug.getinfo(1, "S").source:gsub("^@", ""):match("^.*[/\\]") or ""
local registry = dofile(here .. "registry.lua")
local constants = registry.constants
local judge = {registry = registry}

local INTEGER_SIZES = {u8 = 1, u16 = 2, u32 = 4, u64 = 8}
local PATTERNS = {nick = "^[a-z0-9_%-]+$", room = "^@?[a-z0-9_%-]+$", clause = "^[A-Z0-9%-]+$"}
local NAME_MAX = 32 -- octets of a room's name without the @
local PORT_MAX = 65535
-- The registry lists the rules of section 3.6; their clauses are known by frame and sender.
local RULE_CLAUSES = {
    ACK = {server = "WIRE-30", client = "WIRE-31"},
    JOIN = {any = "WIRE-32"},
    MEMBER = {any = "WIRE-33"},
}

local function fault(clause, text, at, length)
    return {clause = clause, text = text, at = at, length = length}
end

-- The big-endian integer in the octets; beyond 2^53 its lowest digits are lost.
function judge.integer(octets)
    local number = 0
    for at = 1, #octets do
        number = number * 256 + octets:byte(at)
    end
    return number
end

local integer = judge.integer

local function has(list, wanted)
    for _, entry in ipairs(list) do
        if entry == wanted then return true end
    end
    return false
end

-- The code point at a position (from 1) and its size; nil and 1 where UTF-8 is broken.
function judge.code_point(text, at)
    local lead = text:byte(at)
    if lead < 0x80 then return lead, 1 end
    local size = lead >= 0xF0 and 4 or lead >= 0xE0 and 3 or 2
    if lead < 0xC2 or lead > 0xF4 or at + size - 1 > #text then return nil, 1 end
    local code = lead % 2 ^ (7 - size)
    for next_at = at + 1, at + size - 1 do
        local octet = text:byte(next_at)
        if octet < 0x80 or octet > 0xBF then return nil, 1 end
        code = code * 64 + octet % 64
    end
    local least = ({0, 0x80, 0x800, 0x10000})[size]
    if code < least or code > 0x10FFFF or (code >= 0xD800 and code <= 0xDFFF) then return nil, 1 end
    return code, size
end

local function utf8_words(value)
    local at = 1
    while at <= #value do
        local code, size = judge.code_point(value, at)
        if not code then return "not well-formed UTF-8" end
        if code == 0 then return "U+0000 in text" end
        at = at + size
    end
end

local function versions_words(value)
    local last = 0
    for at = 1, #value do
        if value:byte(at) <= last then return "versions are not strictly ascending from 1" end
        last = value:byte(at)
    end
end

local function target_words(value)
    local name, port = value:match("^(.+):([1-9]%d*)$")
    local good = name and (name:match("^[a-z0-9._%-]+$") or name:match("^%[[0-9a-f:.]+%]$"))
    if not good or tonumber(port) > PORT_MAX then return "not the form name:port" end
end

local KIND_WORDS = {utf8 = utf8_words, versions = versions_words, target = target_words}

local function range_words(field, number, what)
    if field.min and number < field.min then
        return string.format("%s %.0f is below the minimum %d", what, number, field.min)
    elseif field.max and number > field.max then
        return string.format("%s %.0f is above the maximum %d", what, number, field.max)
    end
end

-- What is wrong with a value of a field, in words; nil when nothing is.
local function value_words(field, value)
    local size = INTEGER_SIZES[field.kind]
    if size and #value ~= size then
        return string.format("%d octets where %d are due", #value, size)
    elseif size then
        return range_words(field, integer(value), "value")
    end
    local words = range_words(field, #value, "length")
    if words then return words end
    local pattern = PATTERNS[field.kind]
    if pattern and not value:match(pattern) then
        return "not the alphabet of a " .. field.kind
    elseif field.kind == "room" and #value:gsub("^@", "") > NAME_MAX then
        return "name longer than " .. NAME_MAX
    end
    local judge_kind = KIND_WORDS[field.kind]
    return judge_kind and judge_kind(value)
end

-- The fault of a header of which up to eight octets are there, with the cap of the state.
function judge.header(octets, cap)
    local magic = string.char(math.floor(registry.magic / 256), registry.magic % 256)
    local there = math.min(#octets, #magic)
    if octets:sub(1, there) ~= magic:sub(1, there) then
        return fault("WIRE-02", "the frame does not begin with 50 52", 0, there)
    elseif #octets > 2 and octets:byte(3) ~= registry.version then
        return fault("WIRE-04", "version octet " .. octets:byte(3), 2, 1)
    elseif #octets < constants.header_size then
        return nil
    end
    local length = integer(octets:sub(5, 8))
    if length > cap then
        return fault("WIRE-06", string.format("length %.0f is above the cap %d", length, cap), 4, 4)
    end
    local row = registry.frames[octets:byte(4)]
    local room = cap - constants.publish_headroom
    if row and row.name == "PUBLISH" and length > room then
        return fault("MSG-10", string.format("length %d of a PUBLISH is above %d", length, room), 4, 4)
    end
end

-- The fault of a type; `sender` is "client", "server" or nil when it is not known.
function judge.type(number, sender)
    local row = registry.frames[number]
    if not row and number % 2 == 0 then
        return fault("WIRE-14", "unknown even type " .. number, 3, 1)
    elseif row and sender and row.from ~= "both" and row.from ~= sender then
        return fault("WIRE-15", string.format("a %s does not send %s", sender, row.name), 3, 1)
    end
end

local function tag_fault(row, tag, last, count, at)
    local is_publish = row.name == "PUBLISH"
    local signed = has(row.fields, constants.handshake_sig_tag)
    local most = is_publish and constants.max_publish_fields or constants.max_fields
    if tag == 0 then
        return fault("WIRE-17", "tag 0", at, 2)
    elseif signed and last == constants.handshake_sig_tag then
        return fault("WIRE-25", "a field after handshake_sig", at, 2)
    elseif tag <= last then
        return fault("WIRE-16", string.format("tag 0x%04x after 0x%04x", tag, last), at, 2)
    elseif count > most then
        return fault(is_publish and "MSG-09" or "WIRE-18", "more than " .. most .. " fields", at, 2)
    elseif tag > constants.server_zone_last and not signed then
        return fault("WIRE-24", string.format("tag 0x%04x outside of the handshake", tag), at, 2)
    elseif is_publish and tag > constants.author_sig_tag then
        return fault("MSG-09", string.format("tag 0x%04x in PUBLISH", tag), at, 2)
    end
end

-- Whether an unknown even tag only makes a message impossible to show (MSG-14).
local function is_tolerated(row, tag)
    return row.name == "DELIVER" and tag <= constants.author_zone_last
end

-- One entry of the list that judge.fields returns, and its fault.
local function judge_field(row, octets, at, last, count)
    local tag, length = integer(octets:sub(at + 1, at + 2)), integer(octets:sub(at + 3, at + 4))
    local start = at + constants.field_header_size
    local entry = {tag = tag, at = at, length = length, start = start}
    if start + length > #octets then
        local words = string.format("a value of %d octets ends beyond the frame", length)
        return nil, fault("WIRE-19", words, at + 2, 2)
    end
    entry.value = octets:sub(start + 1, start + length)
    entry.field = has(row.fields, tag) and registry.fields[tag] or nil
    entry.words = entry.field and value_words(entry.field, entry.value)
    local found = tag_fault(row, tag, last, count, at)
    if found then return entry, found end
    if entry.words then
        local text = entry.field.name .. ": " .. entry.words
        return entry, fault("WIRE-21", text, start, length)
    elseif not entry.field and tag % 2 == 0 and not is_tolerated(row, tag) then
        return entry, fault("WIRE-23", string.format("unknown even tag 0x%04x", tag), at, 2)
    end
    entry.hides_message = not entry.field and tag % 2 == 0
    return entry
end

-- The fields of a whole frame as {tag, at, length, start, value, field, words, hides_message},
-- as far as they can be told apart, and the first fault.
function judge.fields(octets, row, sender)
    local entries, first, last = {}, nil, 0
    local at = constants.header_size
    while at < #octets do
        local entry, found
        if #octets - at < constants.field_header_size then
            found = fault("WIRE-19", #octets - at .. " octets are left over", at, #octets - at)
        else
            entry, found = judge_field(row, octets, at, last, #entries + 1)
        end
        first = first or found
        if not entry then break end
        entries[#entries + 1] = entry
        at, last = entry.start + entry.length, entry.tag
    end
    return entries, first or judge.presence(entries, row, sender, #octets)
end

local function rule_applies(rule, present, row, sender)
    if registry.frames[rule.type] ~= row or (rule.from and rule.from ~= sender) then return false end
    for _, tag in ipairs(rule.if_present) do
        if not present[tag] then return false end
    end
    return not rule.when_tag or has(rule.when_values, integer(present[rule.when_tag]))
end

-- The fault of fields that are absent, or stand together and should not.
function judge.presence(entries, row, sender, size)
    local present = {}
    for _, entry in ipairs(entries) do
        present[entry.tag] = entry.value
    end
    local function breach(clause, tag, words)
        local text = string.format("%s %s %s", row.name, words, registry.fields[tag].name)
        return fault(clause, text, 0, size)
    end
    for _, tag in ipairs(row.required) do
        if not present[tag] then return breach("WIRE-20", tag, "lacks") end
    end
    for _, rule in ipairs(registry.rules) do
        if rule_applies(rule, present, row, sender) then
            local clause = RULE_CLAUSES[row.name][rule.from or "any"]
            for _, tag in ipairs(rule.required) do
                if not present[tag] then return breach(clause, tag, "lacks") end
            end
            for _, tag in ipairs(rule.forbidden) do
                if present[tag] then return breach(clause, tag, "must not have") end
            end
        end
    end
end

return judge
