package pickle

import "fmt"

// A SyntaxError refuses bytes that are no sound, harmless pickle. It is the only error that Decode returns.
// There is nothing to retry: the same bytes give the same error. An operator sees it at load, before the first
// event is read.
type SyntaxError struct {
	Reason string // one of the Reason words; stable, for tests, metrics and scripts
	Offset int64  // byte offset in the decompressed stream, or in the file where its container is at fault; -1 where there is none
	Detail string // what was found and what to do; never bytes of the payload
}

// The reasons of a SyntaxError.
// They are part of the interface: a runbook may go by them, so a word may be added and none is renamed.
const (
	ReasonForbiddenGlobal   = "forbidden-global"   // a name that could do something when called
	ReasonForbiddenOpcode   = "forbidden-opcode"   // an instruction that needs code or data from outside the file
	ReasonCustomCode        = "custom-code"        // a class or function of the author's own
	ReasonCorrupt           = "corrupt"            // not written by any pickler
	ReasonTruncated         = "truncated"          // ends too early
	ReasonTrailingData      = "trailing-data"      // goes on after its end
	ReasonArraySize         = "array-size"         // an array larger than any file allowed
	ReasonArrayShape        = "array-shape"        // a shape that is none, or that its data do not fill
	ReasonArrayDType        = "array-dtype"        // an element type outside numbers, text, objects and records
	ReasonDepth             = "depth"              // values nested too deeply
	ReasonCycle             = "cycle"              // a value that holds itself
	ReasonMemoBomb          = "memo-bomb"          // few bytes that stand for very many values
	ReasonInflateBomb       = "inflate-bomb"       // few bytes that inflate to very many
	ReasonBudget            = "budget"             // larger than the limits of this reader
	ReasonUnsupportedFormat = "unsupported-format" // sound, but of a kind that is not read
	ReasonUnsupportedValue  = "unsupported-value"  // a sound call with an argument that has no known meaning
)

// Error states reason, place and detail in one line.
func (e *SyntaxError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("pickle: %s: %s", e.Reason, e.Detail)
	}
	return fmt.Sprintf("pickle: %s at byte %d: %s", e.Reason, e.Offset, e.Detail)
}

// refuse makes a SyntaxError.
func refuse(reason string, offset int, format string, args ...any) error {
	return &SyntaxError{Reason: reason, Offset: int64(offset), Detail: fmt.Sprintf(format, args...)}
}
