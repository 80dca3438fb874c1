package scoring

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// reshaped copies the control bundle and lets change have its metadata as a tree.
func reshaped(t *testing.T, change func(metadata map[string]any)) string {
	t.Helper()
	folder := edited(t, "", "")
	path := filepath.Join(folder, "metadata.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var metadata map[string]any
	if err := json.Unmarshal(text, &metadata); err != nil {
		t.Fatal(err)
	}
	change(metadata)
	if text, err = json.Marshal(metadata); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// season puts all rows of a baseline into hour 3 of the week.
func season(baseline map[string]any) (seasonal map[string]any, values, quality []any) {
	number := func(key string) float64 { n, _ := baseline[key].(float64); return n }
	cells := append([]any{}, baseline["counts"].([]any)...)
	rows := 0.0
	for _, n := range cells {
		rows += n.(float64)
	}
	if _, categorical := baseline["values"]; categorical {
		cells = append(cells, number("other"))
		rows += number("other")
	}
	for range hoursOfWeek {
		values = append(values, make([]any, len(cells)))
		quality = append(quality, []any{0, 0, 0, 0})
	}
	for _, row := range values {
		for i := range row.([]any) {
			row.([]any)[i] = 0
		}
	}
	values[3], quality[3] = cells, []any{rows, number("missing"), number("infinite"), 0}
	seasonal = map[string]any{"by": "hour_of_week_utc", "values": values, "quality": quality}
	baseline["seasonal"] = seasonal
	return seasonal, values, quality
}

// TestSeasonalContradictionsAreRefusedByField puts a season on a number, on a category and on the score, and spoils one
// thing of it.
func TestSeasonalContradictionsAreRefusedByField(t *testing.T) {
	type spoil func(baseline, seasonal map[string]any, values, quality []any)
	for name, c := range map[string]struct {
		change        spoil
		reason, field string
	}{
		"nothing":              {func(_, _ map[string]any, _, _ []any) {}, "", ""},
		"no quality":           {func(_, s map[string]any, _, _ []any) { delete(s, "quality") }, "", ""},
		"no by":                {func(_, s map[string]any, _, _ []any) { delete(s, "by") }, "metadata-invalid", "seasonal.by"},
		"another by":           {func(_, s map[string]any, _, _ []any) { s["by"] = "hour_of_day" }, "metadata-invalid", "seasonal.by"},
		"no values":            {func(_, s map[string]any, _, _ []any) { delete(s, "values") }, "baseline-mismatch", "seasonal.values"},
		"an hour too few":      {func(_, s map[string]any, v, _ []any) { s["values"] = v[:167] }, "baseline-mismatch", "seasonal.values"},
		"an hour too many":     {func(_, s map[string]any, v, _ []any) { s["values"] = append(v, v[0]) }, "baseline-mismatch", "seasonal.values"},
		"a cell too few":       {func(_, _ map[string]any, v, _ []any) { v[5] = v[5].([]any)[1:] }, "baseline-mismatch", "seasonal.values[5]"},
		"a negative count":     {func(_, _ map[string]any, v, _ []any) { v[5].([]any)[1] = -1 }, "baseline-mismatch", "seasonal.values[5][1]"},
		"half a count":         {func(_, _ map[string]any, v, _ []any) { v[5].([]any)[1] = 0.5 }, "metadata-invalid", "seasonal.values[5][1]"},
		"an absurd count":      {func(_, _ map[string]any, v, _ []any) { v[5].([]any)[1] = 1e18 }, "baseline-mismatch", "seasonal.values[5][1]"},
		"a row too many":       {func(_, _ map[string]any, v, _ []any) { v[5].([]any)[1] = 1 }, "baseline-mismatch", "seasonal.values"},
		"a narrow quality":     {func(_, _ map[string]any, _, q []any) { q[9] = []any{0, 0, 0} }, "baseline-mismatch", "seasonal.quality[9]"},
		"a negative quality":   {func(_, _ map[string]any, _, q []any) { q[9].([]any)[2] = -1 }, "baseline-mismatch", "seasonal.quality[9][2]"},
		"quality of no hours":  {func(_, s map[string]any, _, _ []any) { s["quality"] = []any{} }, "baseline-mismatch", "seasonal.quality"},
		"a missing value more": {func(_, _ map[string]any, _, q []any) { q[9].([]any)[1] = 1 }, "baseline-mismatch", "seasonal.quality"},
		"no cells to split": {func(b, _ map[string]any, _, _ []any) {
			for _, key := range []string{"edges", "values", "counts", "sums", "known", "other"} {
				delete(b, key)
			}
		}, "baseline-mismatch", "seasonal"},
	} {
		for place, at := range map[string]string{"number": "features[0].baseline.", "category": "features[6].baseline.", "score": "score.baseline."} {
			t.Run(name+" of a "+place, func(t *testing.T) {
				t.Parallel()
				folder := reshaped(t, func(m map[string]any) {
					features := m["features"].([]any)
					owner := map[string]any{"number": features[0], "category": features[6], "score": m["score"]}[place]
					baseline := owner.(map[string]any)["baseline"].(map[string]any)
					seasonal, values, quality := season(baseline)
					c.change(baseline, seasonal, values, quality)
				})
				_, err := Load(folder, Options{})
				if Reason(err) != c.reason {
					t.Fatalf("reason %q (%v), want %q", Reason(err), err, c.reason)
				}
				var bundle *BundleError
				if c.field != "" && (!errors.As(err, &bundle) || bundle.Field != at+c.field) {
					t.Errorf("%v: want the field %s", err, at+c.field)
				}
			})
		}
	}
}

// TestBaselineContradictionsAreRefusedByField has what the damaged bundles and the edited texts do not.
func TestBaselineContradictionsAreRefusedByField(t *testing.T) {
	for name, c := range map[string]struct {
		change        func(amount, country, score map[string]any)
		reason, field string
	}{
		"the score's rows":             {func(_, _, s map[string]any) { s["rows"] = 1 }, "baseline-mismatch", "score.baseline.counts"},
		"the score's rows below zero":  {func(_, _, s map[string]any) { s["rows"] = -1 }, "baseline-mismatch", "score.baseline.rows"},
		"the score's std":              {func(_, _, s map[string]any) { s["std"] = -0.1 }, "baseline-mismatch", "score.baseline.std"},
		"the score's edges":            {func(_, _, s map[string]any) { s["edges"].([]any)[1] = s["edges"].([]any)[0] }, "baseline-mismatch", "score.baseline.edges[1]"},
		"categories for the score":     {func(_, _, s map[string]any) { s["values"] = []any{"x"} }, "baseline-mismatch", "score.baseline.values"},
		"sum of an empty bin":          {func(a, _, _ map[string]any) { empty(a); a["sums"].([]any)[0] = 1.0 }, "baseline-mismatch", "features[0].baseline.sums[0]"},
		"first bin below the minimum":  {func(a, _, _ map[string]any) { a["sums"].([]any)[0] = 0.0 }, "baseline-mismatch", "features[0].baseline.sums[0]"},
		"last bin above the maximum":   {func(a, _, _ map[string]any) { last(a["sums"], 1e9) }, "baseline-mismatch", "features[0].baseline.sums[9]"},
		"minimum above the maximum":    {func(a, _, _ map[string]any) { a["min"] = 1e9 }, "baseline-mismatch", "features[0].baseline.min"},
		"edges and no counts":          {func(a, _, _ map[string]any) { delete(a, "counts"); delete(a, "sums") }, "baseline-mismatch", "features[0].baseline.counts"},
		"edges for categories":         {func(_, c, _ map[string]any) { c["edges"] = []any{1.0} }, "baseline-mismatch", "features[6].baseline"},
		"other below zero":             {func(_, c, _ map[string]any) { c["other"] = -1 }, "baseline-mismatch", "features[6].baseline.other"},
		"missing as a text":            {func(_, c, _ map[string]any) { c["missing"] = "123" }, "metadata-invalid", "features[6].baseline.missing"},
		"values that are numbers":      {func(_, c, _ map[string]any) { c["values"].([]any)[0] = 1 }, "metadata-invalid", "features[6].baseline.values[0]"},
		"known that are no list":       {func(_, c, _ map[string]any) { c["known"] = "IT" }, "metadata-invalid", "features[6].baseline.known"},
		"a baseline that is no object": {func(_, c, _ map[string]any) { c["seasonal"] = 3 }, "metadata-invalid", "features[6].baseline.seasonal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := reshaped(t, func(m map[string]any) {
				features := m["features"].([]any)
				of := func(owner any) map[string]any { return owner.(map[string]any)["baseline"].(map[string]any) }
				c.change(of(features[0]), of(features[6]), of(m["score"]))
			})
			_, err := Load(folder, Options{})
			var bundle *BundleError
			if Reason(err) != c.reason || !errors.As(err, &bundle) || bundle.Field != c.field {
				t.Errorf("reason %q (%v), want %q and the field %s", Reason(err), err, c.reason, c.field)
			}
		})
	}
}

