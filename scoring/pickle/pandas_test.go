package pickle

import (
	"encoding/binary"
	"path/filepath"
	"reflect"
	"testing"
)

// TestPandasIndex reads the columns of a ColumnTransformer that was given a pandas Index, in the forms of pandas 1,
// pandas 3 with pyarrow and pandas 3 without.
func TestPandasIndex(t *testing.T) {
	for _, file := range []string{"ct-pandas-index-sk1.2.2.pkl", "ct-pandas-index-sk1.8.0.pkl", "ct-pandas-index-sk1.9.1.joblib"} {
		_, columns := find(mustDecode(t, readFile(t, filepath.Join("testdata", "models", file))), "_columns")
		list, ok := columns.(*List)
		if !ok || len(list.Items) != 2 {
			t.Fatalf("%s: _columns is a %s", file, typeName(columns))
		}
		for i, want := range [][]string{
			{"amount", "hour", "tx_count_24h", "avg_amount_7d", "distance_km", "customer_age"},
			{"country", "channel"},
		} {
			if got, err := Strings(list.Items[i]); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: columns %v, want %v: %v", file, got, want, err)
			}
		}
	}
}

// index makes a pandas Index of attributes.
func index(class string, attrs ...Value) *Object {
	d := &Dict{}
	for i := 0; i < len(attrs); i += 2 {
		d.set(attrs[i], attrs[i+1])
	}
	return &Object{Class: Global{Name: "_new_Index"}, Args: []Value{Global{Name: class}, d}}
}

// TestRangeIndex stops ranges that never end, that lack their bounds, and that stand for a billion labels.
func TestRangeIndex(t *testing.T) {
	got, err := Elements(index("RangeIndex", "start", int64(1), "stop", int64(8), "step", int64(3)))
	if want := []Value{int64(1), int64(4), int64(7)}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v: %v", got, want, err)
	}
	for _, attrs := range [][]Value{
		{"start", int64(0), "stop", int64(1), "step", int64(0)},
		{"start", int64(0), "stop", int64(1 << 30), "step", int64(1)},
		{"start", int64(0), "stop", int64(-1 << 30), "step", int64(-1)},
		{"start", int64(0), "stop", int64(1) << 62, "step", int64(1)},
		{"start", int64(0)},
		{},
	} {
		if got, err := Elements(index("RangeIndex", attrs...)); err == nil {
			t.Errorf("%v gave %d labels", attrs, len(got))
		}
	}
}

// arrow makes a pyarrow string array of 32-bit offsets.
func arrow(length, offset int64, text string, offsets ...uint32) *Object {
	var bounds Bytes
	for _, o := range offsets {
		bounds = binary.LittleEndian.AppendUint32(bounds, o)
	}
	buffer := func(b Bytes) Value { return &Object{Class: Global{Name: "py_buffer"}, Args: []Value{b}} }
	kind := &Object{Class: Global{Name: "type_for_alias"}, Args: []Value{"string"}}
	array := &Object{Class: Global{Name: "_restore_array"}, Args: []Value{&Tuple{Items: []Value{
		kind, length, int64(0), offset, &List{Items: []Value{nil, buffer(bounds), buffer(Bytes(text))}}, &List{}, nil,
	}}}}
	state := &Dict{}
	state.set("_pa_array", array)
	return &Object{Class: Global{Name: "ArrowStringArray"}, State: state}
}

// TestArrowChunks names one chunk many times, as the memo lets a small file do.
func TestArrowChunks(t *testing.T) {
	array := func(labels int) *Object {
		v, _ := arrow(int64(labels), 0, "", make([]uint32, labels+1)...).Attr("_pa_array")
		return v.(*Object)
	}
	chunk := array(1000)
	for times, good := range map[int]bool{2: true, 100: false} {
		chunks := new(List)
		for range times {
			chunks.Items = append(chunks.Items, chunk)
		}
		o := &Object{Class: Global{Module: "pyarrow.lib", Name: "chunked_array"}, Args: []Value{chunks}}
		if got, err := arrowLabels(o); good != (err == nil) || good && len(got) != 1000*times {
			t.Errorf("%d chunks: %d labels, %v", times, len(got), err)
		}
	}
	if _, err := arrowLabels(array(maxRange + 1)); err == nil {
		t.Error("one chunk of too many labels")
	}
}

// TestArrowStrings lies about length, offset and bounds: each lie would reach beyond the buffers, or cut text where
// no label begins.
func TestArrowStrings(t *testing.T) {
	got, err := Strings(arrow(2, 1, "xabc", 0, 1, 3, 4))
	if want := []string{"ab", "c"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v: %v", got, want, err)
	}
	for name, a := range map[string]*Object{
		"longer than its offsets": arrow(3, 1, "xabc", 0, 1, 3, 4),
		"descending":              arrow(2, 0, "abc", 0, 2, 1),
		"beyond the text":         arrow(1, 0, "abc", 0, 4),
		"negative offset":         arrow(1, -1, "abc", 0, 1),
		"negative length":         arrow(-1, 0, "abc", 0, 1),
		"huge length":             arrow(1<<62, 0, "abc", 0, 1),
		"negative bound":          arrow(1, 0, "abc", 0xffffffff, 1),
		"no UTF-8":                arrow(1, 0, "\xff", 0, 1),
		"no offsets":              arrow(0, 0, ""),
	} {
		if got, err := Strings(a); err == nil {
			t.Errorf("%s: gave %v", name, got)
		}
	}
}
