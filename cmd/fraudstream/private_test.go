package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"fraudstream/consumer/deadletter"
)

// An id is masked wherever the envelope and the quotes of a path put it, in the console and the log as in the list of dead
// letters, and even where its field is allowed. Without dlq.keep it is what a redacted letter keeps, and nothing else.
func TestIDsAreMaskedInEveryFormat(t *testing.T) {
	t.Parallel()
	const id = "payment-90071992"
	for _, c := range []struct{ event, path, value string }{
		{`{}`, `transaction_id`, `{"transaction_id":"ID","city":"Leeds"}`},
		{`{id: {path: payment.id}}`, `payment.id`, `{"payment":{"id":"ID","city":"Leeds"}}`},
		{`{id: {path: '"DE.37"'}}`, `DE.37`, `{"DE.37":"ID","city":"Leeds"}`},
		{`{id: {path: 'de."37".rrn'}}`, `de.37.rrn`, `{"de":{"37":{"rrn":"ID"}},"city":"Leeds"}`},
		{`{id: {path: 'ids[0].rrn'}}`, `ids.rrn`, `{"ids":[{"rrn":"ID"}],"city":"Leeds"}`},
		{`{format: debezium, id: {path: payment_id}}`, `payload.after.payment_id`, `{"payload":{"before":null,"after":{"payment_id":"ID","city":"Leeds"},"op":"c"}}`},
		{`{format: debezium, id: {path: payment_id}}`, `after.payment_id`, `{"before":null,"after":{"payment_id":"ID","city":"Leeds"},"op":"c"}`},
		{`{format: debezium}`, `after.transaction_id`, `{"before":null,"after":{"transaction_id":"ID","city":"Leeds"},"op":"c"}`},
		{`{format: cloudevents, id: {path: '"payment.id"'}}`, `data.payment.id`, `{"specversion":"1.0","data":{"payment.id":"ID","city":"Leeds"}}`},
		{`{format: cloudevents, id: {path: payment_id}}`, `payment_id`, `{"payment_id":"ID","city":"Leeds"}`},
	} {
		value := []byte(strings.Replace(c.value, "ID", id, 1))
		for key, want := range map[string]string{"": "*1992", "0123456789abcdef": "13e7bc4e024a2e606385"} {
			config, err := loadConfig(writeConfig(t, fmt.Sprintf("event: %s\nprivacy: {hash_key: %q, show: [%q]}\n", c.event, key, c.path)))
			if err != nil {
				t.Fatalf("%s: %v", c.event, err)
			}
			if got := config.shown()(value); !maps.Equal(got, map[string]string{c.path: want}) {
				t.Errorf("%s, key %q: of %s is shown %q", c.event, key, value, got)
			}
			config.Privacy.Show = nil
			letter := config.newLetterMask().letter(&deadletter.Letter{Value: value}, true)
			if strings.Contains(letter.Value, id) || !strings.Contains(letter.Value, `"`+want+`"`) || strings.Contains(letter.Value, "Leeds") {
				t.Errorf("%s, key %q: in the list stands %s", c.event, key, letter.Value)
			}
			kept := string(deadletter.NewRedactor(config.kept()).Value(value))
			if !strings.Contains(kept, `"`+id+`"`) || strings.Contains(kept, "Leeds") {
				t.Errorf("%s: redacted keeps %s", c.event, kept)
			}
		}
	}
}

// A card number whose groups are the elements of an array is one in the list of dead letters, too.
func TestCardInAnArrayOfALetter(t *testing.T) {
	t.Parallel()
	config := Config{Privacy: PrivacyConfig{Show: []string{"pan", "mcc"}}}
	for value, want := range map[string]string{
		`{"pan":["4111","1111","1111","1111"]}`: `{"pan":["4111","11**","****","1111"]}`,
		`{"pan": [4111, 1111, "1111", 1111]}`:   `{"pan":[4111,11**,"****",1111]}`,
		`{"pan":["4111 1111","1111 1111"]}`:     `{"pan":["4111 11**","**** 1111"]}`,
		`{"mcc":["5411","5812"],"pan":null}`:    `{"mcc":["5411","5812"],"pan":null}`,
	} {
		if got := config.newLetterMask().letter(&deadletter.Letter{Value: []byte(value)}, true).Value; got != want {
			t.Errorf("%s is listed as %s, want %s", value, got, want)
		}
	}
}
