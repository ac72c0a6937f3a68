/** The words after a long run's name (`npm run torture -- …`): help on request, and one line for a wrong word. */
import { type ParseArgsConfig, parseArgs } from 'node:util'

type Options = NonNullable<ParseArgsConfig['options']>
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>['values']

export function commandLine<const T extends Options>(help: string, options: T): Values<T> {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', short: 'h' } } as T })
    if (!('help' in values)) return values as Values<T>
    console.log(help)
    process.exit(0)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`)
    process.exit(2)
  }
}
