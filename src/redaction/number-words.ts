/**
 * Words for numbers in English, German, French, Spanish, Italian, Portuguese, Dutch and Polish, in one table: people change
 * the language for a number, and recognisers do not say which one they have heard. No word has two values in it.
 */

/** `unit`: 0 … 9, `teen`: 10 … 19, `tens`: 20, 30 … 90; `below`: any other below a thousand in one word. */
export type NumberPart = 'unit' | 'teen' | 'tens' | 'below' | 'hundred' | 'thousand'

/**
 * How sure it is that the word is a number. `article`: it is also another word, so it counts beside a number only.
 * `homophone`: recognisers write it for a digit, and it is said all the time, so it counts between two single digits only.
 */
export type Certainty = 'sure' | 'article' | 'homophone'

export interface NumberWord {
  readonly part: NumberPart
  readonly value: number
  readonly certainty: Certainty
}

const units = [
  'zero one two three four five six seven eight nine',
  'null eins zwei drei vier funf sechs sieben acht neun',
  'zero - deux trois quatre cinq six sept huit neuf',
  'cero - dos tres cuatro cinco seis siete ocho nueve',
  'zero - - - quattro cinque - sette otto nove',
  'zero - dois tres quatro cinco seis sete oito nove',
  'nul - twee drie vier vijf zes zeven acht negen',
  'zero jeden dwa trzy cztery piec szesc siedem osiem dziewiec',
  'nought jedna zwo tre - fuenf - - - -',
  'naught - duas - - - - - - -',
  'zeros ones dwie threes fours fives sixes sevens eights nines',
]
const teens = [
  '- eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen',
  'zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn',
  'dix onze douze treize quatorze quinze - - - -',
  'diez - doce trece catorce quince dieciseis diecisiete dieciocho diecinueve',
  'dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove',
  'dez onze doze treze quatorze quinze dezesseis dezessete dezoito dezenove',
  'tien elf twaalf dertien veertien vijftien zestien zeventien achttien negentien',
  'dziesiec jedenascie dwanascie trzynascie czternascie pietnascie szesnascie siedemnascie osiemnascie dziewietnascie',
  '- - zwoelf - catorze fuenfzehn dezasseis dezassete - dezanove',
]
/** From twenty on. */
const tens = [
  'twenty thirty forty fifty sixty seventy eighty ninety',
  'zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig',
  'vingt trente quarante cinquante soixante septante huitante nonante',
  'veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa',
  'venti trenta quaranta cinquanta sessanta settanta ottanta novanta',
  'vinte trinta quarenta cinquenta sessenta setenta oitenta noventa',
  'twintig dertig veertig vijftig zestig zeventig tachtig negentig',
  'dwadziescia trzydziesci czterdziesci piecdziesiat szescdziesiat siedemdziesiat osiemdziesiat dziewiecdziesiat',
  'vingts - fourty fuenfzig - - octante -',
]
const hundreds = [
  'hundred hundert cien ciento cento honderd sto',
  'doscientos duzentos duecento dwiescie doscientas duzentas',
  'trescientos trezentos trecento trzysta trescientas trezentas',
  'cuatrocientos quatrocentos quattrocento czterysta',
  'quinientos quinhentos cinquecento piecset',
  'seiscientos seiscentos seicento szescset',
  'setecientos setecentos settecento siedemset',
  'ochocientos oitocentos ottocento osiemset',
  'novecientos novecentos novecento dziewiecset',
]
const thousands = 'thousand tausend mille mila duizend tysiac tysiace tysiecy'
/** Articles, fillers and verbs that are also numbers, or are written for them; Portuguese callers say `meia`, half a dozen, for six. */
const articles: Readonly<Record<number, string>> = {
  0: 'oh o',
  1: 'un une uno una um uma ein eine een won',
  2: 'due',
  4: 'fore',
  6: 'sei meia sics',
  8: 'ate',
  10: 'ten',
  11: 'once',
  16: 'seize',
}
const homophones: Readonly<Record<number, string>> = { 2: 'to too', 4: 'for', 6: 'sex' }

