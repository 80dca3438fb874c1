package program

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// addOne is a step that adds 1 to a register and fails rows above 10.
type addOne struct{ in, out Reg }

func (s *addOne) Run(f *Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		if row[s.in] > 10 {
			f.Fail(i, Unscorable, int16(s.in))
		}
		row[s.out] = row[s.in] + 1
	}
}

func build(t *testing.T, names []string, none []bool, compile func(b *Builder) Outputs) *Program {
	t.Helper()
	b, err := NewBuilder(names, none)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Finish(compile(b))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRunStepsInOrderAndKeepFirstFault(t *testing.T) {
	p := build(t, []string{"x", "y"}, nil, func(b *Builder) Outputs {
		first := b.New(0)
		b.Add("first", &addOne{0, first})
		second := b.New(first)
		b.Add("second", &addOne{first, second})
		return Outputs{Score: second, Predicted: 1}
	})
	f := p.NewFrame(3)
	f.Rows = 3
	for i, x := range []float64{1, 10, 11} {
		copy(f.Row(i), []float64{x, float64(i)})
	}
	for range 2 { // faults of an earlier run do not linger
		p.Run(f)
		want := []Fault{{}, {Unscorable, 1, 2}, {Unscorable, 0, 0}}
		for i, w := range want {
			if f.Fault(i) != w {
				t.Errorf("row %d: fault %+v, want %+v", i, f.Fault(i), w)
			}
			if f.Predicted(i) != i {
				t.Errorf("row %d: predicted %d", i, f.Predicted(i))
			}
		}
		if f.Score(0) != 3 {
			t.Errorf("score %v, want 3", f.Score(0))
		}
	}
}

func TestDomainType(t *testing.T) {
	num, yes, text := NumberConstant(1), BoolConstant(true), StringConstant("a")
	nan, none := NumberConstant(math.NaN()), Constant{Type: NoneType}
	for _, c := range []struct {
		constants []Constant
		want      Type
	}{
		{nil, Number},
		{[]Constant{nan}, Number},
		{[]Constant{num, nan}, Number},
		{[]Constant{yes, BoolConstant(false), nan}, Bool},
		{[]Constant{text}, String},
		{[]Constant{num, yes}, String},
		{[]Constant{num, none}, String},
		{[]Constant{text, nan}, String},
	} {
		p := build(t, []string{"x"}, nil, func(b *Builder) Outputs {
			b.Lookup(0, c.constants)
			return Outputs{}
		})
		d := p.Columns[0].Domain
		if d.Type() != c.want || d.Len() != len(c.constants) {
			t.Errorf("%v: type %v of %d, want %v", c.constants, d.Type(), d.Len(), c.want)
		}
		for i, k := range c.constants {
			v, known := d.Value(k)
			if !known {
				t.Errorf("%v is unknown", k)
			}
			if c.want == String && k.Type != NaN && k.Type != NoneType && v != float64(i) {
				t.Errorf("%v has the code %v, want %d", k, v, i)
			}
		}
	}
}

func TestExtend(t *testing.T) {
	coded := build(t, []string{"x"}, nil, func(b *Builder) Outputs {
		b.Lookup(0, []Constant{StringConstant("a"), StringConstant("b")})
		return Outputs{}
	}).Columns[0].Domain
	if v := coded.Extend(StringConstant("c")); v != 2 {
		t.Errorf("new code %v, want 2", v)
	}
	if v := coded.Extend(StringConstant("a")); v != 0 {
		t.Errorf("known code %v, want 0", v)
	}
	numbers := build(t, []string{"x"}, nil, func(b *Builder) Outputs {
		b.Lookup(0, []Constant{NumberConstant(5)})
		return Outputs{}
	}).Columns[0].Domain
	if v := numbers.Extend(NumberConstant(7)); v != 7 {
		t.Errorf("a number is its own value, got %v", v)
	}
	if v := numbers.Extend(StringConstant("7")); v != Unseen || numbers.Type() != Number {
		t.Errorf("a text in a column of numbers: %v", v)
	}
	unread := build(t, []string{"x"}, nil, func(*Builder) Outputs { return Outputs{} }).Columns[0].Domain
	if v := unread.Extend(StringConstant("a")); v != 0 || unread.Type() != String {
		t.Errorf("a text in a column that no step reads: %v of type %v", v, unread.Type())
	}
}

func TestNoneMakesACategoricalColumnCoded(t *testing.T) {
	compile := func(b *Builder) Outputs {
		b.Categorical(0)
		b.Lookup(0, []Constant{NumberConstant(5)})
		b.Compute([]Reg{1})
		return Outputs{}
	}
	p := build(t, []string{"category", "amount"}, []bool{true, true}, compile)
	if got := p.Columns[0].Domain.Type(); got != String {
		t.Errorf("a category with None has type %v", got)
	}
	if got := p.Columns[1].Domain.Type(); got != Number {
		t.Errorf("a number has type %v", got)
	}
	if p.Columns[0].Kind != Categorical || p.Columns[1].Kind != Numeric {
		t.Error("kinds are wrong")
	}
}

func TestComputingWithACodedColumnIsRefused(t *testing.T) {
	b, err := NewBuilder([]string{"x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Lookup(0, []Constant{StringConstant("a")})
	b.Compute([]Reg{0})
	if _, err := b.Finish(Outputs{}); err == nil {
		t.Fatal("accepted")
	}
}

// TestLookup compares every kind of table with a search through the list.
func TestLookup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		constant := rapid.Custom(func(t *rapid.T) Constant {
			switch rapid.IntRange(0, 4).Draw(t, "type") {
			case 0:
				return NumberConstant(math.NaN())
			case 1:
				return NumberConstant(float64(rapid.IntRange(-3, 6000).Draw(t, "integer")))
			default:
				return NumberConstant(rapid.SampledFrom([]float64{-2, -1, 0, 0.5, 1, 2, 3, 1e300}).Draw(t, "number"))
			}
		})
		list := rapid.SliceOfN(constant, 0, 6).Draw(t, "list")
		if rapid.Bool().Draw(t, "coded") {
			list = append(list, StringConstant("a"), Constant{Type: NoneType})
		}
		b, err := NewBuilder([]string{"x"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l := b.Lookup(0, list)
		p, err := b.Finish(Outputs{})
		if err != nil {
			t.Fatal(err)
		}
		d := p.Columns[0].Domain
		d.Extend(StringConstant("new"))
		probe := append(slices.Clone(list), NumberConstant(0.25), NumberConstant(4095), NumberConstant(1e9), NumberConstant(math.NaN()), StringConstant("new"))
		for _, c := range probe {
			v, known := d.Value(c)
			if !known {
				v = Unseen
				switch {
				case c.Type == NaN:
					v = Missing
				case d.Type() == Number:
					v = c.Num
				}
			}
			if d.Type() == Number && c.Type == String {
				continue // no row holds a text here
			}
			if got, want := l.Of(v), slices.Index(list, c); got != want {
				t.Fatalf("%v (%v) in %v: place %d, want %d", c, v, list, got, want)
			}
		}
	})
}

func TestFinite(t *testing.T) {
	for _, missing := range []bool{false, true} {
		p := build(t, []string{"x", "y"}, nil, func(b *Builder) Outputs {
			b.CheckFinite("check", b.Columns(), missing)
			b.CheckFinite("again", b.Columns(), missing)
			return Outputs{}
		})
		f := p.NewFrame(4)
		f.Rows = 4
		for i, y := range []float64{1, math.NaN(), math.Inf(1), math.Inf(-1)} {
			copy(f.Row(i), []float64{0, y})
		}
		p.Run(f)
		for i, fails := range []bool{false, !missing, true, true} {
			if got := f.Fault(i); (got.Code == Unscorable) != fails || fails && got.Column != 1 {
				t.Errorf("missing %v, row %d: %+v", missing, i, got)
			}
		}
		if !missing && len(p.steps) != 1 {
			t.Errorf("%d checks of the same registers", len(p.steps))
		}
	}
}

func TestTooManyColumns(t *testing.T) {
	if _, err := NewBuilder(make([]string, MaxColumns+1), nil); err == nil {
		t.Error("too many columns are accepted")
	}
	b, err := NewBuilder([]string{"x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Block(MaxRegisters)
	if _, err := b.Finish(Outputs{}); err == nil {
		t.Error("too many registers are accepted")
	}
}

func TestErrorNamesEverything(t *testing.T) {
	for want, e := range map[string]*UnsupportedError{
		"a.B: c=d: why: do this": {Class: "a.B", Attribute: "c", Value: "d", Reason: "why", Advice: "do this"},
		"a.B: c: why":            {Class: "a.B", Attribute: "c", Reason: "why"},
		"a list: why":            {Value: "a list", Reason: "why"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
