//go:build race

package drift

// raceDetector is on: everything takes ten times as long.
const raceDetector = true
