//go:build race

package consumer

// mostAllocations of a run of 1,000 events: under the race detector pools forget at random, among them that of the desks,
// whose scratch is then made anew.
const mostAllocations = 100
