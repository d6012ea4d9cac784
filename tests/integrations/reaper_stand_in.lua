-- A stand-in for the part of REAPER's API that the script uses: one project with one item, and a log of what is done.
-- Arguments: the script, the project's folder, the answers of the dialog, where the item begins in quarters, notes.

local script, folder, answers, begins, rows = arg[1], arg[2], arg[3], tonumber(arg[4]), arg[5]
local TPQ, TEMPO = 960, 120
local item, take, notes = {}, {}, {}
for onset, length, channel, pitch, velocity in rows:gmatch("([%d.]+) ([%d.]+) (%d+) (%d+) (%d+);") do
  onset, length = onset * TPQ, length * TPQ
  notes[#notes + 1] = { onset, onset + length, tonumber(channel), tonumber(pitch), tonumber(velocity) }
end

local function log(...)
  print(table.concat({ ... }, "\t"))
end

reaper = {
  GetSelectedMediaItem = function() return rows ~= "none" and item or nil end,
  GetActiveTake = function() return take end,
  TakeIsMIDI = function() return true end,
  GetMediaItemInfo_Value = function(_, name) return name == "D_POSITION" and begins * 60 / TEMPO or 0 end,
  TimeMap2_timeToQN = function(_, seconds) return seconds * TEMPO / 60 end,
  TimeMap_QNToMeasures = function(_, beat) return math.floor(beat / 4) + 1, math.floor(beat / 4) * 4, 0 end,
  TimeMap_GetTimeSigAtTime = function() return 4, 4, TEMPO end,
  MIDI_GetPPQPosFromProjQN = function(_, beat) return (beat - begins) * TPQ end,
  MIDI_CountEvts = function() return true, #notes, 0, 0 end,
  MIDI_GetNote = function(_, i)
    local note = notes[i + 1]
    return true, false, false, note[1], note[2], note[3], note[4], note[5]
  end,
  GetProjectPath = function() return folder end,
  ExecProcess = function(command)
    local out = folder .. "/answer"
    local _, _, code = os.execute(command .. " > " .. out .. " 2>&1")
    local file = io.open(out, "rb")
    local told = file:read("a")
    file:close()
    os.remove(out)
    return (code or 0) .. "\n" .. told
  end,
  GetUserInputs = function(title, count, captions)
    log("dialog", title, count, captions)
    return answers ~= "cancel", answers
  end,
  AddTakeToMediaItem = function(of) assert(of == item) return { new = true } end,
  PCM_Source_CreateFromFile = function(path) return path end,
  SetMediaItemTake_Source = function(new, source) assert(new.new) log("take", source) end,
  GetSetMediaItemTakeInfo_String = function(_, name, value) log("named", name, value) end,
  SetMediaItemTakeInfo_Value = function(_, name, value) log("value", name, string.format("%.4f", value)) end,
  SetActiveTake = function(new) assert(new.new) log("active") end,
  UpdateArrange = function() end,
  Undo_BeginBlock = function() end,
  Undo_EndBlock = function(name) log("undo", name) end,
  ShowMessageBox = function(message, title) log("message", title, message) end,
}
dofile(script)
