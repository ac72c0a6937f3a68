/** Half of a character, which a JSON escape can carry and UTF-8 cannot: a text that has one is refused. */
export const loneSurrogate = /\p{Surrogate}/u
