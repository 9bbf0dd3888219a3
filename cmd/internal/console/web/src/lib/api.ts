// The API of Quartier, typed by its OpenAPI document.
import type { components } from './api.gen'

export type Schemas = components['schemas']
export type Me = Schemas['Me']
export type DistrictInfo = Schemas['DistrictInfo']
export type Overview = Schemas['Overview']
export type LiveView = Schemas['LiveView']
export type Flows = Schemas['Flows']
export type StreamState = Schemas['StreamState']
export type Alarm = Schemas['Alarm']
export type Decision = Schemas['Decision']
export type Totals = Schemas['Totals']
export type DayView = Schemas['DayView']
export type BalanceView = Schemas['BalanceView']
export type Statement = Schemas['Statement']
export type DeviceInfo = Schemas['DeviceInfo']
export type DeviceDetail = Schemas['DeviceDetail']
export type Learned = Schemas['Learned']
export type OrderInfo = Schemas['OrderInfo']
export type OrderTrial = Schemas['OrderTrial']
export type Reading = Schemas['Reading']
export type PlanView = Schemas['PlanView']
export type ForecastQuality = Schemas['ForecastQuality']
export type Setpoint = Schemas['Setpoint']
export type MemberInfo = Schemas['MemberInfo']
export type MemberShare = Schemas['MemberShare']
export type SharingView = Schemas['SharingView']
export type MemberView = Schemas['MemberView']
export type User = Schemas['User']
export type Event = Schemas['EventInfo']
export type SiteInfo = Schemas['SiteInfo']
export type SeriesView = Schemas['SeriesView']
export type Status = Schemas['Status']
export type Feed = Schemas['Feed']
export type Summary = Schemas['Summary']

/** What went wrong with a request. status 0: the server was not reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: string[] = [],
  ) {
    super(message)
  }
}

let csrf = ''
let onSignedOut: () => void = () => {}

/** Sets the token that every write carries. */
export function setCsrf(token: string): void {
  csrf = token
}

/** Sets what happens when the session is over. */
export function whenSignedOut(f: () => void): void {
  onSignedOut = f
}

type Query = Record<string, string | number | undefined>

/** Joins a path and its query; undefined and empty values are left out. */
export function url(path: string, query: Query = {}): string {
  const q = new URLSearchParams()
  for (const [k, v] of Object.entries(query)) if (v !== undefined && v !== '') q.set(k, String(v))
  const text = q.toString()
  return text ? `${path}?${text}` : path
}

async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (method !== 'GET') headers['X-CSRF-Token'] = csrf
  let res: Response
  try {
    res = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal, credentials: 'same-origin' })
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new ApiError(0, 'offline')
  }
  if (!res.ok) {
    let message = res.statusText
    let details: string[] = []
    try {
      const p = (await res.json()) as Schemas['ErrorModel']
      message = p.detail ?? p.title ?? message
      details = (p.errors ?? []).map((d) => d.message ?? '').filter((d) => d !== '')
    } catch {
      // no problem document: the status says enough
    }
    if (res.status === 401 && path !== '/api/session') onSignedOut()
    throw new ApiError(res.status, message, details)
  }
  return res.status === 204 ? (undefined as T) : ((await res.json()) as T)
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => request<T>('GET', url(path, query), undefined, signal),
  post: <T>(path: string, body: unknown, signal?: AbortSignal) => request<T>('POST', path, body, signal),
  put: <T>(path: string, body: unknown) => request<T>('PUT', path, body),
  del: (path: string) => request<void>('DELETE', path),
}

/** The path of a district's part of the API. */
export const at = (district: string, rest: string) => `/api/districts/${encodeURIComponent(district)}${rest}`
