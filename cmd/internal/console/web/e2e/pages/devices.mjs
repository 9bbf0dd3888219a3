// Devices and their pages.
import { call, chosen, expect, picture, settled, step, url } from '../walk.mjs'

export default async function ({ main, district }) {
  await step('every device is listed with its state', async () => {
    await main.page.goto(url + '/devices')
    await main.page.waitForSelector('a.item')
    const { body: devices } = await call(main.page, `/api/districts/${district}/devices`)
    const shown = (await main.page.$$('a.item')).length
    expect(devices.length > 200 ? shown > 10 : shown === devices.length, `${shown} devices are shown of ${devices.length}`)
    await main.page.fill('input[type=search]', 'zzzz')
    await main.page.waitForFunction(() => document.querySelectorAll('a.item').length === 0)
    await main.page.fill('input[type=search]', '')
    await main.page.waitForSelector('a.item')
  })

  await step('a device shows its readings, its past and its plan, and can be paused and resumed', async () => {
    const { body: devices } = await call(main.page, `/api/districts/${district}/devices`)
    const d = devices.find((x) => x.kind === 'battery' && x.controllable) ?? devices.find((x) => x.controllable) ?? devices[0]
    await main.page.goto(`${url}/devices?d=${district}&site=${d.site}&device=${d.id}`)
    await settled(main.page)
    await main.page.waitForSelector('table td strong')
    await picture(main.page, 'device-en-light-wide')
    const { body: me } = await call(main.page, '/api/session')
    if (!me.features.overrides || !d.controllable) return
    await main.page.click('button:has-text("Pause control")')
    await main.page.waitForSelector('dialog[open] .notice')
    await main.page.fill('dialog input', 'trying the pause')
    await picture(main.page, 'device-pause-en-light-wide', false)
    await main.page.click('dialog button.primary')
    await main.page.waitForSelector('text=trying the pause')
    await main.page.click('button:has-text("Resume control")')
    await main.page.waitForSelector('button:has-text("Pause control")')
  })

  // A district learns them in days; where this step is asked for, they are known.
  await step('a heat pump shows what was learned of its rooms, and by what plans go', async () => {
    const { body: devices } = await call(main.page, `/api/districts/${district}/devices`)
    for (const d of devices.filter((x) => x.kind === 'heat_pump')) {
      const { body: detail } = await call(main.page, `/api/districts/${district}/devices/${d.site}/${d.id}`)
      const use = detail.learned.find((f) => f.key === 'in_use')
      if (!use) continue
      await main.page.goto(`${url}/devices?d=${district}&site=${d.site}&device=${d.id}`)
      await settled(main.page)
      await main.page.waitForSelector('p:has-text("Plans go by")')
      const facts = await main.page.locator('section.card').allInnerTexts()
      expect(facts.some((x) => x.includes('±') && x.includes('K/kW') && x.includes('kWh/K')), `what was learned is not shown with its deviation: ${facts}`)
      expect(!facts.some((x) => x.includes(use.word) && use.word.includes('_')), `${use.word} is shown as it stands in the API`)
      await picture(main.page, 'rooms-en-light-wide')
      return
    }
    expect(!chosen, 'nothing was learned of the rooms of any heat pump')
  })
}
