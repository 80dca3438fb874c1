// Package program is what every kind of model compiles to: columns, steps and the refusal.
//
// A compiler (sklearn today; boosters, ONNX and PMML later) turns a model file into a [Program]: a list of
// columns in training order and a list of steps over a flat row of float64 registers. The first registers of a
// row are the columns; every step reads registers and writes new ones, so a pass-through costs nothing and a
// selection of columns is only a list of register numbers.
//
// # A category is a number
//
// Numbers and booleans travel as their own value (true is 1). A column that a step compares with strings, with
// None or with constants of several types is coded: its [Domain] numbers every constant that the program can
// compare or fill, [Missing] (NaN) stands for NaN, [None] for Python's None and [Unseen] for anything else. So a
// step only ever sees float64.
//
// # Rows that cannot be scored
//
// Where scikit-learn would raise, a step records a [Fault] for that row and the others go on.
package program

import "math"

// Codes of a coded column for values that are no constant of its domain.
const (
	Unseen = -1.0
	None   = -2.0
)

// Missing is the value of a missing number and of a missing category (numpy.nan), in every column.
var Missing = math.NaN()

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
