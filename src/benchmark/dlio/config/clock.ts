const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const two = (value: number): string => String(value).padStart(2, '0')

function dayOfYear(at: Date): number {
  return Math.round(
    (Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) - Date.UTC(at.getFullYear(), 0, 0)) / 86_400_000,
  )
}

const PARTS: Readonly<Record<string, (at: Date) => string>> = {
  Y: (at) => String(at.getFullYear()),
  y: (at) => two(at.getFullYear() % 100),
  m: (at) => two(at.getMonth() + 1),
  d: (at) => two(at.getDate()),
  H: (at) => two(at.getHours()),
  I: (at) => two(at.getHours() % 12 === 0 ? 12 : at.getHours() % 12),
  M: (at) => two(at.getMinutes()),
  S: (at) => two(at.getSeconds()),
  f: (at) => String(at.getMilliseconds() * 1000).padStart(6, '0'),
  p: (at) => (at.getHours() < 12 ? 'AM' : 'PM'),
  j: (at) => String(dayOfYear(at)).padStart(3, '0'),
  a: (at) => (DAYS[at.getDay()] ?? '').slice(0, 3),
  A: (at) => DAYS[at.getDay()] ?? '',
  b: (at) => (MONTHS[at.getMonth()] ?? '').slice(0, 3),
  B: (at) => MONTHS[at.getMonth()] ?? '',
  w: (at) => String(at.getDay()),
  F: (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
  T: (at) => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`,
  s: (at) => String(Math.floor(at.getTime() / 1000)),
  '%': () => '%',
}

/** Local time by a pattern of Python's `strftime`; parts that are not known stay as they are. */
export function formatTime(pattern: string, at: Date): string {
  return pattern.replace(/%([A-Za-z%])/g, (whole, letter: string) => PARTS[letter]?.(at) ?? whole)
}
