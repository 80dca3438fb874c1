// Command table adds up the results of several runs of the nemesis into the table of the README. It takes the results
// files, each with one line of JSON for every fault and subject:
//
//	go run ./cmd/fraudstream/nemesis/table bin/nemesis/results.jsonl
package main

import (
	"fmt"
	"log"
	"maps"
	"os"
	"slices"

	"fraudstream/cmd/fraudstream/nemesis"
)

func main() {
	var all []nemesis.Result
	for _, path := range os.Args[1:] {
		file, err := os.Open(path)
		if err != nil {
			log.Fatal(err)
		}
		results, err := nemesis.Read(file)
		if err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		_ = file.Close() // it was only read
		all = append(all, results...)
	}
	seeds := map[string]bool{}
	for i := range all {
		seeds[fmt.Sprintf("%s, seed %d", all[i].Ground, all[i].Seed)] = true
	}
	for _, seed := range slices.Sorted(maps.Keys(seeds)) {
		fmt.Println(seed)
	}
	fmt.Printf("\n%s\n%s", nemesis.Table(all), nemesis.Silences(all))
}
