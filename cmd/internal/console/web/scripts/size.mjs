// Fails the build when what the first view loads is more than 200 kB compressed. The chart library comes later, when a chart is shown.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const limit = 200_000
const html = readFileSync('dist/index.html', 'utf8')
const files = [...html.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)].map((m) => m[1])
let total = gzipSync(html).length
for (const f of files) total += gzipSync(readFileSync('dist/' + f)).length
console.log(`first view: ${files.length} files, ${(total / 1000).toFixed(1)} kB compressed (limit ${limit / 1000} kB)`)
if (/\sstyle="|<script>(?!<)/.test(html)) throw new Error('index.html has inline code, which the content security policy forbids')
if (total > limit) throw new Error('the first view is too heavy')
