// What people ask of the control.
import { call, expect, operator, picture, serious, settled, step, url } from '../walk.mjs'

export default async function ({ main, district }) {
  await step('an order is given by keyboard, is listed with its reason, and ends early', async () => {
    const { body: me } = await call(main.page, '/api/session')
    await main.page.goto(`${url}/orders?d=${district}`)
    await settled(main.page)
    if (!me.features.orders) return
    await main.page.focus('#content button.primary')
    await main.page.keyboard.press('Enter')
    await main.page.waitForSelector('dialog[open] select')
    await main.page.selectOption('dialog[open] select >> nth=0', 'lock_out')
    await main.page.waitForFunction(() => document.querySelectorAll('dialog[open] select')[1]?.options.length > 0)
    await main.page.waitForSelector('dialog[open] .trial:has-text("would cost")')
    await main.page.waitForFunction(() => !document.querySelector('dialog[open] .trial')?.textContent?.includes('Reckoning'), undefined, { timeout: 60_000 })
    await main.page.fill('dialog[open] form > label:last-of-type input', 'trying a lock-out')
    await picture(main.page, 'orders-give-en-light-wide', false)
    // what is wrong with an order is said in the reader's words, and nothing that was written is lost
    await main.page.fill('dialog[open] input[type=datetime-local] >> nth=1', '2020-01-01T00:00')
    await main.page.keyboard.press('Enter')
    await main.page.waitForSelector('dialog[open] [role=alert]:has-text("is not after the start")')
    const others = main.faults.filter((f) => !f.includes('status of 422')) // the browser tells of each answer that is no success, and this one is wanted
    expect(others.length < main.faults.length, 'the server took the order')
    main.faults.splice(0, Infinity, ...others)
    expect((await main.page.inputValue('dialog[open] form > label:last-of-type input')) === 'trying a lock-out', 'the reason is lost')
    await main.page.fill('dialog[open] input[type=datetime-local] >> nth=1', '')
    await main.page.focus('dialog[open] form > label:last-of-type input')
    await main.page.keyboard.press('Enter')
    await main.page.waitForSelector('td:has-text("trying a lock-out")')
    await picture(main.page, 'orders-en-light-wide')
    const { body: list } = await call(main.page, `/api/districts/${district}/orders`)
    const mine = list.find((o) => o.reason === 'trying a lock-out' && o.state === 'running')
    expect(mine?.kind === 'lock_out' && mine.author === operator.name, `the API lists ${JSON.stringify(mine)}`)
    await main.page.click('tr:has-text("trying a lock-out") button')
    await main.page.fill('dialog[open] input', 'done with it')
    await main.page.click('dialog[open] button.primary')
    await main.page.waitForSelector('section:last-of-type tr:has-text("trying a lock-out"):has-text("ended early"):has-text("done with it")')
  })

  await step('a car, warmer rooms, a holiday and work on a device: each says what it costs, who asked and when it ends, and the plan shows it', async () => {
    const { page } = main
    const { body: me } = await call(page, '/api/session')
    if (!me.features.orders) return
    const listed = async (reason) => (await call(page, `/api/districts/${district}/orders`)).body.find((o) => o.reason === reason)
    const info = (await call(page, '/api/districts')).body.find((d) => d.id === district)
    const clock = Date.parse((await call(page, `/api/districts/${district}/overview`)).body.live.time)
    // forms take whole minutes of the district's zone
    const local = (time) => new Intl.DateTimeFormat('sv-SE', { timeZone: info.time_zone, dateStyle: 'short', timeStyle: 'short' }).format(time).replace(' ', 'T')
    const soon = Math.ceil((clock + 60_000) / 60_000) * 60_000
    const give = async (kind, reason, { start, end } = {}) => {
      await page.goto(`${url}/orders?d=${district}`)
      await settled(page)
      await page.click('#content button.primary')
      await page.selectOption('dialog[open] select >> nth=0', kind)
      await page.waitForFunction(() => document.querySelectorAll('dialog[open] select')[1]?.options.length > 0)
      if (start) await page.fill('dialog[open] input[aria-describedby=start-hint]', local(start))
      if (end) await page.fill('dialog[open] input[aria-describedby=end-hint]', local(end))
      await page.fill('dialog[open] form > label:last-of-type input', reason)
      await page.waitForFunction(() => /\w/.test(document.querySelector('dialog[open] .trial')?.textContent ?? '') && !document.querySelector('dialog[open] .trial').textContent.includes('Reckoning'), undefined, { timeout: 60_000 })
      const said = await page.textContent('dialog[open] .trial')
      expect(/€|not known|could not/.test(said), `what ${kind} costs is said so: ${said}`)
      await picture(page, `orders-give-${kind}`, false)
      await page.click('dialog[open] button.primary')
      await page.waitForSelector(`td:has-text("${reason}")`)
    }
    await give('ready_by', 'walk: off to the airport', { end: soon })
    await give('comfort', 'walk: visitors who feel cold', { end: soon })
    await give('away', 'walk: a week at the sea', { end: clock + 5 * 86_400_000 })
    await give('lock_out', 'walk: a fuse is changed', { start: soon })

    await page.goto(`${url}/plan?d=${district}`)
    await settled(page)
    for (const [reason, kind] of [['walk: a week at the sea', 'Away'], ['walk: a fuse is changed', 'Lock-out'], ['walk: visitors who feel cold', 'Comfort shift'], ['walk: off to the airport', 'Car ready by']]) {
      const o = await listed(reason)
      if (o.state === 'ended') continue // the walk took more than a minute
      const row = await page.textContent(`.around tr:has-text("${reason}")`)
      expect(row.includes(kind) && row.includes(o.author) && row.includes(o.site_name), `the plan shows ${reason} as ${row}`)
    }
    const bad = await serious(page)
    expect(bad.length === 0, bad.join('\n'))
    await picture(page, 'plan-orders-en-light-wide')

    await page.goto(`${url}/orders?d=${district}`)
    await page.click('tr:has-text("walk: a week at the sea") button')
    await page.fill('dialog[open] input', 'walk: the sea was cold')
    await page.click('dialog[open] button.primary')
    await page.waitForSelector('section:last-of-type tr:has-text("walk: a week at the sea"):has-text("ended early"):has-text("walk: the sea was cold")')
    for (const reason of ['walk: off to the airport', 'walk: visitors who feel cold'])
      await page.waitForSelector(`section:last-of-type tr:has-text("${reason}"):has-text("completed")`, { timeout: 180_000 })
    await page.waitForSelector('section:first-of-type tr:has-text("walk: a fuse is changed")', { timeout: 60_000 })
    const out = await listed('walk: a fuse is changed')
    expect(out.state === 'running' && out.end === null && out.author === operator.name, `what was to begin is ${JSON.stringify(out)}`)
    await page.click('tr:has-text("walk: a fuse is changed") button')
    await page.waitForSelector('dialog[open]:has-text("Make sure that nobody works on it")')
    await page.fill('dialog[open] input', 'walk: the fuse is new')
    await page.click('dialog[open] button.primary')
    await page.waitForSelector('section:last-of-type tr:has-text("walk: a fuse is changed"):has-text("walk: the fuse is new")')
  })
}
