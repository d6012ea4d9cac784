-- fadernets for REAPER: the active take of the selected MIDI item -> a dialog of faders -> a new take beside it.
--
-- Needs a studio that runs on this machine (`fadernets studio --no-browser`) and `curl`, which macOS, Windows 10 and
-- Linux have. Load it under Actions > Show action list > New action > Load ReaScript. Each field takes a value ("0.7")
-- or a change ("+0.2", "-3"); empty fields leave their fader alone. Nothing leaves the machine.

local ADDRESS = os.getenv("FADERNETS_STUDIO") or "http://127.0.0.1:8765"
local TITLE = "fadernets"
local FADERS = { "rhythm_density", "note_density", "syncopation", "pitch", "dynamics", "articulation" }
local SECONDS = 120 -- that an edit may take

-- Bytes of MIDI files

local function number(value, bytes)
  local out = ""
  for _ = 1, bytes do
    out, value = string.char(value % 256) .. out, value // 256
  end
  return out
end

local function length(value)
  local out = string.char(value % 128)
  value = value // 128
  while value > 0 do
    out, value = string.char(value % 128 + 128) .. out, value // 128
  end
  return out
end

local function chunk(kind, body)
  return kind .. number(#body, 4) .. body
end

-- A MIDI file of notes {onset, end, channel, pitch, velocity}, in ticks.
local function midi_file(notes, ppq, tempo, numerator, denominator)
  local events, power = {}, 0
  while 2 ^ (power + 1) <= denominator do
    power = power + 1
  end
  for i, note in ipairs(notes) do
    events[#events + 1] = { note[1], 1, i, string.char(0x90 + note[3], note[4], note[5]) }
    events[#events + 1] = { note[2], 0, i, string.char(0x80 + note[3], note[4], 0) }
  end
  table.sort(events, function(a, b)
    for k = 1, 3 do
      if a[k] ~= b[k] then
        return a[k] < b[k]
      end
    end
    return false
  end)
  local body, now = {}, 0
  body[1] = "\0\xff\x51\x03" .. number(math.floor(6e7 / tempo + 0.5), 3)
  body[2] = "\0\xff\x58\x04" .. string.char(numerator, power, 24, 8)
  for _, event in ipairs(events) do
    body[#body + 1] = length(event[1] - now) .. event[4]
    now = event[1]
  end
  body[#body + 1] = "\0\xff\x2f\0"
  return chunk("MThd", number(0, 2) .. number(1, 2) .. number(ppq, 2)) .. chunk("MTrk", table.concat(body))
end

-- The studio

local function stop(message)
  error({ message = message }, 0)
end

local function write(path, data)
  local file = io.open(path, "wb")
  if not file then
    stop("cannot write " .. path)
  end
  file:write(data)
  file:close()
end

local function quoted(text)
  if text:find('["\n\r`$]') then
    stop("a path with a quotation mark or a $ cannot be used: " .. text)
  end
  return '"' .. text .. '"'
end

-- What `curl` answers; an error of the studio ends the script with its own words.
local function curl(arguments)
  local command = 'curl -s -S --noproxy "*" --max-time ' .. SECONDS .. " " .. arguments
  local answer = reaper.ExecProcess(command, (SECONDS + 5) * 1000)
  if not answer then
    stop("curl did not answer")
  end
  local code, body = answer:match("^(%-?%d+)\r?\n(.*)$")
  if code ~= "0" then
    stop("no studio answers at " .. ADDRESS .. ": start it with `fadernets studio`")
  end
  local problem = body:match('^{"seq":.-"error":"(.-)"}%s*$')
  if problem then
    stop((problem:gsub('\\"', '"')))
  end
  return body
end

local function post_file(path, route, more)
  return curl((more or "") .. " --data-binary @" .. quoted(path) .. " " .. quoted(ADDRESS .. route))
end

-- REAPER

-- The notes of a take, and what their ticks mean: they count from the bar line before the item.
local function read(item, take)
  local start = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local beat = reaper.TimeMap2_timeToQN(0, start)
  local _, bar = reaper.TimeMap_QNToMeasures(0, beat + 1e-6)
  local numerator, denominator, tempo = reaper.TimeMap_GetTimeSigAtTime(0, start)
  local first = reaper.MIDI_GetPPQPosFromProjQN(take, beat)
  local ppq = math.floor(reaper.MIDI_GetPPQPosFromProjQN(take, beat + 1) - first + 0.5)
  local ahead = math.max(math.floor((beat - bar) * ppq + 0.5), 0)
  local _, count = reaper.MIDI_CountEvts(take)
  local notes = {}
  for i = 0, count - 1 do
    local _, _, muted, onset, stop_at, channel, pitch, velocity = reaper.MIDI_GetNote(take, i)
    onset, stop_at = math.floor(onset - first + 0.5) + ahead, math.floor(stop_at - first + 0.5) + ahead
    if not muted and onset >= 0 and stop_at > onset then
      notes[#notes + 1] = { onset, stop_at, channel, pitch, velocity }
    end
  end
  return notes, { ppq = ppq, tempo = tempo, numerator = numerator, denominator = denominator, ahead = ahead }
end

-- Where each fader is, and how far it can go, as captions of the dialog.
local function captions(piece)
  local told, out = curl(quoted(ADDRESS .. "/api/describe?piece=" .. piece)), {}
  for row in told:match('"faders":(%b[])'):gmatch("%b{}") do
    local field = function(name)
      return tonumber(row:match('"' .. name .. '":(%-?[%d.eE+-]+)'))
    end
    local name, value, low, high = row:match('"name":"([%w_]+)"'), field("value"), field("lowest"), field("highest")
    if value and low and high then
      out[name] = string.format("%s: %.4g (%.4g to %.4g)", name:gsub("_", " "), value, low, high)
    end
  end
  return out
end

-- The faders that the user moved as JSON, or nothing.
local function ask(piece)
  local shown, names = captions(piece), {}
  for _, name in ipairs(FADERS) do
    if shown[name] then
      names[#names + 1] = name
    end
  end
  local labels = {}
  for _, name in ipairs(names) do
    labels[#labels + 1] = shown[name]
  end
  labels[#labels + 1] = "bars (5-8; all)"
  labels[#labels + 1] = "extrawidth=60"
  local given, values = reaper.GetUserInputs(TITLE, #names + 1, table.concat(labels, ","), "")
  if not given then
    return nil
  end
  local set, move, bars, i = {}, {}, nil, 0
  for value in (values .. ","):gmatch("([^,]*),") do
    i = i + 1
    value = value:gsub("%s", "")
    local name = names[i]
    if name and value ~= "" then
      local amount = tonumber((value:gsub("^%+", "")))
      if not amount then
        stop(name:gsub("_", " ") .. " " .. value .. ": expected a value such as 0.7 or a change such as +0.2")
      end
      local into = value:find("^[+-]") and move or set
      into[#into + 1] = string.format('"%s":%.10g', name, amount)
    elseif value ~= "" then
      local a, b = value:match("^(%d+)%-?(%d*)$")
      if not a then
        stop("bars " .. value .. ": expected bar numbers such as 5-8")
      end
      bars = string.format("[[%d,%d]]", a, b ~= "" and b or a)
    end
  end
  return string.format(
    '{"set":{%s},"move":{%s},"bars":%s,"seed":%d}',
    table.concat(set, ","), table.concat(move, ","), bars or "null", os.time() % 100000
  )
end

-- A name that no file has yet, in the project's folder.
local function new_path(folder, suffix)
  for i = 1, 9999 do
    local path = string.format("%s/fadernets-%04d%s", folder, i, suffix)
    local file = io.open(path, "rb")
    if not file then
      return path
    end
    file:close()
  end
  stop("the project's folder is full of edits")
end

local function main()
  local item = reaper.GetSelectedMediaItem(0, 0)
  local take = item and reaper.GetActiveTake(item)
  if not take or not reaper.TakeIsMIDI(take) then
    stop("select a MIDI item first")
  end
  local notes, time = read(item, take)
  if #notes == 0 then
    stop("the item has no notes")
  end
  local folder = reaper.GetProjectPath("")
  local source, body = new_path(folder, ".source.mid"), nil
  write(source, midi_file(notes, time.ppq, time.tempo, time.numerator, time.denominator))
  local ran, problem = pcall(function()
    local piece = post_file(source, "/api/pieces?name=reaper.mid"):match('"id":"([%w]+)"')
    local faders = ask(piece)
    if not faders then
      return
    end
    body = new_path(folder, ".json")
    write(body, string.format('{"piece":"%s","format":"midi","faders":%s}', piece, faders))
    local target = new_path(folder, ".mid")
    local answer = post_file(
      body, "/api/render", '-H "content-type: application/json" -w "%{http_code}" -o ' .. quoted(target)
    )
    if answer ~= "200" then
      local file = io.open(target, "rb")
      local told = file and file:read("a") or ""
      if file then
        file:close()
      end
      os.remove(target)
      stop(told:match('"error":"(.-)"}') or "the studio answered " .. answer)
    end
    reaper.Undo_BeginBlock()
    local new = reaper.AddTakeToMediaItem(item)
    reaper.SetMediaItemTake_Source(new, reaper.PCM_Source_CreateFromFile(target))
    reaper.GetSetMediaItemTakeInfo_String(new, "P_NAME", TITLE .. " " .. target:match("(%d+)%.mid$"), true)
    reaper.SetMediaItemTakeInfo_Value(new, "D_STARTOFFS", time.ahead / time.ppq * 60 / time.tempo)
    reaper.SetActiveTake(new)
    reaper.UpdateArrange()
    reaper.Undo_EndBlock("fadernets: new take", -1)
  end)
  os.remove(source)
  if body then
    os.remove(body)
  end
  if not ran then
    error(problem, 0)
  end
end

local ran, problem = pcall(main)
if not ran then
  reaper.ShowMessageBox(type(problem) == "table" and problem.message or tostring(problem), TITLE, 0)
end
