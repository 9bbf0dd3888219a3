// Writes src/lib/api.gen.ts, the types of the API, from the OpenAPI document that the Go code gives.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../../../../..')
const doc = execFileSync('go', ['run', './cmd/internal/console/openapi'], { cwd: root, maxBuffer: 64 << 20 })
const ast = await openapiTS(JSON.parse(doc.toString()))
writeFileSync(resolve(here, '../src/lib/api.gen.ts'), '// Generated from the OpenAPI document; npm run types makes it again.\n' + astToString(ast))
