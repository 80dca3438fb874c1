//go:build race

package pickle

// slowdown is what the race detector costs a decompressor, which is all table look-ups.
const slowdown = 20
