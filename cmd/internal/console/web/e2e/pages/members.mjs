// Members and their months.
import { call, expect, settled, step, url } from '../walk.mjs'

export default async function ({ main, district }) {
  await step('members’ months are listed, sorted and taken away, and a member’s own can be read', async () => {
    await main.page.goto(url + '/members')
    await main.page.waitForSelector('tbody tr')
    const v = (await call(main.page, `/api/districts/${district}/sharing`)).body
    const names = () => main.page.$$eval('tbody tr td:first-child strong', (xs) => xs.map((x) => x.textContent))
    await main.page.locator('th button').nth(2).click() // consumption, the largest first
    await main.page.waitForSelector('th[aria-sort=descending]')
    const most = [...v.members].sort((a, b) => b.energy.consumption_kwh - a.energy.consumption_kwh)
    const shown = await names()
    expect(shown.length === v.members.length, `${shown.length} members are shown, there are ${v.members.length}`)
    expect(v.members.find((m) => m.member.name === shown[0]).energy.consumption_kwh === most[0].energy.consumption_kwh, `the first is ${shown[0]}, the largest ${most[0].member.name}`)
    await main.page.locator('th button').nth(2).click()
    await main.page.waitForSelector('th[aria-sort=ascending]')
    const csv = await call(main.page, `/api/districts/${district}/sharing.csv?month=${v.month}`)
    expect(csv.status === 200 && csv.body.trim().split('\n').length === v.members.length + 1, `the CSV answered ${csv.status}: ${csv.body}`)
    await main.page.click('tbody tr a')
    await main.page.waitForSelector('.tiles, .pair')
    await settled(main.page)
  })
}
