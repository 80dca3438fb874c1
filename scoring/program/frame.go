package program

import "math"

// Frame holds up to a fixed number of rows of registers, columns first, in one row-major block. It belongs to one
// goroutine.
type Frame struct {
	// Rows is how many rows the next Run scores, at most the number that the frame was made for.
	Rows int
	// Lane32 and Lane64 are scratch of the step that runs; their content does not outlive the step.
	Lane32 []float32
	Lane64 []float64

	registers        []float64
	contributions    []float64 // one per column
	width, columns   int
	faults           []Fault
	step             int16
	score, predicted Reg
}

// NewFrame returns a frame for at most rows rows.
func (p *Program) NewFrame(rows int) *Frame {
	return &Frame{
		Lane32:    make([]float32, p.lane32),
		Lane64:    make([]float64, p.lane64),
		registers: make([]float64, rows*p.width),
		width:     p.width,
		columns:   len(p.Columns),
		faults:    make([]Fault, rows),
		score:     p.score,
		predicted: p.predicted,

		contributions: make([]float64, len(p.Columns)),
	}
}

// Row returns the input columns of row i, to be filled by the caller before Run: len(p.Columns) values.
func (f *Frame) Row(i int) []float64 {
	return f.registers[i*f.width : i*f.width+f.columns : i*f.width+f.columns]
}

// Registers returns all registers of row i; steps read and write them.
func (f *Frame) Registers(i int) []float64 {
	return f.registers[i*f.width : (i+1)*f.width : (i+1)*f.width]
}

// Fail records what the running step finds wrong with row i. Column is -1 where no single column is at fault.
// The first fault of a row stands.
func (f *Frame) Fail(i int, code FaultCode, column int16) {
	if f.faults[i].Code == 0 {
		f.faults[i] = Fault{Code: code, Step: f.step, Column: column}
	}
}

// Score is the output of row i; meaningless where Fault(i) is not zero.
func (f *Frame) Score(i int) float64 { return f.registers[i*f.width+int(f.score)] }

// Predicted is the index in Program.Classes of what predict says of row i; meaningless where Fault(i) is not zero.
func (f *Frame) Predicted(i int) int {
	v := f.registers[i*f.width+int(f.predicted)]
	if math.IsNaN(v) {
		return 0
	}
	return int(v)
}

// Fault is the zero Fault for a sound row.
func (f *Frame) Fault(i int) Fault { return f.faults[i] }
