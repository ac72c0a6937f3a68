/**
 * Tracks: one call, several streams of packets, each with numbers of its own. A track holds one voice, or several that
 * arrive interleaved. Where all packets of a call need one order, a packet has an ordinal: the numbers of track t begin at
 * t · 2³¹, so those of track 0 are their own ordinals.
 */
import { limits } from '../limits.js'

const numbersOfATrack = limits.sequenceMax + 1

export function ordinalOf(track: number, sequence: number): number {
  return track * numbersOfATrack + sequence
}

export function trackOf(ordinal: number): number {
  return Math.floor(ordinal / numbersOfATrack)
}

export function sequenceOf(ordinal: number): number {
  return ordinal % numbersOfATrack
}

/** The first ordinal behind those of the same track. */
export function trackEnd(ordinal: number): number {
  return (trackOf(ordinal) + 1) * numbersOfATrack
}
