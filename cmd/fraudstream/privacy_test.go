package main

import (
	"fmt"
	"regexp"
	"strings"
)

// The tests of privacy look for card numbers in all that the program says. They put numbers wherever events, headers,
// requests, file names and keys can hold one, gather what comes out of one door, and let leaks look through the whole
// of it: so a new line of the log, or a new field of an answer, is tested on the day on which it is added. There is a
// file for each door: privacy_http_test.go, privacy_stream_test.go and privacy_messages_test.go, the last for what
// command lines print and write.

// Example numbers of the schemes, of 13 to 19 digits, as people write them.
var examplePANs = []string{
	"4111111111111111", "5500 0000 0000 0004", "3782-822463-10005", "4222222222222", "3056 930902 5904", "6304-0000-0000-0000-000",
}

// leaks are the numbers that a text shows, however they are divided: blanks and hyphens are left out of both before they
// are compared, so that a mask which knows the digits alone does not pass.
func leaks(text string) (found []string) {
	undivided := regexp.MustCompile(`[ \-]`).ReplaceAllString(text, "")
	for _, pan := range examplePANs {
		if digits := regexp.MustCompile(`[ \-]`).ReplaceAllString(pan, ""); strings.Contains(undivided, digits) {
			found = append(found, digits)
		}
	}
	return found
}

// panEvents are events with a number wherever one can be: the id, fields, names of fields, and text that is no JSON.
func panEvents() (good, bad []string) {
	event := func(id, country string) string {
		return fmt.Sprintf(`{"transaction_id":%s,"event_time":"2026-11-22T10:15:00Z","amount":12.5,"country":%q,"channel":"pos","mcc":"5411","card_type":"debit",`+
			`"customer_age":40,"distance_km":1,"cross_border":false,"tx_count_24h":1,"amount_to_mean_7d":1,"minutes_since_last":10,"terminal_risk":0.02}`, id, country)
	}
	for _, pan := range examplePANs {
		good = append(good, event(fmt.Sprintf("%q", pan), "GB"), event("4111111111111111", pan))
		bad = append(bad,
			strings.Replace(event(`"t"`, "GB"), "12.5", fmt.Sprintf("%q", pan), 1),                  // a field of another type
			strings.Replace(event(`"t"`, "GB"), `"amount"`, fmt.Sprintf("%q", pan), 1),              // a name
			strings.Replace(event(`"t"`, "GB"), `"t"`, fmt.Sprintf(`{"pan":%q}`, pan), 1),           // an id that is none
			strings.Replace(event(`"t"`, "GB"), "2026-11-22T10:15:00Z", pan, 1),                     // a time that is none
			fmt.Sprintf(`{"pan":%q,"pan":%q}`, pan, pan), fmt.Sprintf(`{"pan":%q`, pan), pan+"\xff", // no JSON
		)
	}
	return good, bad
}
