package pickle

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// floats makes an array of float64.
func floats(shape []int, values ...float64) *Array {
	a := &Array{Type: &DType{Kind: 'f', Size: 8}, Shape: shape}
	for _, v := range values {
		a.Data = binary.LittleEndian.AppendUint64(a.Data, math.Float64bits(v))
	}
	return a
}

// TestArrayRow cuts rows at the edges of an array and beyond them.
func TestArrayRow(t *testing.T) {
	a := floats([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	row, err := a.Row(1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := row.Float64s(); err != nil || !reflect.DeepEqual(got, []float64{4, 5, 6}) {
		t.Errorf("row 1: %v, %v", got, err)
	}
	for _, i := range []int{-1, 2} {
		if _, err := a.Row(i); err == nil {
			t.Errorf("row %d of 2", i)
		}
	}
	if _, err := row.Row(0); err == nil {
		t.Error("a row of a row")
	}
	objects := &Array{Type: &DType{Kind: 'O', Size: 8}, Shape: []int{2, 1}, Objects: []Value{"a", "b"}}
	if row, err := objects.Row(1); err != nil || row.Objects[0] != "b" {
		t.Errorf("row of objects: %v", err)
	}
}

// TestArrayKinds asks arrays for what they do not hold: an error is right, a silent conversion would change a
// model.
func TestArrayKinds(t *testing.T) {
	text := &Array{Type: &DType{Kind: 'U', Size: 4}, Shape: []int{1}, Data: []byte{'a', 0, 0, 0}}
	broken := &Array{Type: &DType{Kind: 'U', Size: 4}, Shape: []int{1}, Data: []byte{0, 0, 0x11, 0}}
	wide := &Array{Type: &DType{Kind: 'u', Size: 8}, Shape: []int{1}, Data: []byte{255, 255, 255, 255, 255, 255, 255, 255}}
	if _, err := text.Float64s(); err == nil {
		t.Error("text as numbers")
	}
	if got, err := text.Strings(); err != nil || got[0] != "a" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := broken.Strings(); err == nil {
		t.Error("a code point beyond Unicode")
	}
	if _, err := wide.Int64s(); err == nil {
		t.Error("2^64-1 as an int64")
	}
	if got, err := wide.Float64s(); err != nil || got[0] != math.MaxUint64 {
		t.Errorf("2^64-1 as a float64: %v, %v", got, err)
	}
	if _, err := floats([]int{1}, 1).Int64s(); err == nil {
		t.Error("a float as an integer")
	}
	if _, err := floats([]int{1}, 1).Bools(); err == nil {
		t.Error("a float as a bool")
	}
	if _, err := floats([]int{1}, 1).Field("x"); err == nil {
		t.Error("a field of no record")
	}
}

// TestAs takes one parameter in all the forms in which it may have been pickled.
func TestAs(t *testing.T) {
	f32 := &Scalar{Type: &DType{Kind: 'f', Size: 4}, Data: []byte{0, 0, 0x80, 0x3f}}
	yes := &Scalar{Type: &DType{Kind: 'b', Size: 1}, Data: []byte{1}}
	for _, v := range []Value{1.0, int64(1), true, f32, yes, floats(nil, 1)} {
		if f, err := AsFloat64(v); err != nil || f != 1 {
			t.Errorf("AsFloat64 of a %s: %v, %v", typeName(v), f, err)
		}
	}
	for _, v := range []Value{1.0, int64(1), f32} {
		if n, err := AsInt64(v); err != nil || n != 1 {
			t.Errorf("AsInt64 of a %s: %v, %v", typeName(v), n, err)
		}
	}
	for _, v := range []Value{nil, "1", floats([]int{1}, 1), &List{}, 0.5, math.NaN(), math.Inf(1)} {
		if n, err := AsInt64(v); err == nil {
			t.Errorf("AsInt64 of a %s gave %d", typeName(v), n)
		}
	}
	if b, err := AsBool(yes); err != nil || !b {
		t.Errorf("AsBool: %v, %v", b, err)
	}
	if _, err := AsBool(int64(1)); err == nil {
		t.Error("AsBool of an integer")
	}
	if _, err := AsString(int64(1)); err == nil {
		t.Error("AsString of an integer")
	}
}

// TestHalf compares all half-precision numbers with their definition.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		sign, exponent, fraction := h>>15, h>>10&31, float64(h&1023)
		want := math.Pow(2, float64(exponent-15)) * (1 + fraction/1024)
		switch {
		case exponent == 0:
			want = math.Pow(2, -14) * fraction / 1024
		case exponent == 31 && fraction == 0:
			want = math.Inf(1)
		case exponent == 31:
			want = math.NaN()
		}
		if sign == 1 {
			want = -want
		}
		if got := half(uint16(h)); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("half(%#04x) = %v, want %v", h, got, want)
		}
	}
}

// TestPermute checks the odometer against the definition of column-first order, for any shape.
func TestPermute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 5).Draw(t, "shape")
		visited := 0
		permute(shape, func(to, from int) {
			if to != visited {
				t.Fatalf("place %d after %d", to, visited)
			}
			visited++
			index := make([]int, len(shape)) // of place to in row-first order
			for axis, rest := len(shape)-1, to; axis >= 0; axis-- {
				index[axis], rest = rest%shape[axis], rest/shape[axis]
			}
			want := 0
			for axis, dim := range slices.Backward(shape) {
				want = want*dim + index[axis]
			}
			if from != want {
				t.Fatalf("shape %v, index %v: from %d, want %d", shape, index, from, want)
			}
		})
		if want := (&Array{Shape: shape}).Len(); visited != want {
			t.Fatalf("%d places of %d", visited, want)
		}
	})
}
