package program

// A Domain is the set of constants that one column is compared with or filled by.
type Domain struct {
	constants []Constant
	code      map[Constant]int
	typ       Type // fixed when the builder is finished, if a step reads the column
	read      bool // a step compares the column, fills it or computes with it
	numeric   bool // a step computes with the column: it cannot be coded
}

// Len is the number of constants.
func (d *Domain) Len() int { return len(d.constants) }

// Constants returns the constants in order of their codes; the caller must not change them.
func (d *Domain) Constants() []Constant { return d.constants }

// Type is Number where every constant is a number (or NaN), or there is none; Bool where every one is a bool (or
// NaN): such columns carry their own value. Else it is String: the column is coded.
func (d *Domain) Type() Type {
	if d.typ != 0 {
		return d.typ
	}
	return commonType(d.constants)
}

// Value is what a row holds for the constant: the number, 0 or 1, a code, [Missing] or [None].
// It is false for a constant that the domain does not know.
func (d *Domain) Value(c Constant) (float64, bool) {
	code, known := d.code[c]
	if !known {
		return Unseen, false
	}
	switch {
	case c.Type == NaN:
		return Missing, true
	case d.Type() != String:
		return c.Num, true
	case c.Type == NoneType:
		return None, true
	default:
		return float64(code), true
	}
}

// Extend gives a constant that no step compares a code of its own, so that the monitor can tell it from others.
// The caller (scoring.Load) does so before the program is used; steps treat it as unseen. In a column of numbers
// or of booleans a constant is its own value and gets no code; one of another type is [Unseen] there.
func (d *Domain) Extend(c Constant) float64 {
	if v, known := d.Value(c); known {
		return v
	}
	if d.typ == Number || d.typ == Bool {
		return d.foreign(c)
	}
	d.add(c)
	v, _ := d.Value(c)
	return v
}

// foreign is what a row of an uncoded column holds for a constant that no step compares.
func (d *Domain) foreign(c Constant) float64 {
	switch {
	case c.Type == NaN || c.Type == NoneType:
		return Missing
	case c.Type == d.typ:
		return c.Num
	default:
		return Unseen
	}
}

// add puts a constant into the domain once.
func (d *Domain) add(c Constant) {
	if _, known := d.code[c]; known {
		return
	}
	if d.code == nil {
		d.code = make(map[Constant]int)
	}
	d.code[c] = len(d.constants)
	d.constants = append(d.constants, c)
}

// commonType is the rule of [Domain.Type].
func commonType(constants []Constant) Type {
	common := Type(0)
	for _, c := range constants {
		switch {
		case c.Type == NaN:
		case c.Type != Number && c.Type != Bool:
			return String
		case common == 0:
			common = c.Type
		case common != c.Type:
			return String
		}
	}
	if common == 0 {
		return Number
	}
	return common
}