const table = new Map<string, NumberWord>()

function add(words: string, part: NumberPart, numberOf: (index: number) => number): void {
  for (const [index, word] of words.split(' ').entries())
    if (word !== '-') table.set(word, { part, value: numberOf(index), certainty: 'sure' })
}

for (const words of units) add(words, 'unit', (index) => index)
for (const words of teens) add(words, 'teen', (index) => 10 + index)
for (const words of tens) add(words, 'tens', (index) => 20 + 10 * index)
add(hundreds[0] as string, 'hundred', () => 100)
for (const [index, words] of hundreds.entries()) if (index > 0) add(words, 'below', () => 100 * (index + 1))
add(thousands, 'thousand', () => 1000)
for (const [certainty, words] of [['article', articles] as const, ['homophone', homophones] as const])
  for (const [value, list] of Object.entries(words))
    for (const word of list.split(' '))
      table.set(word, { part: Number(value) < 10 ? 'unit' : 'teen', value: Number(value), certainty })
// Also a hundred of other things, or of nothing: cem por cento, percent, centimes.
for (const word of ['cent', 'cem']) table.set(word, { part: 'hundred', value: 100, certainty: 'article' })
table.set('mil', { part: 'thousand', value: 1000, certainty: 'article' })

/** Twenty-one in one word: einundzwanzig, eenentwintig, ventuno, veintiuno. */
function addCompounds(): void {
  const below = (word: string, value: number) => table.set(word, { part: 'below', value, certainty: 'sure' })
  const german = 'ein zwei drei vier funf sechs sieben acht neun'.split(' ')
  const dutch = 'een twee drie vier vijf zes zeven acht negen'.split(' ')
  const italian = 'uno due tre quattro cinque sei sette otto nove'.split(' ')
  const spanish = 'uno dos tres cuatro cinco seis siete ocho nueve'.split(' ')
  const tensOf = (row: number, index: number) => (tens[row] as string).split(' ')[index] as string
  for (let index = 0; index < 8; index++)
    for (let unit = 1; unit <= 9; unit++) {
      const value = 20 + 10 * index + unit
      for (const first of [german[unit - 1], unit === 5 ? 'fuenf' : null, unit === 2 ? 'zwo' : null])
        if (first) {
          below(`${first}und${tensOf(1, index)}`, value)
          if (index === 3) below(`${first}undfuenfzig`, value)
        }
      below(`${dutch[unit - 1]}en${tensOf(6, index)}`, value)
      const stem = tensOf(4, index)
      below((unit === 1 || unit === 8 ? stem.slice(0, -1) : stem) + italian[unit - 1], value)
    }
  for (let unit = 1; unit <= 9; unit++) below(`veinti${spanish[unit - 1]}`, 20 + unit)
  below('veintiun', 21)
}
addCompounds()

const wordCharactersMax = 40

/** Null for a word that is no number. `word` as `plainWord` writes it. */
export function numberWord(word: string): NumberWord | null {
  return table.get(word) ?? compoundHundred(word)
}

/** German, Dutch and Italian write hundreds and what follows as one word: zweihundertfünfzig, tweehonderdvijftig, duecentocinquanta. */
function compoundHundred(word: string): NumberWord | null {
  const split = /^(.*?)(?:hundert(?:und)?|honderd(?:en)?|cento)(.*)$/.exec(word)
  if (split === null) return null
  const [, before = '', after = ''] = split
  const first = before === '' ? 1 : before === 'ein' ? 1 : table.get(before)?.value
  const rest = after === '' ? 0 : table.get(after)?.value
  if (first === undefined || rest === undefined || first > 9 || rest > 99) return null
  return { part: 'below', value: first * 100 + rest, certainty: 'sure' }
}

/** In small letters, without accents, apostrophes and what is not seen: as words are compared. Empty where it is too long. */
export function plainWord(text: string): string {
  if (text.length > wordCharactersMax) return ''
  if (/^[A-Za-z]*$/.test(text)) return text.toLowerCase()
  return text
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}'’]/gu, '')
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .replaceAll('ł', 'l')
}
