package program

// A Reg is a register: the place of one value in every row of a frame. Registers 0..len(Columns)-1 are the columns.
type Reg int32

// A Step computes registers of every row of a frame from registers that earlier steps have written. It keeps no
// state between calls, takes whatever values a faulted row may hold, and does not allocate.
type Step interface {
	Run(f *Frame)
}

// Outputs are the registers where a model's last step leaves what the caller of a program asks for.
type Outputs struct {
	Score       Reg          // the number that becomes the score
	Predicted   Reg          // the index of the predicted class
	Explanation *Explanation // what moved the score; nil: the model gives no reasons
}
