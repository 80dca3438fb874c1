package program

// A Domain is the set of constants that one column is compared with or filled by.
type Domain struct{ constants []Constant }

// Len is the number of constants.
func (d *Domain) Len() int { return len(d.constants) }

// Constants returns the constants in order of their codes; the caller must not change them.
func (d *Domain) Constants() []Constant { return d.constants }

// Type is Number where every constant is a number (or NaN), or there is none; Bool where every one is a bool (or
// NaN): such columns carry their own value. Else it is String: the column is coded.
func (d *Domain) Type() Type { return Number }

// Value is what a row holds for the constant: the number, 0 or 1, a code, [Missing] or [None].
// It is false for a constant that the domain does not know.
func (d *Domain) Value(c Constant) (float64, bool) { return 0, false }

// Extend gives a constant that no step compares a code of its own, so that the monitor can tell it from others.
// The caller (scoring.Load) does so before the program is used; steps treat it as unseen.
func (d *Domain) Extend(c Constant) float64 { return 0 }
