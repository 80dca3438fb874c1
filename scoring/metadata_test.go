package scoring

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// edited copies the control bundle and replaces one text in its metadata, which must be there.
func edited(t *testing.T, old, new string) string {
	t.Helper()
	return editedCopy(t, "testdata/refuse/bundle-control", old, new)
}

// editedCopy does so with any bundle.
func editedCopy(t *testing.T, bundle, old, new string) string {
	t.Helper()
	folder := t.TempDir()
	files, err := os.ReadDir(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := file.Name()
		data, err := os.ReadFile(filepath.Join(bundle, name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if name == "metadata.json" {
			if !strings.Contains(text, old) {
				t.Fatalf("%q is not in the metadata", old)
			}
			text = strings.Replace(text, old, new, 1)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// Each rule of the bundle's format is broken by one edit of a sound bundle; the refusal must have the right
// word and name the right field. Edits that are allowed stand among them, so that a gate which refuses
// everything fails too.
func TestMetadataRules(t *testing.T) {
	const (
		hash      = `"27008db8ab2bdd143b59cdc579e201aa763b0daa1ff60249257dda1c192114fe"`
		country   = `"values": ["GB", "US", "FR", "DE", "BR", "NG", "VN"], "counts": [1308, 1028, 398, 327, 137, 114, 65], "other": 0, "missing": 123`
		schema    = `"schema": 1,`
		threshold = `"thresholds": {"review": 0.01188, "block": 0.03097}`
		amount    = `{"name": "amount", "kind": "numeric", "dtype": "float64", "missing": "rejected",`
		text      = `"name": "country", "kind": "categorical", "dtype": "str", "missing": "allowed",`
		mean      = `"mean": 54.02526571428571`
	)
	for name, c := range map[string]struct{ old, new, reason, field string }{
		"untouched":                   {schema, schema, "", ""},
		"no schema":                   {schema, "", "metadata-invalid", "schema"},
		"schema a text":               {schema, `"schema": "1",`, "metadata-invalid", "schema"},
		"schema a fraction":           {schema, `"schema": 1.5,`, "metadata-invalid", "schema"},
		"unknown keys":                {schema, schema + `"owner": "fraud team", "approval": {"by": "m"},`, "", ""},
		"no name":                     {`"name": "ct-onehot-logreg",`, "", "", ""},
		"created is no time":          {`"2026-01-11T09:00:00Z"`, `"yesterday"`, "metadata-invalid", "created"},
		"invalid UTF-8":               {`"ct-onehot-logreg"`, "\"\xff\"", "metadata-invalid", "name"},
		"a list of features":          {`"features": [`, `"features": 3, "was": [`, "metadata-invalid", "features"},
		"duplicate key below":         {`"golden": {`, `"golden": {"file": "golden.json", `, "metadata-invalid", "golden.file"},
		"no hash":                     {`"sha256": ` + hash + `,`, "", "", ""},
		"hash in capitals":            {hash, strings.ToUpper(hash), "metadata-invalid", "model.sha256"},
		"an unknown format":           {`"format": "joblib"`, `"format": "tar"`, "metadata-invalid", "model.format"},
		"a format by content":         {`"format": "joblib",`, "", "", ""},
		"no file":                     {`"file": "model.joblib",`, "", "metadata-invalid", "model.file"},
		"the folder itself":           {`"file": "model.joblib"`, `"file": "."`, "metadata-invalid", "model.file"},
		"fraud is sideways":           {`"positive_class": 1,`, `"positive_class": 1, "fraud_is": "left",`, "metadata-invalid", "model.fraud_is"},
		"fraud is low, crossed":       {`"positive_class": 1,`, `"positive_class": 1, "fraud_is": "low",`, "metadata-invalid", "thresholds"},
		"positive class a list":       {`"positive_class": 1,`, `"positive_class": [1],`, "metadata-invalid", "model.positive_class"},
		"positive class left out":     {`"positive_class": 1,`, ``, "", ""},
		"positive class null":         {`"positive_class": 1,`, `"positive_class": null,`, "", ""},
		"a class that is null":        {`"classes": [0, 1]`, `"classes": [null, 1]`, "metadata-invalid", "model.classes[0]"},
		"other classes":               {`"classes": [0, 1]`, `"classes": [1, 2]`, "schema-mismatch", "model.classes"},
		"classes in another order":    {`"classes": [0, 1]`, `"classes": [1, 0]`, "schema-mismatch", "model.classes"},
		"an output it has not":        {`"output": "predict_proba"`, `"output": "score_samples"`, "unsupported-value", ""},
		"a key into no dict":          {`"positive_class": 1,`, `"positive_class": 1, "key": "model",`, "schema-mismatch", ""},
		"one threshold":               {threshold, `"thresholds": {"block": 0.5}`, "", ""},
		"equal thresholds":            {threshold, `"thresholds": {"review": 0.5, "block": 0.5}`, "", ""},
		"threshold below the range":   {threshold, `"thresholds": {"review": -0.1}`, "metadata-invalid", "thresholds.review"},
		"an empty feature name":       {`"name": "amount"`, `"name": ""`, "metadata-invalid", "features[0].name"},
		"an unknown missing":          {`"missing": "rejected", "baseline": {"edges": [7.219`, `"missing": "maybe", "baseline": {"edges": [7.219`, "metadata-invalid", "features[0].missing"},
		"an unknown missing_as":       {amount, amount + ` "missing_as": "null",`, "metadata-invalid", "features[0].missing_as"},
		"derived in an unknown way":   {amount, amount + ` "from": {"op": "square", "of": ["v"]},`, "metadata-invalid", "features[0].from.op"},
		"derived in no way":           {amount, amount + ` "from": {},`, "metadata-invalid", "features[0].from.op"},
		"derived of too much":         {amount, amount + ` "from": {"op": "hour", "of": ["event_time", "v"]},`, "metadata-invalid", "features[0].from.of"},
		"derived of nothing":          {amount, amount + ` "from": {"op": "ratio", "of": ["v", ""]},`, "metadata-invalid", "features[0].from.of[1]"},
		"derived of a time":           {amount, amount + ` "from": {"op": "log1p", "of": ["event_time"]},`, "metadata-invalid", "features[0].from.of[0]"},
		"derived nowhere":             {amount, amount + ` "from": {"op": "hour", "of": ["event_time"], "zone": "Mars/Olympus"},`, "metadata-invalid", "features[0].from.zone"},
		"derived here":                {amount, amount + ` "from": {"op": "hour", "of": ["event_time"], "zone": "Local"},`, "metadata-invalid", "features[0].from.zone"},
		"derived in a needless zone":  {amount, amount + ` "from": {"op": "epoch_s", "of": ["event_time"], "zone": "UTC"},`, "metadata-invalid", "features[0].from.zone"},
		"derived of a text":           {amount, amount + ` "from": {"op": "log1p", "of": ["country"]},`, "schema-mismatch", "features[0].from.of[0]"},
		"derived, and a text":         {text, text + ` "from": {"op": "hour", "of": ["event_time"]},`, "schema-mismatch", "features[6].from.op"},
		"a derived feature":           {amount, amount + ` "from": {"op": "hour", "of": ["event_time"], "zone": "Europe/London"},`, "", ""},
		"not derived after all":       {amount, amount + ` "from": null,`, "", ""},
		"drift tolerance of one":      {`"tolerance": 0.02`, `"tolerance": 1`, "metadata-invalid", "features[0].drift.tolerance"},
		"texts called numeric":        {`"country", "kind": "categorical"`, `"country", "kind": "numeric"`, "baseline-mismatch", "features[6].baseline.values"},
		"texts called numeric, alone": {`"country", "kind": "categorical", "dtype": "str", "missing": "allowed", "baseline": {`, `"country", "kind": "numeric", "missing": "allowed", "former": {`, "metadata-invalid", "features[6].kind"},
		"weighting unknown":           {schema, schema + `"baseline": {"weighting": "balanced"},`, "metadata-invalid", "baseline.weighting"},
		"rows of the baseline":        {schema, schema + `"baseline": {"rows": 3501},`, "baseline-mismatch", "features[0].baseline.counts"},
		"rows below zero":             {schema, schema + `"baseline": {"rows": -1},`, "metadata-invalid", "baseline.rows"},
		"rows beyond all":             {schema, schema + `"baseline": {"rows": 9000000000000000000},`, "metadata-invalid", "baseline.rows"},
		"rows beyond an integer":      {schema, schema + `"baseline": {"rows": 1e30},`, "metadata-invalid", "baseline.rows"},
		"a count of a half":           {`"counts": [350,`, `"counts": [350.5,`, "metadata-invalid", "features[0].baseline.counts[0]"},
		"an edge of a text":           {`"edges": [7.219,`, `"edges": ["7.219",`, "metadata-invalid", "features[0].baseline.edges[0]"},
		"an edge beyond float64":      {`"edges": [7.219,`, `"edges": [1e999,`, "metadata-invalid", "features[0].baseline.edges[0]"},
		"a mean that is off":          {mean, `"mean": 54.03`, "baseline-mismatch", "features[0].baseline.mean"},
		"a mean within the slack":     {mean, `"mean": 54.0252661`, "", ""},
		"a mean above the maximum":    {mean, `"mean": 2000`, "baseline-mismatch", "features[0].baseline.mean"},
		"moments alone":               {country, `"missing": 123`, "", ""},
		"counts without values":       {`"values": ["GB", "US", "FR", "DE", "BR", "NG", "VN"], `, ``, "baseline-mismatch", "features[6].baseline.values"},
		"known twice":                 {country, country + `, "known": ["IT", "IT"]`, "baseline-mismatch", "features[6].baseline.known[1]"},
		"known and listed":            {country, country + `, "known": ["GB"]`, "baseline-mismatch", "features[6].baseline.known[0]"},
		"known":                       {country, country + `, "known": ["IT"]`, "", ""},
		"a category of another type":  {`"5411", "5812"`, `"5411", "grocer"`, "baseline-mismatch", "features[8].baseline.values[1]"},
		"one number in two ways":      {`"5411", "5812"`, `"5411", "5411.0"`, "baseline-mismatch", "features[8].baseline.values[1]"},
		"infinite below zero":         {`"infinite": 0`, `"infinite": -1`, "baseline-mismatch", "features[0].baseline.infinite"},
		"a season of one day":         {country, country + `, "seasonal": {"by": "hour_of_day", "values": []}`, "metadata-invalid", "features[6].baseline.seasonal.by"},
		"a season of no hours":        {country, country + `, "seasonal": {"by": "hour_of_week_utc", "values": []}`, "baseline-mismatch", "features[6].baseline.seasonal.values"},
		"a calibration of one point":  {`"score": {`, `"score": {"calibration": {"x": [0], "y": [0]}, `, "metadata-invalid", "score.calibration"},
		"a calibration that descends": {`"score": {`, `"score": {"calibration": {"x": [0, 0], "y": [0, 1]}, `, "metadata-invalid", "score.calibration.x[1]"},
		"a calibration beyond one":    {`"score": {`, `"score": {"calibration": {"x": [0, 1], "y": [0, 2]}, `, "metadata-invalid", "score.calibration.y[1]"},
		"a calibration":               {`"score": {`, `"score": {"calibration": {"x": [0, 1], "y": [0, 1]}, `, "", ""},
		"no tolerance":                {`, "tolerance": 1e-12`, ``, "", ""},
		"version left out":            {`"scikit_learn": "1.9.1", `, ``, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(edited(t, c.old, c.new), Options{})
			if Reason(err) != c.reason {
				t.Fatalf("reason %q (%v), want %q", Reason(err), err, c.reason)
			}
			var bundle *BundleError
			if c.field != "" && (!errors.As(err, &bundle) || bundle.Field != c.field) {
				t.Errorf("%v: want the field %s", err, c.field)
			}
		})
	}
}

// What the format does not know is somebody's all the same, and comes out as it went in.
func TestUnknownKeysAreKept(t *testing.T) {
	s, err := Load(edited(t, `"schema": 1,`, `"schema": 1, "approval": {"by": "m"}, "owner": "fraud",`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if u := s.Bundle.Unknown; len(u) != 2 || u["approval"] != `{"by": "m"}` || u["owner"] != `"fraud"` {
		t.Errorf("%q", u)
	}
}

// What cannot be checked is said once, and nothing else is.
func TestWarnings(t *testing.T) {
	const golden = `"golden": {"file": "golden.json", "sha256": "e7175de2d1542d68a646448d35672bcd717e972d40232bf222c2fccd9e7d6e9c", "tolerance": 1e-12},`
	for want, c := range map[string]struct{ old, new string }{
		"no golden rows":            {golden, ""},
		"golden.sha256 is missing":  {golden, `"golden": {"file": "golden.json"},`},
		"model.sha256 is missing":   {`"sha256": "27008db8ab2bdd143b59cdc579e201aa763b0daa1ff60249257dda1c192114fe", `, ""},
		"never alarms":              {`"schema": 1,`, `"schema": 1, "baseline": {"weighting": "resampled"},`},
		"1 of 10 features have no ": {`"baseline": {"edges": [7.219,`, `"unused": {"edges": [7.219,`},
	} {
		s, err := Load(edited(t, c.old, c.new), Options{})
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if w := s.Bundle.Warnings; len(w) != 1 || !strings.Contains(w[0], want) {
			t.Errorf("%s: warnings %q", want, w)
		}
	}
}

func TestMissingThatThePipelineCannotTake(t *testing.T) {
	const amount = `"name": "amount", "kind": "numeric", "dtype": "float64", "missing": `
	s, err := Load(editedCopy(t, "testdata/fixtures/gb-sk1.9.1", amount+`"rejected"`, amount+`"allowed"`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w := s.Bundle.Warnings; len(w) != 1 || !strings.Contains(w[0], `"amount" may be missing`) {
		t.Errorf("warnings %q", w)
	}
}

// The files of a bundle stay inside its folder, whatever a symbolic link says.
func TestLinkOutOfTheFolder(t *testing.T) {
	folder := edited(t, "", "")
	model := filepath.Join(folder, "model.joblib")
	outside := filepath.Join(t.TempDir(), "model.joblib")
	if err := os.Rename(model, outside); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, model); err != nil {
		t.Skip("skipped: no symbolic links here")
	}
	var bundle *BundleError
	if _, err := Load(folder, Options{}); !errors.As(err, &bundle) || bundle.Field != "model.file" || Reason(err) != "metadata-invalid" {
		t.Errorf("%v", err)
	}
}

// A table of the hours that does not add up to its baseline would let two detectors disagree about the same
// traffic.
func TestSeasonalShares(t *testing.T) {
	const country = `"counts": [1308, 1028, 398, 327, 137, 114, 65], "other": 0, "missing": 123`
	values, quality := make([][]int64, hoursOfWeek), make([][]int64, hoursOfWeek)
	for h := range values {
		values[h], quality[h] = make([]int64, 8), make([]int64, 4)
	}
	values[3] = []int64{1308, 1028, 398, 327, 137, 114, 65, 0}
	quality[3] = []int64{3377, 123, 0, 0}
	with := func() string {
		text, err := json.Marshal(map[string]any{"by": "hour_of_week_utc", "values": values, "quality": quality})
		if err != nil {
			t.Fatal(err)
		}
		return edited(t, country, country+`, "seasonal": `+string(text))
	}
	s, err := Load(with(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b := s.Bundle.Features[6].Baseline; b.Seasonal == nil || b.Seasonal.Values[3][0] != 1308 || b.Seasonal.Quality[3][1] != 123 {
		t.Errorf("%+v", b.Seasonal)
	}
	values[4][2] = 1
	if _, err := Load(with(), Options{}); Reason(err) != "baseline-mismatch" {
		t.Errorf("a row too many: %v", err)
	}
	values[4][2], quality[4][0] = 0, 1
	if _, err := Load(with(), Options{}); Reason(err) != "baseline-mismatch" {
		t.Errorf("a row too many in quality: %v", err)
	}
	quality[4] = []int64{0, 0, 0}
	if _, err := Load(with(), Options{}); Reason(err) != "baseline-mismatch" {
		t.Errorf("a narrow row: %v", err)
	}
}
