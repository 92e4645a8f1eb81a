/** RFC 3339 with nanoseconds, from and to milliseconds since 1970 with a fraction. */

const NANOSECONDS = 1e6

/** Formats many times that are close to each other: what stands before the fraction is made once a second. */
export function timestampFormatter(): (time: number) => string {
  let second = Number.NaN
  let prefix = ''
  return (time) => {
    let at = Math.floor(time / 1000)
    let nanoseconds = Math.round((time - at * 1000) * NANOSECONDS)
    if (nanoseconds === 1000 * NANOSECONDS) {
      at++
      nanoseconds = 0
    }
    if (at !== second) {
      second = at
      prefix = new Date(at * 1000).toISOString().slice(0, -4)
    }
    return `${prefix}${String(nanoseconds).padStart(9, '0')}Z`
  }
}

const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?([Zz]|[+-]\d\d:\d\d)$/

/** Undefined for what is no time. Keeps what is parsed of a second, like the formatter. */
export function timestampParser(): (text: string) => number | undefined {
  let known = ''
  let base = Number.NaN
  return (text) => {
    const [, date, time, fraction = '0', zone = ''] = RFC_3339.exec(text) ?? []
    if (date === undefined) return undefined
    const whole = `${date}T${time}${zone.toUpperCase()}`
    if (whole !== known) {
      known = whole
      base = Date.parse(whole)
    }
    return Number.isNaN(base) ? undefined : base + (Number(fraction) / 10 ** fraction.length) * 1000
  }
}