// TestMomentsAloneLeaveCategoriesToTheModel has a baseline that counts no category. Those that the encoder knows were
// in training all the same, and are not news.
func TestMomentsAloneLeaveCategoriesToTheModel(t *testing.T) {
	s, err := Load(reshaped(t, func(m map[string]any) {
		for _, f := range m["features"].([]any) {
			baseline := f.(map[string]any)["baseline"].(map[string]any)
			for _, key := range []string{"edges", "values", "counts", "sums", "known", "other"} {
				delete(baseline, key)
			}
		}
		m["baseline"] = map[string]any{"rows": 3500}
	}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	country := s.Bundle.Features[6].Baseline
	if len(country.Values) != 0 || len(country.Known) < 7 || !country.KnownGiven || country.Missing != 123 {
		t.Errorf("%+v", country)
	}
	if amount := s.Bundle.Features[0].Baseline; len(amount.Known) != 0 || !amount.HasMoments {
		t.Errorf("%+v", amount)
	}
}

// empty moves the rows of the first bin to the second.
func empty(baseline map[string]any) {
	counts, sums := baseline["counts"].([]any), baseline["sums"].([]any)
	counts[1] = counts[0].(float64) + counts[1].(float64)
	counts[0], sums[0] = 0.0, 0.0
	sums[1] = counts[1].(float64) * baseline["edges"].([]any)[1].(float64)
}

// last replaces the last entry of a list.
func last(list any, with float64) { list.([]any)[len(list.([]any))-1] = with }
