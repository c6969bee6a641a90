-- SPDX-License-Identifier: MIT
-- Wireshark dissector of PROSA/1:  tshark -X lua_script:spec/wireshark/prosa.lua
-- Every field of the registry is prosa.NAME; prosa.violation names the clause that a frame breaks.
-- It judges single frames by chapters 3 and 5. It does not check signatures, states or counters.
-- The two files beside it are needed: judge.lua and registry.lua (generated).

local here = debug.getinfo(1, "S").source:gsub("^@", ""):match("^.*[/\\]") or ""
local judge = dofile(here .. "judge.lua")
local registry = judge.registry
local constants = registry.constants

local prosa = Proto("prosa", "PROSA/1")

-- --- names of numbers -----------------------------------------------------------------------

local function names(rows)
    local list = {}
    for number, row in pairs(rows) do
        list[number] = type(row) == "table" and row.name or row
    end
    return list
end

local TYPE_NAMES, TAG_NAMES, CODE_NAMES = names(registry.frames), names(registry.fields), names(registry.codes)
for grease in pairs(registry.grease_types) do TYPE_NAMES[grease] = "GREASE" end
for grease in pairs(registry.grease_tags) do TAG_NAMES[grease] = "GREASE" end

-- Fields whose number has a name, or is shown in hexadecimal.
local VALUE_NAMES = {code = CODE_NAMES, event = registry.events, ref_type = TYPE_NAMES}
local HEXADECIMAL = {code = true, features = true}
local CLOCKS = {time = true, sent_at = true, server_time = true} -- ms since 1970

-- --- fields that can be filtered ------------------------------------------------------------

local header = {
    magic = ProtoField.uint16("prosa.magic", "Magic", base.HEX),
    version = ProtoField.uint8("prosa.header_version", "Version"),
    type = ProtoField.uint8("prosa.type", "Type", base.DEC, TYPE_NAMES),
    length = ProtoField.uint32("prosa.length", "Length"),
    tag = ProtoField.uint16("prosa.tag", "Tag", base.HEX, TAG_NAMES),
    field_length = ProtoField.uint16("prosa.field_length", "Length of the value"),
    raw_value = ProtoField.bytes("prosa.raw_value", "Value"),
    undecoded = ProtoField.bytes("prosa.undecoded", "Octets that are not decoded"),
    violation = ProtoField.string("prosa.violation", "Violated clause"),
}
local violated = ProtoExpert.new("prosa.violated", "A clause is violated", expert.group.PROTOCOL, expert.severity.ERROR)
local hidden = ProtoExpert.new(
    "prosa.not_displayable", "A message that cannot be displayed", expert.group.UNDECODED, expert.severity.NOTE)
prosa.experts = {violated, hidden}

local INTEGERS = {u8 = ProtoField.uint8, u16 = ProtoField.uint16, u32 = ProtoField.uint32, u64 = ProtoField.uint64}
local STRINGS = {nick = true, room = true, target = true, clause = true, utf8 = true}

local function new_field(field)
    local filter = "prosa." .. field.name
    if INTEGERS[field.kind] then
        local shown = HEXADECIMAL[field.name] and base.HEX or base.DEC
        return INTEGERS[field.kind](filter, field.name, shown, VALUE_NAMES[field.name], nil, field.doc)
    elseif STRINGS[field.kind] then
        return ProtoField.string(filter, field.name, base.UNICODE, field.doc)
    end
    return ProtoField.bytes(filter, field.name, base.NONE, field.doc)
end

