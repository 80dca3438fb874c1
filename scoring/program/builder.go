package program

import (
	"fmt"
	"math"
	"slices"
)

// Limits of a program: a row of registers must stay a small thing, or one hostile width would fill the memory.
const (
	MaxRegisters = 1 << 16
	MaxColumns   = 1 << 14
)

// ErrFull refuses a model that computes too much for a row.
var ErrFull error = &UnsupportedError{Reason: "budget", Advice: fmt.Sprintf("a model may compute at most %d values for a row", MaxRegisters)}

// A Builder collects what a compiler finds in a model file. Its registers are cheap names: a matrix of the model
// is a []Reg, so a pass-through, a selection and a concatenation emit no step.
type Builder struct {
	program Program
	origin  []int16   // per register: the column that it was computed from, or -1
	domains []*Domain // per register: of a column and what still carries its categories; nil for computed numbers
	finite  []bool    // per register: an earlier step has checked it
	centred []bool    // per register: its mean over training is 0
	lookups []binding
	cells   []cell
	none    []bool
}

// A binding is a lookup to fill when all constants of its domain are known; a cell likewise.
type binding struct {
	lookup    *Lookup
	domain    *Domain
	constants []Constant
}

type cell struct {
	cell   *Cell
	domain *Domain
	c      Constant
}

// NewBuilder begins a program with the given column names. noneIsMissing is that of [Spec].
func NewBuilder(names []string, noneIsMissing []bool) (*Builder, error) {
	if len(names) > MaxColumns {
		return nil, &UnsupportedError{
			Reason: "budget", Attribute: "n_features_in_", Value: fmt.Sprint(len(names)),
			Advice: fmt.Sprintf("a model may have at most %d columns", MaxColumns),
		}
	}
	b := &Builder{none: noneIsMissing}
	for i, name := range names {
		d := new(Domain)
		b.program.Columns = append(b.program.Columns, Column{Name: name, Domain: d})
		b.origin = append(b.origin, int16(i))
		b.domains = append(b.domains, d)
	}
	b.finite, b.centred = make([]bool, len(names)), make([]bool, len(names))
	return b, nil
}

// Columns returns the registers of the columns.
func (b *Builder) Columns() []Reg {
	regs := make([]Reg, len(b.program.Columns))
	for i := range regs {
		regs[i] = Reg(i)
	}
	return regs
}

// Full reports whether the program has too many registers to be finished.
func (b *Builder) Full() bool { return len(b.origin) > MaxRegisters }

// Origin is the column that a register was computed from, -1 where there are several or none.
func (b *Builder) Origin(r Reg) int16 { return b.origin[r] }

// Origins returns the column of every register of a matrix, for a step that names a column in its faults.
func (b *Builder) Origins(m []Reg) []int16 {
	columns := make([]int16, len(m))
	for i, r := range m {
		columns[i] = b.origin[r]
	}
	return columns
}

// New returns a register for a number that is computed from register from (-1: from several). Beyond MaxRegisters it
// gives the last one again; such a program is never finished.
func (b *Builder) New(from Reg) Reg {
	if b.Full() {
		return MaxRegisters
	}
	origin := int16(-1)
	if from >= 0 {
		origin = b.origin[from]
	}
	b.origin = append(b.origin, origin)
	b.domains = append(b.domains, nil)
	b.finite, b.centred = append(b.finite, false), append(b.centred, false)
	return Reg(len(b.origin) - 1)
}

// Block returns n neighbouring registers, computed from several columns.
func (b *Builder) Block(n int) []Reg {
	regs := make([]Reg, n)
	for i := range regs {
		regs[i] = b.New(-1)
	}
	return regs
}

// Filled returns a register that carries the same categories as from, so that an encoder behind an imputer
// compares codes of one domain.
func (b *Builder) Filled(from Reg) Reg {
	r := b.New(from)
	b.domains[r] = b.domains[from]
	return r
}

// Compute says that a step does arithmetic with the register: a coded column refuses that at the end.
func (b *Builder) Compute(m []Reg) {
	for _, r := range m {
		if d := b.domains[r]; d != nil {
			d.read, d.numeric = true, true
		}
	}
}

// Categorical says that an encoder or a native category reads the register.
func (b *Builder) Categorical(r Reg) {
	if o := b.origin[r]; o >= 0 && b.domains[r] != nil {
		b.program.Columns[o].Kind = Categorical
	}
}

