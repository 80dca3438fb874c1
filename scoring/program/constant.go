package program

import (
	"math"
	"strconv"
)

// Type is the type of a constant.
type Type uint8

// The types of constants that a fitted model holds for a column.
const (
	Number Type = iota + 1
	Bool
	String
	NoneType
	NaN
)

// A Constant is a category, a fill value or a class label of a fitted model. It is comparable: equal constants
// are the same category. Number holds Num, Bool holds 0 or 1 in Num, String holds Text.
type Constant struct {
	Type Type
	Num  float64
	Text string
}

// NumberConstant is the constant of a number; a NaN is the constant of type [NaN].
func NumberConstant(v float64) Constant {
	if math.IsNaN(v) {
		return Constant{Type: NaN}
	}
	return Constant{Type: Number, Num: v}
}

// BoolConstant is the constant of a boolean.
func BoolConstant(v bool) Constant {
	if v {
		return Constant{Type: Bool, Num: 1}
	}
	return Constant{Type: Bool}
}

// StringConstant is the constant of a string.
func StringConstant(v string) Constant { return Constant{Type: String, Text: v} }

// String is the constant as a person reads it: true, 5411, "GB", None, nan.
func (c Constant) String() string {
	switch c.Type {
	case Number:
		return strconv.FormatFloat(c.Num, 'g', -1, 64)
	case Bool:
		return strconv.FormatBool(c.Num != 0)
	case String:
		return strconv.Quote(c.Text)
	case NoneType:
		return "None"
	case NaN:
		return "nan"
	default:
		return "?"
	}
}
