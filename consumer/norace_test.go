//go:build !race

package consumer

// mostAllocations of a run of 1,000 events: the pools of the codecs may have been emptied by the garbage collector.
const mostAllocations = 5