local by_tag, feature_bits = {}, {}
local function register_fields()
    local all = {}
    for _, one in pairs(header) do all[#all + 1] = one end
    for tag, field in pairs(registry.fields) do
        by_tag[tag] = new_field(field)
        all[#all + 1] = by_tag[tag]
    end
    for bit, name in pairs(registry.features) do
        feature_bits[bit] = ProtoField.bool("prosa.features." .. name, name, 32, nil, 2 ^ bit)
        all[#all + 1] = feature_bits[bit]
    end
    prosa.fields = all
end
register_fields()

-- --- what is known of a conversation --------------------------------------------------------

-- Fields of other protocols are only there when a packet is shown, so that nothing that is kept
-- may depend on them: a conversation is known by its ends, and begins anew with each HELLO.
local lost_segment_of = Field.new("tcp.analysis.lost_segment")

-- By both ends: max_frame, in_handshake, client (its end); and by end: ready, faulty, broken.
local conversations
-- What was known when a frame came, by its place: a capture is dissected more than once.
local contexts

function prosa.init()
    conversations, contexts = {}, {}
end

local function ends_of(pinfo)
    return tostring(pinfo.src) .. " " .. pinfo.src_port, tostring(pinfo.dst) .. " " .. pinfo.dst_port
end

local function conversation_of(pinfo, begins)
    local from, to = ends_of(pinfo)
    local key = from < to and from .. " " .. to or to .. " " .. from
    if begins or not conversations[key] then
        conversations[key] = {
            max_frame = constants.max_frame_ceiling,
            in_handshake = begins,
            client = pinfo.dst_port == registry.port and from or pinfo.src_port == registry.port and to or nil,
            ready = {}, -- its last frame of the handshake was seen
            faulty = {}, -- a frame broke a clause: what follows may be out of step
            broken = {}, -- nobody knows where the next frame would begin
        }
    end
    return conversations[key]
end

-- A port that is not ours does not tell who the client is; the first type that only one side
-- may send does.
local function learn_client(conversation, pinfo, row)
    local from, to = ends_of(pinfo)
    if not conversation.client and row and row.from ~= "both" then
        conversation.client = row.from == "client" and from or to
    end
end

-- The type that the octets begin with, nil when they do not reach so far or are no frame's.
local function type_of(range)
    local start = range:raw(0, math.min(range:len(), constants.header_size))
    if range:len() < constants.header_size or judge.header(start, constants.max_frame_ceiling) then return nil end
    return registry.frames[start:byte(4)]
end

-- The cap on length, the sender, and the state of this direction.
local function context_of(pinfo, range)
    local key = table.concat({pinfo.number, range:tvb():len(), range:offset()}, " ")
    if pinfo.visited then return contexts[key] or {cap = constants.max_frame_ceiling} end
    local row = type_of(range)
    local conversation = conversation_of(pinfo, row and row.name == "HELLO")
    local from = ends_of(pinfo)
    learn_client(conversation, pinfo, row)
    -- What follows AUTH waits for WELCOME and is judged then (AUTH-19).
    local is_early = conversation.in_handshake and not conversation.ready[from]
    contexts[key] = {
        cap = is_early and constants.max_frame_handshake or conversation.max_frame,
        sender = conversation.client and (conversation.client == from and "client" or "server"),
        faulty = conversation.faulty[from],
        broken = conversation.broken[from],
    }
    return contexts[key]
end

-- Remember what a whole frame changes.
local function learn_frame(pinfo, row, entries)
    if pinfo.visited then return end
    local conversation = conversation_of(pinfo)
    if row.name == "AUTH" or row.name == "WELCOME" then
        conversation.ready[ends_of(pinfo)] = true
    elseif row.name == "CHALLENGE" then
        for _, entry in ipairs(entries) do
            if entry.field and entry.field.name == "max_frame" and not entry.words then
                conversation.max_frame = judge.integer(entry.value)
            end
        end
    end
end

-- --- one line for people --------------------------------------------------------------------

-- Parts of the line by type; one whose field is absent is left out.
local SUMMARIES = {
    HELLO = {"{target}"},
    CHALLENGE = {"version {version}", "max_frame {max_frame}", "max_window {max_window}"},
    AUTH = {"{nick}"},
    WELCOME = {"session {session}"},
    JOIN = {"{room}", "send_window={send_window}", "recv_window={recv_window}", "after_seq={after_seq}"},
    JOINED = {"{room}", "granted={granted_window}", "last={last_counter}", "limit={limit_counter}", "start={start_seq}"},
    MEMBER = {"{nick}", "{event}", "{count}"},
    PUBLISH = {"{nick}", "#{counter}", "'{text}'"},
    DELIVER = {"room_seq={room_seq}", "{nick}", "#{counter}", "'{text}'"},
    ACK = {"acked={acked_counter}", "limit={limit_counter}", "seen={seen_seq}", "limit_seq={limit_seq}"},
    CHECKPOINT = {"seq={seq}"},
    PING = {"{opaque}"},
    PONG = {"{opaque}"},
    ERROR = {"{code}", "{room}", "#{counter}", "'{reason}'", "[{clause}]"},
    BYE = {"{code}", "'{reason}'", "after_ms={after_ms}"},
}
local SUMMARY_MOST = 60 -- octets of a text

-- MSG-19: what a terminal might obey, or an eye not see.
local INVISIBLE = {
    {0x00, 0x1F}, {0x7F, 0x9F}, {0x61C, 0x61C}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x2069}, {0xFEFF, 0xFEFF},
}

local function visible(text)
    local parts, at = {}, 1
    while at <= #text and at <= SUMMARY_MOST do
        local code, size = judge.code_point(text, at)
        local shown = code and text:sub(at, at + size - 1) or string.format("\\x%02x", text:byte(at))
        for _, span in ipairs(INVISIBLE) do
            if code and code >= span[1] and code <= span[2] then shown = string.format("\\u%04x", code) end
        end
        parts[#parts + 1] = shown
        at = at + size
    end
    return table.concat(parts) .. (at <= #text and "..." or "")
end

local function shown_value(entry, range)
    local kind, name = entry.field.kind, entry.field.name
    if kind == "u64" then return tostring(range:uint64()) end
    if INTEGERS[kind] then
        local number = judge.integer(entry.value)
        return VALUE_NAMES[name] and VALUE_NAMES[name][number] or string.format("%.0f", number)
    end
    return STRINGS[kind] and visible(entry.value) or tostring(range:bytes()):lower()
end

local function summary(row, entries, range)
    local values = {}
    for _, entry in ipairs(entries) do
        if entry.field and not entry.words and entry.length > 0 then
            values[entry.field.name] = shown_value(entry, range(entry.start, entry.length))
        end
    end
    local line = {row.name}
    for _, part in ipairs(SUMMARIES[row.name] or {}) do
        local name = part:match("{(.-)}")
        if values[name] then line[#line + 1] = part:match("^(.-){") .. values[name] .. part:match("}(.*)$") end
    end
    return table.concat(line, " ")
end

-- Several frames of one packet share its line.
local function add_to_columns(pinfo, line)
    local is_first = tostring(pinfo.cols.protocol) ~= "PROSA"
    pinfo.cols.protocol = "PROSA"
    pinfo.cols.info:set(is_first and line or "; " .. line)
    pinfo.cols.info:fence()
end

-- --- the tree -------------------------------------------------------------------------------

local function add_fault(tree, range, fault)
    local at = math.min(fault.at, range:len() - 1)
    local octets = range(at, math.min(fault.length, range:len() - at))
    local item = tree:add(header.violation, octets, fault.clause)
    item:set_generated()
    item:append_text(": " .. fault.text)
    item:add_proto_expert_info(violated, fault.clause .. ": " .. fault.text)
end

local function add_header(tree, range)
    tree:add(header.magic, range(0, 2))
    tree:add(header.version, range(2, 1))
    tree:add(header.type, range(3, 1))
    tree:add(header.length, range(4, 4))
end

local function add_details(item, entry, range)
    local name = entry.field.name
    if CLOCKS[name] then
        local seconds = math.floor(judge.integer(entry.value) / 1000)
        local is_sane = seconds < 253402300800 -- the year 10000
        item:append_text(is_sane and os.date("! (%Y-%m-%d %H:%M:%S UTC)", seconds) or "")
    elseif name == "features" then
        for bit = 0, 31 do
            if feature_bits[bit] then item:add(feature_bits[bit], range) end
        end
    elseif name == "code" then
        local number = judge.integer(entry.value)
        local class, code = registry.classes[math.floor(number / 256)], registry.codes[number]
        item:append_text(class and ", " .. class.name or ", unknown class")
        item:append_text(code and ": " .. code.text or "")
    end
end

local function add_entry(tree, range, entry)
    -- An empty range cannot stand at the very end of the octets.
    local value = entry.length > 0 and range(entry.start, entry.length) or range(entry.at, 0)
    local item
    if entry.field and not entry.words then
        item = STRINGS[entry.field.kind] and tree:add_packet_field(by_tag[entry.tag], value, ENC_UTF_8)
            or tree:add(by_tag[entry.tag], value)
        add_details(item, entry, value)
    else
        item = tree:add(header.raw_value, value)
        local what = entry.field and entry.field.name .. ", faulty" or TAG_NAMES[entry.tag] or "unknown"
        item:prepend_text(string.format("Tag 0x%04x (%s), ", entry.tag, what))
    end
    item:add(header.tag, range(entry.at, 2))
    item:add(header.field_length, range(entry.at + 2, 2))
    if entry.hides_message then
        item:add_proto_expert_info(hidden, string.format("MSG-14: unknown even tag 0x%04x", entry.tag))
    end
end

-- --- dissection -----------------------------------------------------------------------------

-- A header that ends the direction.
local function dissect_broken(range, pinfo, tree, fault)
    local conversation = conversation_of(pinfo)
    if not pinfo.visited then conversation.broken[ends_of(pinfo)] = true end
    local why = fault and fault.clause .. ": " .. fault.text or "octets after a fault or a gap"
    add_to_columns(pinfo, "[" .. why .. "]")
    local branch = tree:add(prosa, range, "PROSA/1, " .. why)
    if fault and fault.at > 0 and range:len() >= constants.header_size then add_header(branch, range) end
    if fault then add_fault(branch, range, fault) end
    branch:add(header.undecoded, range)
end

local function dissect_frame(range, pinfo, tree, context)
    local number = range(3, 1):uint()
    local row = registry.frames[number]
    local fault = judge.type(number, context.sender)
    local entries, line = {}, string.format("%s type %d, ignored", TYPE_NAMES[number] or "unknown", number)
    if row then
        local found
        entries, found = judge.fields(range:raw(), row, context.sender)
        fault = fault or found
        line = summary(row, entries, range)
        learn_frame(pinfo, row, entries)
    elseif fault then
        line = "unknown type " .. number
    end
    if fault then
        line = line .. " [" .. fault.clause .. ": " .. fault.text .. "]"
        if not pinfo.visited then conversation_of(pinfo).faulty[ends_of(pinfo)] = true end
    end
    add_to_columns(pinfo, line)
    local branch = tree:add(prosa, range, "PROSA/1, " .. line)
    add_header(branch, range)
    for _, entry in ipairs(entries) do add_entry(branch, range, entry) end
    local last = entries[#entries]
    local decoded = last and last.start + last.length or constants.header_size
    if decoded < range:len() then branch:add(header.undecoded, range(decoded)) end
    if fault then add_fault(branch, range, fault) end
end

function prosa.dissector(tvb, pinfo, tree)
    if tvb:len() < tvb:reported_len() then return 0 end -- cut by the capture
    local at = 0
    while at < tvb:len() do
        local rest = tvb(at)
        local context = context_of(pinfo, rest)
        local start = tvb:raw(at, math.min(rest:len(), constants.header_size))
        local fault = judge.header(start, context.cap)
        if fault or context.broken then
            local is_excused = context.broken or context.faulty or lost_segment_of() ~= nil
            dissect_broken(rest, pinfo, tree, not is_excused and fault or nil)
            return tvb:len()
        end
        local size = #start < constants.header_size and math.huge
            or constants.header_size + judge.integer(start:sub(5, 8))
        if rest:len() < size then
            pinfo.desegment_offset = at
            pinfo.desegment_len = size == math.huge and DESEGMENT_ONE_MORE_SEGMENT or size - rest:len()
            return tvb:len()
        end
        dissect_frame(tvb(at, size), pinfo, tree, context)
        at = at + size
    end
    return tvb:len()
end

-- Any port, when the first segment begins with the header of a frame of known type.
local function looks_like_prosa(tvb, pinfo, tree)
    if not type_of(tvb()) then return false end
    pinfo.conversation = prosa
    prosa.dissector(tvb, pinfo, tree)
    return true
end

DissectorTable.get("tcp.port"):add(registry.port, prosa)
prosa:register_heuristic("tcp", looks_like_prosa)