// Lookup returns a lookup of the constants in a register; they enter the domain of its column.
func (b *Builder) Lookup(r Reg, constants []Constant) *Lookup {
	l := new(Lookup)
	d, constants := b.domain(r, constants)
	b.lookups = append(b.lookups, binding{l, d, constants})
	return l
}

// Cell returns the value by which a register holds a constant, which enters the domain of its column.
func (b *Builder) Cell(r Reg, c Constant) *Cell {
	v := new(Cell)
	d, constants := b.domain(r, []Constant{c})
	b.cells = append(b.cells, cell{v, d, constants[0]})
	return v
}

// domain adds constants to the domain of a register. A computed register has a domain for this one use: it only
// holds numbers, with 1 for true, so texts and None stay out and no lookup finds them.
func (b *Builder) domain(r Reg, constants []Constant) (*Domain, []Constant) {
	d := b.domains[r]
	if d == nil {
		d = new(Domain)
		constants = slices.Clone(constants)
		for i, c := range constants {
			if c.Type == Bool {
				constants[i] = Constant{Type: Number, Num: c.Num}
			}
		}
	}
	d.read = true
	for _, c := range constants {
		if b.domains[r] != nil || c.Type == Number || c.Type == NaN {
			d.add(c)
		}
	}
	return d, constants
}

// Add appends a step under a name that messages show.
func (b *Builder) Add(name string, s Step) {
	names := b.program.StepNames
	if n := len(names); n == 0 || names[n-1] != name {
		b.program.StepNames = append(names, name)
	}
	b.program.steps = append(b.program.steps, s)
	b.program.stepName = append(b.program.stepName, int16(min(len(b.program.StepNames)-1, math.MaxInt16)))
}

// Lane32 asks for float32 scratch of n values, Lane64 for float64.
func (b *Builder) Lane32(n int) { b.program.lane32 = max(b.program.lane32, n) }

// Lane64 asks for float64 scratch of n values.
func (b *Builder) Lane64(n int) { b.program.lane64 = max(b.program.lane64, n) }

// Version notes a _sklearn_version that the file holds.
func (b *Builder) Version(v string) {
	if v != "" && !slices.Contains(b.program.Versions, v) {
		b.program.Versions = append(b.program.Versions, v)
	}
}

// Finish seals the domains, binds lookups and cells, and returns the program.
func (b *Builder) Finish(o Outputs) (*Program, error) {
	if b.Full() {
		return nil, ErrFull
	}
	for i := range b.program.Columns {
		if err := b.seal(i); err != nil {
			return nil, err
		}
	}
	for _, l := range b.lookups {
		l.lookup.bind(l.domain, l.constants)
	}
	for _, c := range b.cells {
		c.cell.Value, _ = c.domain.Value(c.c)
	}
	b.program.width = len(b.origin)
	b.program.score, b.program.predicted = o.Score, o.Predicted
	if b.program.Explanation = o.Explanation; o.Explanation == nil {
		b.program.Explanation = Unexplained("the model is no sum over its features")
	}
	p := b.program
	return &p, nil
}

// seal fixes the type of column i.
func (b *Builder) seal(i int) error {
	c := &b.program.Columns[i]
	// A column of numbers with None in it must tell None from NaN, so it is coded as its encoder sees it: by type.
	if c.Kind == Categorical && !c.Domain.numeric && i < len(b.none) && b.none[i] {
		c.Domain.add(Constant{Type: NoneType})
	}
	if c.Domain.numeric && c.Domain.Type() == String {
		return &UnsupportedError{
			Reason: "unsupported-value", Attribute: "column", Value: fmt.Sprintf("%d %q", i, c.Name),
			Advice: "one step compares this column with strings while another computes with it; encode it in one place",
		}
	}
	if c.Domain.read {
		c.Domain.typ = c.Domain.Type()
	}
	return nil
}

// Names returns the names of the columns that the registers are; nil unless every one is a named column.
func (b *Builder) Names(m []Reg) []string {
	names := make([]string, len(m))
	for i, r := range m {
		if int(r) >= len(b.program.Columns) || b.program.Columns[r].Name == "" {
			return nil
		}
		names[i] = b.program.Columns[r].Name
	}
	return names
}
