// Writes public/licenses.txt: the licences of what the built page holds besides this package's own code.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const PACKAGES = ['svelte', 'spessasynth_lib', 'spessasynth_core', 'stb-vorbis', 'opensheetmusicdisplay', 'vexflow', 'jszip', 'loglevel', 'typescript-collections']
const parts = ['What the studio’s page holds besides fadernets’ own code, and under which licences.\n']
for (const name of PACKAGES) {
  let about
  try {
    about = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
  } catch {
    continue
  }
  const file = readdirSync(`node_modules/${name}`).find((one) => /^licen[cs]e/i.test(one))
  parts.push(`${'='.repeat(80)}\n${name} ${about.version} (${about.license ?? 'see below'})\n${'='.repeat(80)}\n`)
  parts.push(file ? readFileSync(`node_modules/${name}/${file}`, 'utf8').trim() + '\n' : `No licence file; package.json says ${JSON.stringify(about.license)}.\n`)
}
parts.push(`${'='.repeat(80)}\npiano.sf3: the grand piano of the bank FluidR3Mono_GM 2.312 (MIT)\n${'='.repeat(80)}\n`)
parts.push(readFileSync('../src/fadernets/assets/piano-LICENSE.txt', 'utf8'))
writeFileSync('public/licenses.txt', parts.join('\n'))
