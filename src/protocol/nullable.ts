import Type from 'typebox'

/** Null says that there is none, and why is in the member's description. */
export const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])
