//go:build !race

package pickle

const slowdown = 1
