package privacy

import (
	"maps"
	"strings"
	"testing"
)

// Of an event, the fields that are allowed are shown, masked, and nothing else of it.
func TestFields(t *testing.T) {
	t.Parallel()
	fields := NewFields([]string{"country", "card.note", "items.sku", "flag", "amount", "big", "object", "list"},
		func(_, text string) string { return New(Options{}).Text(text) })
	for value, want := range map[string]map[string]string{
		`{"country":"GB","card":{"note":"4111 1111 1111 1111","country":"no","pan":"no"},"note":"no","secret":1}`: {"country": "GB", "card.note": "4111 11** **** 1111"},
		`{"items":[{"sku":"a","price":1},{"sku":"b"}],"flag":true,"amount":12.50}`:                                {"items.sku": "a b", "flag": "true", "amount": "12.50"},
		`{"card.note":"a name with a dot"}`:                              {"card.note": "a name with a dot"},
		`{"amount":4111111111111111}`:                                    {"amount": "411111******1111"},
		`{"amount":4.111111111111111e15}`:                                {"amount": "411111******1111"},
		`{"list":[[41111111,"x"],11111111]}`:                             {"list": "41111111 x 11111111"},
		`{"list":["4111","1111","1111","1111"]}`:                         {"list": "4111 11** **** 1111"},
		`{"list":[{"no":1},4111,[1111,"1111"],1111]}`:                    {"list": "4111 11** **** 1111"},
		`{"object":{"inner":"no"},"country":null}`:                       nil,
		"\x00\x00\x00\x00\x07" + `{"country":"GB"}`:                      {"country": "GB"},
		`{"country":"` + strings.Repeat("ä", 60) + ` 4111111111111111"}`: {"country": strings.Repeat("ä", 60) + " 41…"},
		`{"country":"GB"`:                                                nil,
		`{"country":"GB"} x`:                                             nil,
		`["country"]`:                                                    nil,
		``:                                                               nil,
		"\x00":                                                           nil,
		`{"country":"` + strings.Repeat(" ", 1<<20) + `"}`:               nil,
	} {
		if got := fields.Of([]byte(value)); !maps.Equal(got, want) {
			t.Errorf("of %.80q is shown %q, want %q", value, got, want)
		}
	}
	if got := NewFields(nil, nil).Of([]byte(`{"a":1}`)); got != nil {
		t.Errorf("where nothing is allowed, %q is shown", got)
	}
}
