// Command generate writes labelled card payments as CSV, for the training of the demo's model:
//
//	go run ./cmd/fraudstream/demo/generate -seed 1 -n 60000 > payments.csv
package main

import (
	"flag"
	"fmt"
	"os"

	"fraudstream/cmd/fraudstream/demo/cards"
)

func main() {
	seed := flag.Int64("seed", 1, "draws the days")
	n := flag.Int("n", 60_000, "number of payments")
	flag.Parse()
	if err := cards.WriteTraining(os.Stdout, *seed, *n); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
