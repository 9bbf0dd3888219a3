// Walks through a running Quartier with a real browser, as its users would: node e2e/run.mjs
//
//   QUARTIER_URL                  where it answers, http://127.0.0.1:8080 by default
//   QUARTIER_USER, _PASSWORD      an operator or administrator
//   QUARTIER_RESIDENT, _RESIDENT_PASSWORD   a resident
//   QUARTIER_SCREENSHOTS          folder for pictures of every page; none when empty
//   QUARTIER_CHROMIUM             the browser, /usr/bin/chromium by default
//   QUARTIER_STEPS                a pattern: only steps whose names it matches are walked, and those that sign in
//
// It changes nothing that it does not put back: it pauses one device and resumes it, and gives an order and ends it. It ends with 1 when a step failed.
import balance from './pages/balance.mjs'
import data from './pages/data.mjs'
import devices from './pages/devices.mjs'
import looks from './pages/looks.mjs'
import members from './pages/members.mjs'
import orders from './pages/orders.mjs'
import overview from './pages/overview.mjs'
import plan from './pages/plan.mjs'
import resident from './pages/resident.mjs'
import settings from './pages/settings.mjs'
import shell from './pages/shell.mjs'
import signin from './pages/signin.mjs'
import { expect, open, operator, report, setLanguage, signIn, step } from './walk.mjs'

const walk = { main: await open(), district: '' }
for (const page of [signin, overview, data, plan, devices, orders, balance, members, settings, shell]) await page(walk)
await step('no page of the walk complained', async () => expect(walk.main.faults.length === 0, walk.main.faults.join('\n')))
await walk.main.close()
await looks()
await resident()
await step('the account speaks English again', async () => {
  const w = await open()
  await signIn(w.page, operator)
  await setLanguage(w.page, 'en')
  await w.close()
})
await report()
