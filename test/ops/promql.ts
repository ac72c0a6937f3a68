/** What a PromQL expression asks for, found by the parser of Prometheus’ own editor. */
import { parser } from '@prometheus-io/lezer-promql'

export interface Matcher {
  readonly label: string
  readonly operator: string
  readonly value: string
}

export interface Selector {
  readonly metric: string
  readonly matchers: readonly Matcher[]
}

export interface Query {
  readonly selectors: readonly Selector[]
  /** Labels of `by`, `on` and the like. */
  readonly groupings: readonly string[]
}

type Node = ReturnType<typeof parser.parse>['topNode']

/** Throws when the expression cannot be parsed. */
export function readQuery(text: string): Query {
  const selectors: Selector[] = []
  const groupings: string[] = []
  const textOf = (node: Node | null) => (node === null ? '' : text.slice(node.from, node.to))
  parser.parse(text).iterate({
    enter: ({ type, node, from }) => {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${text}`)
      if (type.name === 'VectorSelector')
        selectors.push({ metric: textOf(node.getChild('Identifier')), matchers: matchersOf(node, textOf) })
      if (type.name === 'GroupingLabels') groupings.push(...node.getChildren('LabelName').map(textOf))
    },
  })
  return { selectors, groupings }
}

function matchersOf(selector: Node, textOf: (node: Node | null) => string): readonly Matcher[] {
  const matchers = selector.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
  return matchers.map((matcher) => ({
    label: textOf(matcher.getChild('LabelName')),
    operator: textOf(matcher.getChild('MatchOp')),
    value: textOf(matcher.getChild('StringLiteral')).slice(1, -1),
  }))
}
