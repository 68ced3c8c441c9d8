/** The part of the Wireshark dissector that does not depend on the frames: Lua 5.2 and up, without anything to install. */

/** Expects the locals that `dissector.ts` writes before it: KINDS, FRAGMENT_BYTES, HEADER_BYTES, PORT, FRAMES. */
export const DISSECTOR_CORE = `
local wire = Proto("tickwire", "tickwire packet")
local opened = Proto("tickwire_opened", "tickwire packet, opened")

local SIDES = { [0] = "client to server", [1] = "server to client" }
local w = {
  kind = ProtoField.uint8("tickwire.kind", "Kind", base.DEC, KINDS, 0x0f),
  sequence_bytes = ProtoField.uint8("tickwire.sequence_bytes", "Bytes of the sequence", base.DEC, nil, 0xf0),
  sequence = ProtoField.uint64("tickwire.sequence", "Sequence"),
  connection_id = ProtoField.bytes("tickwire.connection_id", "Connection id"),
  sealed = ProtoField.bytes("tickwire.sealed", "Sealed data"),
  tag = ProtoField.bytes("tickwire.tag", "Tag"),
  protocol_version = ProtoField.stringz("tickwire.request.version", "Version"),
  protocol_id = ProtoField.uint64("tickwire.request.protocol_id", "Protocol id"),
  expires = ProtoField.uint64("tickwire.request.expires", "Token expires (Unix seconds)"),
  nonce = ProtoField.bytes("tickwire.request.nonce", "Token nonce"),
  token = ProtoField.bytes("tickwire.request.token", "Private token, sealed"),
}
local o = {
  side = ProtoField.uint8("tickwire.side", "Direction", base.DEC, SIDES),
  kind = ProtoField.uint8("tickwire.opened.kind", "Kind", base.DEC, KINDS),
  session = ProtoField.uint32("tickwire.session", "Session of the capture"),
  client = ProtoField.uint64("tickwire.client", "Client id"),
  sequence = ProtoField.uint64("tickwire.packet", "Packet number"),
  frame = ProtoField.uint8("tickwire.frame", "Frame type", base.HEX),
  data = ProtoField.bytes("tickwire.data", "Data"),
  client_index = ProtoField.uint32("tickwire.keep_alive.client_index", "Client index"),
  clients_max = ProtoField.uint32("tickwire.keep_alive.clients_max", "Clients at most"),
  reason_code = ProtoField.uint8("tickwire.reason.code", "Reason code"),
  reason_text = ProtoField.string("tickwire.reason.text", "Reason"),
  path_kind = ProtoField.uint8("tickwire.path.kind", "Path kind"),
}
local not_whole = ProtoExpert.new("tickwire.malformed", "Cannot be read to its end", expert.group.MALFORMED, expert.severity.ERROR)
opened.experts = { not_whole }

local function list(table_of_fields)
  local all = {}
  for _, field in pairs(table_of_fields) do all[#all + 1] = field end
  return all
end

-- Each reads a field at 'at', which ends before 'stop': value, where it ends, where its bytes begin; nil if it does not fit.
local function fixed(bytes, value_of)
  return function(tvb, at, stop)
    if at + bytes > stop then return nil end
    return value_of(tvb:range(at, bytes)), at + bytes, at
  end
end

local function varint(tvb, at, stop)
  local value, factor = 0, 1
  for i = at, at + 3 do
    if i >= stop then return nil end
    local byte = tvb:range(i, 1):uint()
    value = value + (byte % 128) * factor
    factor = factor * 128
    if byte < 128 then return value, i + 1, at end
  end
  return nil
end

local function some(length, at, stop)
  if length == nil or length < 0 or at + length > stop then return nil end
  return length, at + length, at
end

local READ = {
  u8 = fixed(1, function(range) return range:le_uint() end),
  u16 = fixed(2, function(range) return range:le_uint() end),
  u32 = fixed(4, function(range) return range:le_uint() end),
  u48 = fixed(6, function(range) return range:le_uint64() end),
  id = fixed(8, function() return 8 end),
  varint = varint,
  sized = function(tvb, at, stop)
    local length, begin = varint(tvb, at, stop)
    if length == nil then return nil end
    return some(length, begin, stop)
  end,
  long = function(tvb, at, stop)
    if at + 2 > stop then return nil end
    return some(tvb:range(at, 2):le_uint(), at + 2, stop)
  end,
  piece = function(tvb, at, stop, values)
    local left = values.size - values.index * FRAGMENT_BYTES
    return some(left > 0 and math.min(left, FRAGMENT_BYTES) or nil, at, stop)
  end,
}
local IS_BYTES = { id = true, sized = true, long = true, piece = true }

-- Makes the fields of Wireshark for the frames' fields.
local MAKE = { u8 = ProtoField.uint8, u16 = ProtoField.uint16, u32 = ProtoField.uint32, u48 = ProtoField.uint64, varint = ProtoField.uint32 }
local all_fields = list(o)
local BY_TYPE = {}
local function make(row, fields)
  for _, field in ipairs(fields) do
    local filter = "tickwire." .. row.name:gsub(" ", "_") .. "." .. field.name
    if IS_BYTES[field.form] then field.proto = ProtoField.bytes(filter, field.name, base.NONE, field.meaning)
    else field.proto = MAKE[field.form](filter, field.name, base.DEC, nil, nil, field.meaning) end
    all_fields[#all_fields + 1] = field.proto
  end
end
for _, row in ipairs(FRAMES) do
  for type = row.first, row.last do BY_TYPE[type] = row end
  -- The same filter may be made but once: a field that also repeats has a name of its own.
  make(row, row.fields)
  if row.items then
    local names = {}
    for _, field in ipairs(row.fields) do names[field.name] = true end
    for _, field in ipairs(row.items.fields) do
      if names[field.name] then field.name = row.items.name .. "." .. field.name end
    end
    make(row, row.items.fields)
  end
end
wire.fields = list(w)
opened.fields = all_fields

local function read_fields(fields, tvb, at, stop, tree, values)
  for _, field in ipairs(fields) do
    local value, finish, begin = READ[field.form](tvb, at, stop, values)
    if finish == nil then return nil end
    values[field.name] = value
    if IS_BYTES[field.form] then
      if finish > begin then tree:add(field.proto, tvb:range(begin, finish - begin)) end
    elseif field.form == "varint" then
      tree:add(field.proto, tvb:range(begin, finish - begin), value)
    else
      tree:add_le(field.proto, tvb:range(begin, finish - begin))
    end
    at = finish
  end
  return at
end

-- Reads a frame; where it ends, or nil.
local function read_frame(tvb, at, stop, tree, names)
  local type = tvb:range(at, 1):uint()
  local row = BY_TYPE[type]
  if row == nil then return nil end
  local subtree = tree:add(opened, tvb:range(at, stop - at), row.name .. ": " .. row.meaning)
  subtree:add(o.frame, tvb:range(at, 1))
  local values = {}
  local finish = read_fields(row.fields, tvb, at + 1, stop, subtree, values)
  if finish ~= nil and row.items then
    local count = row.items.field and values[row.items.field] or (type - row.first + row.items.more)
    for _ = 1, count do
      finish = read_fields(row.items.fields, tvb, finish, stop, subtree, values)
      if finish == nil then break end
    end
    names[#names + 1] = row.name .. " x" .. count
  else
    names[#names + 1] = row.name
  end
  if finish ~= nil then subtree:set_len(finish - at) end
  return finish
end

local function read_frames(tvb, at, tree, names)
  local stop = tvb:len()
  while at < stop do
    local finish = read_frame(tvb, at, stop, tree, names)
    if finish == nil then
      tree:add_tvb_expert_info(not_whole, tvb:range(at))
      names[#names + 1] = "malformed"
      return
    end
    at = finish
  end
end

function opened.dissector(tvb, pinfo, root)
  if tvb:len() < HEADER_BYTES or tvb:range(0, 1):uint() ~= HEADER_VERSION then return 0 end
  pinfo.cols.protocol = "tickwire"
  local kind = tvb:range(2, 1):uint()
  local sequence = tvb:range(16, 8):le_uint64()
  local tree = root:add(opened, tvb:range(), "tickwire, opened: " .. (KINDS[kind] or "?") .. " " .. tostring(sequence))
  tree:add(o.side, tvb:range(1, 1))
  tree:add(o.kind, tvb:range(2, 1))
  tree:add_le(o.session, tvb:range(4, 4))
  tree:add_le(o.client, tvb:range(8, 8))
  tree:add_le(o.sequence, tvb:range(16, 8))
  local names = {}
  local length = tvb:len() - HEADER_BYTES
  local name = KINDS[kind] or ""
  if name == "payload" or name == "payload with id" then
    read_frames(tvb, HEADER_BYTES, tree, names)
  elseif name == "keep-alive" and length == 8 then
    tree:add_le(o.client_index, tvb:range(HEADER_BYTES, 4))
    tree:add_le(o.clients_max, tvb:range(HEADER_BYTES + 4, 4))
  elseif name == "reason" and length >= 1 then
    tree:add(o.reason_code, tvb:range(HEADER_BYTES, 1))
    if length > 1 then tree:add(o.reason_text, tvb:range(HEADER_BYTES + 1)) end
  elseif length > 0 then
    if name == "path" then tree:add(o.path_kind, tvb:range(HEADER_BYTES, 1)) end
    tree:add(o.data, tvb:range(HEADER_BYTES))
  end
  pinfo.cols.info = name .. " " .. tostring(sequence) .. ", " .. SIDES[tvb:range(1, 1):uint() % 2] .. ", client " ..
    tostring(tvb:range(8, 8):le_uint64()) .. (#names > 0 and (": " .. table.concat(names, ", ")) or "")
  return tvb:len()
end

local VERSION = "NETCODE 1.02"
local function is_request(tvb)
  return tvb:len() == 1078 and tvb:range(0, 1):uint() == 0 and tvb:range(1, #VERSION):string() == VERSION
end

function wire.dissector(tvb, pinfo, root)
  local length = tvb:len()
  if length < 1 then return 0 end
  local prefix = tvb:range(0, 1):uint()
  local kind, sequence_bytes = prefix % 16, math.floor(prefix / 16)
  if is_request(tvb) then
    pinfo.cols.protocol = "tickwire"
    pinfo.cols.info = "request"
    local tree = root:add(wire, tvb:range(), "tickwire: request")
    tree:add(w.kind, tvb:range(0, 1))
    tree:add(w.protocol_version, tvb:range(1, 13))
    tree:add_le(w.protocol_id, tvb:range(14, 8))
    tree:add_le(w.expires, tvb:range(22, 8))
    tree:add(w.nonce, tvb:range(30, 24))
    tree:add(w.token, tvb:range(54, 1024))
    return length
  end
  local id_bytes = kind >= 8 and 8 or 0
  local data = 1 + sequence_bytes + id_bytes
  if KINDS[kind] == nil or kind == 0 or sequence_bytes < 1 or sequence_bytes > 8 or length < data + 16 then return 0 end
  pinfo.cols.protocol = "tickwire"
  local sequence = tvb:range(1, sequence_bytes):le_uint64()
  local tree = root:add(wire, tvb:range(), "tickwire: " .. KINDS[kind] .. " " .. tostring(sequence))
  tree:add(w.kind, tvb:range(0, 1))
  tree:add(w.sequence_bytes, tvb:range(0, 1))
  tree:add(w.sequence, tvb:range(1, sequence_bytes), sequence)
  if id_bytes > 0 then tree:add(w.connection_id, tvb:range(1 + sequence_bytes, 8)) end
  if length > data + 16 then tree:add(w.sealed, tvb:range(data, length - data - 16)) end
  tree:add(w.tag, tvb:range(length - 16, 16))
  pinfo.cols.info = KINDS[kind] .. " " .. tostring(sequence) .. ", " .. (length - data - 16) .. " bytes sealed"
  return length
end

-- The simulator's servers have one port. Others are known by a request: from there on the conversation is ours.
wire.prefs.port = Pref.uint("UDP port of the server", PORT, "Packets from and to it are tickwire's")
local port = PORT
local udp = DissectorTable.get("udp.port")
udp:add(port, wire)
function wire.prefs_changed()
  if wire.prefs.port == port then return end
  udp:remove(port, wire)
  port = wire.prefs.port
  udp:add(port, wire)
end
wire:register_heuristic("udp", function(tvb, pinfo, root)
  if not is_request(tvb) then return false end
  pinfo.conversation = wire
  wire.dissector(tvb, pinfo, root)
  return true
end)
DissectorTable.get("wtap_encap"):add(wtap.USER0, opened)
`;
