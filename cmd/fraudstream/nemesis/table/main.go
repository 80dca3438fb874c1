// Command table adds up the results of several runs of the nemesis into the table of the README. It takes the results
// files, each with one line of JSON for every fault and subject, and prints for each version of Kafka: the runs that count,
// with the seeds that replay them, those that are left out because they failed or were broken off, the table in Markdown,
// and how long partitions were silent after the kill of a broker. A file that cannot be read to its end is an error, so
// that no bad day is left out by accident:
//
//	go run ./cmd/fraudstream/nemesis/table bin/nemesis/results.jsonl
package main

import (
	"fmt"
	"log"
	"os"

	"fraudstream/cmd/fraudstream/nemesis"
)

// main reads all files before it prints anything: the runs of one version may lie in several.
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
	for _, tier := range nemesis.Tiers(all) {
		fmt.Printf("# %s\n\n", tier.Name)
		for _, run := range tier.Runs {
			fmt.Println(run)
		}
		for _, run := range tier.LeftOut {
			fmt.Println("left out:", run)
		}
		if len(tier.Results) > 0 {
			fmt.Printf("\n%s\n%s\n", nemesis.Table(tier.Results), nemesis.Silences(tier.Results))
		}
	}
}
