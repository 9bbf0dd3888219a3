// What every part of the walk uses: the browser, its windows, and steps.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { chromium } from 'playwright-core'

const env = (name, fallback) => process.env['QUARTIER_' + name] || fallback
export const url = env('URL', 'http://127.0.0.1:8080').replace(/\/$/, '')
export const operator = { name: env('USER', 'operator'), password: env('PASSWORD', 'quartier-demo') }
export const resident = { name: env('RESIDENT', 'resident'), password: env('RESIDENT_PASSWORD', 'quartier-demo') }
export const pictures = env('SCREENSHOTS', '')
const only = new RegExp(env('STEPS', ''))
/** Whether steps were asked for by name. */
export const chosen = env('STEPS', '') !== ''
const sizes = { wide: { width: 1440, height: 900 }, tablet: { width: 900, height: 1100 }, phone: { width: 390, height: 844 } }
const wait = 30_000

if (pictures) mkdirSync(pictures, { recursive: true })
const browser = await chromium.launch({
  executablePath: env('CHROMIUM', '/usr/bin/chromium'),
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})

const failures = []
let steps = 0

export async function step(name, f) {
  if (!only.test(name) && !/sign/.test(name)) return
  const start = Date.now()
  steps++
  try {
    await f()
    console.log(`ok    ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
  } catch (e) {
    failures.push(name)
    console.log(`FAIL  ${name}\n      ${String(e.stack ?? e).split('\n').slice(0, 6).join('\n      ')}`)
  }
}

export function expect(condition, message) {
  if (!condition) throw new Error(message)
}

/** A new window; whatever the page complains about is a failure of the step that looks at it. */
export async function open({ size = 'wide', theme = 'light', lang = 'en' } = {}) {
  const context = await browser.newContext({ viewport: sizes[size], colorScheme: theme, locale: lang === 'fr' ? 'fr-FR' : 'en-GB', reducedMotion: 'reduce' })
  const page = await context.newPage()
  page.setDefaultTimeout(wait)
  const faults = []
  page.on('pageerror', (e) => faults.push('error: ' + e.message))
  page.on('console', (m) => {
    if (m.type() === 'error' && !/status of (401|403)|ERR_CONNECTION_REFUSED/.test(m.text())) faults.push('console: ' + m.text())
  })
  return { context, page, faults, close: () => context.close() }
}

export async function signIn(page, who) {
  await page.goto(url + '/')
  await page.fill('input[name=name]', who.name)
  await page.fill('input[name=password]', who.password)
  await page.click('form button.primary')
  await page.waitForSelector('#content h1')
}

/** Calls the API with the browser's session. */
export const call = (page, path, init) =>
  page.evaluate(
    async ([path, init]) => {
      const res = await fetch(path, init)
      const type = res.headers.get('content-type') ?? ''
      return { status: res.status, body: type.includes('json') ? await res.json() : await res.text() }
    },
    [path, init],
  )

export async function setLanguage(page, lang) {
  const { body: me } = await call(page, '/api/session')
  const r = await call(page, '/api/session/language', { method: 'PUT', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': me.csrf }, body: JSON.stringify({ language: lang }) })
  expect(r.status === 200, `changing the language answered ${r.status}`)
}

export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]') && [...document.querySelectorAll('[role="img"] .canvas')].every((c) => c.querySelector('canvas')))
  await page.waitForTimeout(150)
}

export async function serious(page) {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze()
  return violations.filter((v) => v.impact === 'serious' || v.impact === 'critical').map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} (${(n.any[0] ?? n.all[0])?.message ?? ''})`).join('; ')}`)
}

export const picture = async (page, name, fullPage = true) => pictures && page.screenshot({ path: join(pictures, name + '.png'), fullPage })

/** The page draws something: a canvas whose pixels are not all alike. */
export const drawn = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('canvas')].some((c) => {
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data
      const seen = new Set()
      for (let i = 0; i < d.length; i += 4 * 97) seen.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2])
      return seen.size > 6
    }),
  )

/** Ends the browser and says what failed; the process ends with 1 then. */
export async function report() {
  await browser.close()
  console.log(`${steps - failures.length} of ${steps} steps passed`)
  if (failures.length > 0) {
    console.log('failed:\n  ' + failures.join('\n  '))
    process.exitCode = 1
  }
}
