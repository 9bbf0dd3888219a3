// What people ask of the control.
import { call, expect, operator, picture, settled, step, url } from '../walk.mjs'

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
    await main.page.waitForSelector('section:last-of-type tr:has-text("trying a lock-out"):has-text("ended early")')
  })
}
